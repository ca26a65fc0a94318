//! schemathesis, from PyPI, which makes up requests from the metadata server's API document.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{command, run};
use crate::tools::require_pip;
use crate::{Failure, repo::Repo};

/// What is committed of it: every package by its version.
const PINS: &str = "tests/schemathesis/requirements.txt";

/// Tells the tests where it is; without it they look where [`prepare`] puts it.
pub(crate) const VARIABLE: &str = "TREFOIL_SCHEMATHESIS";

/// Installs the pinned packages, unless they are there already, and returns their folder.
pub(crate) fn prepare(repo: &Repo) -> Result<PathBuf, Failure> {
    let pins = repo.path(PINS);
    let folder = repo.target().join("tools").join("schemathesis");
    let stamp = folder.join("installed.txt");
    if is_same(&pins, &stamp) {
        return Ok(folder);
    }
    require_pip()?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run(command("python3")
        .args(["-m", "pip", "install", "--quiet", "--root-user-action=ignore"])
        .args(["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"])
        .arg("--target")
        .arg(&folder)
        .arg("--requirement")
        .arg(&pins))
    .map_err(|failure| {
        format!("{failure}\nschemathesis is missing: run it again with a network and Python 3.10 or newer")
    })?;
    // Written last: a run that is cut off is not taken for a whole one.
    fs::copy(pins, stamp)?;
    Ok(folder)
}

/// `cargo xtask schemathesis`: installs it and runs its tests alone.
pub(crate) fn check(repo: &Repo) -> Result<(), Failure> {
    let folder = prepare(repo)?;
    let mut cargo = repo.cargo([
        "test",
        "--package",
        "trefoil-metadata-server",
        "--all-features",
        "--test",
        "schemathesis",
    ]);
    run(cargo.env(VARIABLE, folder))
}

fn is_same(pins: &Path, stamp: &Path) -> bool {
    let wanted = fs::read(pins).ok();
    wanted.is_some() && wanted == fs::read(stamp).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn every_package_is_pinned_and_no_registry_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let text = std::fs::read_to_string(root.join(super::PINS)).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.iter().any(|line| line.starts_with("schemathesis==")));
        for line in lines {
            let (name, version) = line.split_once("==").unwrap();
            assert!(!name.is_empty() && !version.is_empty(), "{line}");
            assert!(!line.contains(['/', ':', ' ']), "{line}");
        }
    }
}
