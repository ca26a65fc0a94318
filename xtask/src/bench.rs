//! `cargo xtask bench`: the benchmarks, and the ratios that the design promises.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::process::run as sh;
use crate::{Failure, repo::Repo};

/// What is promised of the time of one function.
#[derive(Clone, Copy)]
enum Bound {
    /// At most this many times what the peer takes.
    AtMost(f64),
    /// At least this many times faster than the peer.
    Faster(f64),
    /// Nothing; for orientation.
    None,
}

/// Two functions of one group that ran side by side on the same machine: absolute times are nobody's promise.
struct Promise {
    group: &'static str,
    ours: &'static str,
    peer: &'static str,
    bound: Bound,
}

const fn promise(
    group: &'static str,
    ours: &'static str,
    peer: &'static str,
    bound: Bound,
) -> Promise {
    Promise {
        group,
        ours,
        peer,
        bound,
    }
}

const PROMISES: [Promise; 25] = [
    promise(
        "reconstruct_2_of_3",
        "trefoil",
        "mul_by_generator",
        Bound::AtMost(1.25),
    ),
    promise("reconstruct_2_of_3", "trefoil", "vsss_rs", Bound::None),
    promise(
        "reconstruct_500_of_1000",
        "trefoil",
        "vsss_rs",
        Bound::Faster(5.0),
    ),
    promise("split", "trefoil", "vsss_rs", Bound::None),
    promise(
        "evaluation",
        "trefoil",
        "bare_curve_operations",
        Bound::AtMost(1.3),
    ),
    promise(
        "node_evaluation",
        "trefoil",
        "bare_curve_operations",
        Bound::AtMost(1.3),
    ),
    promise("envelope", "open", "bare_hpke", Bound::None),
    promise("record", "verify", "bare_ed25519_verify", Bound::None),
    promise("record_commit", "trefoil", "bare_sqlite", Bound::None),
    promise("login", "trefoil", "bare_http_round_trips", Bound::None),
    promise(
        "login_at_50_ms",
        "trefoil",
        "two_round_trips",
        Bound::AtMost(1.3),
    ),
    promise(
        "network_login",
        "trefoil",
        "fifth_fastest_answer",
        Bound::None,
    ),
    promise(
        "network_login_4_at_50_ms",
        "trefoil",
        "fifth_fastest_answer",
        Bound::None,
    ),
    promise(
        "network_login_5_at_50_ms",
        "trefoil",
        "fifth_fastest_answer",
        Bound::AtMost(1.3),
    ),
    promise(
        "network_login_4_at_500_ms",
        "trefoil",
        "fifth_fastest_answer",
        Bound::None,
    ),
    promise(
        "network_login_5_at_500_ms",
        "trefoil",
        "fifth_fastest_answer",
        Bound::AtMost(1.3),
    ),
    promise(
        "guess_blind",
        "trefoil",
        "bare_curve_operations",
        Bound::None,
    ),
    promise(
        "guess_evaluate_and_prove",
        "trefoil",
        "bare_curve_operations",
        Bound::AtMost(1.3),
    ),
    promise(
        "guess_verify",
        "trefoil",
        "bare_curve_operations",
        Bound::None,
    ),
    promise(
        "guess_combine_5_of_9",
        "trefoil",
        "bare_curve_operations",
        Bound::None,
    ),
    promise(
        "guess_finalize",
        "trefoil",
        "bare_curve_operations",
        Bound::None,
    ),
    promise(
        "pin_recovery",
        "guess",
        "server_and_fifth_fastest_answer",
        Bound::None,
    ),
    promise(
        "pin_recovery",
        "guess_and_unlock",
        "all_ten_answers",
        Bound::None,
    ),
    promise(
        "pin_recovery_4_at_50_ms",
        "guess",
        "server_and_fifth_fastest_answer",
        Bound::None,
    ),
    promise(
        "pin_recovery_4_at_50_ms",
        "guess_and_unlock",
        "all_ten_answers",
        Bound::None,
    ),
];

/// Requests per second on two cores, against what the incumbent (Node.js, MySQL, Redis) was measured at on two cores. It
/// does not run here, so these compare only on a machine of that size.
struct Rate {
    group: &'static str,
    incumbent: f64,
    times: f64,
}

const RATES: [Rate; 2] = [
    Rate {
        group: "record_commit",
        incumbent: 620.0,
        times: 10.0,
    },
    Rate {
        group: "record_read",
        incumbent: 7_100.0,
        times: 5.0,
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
    let median = |group: &str, function: &str| medians.get(group)?.get(function).copied();
    println!(
        "\n{:<28}{:<16}{:<26}{:>8}   promised",
        "group", "ours", "against", "ratio"
    );
    for Promise {
        group,
        ours,
        peer,
        bound,
    } in &PROMISES
    {
        if let (Some(time), Some(other)) = (median(group, ours), median(group, peer)) {
            let ratio = time / other;
            println!(
                "{group:<28}{ours:<16}{peer:<26}{ratio:>8.2}   {}",
                verdict(ratio, *bound)
            );
        }
    }
    for Rate {
        group,
        incumbent,
        times,
    } in &RATES
    {
        if let Some(time) = median(group, "trefoil") {
            let ratio = incumbent / (1e9 / time);
            let peer = format!("incumbent at {incumbent:.0}/s");
            let verdict = verdict(ratio, Bound::Faster(*times));
            println!(
                "{group:<28}{:<16}{peer:<26}{ratio:>8.2}   {verdict}",
                "trefoil"
            );
        }
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
