//! A Secret Service without a desktop, so that the keychain adapter is tested against the real thing.

use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::process::{command, which};
use crate::tools::apt;

/// A private session bus with an unlocked, empty keyring; gone with the value.
pub(crate) struct Session {
    home: tempfile::TempDir,
}

impl Session {
    /// `None` on systems whose keychain is not the Secret Service (their runs say so).
    pub(crate) fn prepare() -> Result<Option<Self>, Failure> {
        if !cfg!(target_os = "linux") {
            return Ok(None);
        }
        if which("dbus-run-session").is_none() || which("gnome-keyring-daemon").is_none() {
            apt(&["dbus", "gnome-keyring"])?;
        }
        Ok(Some(Self {
            home: tempfile::Builder::new()
                .prefix("trefoil-keyring")
                .tempdir()?,
        }))
    }

    /// `program` inside the session. The data and runtime folders are our own: the user's keyring stays untouched.
    pub(crate) fn wrap(&self, program: &Command) -> Command {
        const START: &str = r#"
            printf trefoil | gnome-keyring-daemon --unlock --components=secrets >/dev/null
            exec "$@"
        "#;
        let mut wrapped = command("dbus-run-session");
        wrapped
            .args(["--", "sh", "-euc", START, "sh"])
            .arg(program.get_program())
            .args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        if let Some(folder) = program.get_current_dir() {
            wrapped.current_dir(folder);
        }
        let home: &Path = self.home.path();
        wrapped
            .env("XDG_DATA_HOME", home)
            .env("XDG_RUNTIME_DIR", home);
        wrapped
    }
}
