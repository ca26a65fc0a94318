//! `cargo xtask doc`: the API documentation.

use crate::process::run as sh;
use crate::{Failure, repo::Repo};

/// Builds it with warnings (broken links, missing text) denied.
pub(crate) fn run(repo: &Repo) -> Result<(), Failure> {
    let mut cargo = repo.cargo(["doc", "--workspace", "--all-features", "--no-deps"]);
    sh(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}
