//! `trefoil admin prune`.

use trefoil::Clock as _;
use trefoil_client::SystemClock;
use trefoil_store::UpkeepStore as _;

use super::{Place, report};
use crate::args::AdminPrune;
use crate::failure::Failure;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: AdminPrune) -> Result<(), Failure> {
    let place = Place::of(arguments.place)?;
    let store = place.store().await?;
    let pruned = ui
        .busy("clearing away", store.prune(SystemClock.unix_time()))
        .await
        .map_err(|error| place.failed(&error))?;
    ui.step(
        "pruned",
        report::json(&pruned)?,
        format!(
            "Cleared away {} sessions, {} request ids, {} mailboxes, {} nonces.",
            pruned.sessions, pruned.request_ids, pruned.mailboxes, pruned.nonces
        ),
    );
    Ok(())
}
