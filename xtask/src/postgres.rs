//! PostgreSQL's programs, with which tests start clusters of their own.

use std::fs;

use crate::process::which;
use crate::{Failure, tools};

/// Names their folder where they are elsewhere; the tests look at it too.
const VARIABLE: &str = "TREFOIL_POSTGRES_BIN";

/// Installs them on Debian where they are missing.
pub(crate) fn prepare() -> Result<(), Failure> {
    if is_installed() {
        return Ok(());
    }
    tools::apt(&["postgresql"]).map_err(|failure| {
        format!(
            "{failure}\nthe tests need PostgreSQL's server programs (initdb, postgres, pg_basebackup): Fedora calls them \
             postgresql-server, Homebrew postgresql; where they are in an unusual place, name the folder in {VARIABLE}"
        )
    })?;
    if is_installed() {
        Ok(())
    } else {
        Err(format!(
            "PostgreSQL was installed and is not found; name the folder of initdb in {VARIABLE}"
        )
        .into())
    }
}

fn is_installed() -> bool {
    let named = std::env::var_os(VARIABLE).is_some();
    let debian = fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut versions| {
        versions
            .any(|version| version.is_ok_and(|version| version.path().join("bin/initdb").is_file()))
    });
    named || debian || which("initdb").is_some()
}
