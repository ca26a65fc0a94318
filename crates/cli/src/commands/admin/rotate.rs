//! `trefoil admin rotate`.
//!
//! A store that one process has open is rotated in one run. Where several share a database each of them must know a key before
//! anything is under it, and use it before the old one may go: that takes three runs with restarts between.

use serde_json::json;

use crate::args::AdminRotate;
use crate::failure::{Exit, Failure};
use crate::local::sealing::KeyFile;
use crate::store::{Location, Store};
use crate::ui::Ui;

/// What is done between two runs.
const TELL: &str = "Copy the file to every server that shares the store and restart each of them";

pub(super) async fn run(ui: Ui, arguments: AdminRotate) -> Result<(), Failure> {
    let place = super::store(arguments.place)?;
    place.must_exist()?;
    let file = KeyFile::read_or_make(&place.sealing_keys_file)?;
    if arguments.prepare {
        prepare(ui, &place, file)
    } else if arguments.use_new {
        use_new(ui, &place, file)
    } else {
        let (new_key, forget_old) = (!arguments.no_new_key, arguments.forget_old);
        reseal(ui, &place, file, new_key, forget_old).await
    }
}

/// Adds a key, which nobody uses yet.
fn prepare(ui: Ui, place: &Store, mut file: KeyFile) -> Result<(), Failure> {
    if !file.newest_is_current() {
        return Err(refused(
            "already_prepared",
            format!(
                "a new key was added before and is not in use yet. {TELL}, then run this with --use"
            ),
        ));
    }
    let id = file.add();
    file.replace(&place.sealing_keys_file)?;
    ui.step(
        "prepared",
        json!({ "key": id, "current": file.current() }),
        format!("Added the key {id}, which is not in use yet. {TELL}, then run this with --use."),
    );
    Ok(())
}

/// Makes the newest key that of new rows, and leaves the rows there are alone.
fn use_new(ui: Ui, place: &Store, mut file: KeyFile) -> Result<(), Failure> {
    if !file.use_newest() {
        return Err(refused(
            "not_prepared",
            "there is no new key to use: run this with --prepare first",
        ));
    }
    file.replace(&place.sealing_keys_file)?;
    ui.step(
        "used",
        json!({ "current": file.current(), "old_keys": file.others() }),
        format!(
            "New rows are sealed under the key {} from the next start of a server on. {TELL}, then run this without --use.",
            file.current()
        ),
    );
    Ok(())
}

/// Seals every row under the current key, of a directory under a new one.
async fn reseal(
    ui: Ui,
    place: &Store,
    mut file: KeyFile,
    new_key: bool,
    forget_old: bool,
) -> Result<(), Failure> {
    let path = &place.sealing_keys_file;
    let shared = matches!(place.location, Location::Database(_));
    // No server may have a directory open, which would not know the new key.
    drop(place.open_existing().await?);
    match (shared, new_key) {
        (true, _) => check_in_use(&file, new_key)?,
        (false, true) => {
            if !file.use_newest() {
                file.add();
                file.use_newest();
            }
            // Before any row is under it.
            file.replace(path)?;
        }
        (false, false) if forget_old => check_in_use(&file, false)?,
        (false, false) => {}
    }
    let store = place.open_existing().await?;
    let done = ui
        .busy("sealing", store.reseal())
        .await
        .map_err(|error| place.failed(&error))?;
    let others = file.others();
    if forget_old {
        if shared && done.resealed > 0 {
            // Some server may go on writing them.
            return Err(refused(
                "old_keys_in_use",
                format!(
                    "{} rows were under other keys and are sealed anew now; no key was removed. Make sure that every server was \
                     restarted since --use, then run this again",
                    done.resealed
                ),
            ));
        }
        file.forget_others();
        file.replace(path)?;
    }
    let next = match (others.is_empty(), forget_old, shared) {
        (true, ..) => String::new(),
        (false, true, false) => format!("\nRemoved the keys {}.", others.join(", ")),
        (false, true, true) => format!("\nRemoved the keys {}. {TELL}.", others.join(", ")),
        (false, false, false) => format!(
            "\nNothing in the store is under {} any more. Keep them as long as there are backups from before, then remove them \
             with --no-new-key --forget-old.",
            others.join(", ")
        ),
        (false, false, true) => format!(
            "\nKeep {} as long as there are backups from before, or servers that were not restarted since --use; then remove \
             them with --forget-old.",
            others.join(", ")
        ),
    };
    ui.step(
        "rotated",
        json!({
            "current": file.current(),
            "rows": done.rows,
            "resealed": done.resealed,
            "old_keys": others,
            "forgotten": forget_old,
        }),
        format!(
            "All {} rows are under the key {}; {} were sealed anew.{next}",
            done.rows,
            file.current(),
            done.resealed
        ),
    );
    Ok(())
}

/// Servers that share a database and do not know a key cannot read what is under it.
fn check_in_use(file: &KeyFile, new_key: bool) -> Result<(), Failure> {
    if !file.newest_is_current() {
        return Err(refused(
            "not_in_use",
            format!(
                "the newest key is not in use yet. {TELL}, if that is not done, then run this with --use"
            ),
        ));
    }
    if new_key && file.others().is_empty() {
        return Err(refused(
            "not_prepared",
            format!(
                "servers that share the database must know a new key first: run this with --prepare. {TELL}, and go on with --use"
            ),
        ));
    }
    Ok(())
}

fn refused(code: &'static str, message: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Refused, code, message)
}
