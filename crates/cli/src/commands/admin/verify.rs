//! `trefoil admin verify`.

use trefoil_metadata_server::upkeep::{self, VerifyError, VerifyReport};

use super::report;
use crate::args::AdminVerify;
use crate::failure::{Exit, Failure};
use crate::local::sealing::KeyFile;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: AdminVerify) -> Result<(), Failure> {
    let found = if let Some(records) = arguments.records {
        let keys = match &arguments.place.sealing_keys_file {
            Some(path) => KeyFile::read(path)?,
            None => None,
        };
        let at_rest = super::at_rest(keys)?;
        let work = upkeep::verify_files(&records, &arguments.nonces, &at_rest);
        ui.busy("checking", work)
            .await
            .map_err(|error| match error {
                VerifyError::File(error) => super::backup::file_failure(&error),
                error => Failure::new(Exit::Other, "unexpected", error),
            })?
    } else {
        let place = super::store(arguments.place)?;
        let (reader, at_rest) = (place.reader().await?, super::at_rest(place.keys()?)?);
        let work = upkeep::verify(&*reader, &at_rest);
        ui.busy("checking", work)
            .await
            .map_err(|error| match error {
                VerifyError::Store(error) => place.failed(&error),
                error => Failure::new(Exit::Other, "unexpected", error),
            })?
    };
    ui.step("verified", report::json(&found)?, text(&found));
    match found.problems.len() {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::Alarm,
            "problems",
            format!("{count} things do not hold together"),
        )),
    }
}

fn text(found: &VerifyReport) -> String {
    let mut text = format!(
        "Checked {} accounts ({} deleted), {} factors, {} events, {} slots.",
        found.accounts, found.tombstones, found.factors, found.events, found.slots
    );
    if found.slots_unread > 0 {
        text += &format!(
            "\n{} slots are sealed and were not looked into: name the file with --sealing-keys-file.",
            found.slots_unread
        );
    }
    if !found.problems.is_empty() {
        text += &format!(
            "\nWhat does not hold together:\n{}",
            report::problems(&found.problems)
        );
    }
    text += &without_nonce(found.nonces_named, &found.without_nonce);
    text
}

/// The accounts that do not open.
pub(super) fn without_nonce(named: u64, names: &[upkeep::AccountName]) -> String {
    match names.len() {
        0 => format!("\nEach of the {named} nonces that records name is there."),
        count => format!(
            "\n{count} of the {named} nonces that records name are missing. No factor opens these accounts before a backup with \
             their nonce, or with a newer record, is found:\n{}",
            report::names(names)
        ),
    }
}
