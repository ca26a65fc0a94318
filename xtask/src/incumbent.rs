//! What `cargo xtask load --incumbent` compares with: Node.js with packages from npm, MariaDB, Redis.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{command, run, which};
use crate::{Failure, repo::Repo, tools};

/// What is committed of it: a server and the packages that it names.
const SOURCE: &str = "tests/load/incumbent";
/// Programs that it consists of, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 5] = [
    ("node", "nodejs"),
    ("npm", "npm"),
    ("mariadbd", "mariadb-server"),
    ("mariadb-install-db", "mariadb-server"),
    ("redis-server", "redis-server"),
];

/// Installs what is missing and returns the folder from which it runs.
pub(crate) fn prepare(repo: &Repo) -> Result<PathBuf, Failure> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        tools::apt(&missing)?;
    }
    let (source, folder) = (
        repo.path(SOURCE),
        repo.target().join("tools").join("incumbent"),
    );
    fs::create_dir_all(&folder)?;
    fs::copy(source.join("server.js"), folder.join("server.js"))?;
    let (wanted, stamp) = (source.join("package.json"), folder.join("installed.json"));
    if fs::read(&wanted)? == fs::read(&stamp).unwrap_or_default() {
        return Ok(folder);
    }
    fs::copy(&wanted, folder.join("package.json"))?;
    run(command("npm")
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
            "--ignore-scripts",
            "--silent",
        ])
        .arg("--prefix")
        .arg(&folder))
    .map_err(|failure| {
        format!("{failure}\nnpm cannot install what {SOURCE} names: it needs a network")
    })?;
    // Written last: a run that is cut off is not taken for a whole one.
    fs::copy(wanted, stamp)?;
    Ok(folder)
}

/// Debian has servers where only root looks for them.
fn is_installed(program: &str) -> bool {
    which(program).is_some() || Path::new("/usr/sbin").join(program).is_file()
}
