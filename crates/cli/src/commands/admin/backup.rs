//! `trefoil admin backup`.

use std::path::PathBuf;

use serde_json::json;
use trefoil::Clock as _;
use trefoil_client::SystemClock;
use trefoil_metadata_server::upkeep::{self, BackupError, FileError, Written};

use super::{Place, report};
use crate::args::AdminBackup;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: AdminBackup) -> Result<(), Failure> {
    let now = SystemClock.unix_time();
    let (records, nonces) = (arguments.records.as_deref(), arguments.nonces.as_deref());
    if records.is_some() || nonces.is_some() {
        for path in [records, nonces].into_iter().flatten() {
            files::refuse_existing(path)?;
        }
        let place = Place::of(arguments.place)?;
        let reader = place.reader().await?;
        let work = upkeep::back_up(&reader, records, nonces, now);
        let done = ui
            .busy("backing up", work)
            .await
            .map_err(|error| match error {
                BackupError::Store(error) => place.failed(&error),
                BackupError::File(error) => file_failure(&error),
                error => Failure::new(Exit::Other, "unexpected", error),
            })?;
        let mut lines = Vec::new();
        lines.extend(done.records.as_ref().map(|file| line("accounts", file)));
        lines.extend(done.nonces.as_ref().map(|file| {
            let days = arguments.horizon.horizon_days;
            format!("{} Erase it within {days} days.", line("nonces", file))
        }));
        lines.push(
            "Not in it: the keys. Keep copies of sealing.keys and permit.key apart from it."
                .to_owned(),
        );
        ui.step("backed_up", report::json(&done)?, lines.join("\n"));
    }
    if let Some(directory) = arguments.erase_old_nonces {
        let before = now.saturating_sub(arguments.horizon.seconds());
        let erased = erase(directory, before).await?;
        let text = format!("Erased {} old backups of nonces.", erased.len());
        ui.step("erased", json!({ "erased": erased }), text);
    }
    Ok(())
}

async fn erase(directory: PathBuf, before: u64) -> Result<Vec<PathBuf>, Failure> {
    tokio::task::spawn_blocking(move || upkeep::erase_old_nonces(&directory, before))
        .await
        .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?
        .map_err(|error| file_failure(&error))
}

fn line(what: &str, file: &Written) -> String {
    format!("{} {what} in {}.", file.entries, file.path.display())
}

/// What is wrong with a file of a backup.
pub(super) fn file_failure(error: &FileError) -> Failure {
    let (exit, code) = match error {
        FileError::Io { .. } => (Exit::Other, "io"),
        FileError::Exists(_) => (Exit::Usage, "file_exists"),
        _ => (Exit::Input, "bad_backup"),
    };
    Failure::new(exit, code, error)
}
