//! `trefoil network backup`: a node's key and shares into one file, sealed with its operator's passphrase.

use serde_json::json;
use trefoil_client::Environment;
use trefoil_node::{Backup, BackupError, KdfCost, Passphrase, StateError};
use trefoil_store::SqliteNodeStore;

use super::keys;
use crate::args::NodeBackup;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::secrets::Source;
use crate::ui::Ui;

pub(super) const PASSPHRASE: &str = "backup passphrase";

pub(super) async fn run(ui: Ui, arguments: &NodeBackup) -> Result<(), Failure> {
    let out = &arguments.out;
    if out.exists() {
        let message = format!("{} exists already and is not overwritten", out.display());
        return Err(Failure::new(Exit::Usage, "file_exists", message));
    }
    let key = keys::read(&arguments.key_file)?;
    // Read before anybody is asked for anything; the node may be running.
    let stored = SqliteNodeStore::read(&arguments.data).map_err(|error| {
        let message = format!("the database in {}: {error}", arguments.data.display());
        Failure::new(Exit::Other, "store", message)
    })?;
    if stored.is_none() {
        return Err(BackupError::NoShare.into());
    }
    let source = Source::of(arguments.passphrase_file.as_deref(), true);
    let text = source.unwrap_or(Source::Prompt).read_new(ui, PASSPHRASE)?;
    let passphrase = Passphrase::new(&text)?;
    let environment = Environment::system();
    let sealing = tokio::task::spawn_blocking(move || {
        Backup::seal(
            &key,
            stored.as_ref(),
            &passphrase,
            KdfCost::default(),
            environment.now(),
            &mut environment.rng(),
        )
    });
    let sealed = ui.busy("sealing the backup", sealing).await;
    let backup = sealed.map_err(|error| Failure::new(Exit::Other, "unexpected", error))??;
    files::write_new_private(out, &backup.to_json())?;
    ui.step(
        "backed_up",
        json!({
            "identity_key": backup.identity_key(),
            "network": backup.network(),
            "epochs": backup.epochs(),
            "backup": out.display().to_string(),
        }),
        format!(
            "Backup of node {}, epochs {:?}:  {}\n\
             It opens with its passphrase alone, key file and all. Keep it off this machine; after the next refresh or move \
             it is worthless: make another and erase this one.",
            backup.identity_key(),
            backup.epochs(),
            out.display()
        ),
    );
    Ok(())
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let (exit, code) = match &error {
            BackupError::WeakPassphrase { .. } => (Exit::Input, "weak_passphrase"),
            BackupError::WrongPassphrase => (Exit::Input, "wrong_passphrase"),
            BackupError::Cost { .. } | BackupError::Damaged | BackupError::UnknownVersion(_) => {
                (Exit::Input, "bad_backup")
            }
            BackupError::NoShare => (Exit::Refused, "no_share"),
            BackupError::State(StateError::WrongKey) => (Exit::Input, "bad_key_file"),
            BackupError::State(_) | BackupError::Store(_) => (Exit::Other, "store"),
            _ => (Exit::Other, "unexpected"),
        };
        Self::new(exit, code, &error)
    }
}
