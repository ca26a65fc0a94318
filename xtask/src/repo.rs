//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Failure;
use crate::process;

/// The checkout this command was started in.
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
    metadata: Value,
}

/// One target of one workspace member, as `cargo metadata` names it.
pub(crate) struct Target {
    pub(crate) package: String,
    pub(crate) name: String,
}

impl Repo {
    /// Asks cargo for the workspace around the current folder and for its target folder, so that
    /// `CARGO_TARGET_DIR` and `build.target-dir` are respected.
    pub(crate) fn find() -> Result<Self, Failure> {
        let metadata = metadata(Path::new("."), None)?;
        let path = |key: &str| {
            metadata
                .get(key)
                .and_then(Value::as_str)
                .map(PathBuf::from)
                .ok_or_else(|| Failure::from(format!("cargo metadata has no `{key}`")))
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            metadata,
        })
    }

    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path under the workspace's root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The folder of build products.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// `cargo <arguments>` in the workspace's root.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = process::command("cargo");
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .args(arguments);
        command
    }

    /// The bench targets of the workspace.
    pub(crate) fn benches(&self) -> Vec<Target> {
        targets(&self.metadata, "bench")
    }

    /// The fuzz targets; none where the folder does not exist.
    pub(crate) fn fuzz_targets(&self) -> Result<Vec<Target>, Failure> {
        let manifest = self.path("fuzz/Cargo.toml");
        if !manifest.is_file() {
            return Ok(Vec::new());
        }
        Ok(targets(&metadata(&self.root, Some(&manifest))?, "bin"))
    }
}

fn metadata(folder: &Path, manifest: Option<&Path>) -> Result<Value, Failure> {
    let mut command = process::command("cargo");
    command
        .current_dir(folder)
        .args(["metadata", "--no-deps", "--format-version=1"]);
    if let Some(manifest) = manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    Ok(serde_json::from_str(&process::output(&mut command)?)?)
}

fn targets(metadata: &Value, kind: &str) -> Vec<Target> {
    let list = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let name = |value: &Value| {
        value
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    list(metadata, "packages")
        .iter()
        .flat_map(|package| {
            list(package, "targets")
                .iter()
                .filter(|target| list(target, "kind").iter().any(|k| k == kind))
                .map(|target| Target {
                    package: name(package),
                    name: name(target),
                })
                .collect::<Vec<_>>()
        })
        .collect()
}
