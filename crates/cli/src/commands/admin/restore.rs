//! `trefoil admin restore`.

use trefoil::Clock as _;
use trefoil_client::SystemClock;
use trefoil_metadata_server::upkeep::{self, Restore, RestoreError, RestoreReport};

use super::{Place, report};
use crate::args::AdminRestore;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: AdminRestore) -> Result<(), Failure> {
    let place = Place::of(arguments.place)?;
    let mut plan = Restore::new(arguments.records)
        .horizon(arguments.horizon.seconds())
        .allow_old_nonces(arguments.allow_old_nonces)
        .accept_problems(arguments.accept_problems)
        .accept_missing_nonces(arguments.accept_missing_nonces);
    for nonces in arguments.nonces {
        plan = plan.nonces(nonces);
    }
    let at_rest = place.at_rest()?;
    let store = place.store_to_restore().await?;
    let work = upkeep::restore(&store, &at_rest, plan, SystemClock.unix_time());
    let done = ui
        .busy("restoring", work)
        .await
        .map_err(|error| failure(&place, error))?;
    ui.step("restored", report::json(&done)?, text(&done));
    if done.finished {
        return Ok(());
    }
    let message = format!(
        "{} accounts lack their nonce, so nobody is served yet: run this again with more backups of nonces, or with \
         --accept-missing-nonces",
        done.without_nonce.len()
    );
    Err(Failure::new(Exit::Refused, "without_nonce", message))
}

fn text(done: &RestoreReport) -> String {
    let mut text = format!(
        "Restored {} accounts ({} deleted); {} nonces came from backups.",
        done.accounts, done.tombstones, done.nonces_loaded
    );
    if done.slots_unread > 0 {
        text += &format!(
            "\n{} slots are sealed, and their keys are not here: put sealing.keys back before the server starts.",
            done.slots_unread
        );
    }
    if !done.problems.is_empty() {
        text += &format!(
            "\nWhat does not hold together:\n{}",
            report::problems(&done.problems)
        );
    }
    text += &super::verify::without_nonce(done.nonces_named, &done.without_nonce);
    if done.finished {
        text += "\nThe server may start.";
    }
    text
}

fn failure(place: &Place, error: RestoreError) -> Failure {
    match error {
        RestoreError::Store(error) => place.failed(&error),
        RestoreError::File(error) => super::backup::file_failure(&error),
        RestoreError::OldNonces { .. } => Failure::new(
            Exit::Refused,
            "old_nonces",
            format!("{error} (--allow-old-nonces)"),
        ),
        RestoreError::Problems(ref problems) => {
            let message = format!(
                "{error} (--accept-problems):\n{}",
                report::problems(problems)
            );
            Failure::new(Exit::Alarm, "problems", message)
        }
        RestoreError::Changed(_) => Failure::new(Exit::Conflict, "file_changed", error),
        error => Failure::new(Exit::Other, "unexpected", error),
    }
}
