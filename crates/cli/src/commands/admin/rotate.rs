//! `trefoil admin rotate`.

use serde_json::json;
use trefoil_store::UpkeepStore as _;

use super::Place;
use crate::args::AdminRotate;
use crate::failure::Failure;
use crate::local::sealing::KeyFile;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: AdminRotate) -> Result<(), Failure> {
    let place = Place::of(arguments.place)?;
    let path = &place.sealing_keys_file;
    if arguments.prepare {
        place.must_exist()?;
        let mut file = KeyFile::read_or_make(path)?;
        let id = file.add();
        file.replace(path)?;
        ui.step(
            "prepared",
            json!({ "key": id, "current": file.current() }),
            format!(
                "Added the key {id}. Restart every server that shares the store, then run this without --prepare."
            ),
        );
        return Ok(());
    }

    // No server may have the store open, which would not know the new key.
    drop(place.store().await?);
    let mut file = KeyFile::read_or_make(path)?;
    if !arguments.no_new_key {
        if !file.use_newest() {
            file.add();
            file.use_newest();
        }
        // Before any row is under it.
        file.replace(path)?;
    }
    let store = place.store().await?;
    let done = ui
        .busy("sealing", store.reseal())
        .await
        .map_err(|error| place.failed(&error))?;
    let others = file.others();
    if arguments.forget_old {
        file.forget_others();
        file.replace(path)?;
    }
    let old = match (others.is_empty(), arguments.forget_old) {
        (true, _) => String::new(),
        (false, true) => format!("\nRemoved the keys {}.", others.join(", ")),
        (false, false) => format!(
            "\nNothing in the store is under {} any more. Keep them as long as there are backups from before, then remove them \
             with --no-new-key --forget-old.",
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
            "forgotten": arguments.forget_old,
        }),
        format!(
            "All {} rows are under the key {}; {} were sealed anew.{old}",
            done.rows,
            file.current(),
            done.resealed
        ),
    );
    Ok(())
}
