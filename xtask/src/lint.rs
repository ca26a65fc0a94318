//! `cargo xtask lint`: formatting, clippy, dependency rules.

use crate::process::run as sh;
use crate::{Failure, repo::Repo, tools};

/// Everything that a reader of the code should not have to look for.
pub(crate) fn run(repo: &Repo) -> Result<(), Failure> {
    sh(&mut repo.cargo(["fmt", "--all", "--check"]))?;
    if repo.path("fuzz/Cargo.toml").is_file() {
        sh(&mut repo.cargo(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    }
    sh(&mut repo.cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    // Advisories need a clone of a git repository and so cannot gate; licences, sources and bans work offline.
    let deny = tools::DENY.find(repo)?;
    let mut cargo = repo.cargo([
        "deny",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    sh(cargo.env("PATH", tools::path_with(&deny)?))
}
