//! An OpenID provider that is not ours, from npm, so that a login in the browser is tested against the real thing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{command, run, which};
use crate::tools::apt;
use crate::{Failure, repo::Repo};

/// What is committed of it.
const SOURCE: &str = "tests/oidc-provider";
const PINS: [&str; 3] = [".npmrc", "package.json", "package-lock.json"];
const SERVER: &str = "server.mjs";

/// Tells the tests where it is; without it they look where [`prepare`] puts it.
pub(crate) const VARIABLE: &str = "TREFOIL_OIDC_PROVIDER";

/// Installs the pinned packages, unless they are there already, and returns the folder in which `node server.mjs` runs.
pub(crate) fn prepare(repo: &Repo) -> Result<PathBuf, Failure> {
    let missing: Vec<&str> = [("node", "nodejs"), ("npm", "npm")]
        .into_iter()
        .filter(|(program, _)| which(program).is_none())
        .map(|(_, package)| package)
        .collect();
    if !missing.is_empty() {
        apt(&missing)?;
    }
    let source = repo.path(SOURCE);
    let folder = repo.target().join("tools").join("oidc-provider");
    fs::create_dir_all(&folder)?;
    if !is_installed(&source, &folder) {
        // Written last below: a run that is cut off is not taken for a whole one.
        let _ = fs::remove_file(stamp(&folder));
        for name in PINS {
            fs::copy(source.join(name), folder.join(name))?;
        }
        run(command("npm").current_dir(&folder).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]))
        .map_err(|failure| {
            format!("{failure}\nthe tests of the login in the browser need these packages: run it again with a network")
        })?;
        fs::copy(source.join("package-lock.json"), stamp(&folder))?;
    }
    fs::copy(source.join(SERVER), folder.join(SERVER))?;
    Ok(folder)
}

/// Whether the packages of the committed lock file are there.
fn is_installed(source: &Path, folder: &Path) -> bool {
    let lock = fs::read(source.join("package-lock.json")).ok();
    lock.is_some() && lock == fs::read(stamp(folder)).ok()
}

fn stamp(folder: &Path) -> PathBuf {
    folder.join("installed-lock.json")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Where packages come from is a setting of the machine; what they are is pinned by their hashes.
    #[test]
    fn the_lock_file_names_hashes_and_no_registry() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let text =
            std::fs::read_to_string(root.join(super::SOURCE).join("package-lock.json")).unwrap();
        let lock: serde_json::Value = serde_json::from_str(&text).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(packages.contains_key("node_modules/oidc-provider"));
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            assert!(package["resolved"].is_null(), "{name} names a registry");
            assert!(
                package["integrity"]
                    .as_str()
                    .unwrap()
                    .starts_with("sha512-"),
                "{name}"
            );
        }
    }
}
