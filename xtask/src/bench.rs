//! `cargo xtask bench`: the benchmarks, and the ratios that the design promises.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::process::run as sh;
use crate::{Failure, repo::Repo};

/// How a promise is written down.
#[derive(Clone, Copy)]
enum Bound {
    /// Ours takes at most this many times what the peer takes.
    AtMost(f64),
    /// Ours is at least this many times faster than the peer.
    Faster(f64),
    /// Printed for orientation only.
    None,
}

struct Promise {
    group: &'static str,
    peer: &'static str,
    bound: Bound,
}

/// Ours is the function `trefoil` of each group. Ratios of two functions that ran side by side on the same machine:
/// absolute times are nobody's promise.
const PROMISES: [Promise; 6] = [
    Promise {
        group: "reconstruct_2_of_3",
        peer: "mul_by_generator",
        bound: Bound::AtMost(1.25),
    },
    Promise {
        group: "reconstruct_2_of_3",
        peer: "vsss_rs",
        bound: Bound::None,
    },
    Promise {
        group: "reconstruct_500_of_1000",
        peer: "vsss_rs",
        bound: Bound::Faster(5.0),
    },
    Promise {
        group: "evaluation",
        peer: "bare_curve_operations",
        bound: Bound::AtMost(1.3),
    },
    Promise {
        group: "node_evaluation",
        peer: "bare_curve_operations",
        bound: Bound::AtMost(1.3),
    },
    Promise {
        group: "split",
        peer: "vsss_rs",
        bound: Bound::None,
    },
];

/// Median nanoseconds by group and function.
type Medians = BTreeMap<String, BTreeMap<String, f64>>;

/// `[--quick] [FILTER]`
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<(), Failure> {
    let benches = repo.benches();
    if benches.is_empty() {
        return Err("the workspace has no bench targets".into());
    }
    let start = SystemTime::now();
    let mut cargo = repo.cargo(["bench", "--workspace", "--all-features"]);
    for bench in &benches {
        eprintln!("{} of {}", bench.name, bench.package);
        cargo.args(["--bench", &bench.name]);
    }
    cargo.arg("--").args(args);
    sh(&mut cargo)?;

    let mut medians = Medians::new();
    read(&repo.target().join("criterion"), start, &mut medians)?;
    print_times(&medians);
    print_ratios(&medians);
    Ok(())
}

/// Collects what criterion wrote since `start`, so that renamed benchmarks of last week do not show up.
fn read(folder: &Path, start: SystemTime, into: &mut Medians) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("estimates.json");
        if path.ends_with("new") && estimates.is_file() {
            if fs::metadata(&estimates)?.modified()? < start {
                continue;
            }
            let json = |file: &Path| -> Result<Value, Failure> {
                Ok(serde_json::from_slice(&fs::read(file)?)?)
            };
            let (id, estimates) = (json(&path.join("benchmark.json"))?, json(&estimates)?);
            let text = |key: &str| id.get(key).and_then(Value::as_str);
            let median = estimates
                .pointer("/median/point_estimate")
                .and_then(Value::as_f64);
            let (Some(group), Some(median)) = (text("group_id"), median) else {
                return Err(format!(
                    "criterion's files in {} have another shape than expected",
                    path.display()
                )
                .into());
            };
            let function = match (text("function_id"), text("value_str")) {
                (Some(function), Some(value)) => format!("{function}/{value}"),
                (Some(one), None) | (None, Some(one)) => one.to_owned(),
                (None, None) => "-".to_owned(),
            };
            into.entry(group.to_owned())
                .or_default()
                .insert(function, median);
        } else {
            read(&path, start, into)?;
        }
    }
    Ok(())
}

fn print_times(medians: &Medians) {
    println!("\n{:<28}{:<28}{:>14}", "group", "function", "median");
    for (group, functions) in medians {
        for (function, nanoseconds) in functions {
            println!("{group:<28}{function:<28}{:>14}", time(*nanoseconds));
        }
    }
}

fn print_ratios(medians: &Medians) {
    println!(
        "\n{:<28}{:<28}{:>8}   promised",
        "group", "trefoil against", "ratio"
    );
    for Promise { group, peer, bound } in &PROMISES {
        let Some((ours, theirs)) = medians
            .get(*group)
            .and_then(|functions| Some((functions.get("trefoil")?, functions.get(*peer)?)))
        else {
            continue;
        };
        let ratio = ours / theirs;
        println!(
            "{group:<28}{peer:<28}{ratio:>8.2}   {}",
            verdict(ratio, *bound)
        );
    }
}

fn verdict(ratio: f64, bound: Bound) -> String {
    let (promise, kept) = match bound {
        Bound::AtMost(most) => (format!("at most {most:.2}"), ratio <= most),
        Bound::Faster(times) => (
            format!("{times:.1} times faster (here {:.1})", ratio.recip()),
            ratio.recip() >= times,
        ),
        Bound::None => return "-".to_owned(),
    };
    format!("{promise}: {}", if kept { "kept" } else { "NOT KEPT" })
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1e3 {
        format!("{nanoseconds:.1} ns")
    } else if nanoseconds < 1e6 {
        format!("{:.2} us", nanoseconds / 1e3)
    } else {
        format!("{:.2} ms", nanoseconds / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, verdict};

    #[test]
    fn a_broken_promise_is_named() {
        assert!(verdict(1.3, Bound::AtMost(1.25)).ends_with("NOT KEPT"));
        assert!(verdict(1.2, Bound::AtMost(1.25)).ends_with(": kept"));
        assert!(verdict(0.25, Bound::Faster(5.0)).ends_with("NOT KEPT"));
        assert!(verdict(0.19, Bound::Faster(5.0)).ends_with(": kept"));
    }
}
