//! `cargo xtask load` and `cargo xtask torture`: optimised builds of the server and of what drives it, then the driver.

use std::ffi::OsString;
use std::process::Stdio;

use crate::process::{command, run as sh};
use crate::{Failure, incumbent, repo::Repo};

/// Open files that the driver may have: it opens 10,000 connections.
const OPEN_FILES: &str = "20000";

/// `[--backend KIND] [--seconds N] [--incumbent] [--json] …`; `--help` lists the rest.
pub(crate) fn load(repo: &Repo, args: &[String]) -> Result<(), Failure> {
    let (mut profile, mut passed) = ("release", Vec::new());
    for arg in args {
        passed.push(arg.into());
        if arg == INCUMBENT {
            // The ratios are promised of what is shipped.
            profile = "dist";
            passed.push(incumbent::prepare(repo)?.into_os_string());
        }
    }
    drive(repo, profile, "trefoil-load", &passed)
}

/// To the driver it is said with a folder.
const INCUMBENT: &str = "--incumbent";

/// `--rounds N [--backend KIND] [--json]`
pub(crate) fn torture(repo: &Repo, args: &[String]) -> Result<(), Failure> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    drive(repo, "release", "trefoil-torture", &args)
}

fn drive(repo: &Repo, profile: &str, program: &str, args: &[OsString]) -> Result<(), Failure> {
    // Standard output is for the figures alone.
    sh(repo
        .cargo([
            "build",
            "--profile",
            profile,
            "-p",
            "trefoil-cli",
            "-p",
            "trefoil-load",
        ])
        .stdout(Stdio::null()))?;
    let program = repo.target().join(profile).join(program);
    // As many open files as there may be, where there may be fewer: small runs need few.
    sh(command("sh")
        .args([
            "-c",
            "ulimit -n \"$0\" 2>/dev/null; exec \"$@\"",
            OPEN_FILES,
        ])
        .arg(program)
        .args(args))
}
