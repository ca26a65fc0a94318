//! `cargo xtask fuzz`: the fuzz targets, from their committed seeds.

use std::fs;
use std::process::{Command, Stdio};

use crate::process::{command, run as sh};
use crate::report::Tally;
use crate::{Failure, repo::Repo, tools};

/// Long enough to run every seed and some thousand mutations.
pub(crate) const DEFAULT_SECONDS: u32 = 10;

/// `[--seconds N] [TARGET]`
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<(), Failure> {
    let mut seconds = DEFAULT_SECONDS;
    let mut only = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            seconds = args.next().ok_or("--seconds wants a number")?.parse()?;
        } else {
            only = Some(arg.as_str());
        }
    }
    let tally = all(repo, seconds, only)?;
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        Err("a fuzz target found something".into())
    } else {
        Ok(())
    }
}

/// Every target (or `only`), `seconds` each; one target is one test.
pub(crate) fn all(repo: &Repo, seconds: u32, only: Option<&str>) -> Result<Tally, Failure> {
    let targets = repo.fuzz_targets()?;
    let chosen: Vec<_> = targets
        .iter()
        .filter(|target| only.is_none_or(|only| only == target.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        return Err(format!("no such fuzz target; there are: {}", names.join(", ")).into());
    }
    let mut tally = Tally::default();
    for target in chosen {
        // What the fuzzer finds goes to a scratch folder; the committed seeds are only read.
        let scratch = repo.target().join("fuzz-corpus").join(&target.name);
        fs::create_dir_all(&scratch)?;
        let seeds = repo.path("fuzz/seeds").join(&target.name);
        if fs::read_dir(&seeds)
            .map(|mut files| files.next().is_none())
            .unwrap_or(true)
        {
            return Err(format!("fuzz/seeds/{} holds no seed", target.name).into());
        }
        let mut cargo = cargo_fuzz(repo)?;
        cargo
            .args(["run", "--fuzz-dir", "fuzz", &target.name])
            .arg(&scratch)
            .arg(&seeds);
        // A seed that takes longer than ten seconds or a gigabyte is a finding too.
        cargo.args([
            "--",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-verbosity=0",
            "-print_final_stats=1",
        ]);
        cargo.arg(format!("-max_total_time={seconds}"));
        let result = sh(&mut cargo);
        if let Err(failure) = &result {
            eprintln!("fuzz target {}: {failure}", target.name);
        }
        tally.add(Tally::one(result.is_ok()));
    }
    Ok(tally)
}

/// `cargo fuzz` on a nightly toolchain where there is one. Its flags are unstable ones, but the sanitizer runtimes
/// also come with stable toolchains, so elsewhere the pinned one is told to accept them.
fn cargo_fuzz(repo: &Repo) -> Result<Command, Failure> {
    let tool = tools::FUZZ.find(repo)?;
    let nightly = command("cargo")
        .args(["+nightly", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let mut cargo = command("cargo");
    if nightly {
        cargo.env_remove("RUSTUP_TOOLCHAIN").arg("+nightly");
    } else {
        cargo.env("RUSTC_BOOTSTRAP", "1");
    }
    cargo.arg("fuzz").current_dir(repo.root());
    cargo
        .env("PATH", tools::path_with(&tool)?)
        .env("CARGO_TARGET_DIR", repo.target().join("fuzz"));
    Ok(cargo)
}
