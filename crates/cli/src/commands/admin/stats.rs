//! `trefoil admin stats`.

use trefoil_store::StoreReader as _;

use super::{Place, report};
use crate::args::AdminStats;
use crate::failure::Failure;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: AdminStats) -> Result<(), Failure> {
    let place = Place::of(arguments.place)?;
    let reader = place.reader().await?;
    let stats = ui.busy("counting", reader.stats()).await;
    let stats = stats.map_err(|error| place.failed(&error))?;
    let bytes = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| bytes.to_string());
    let text = format!(
        "accounts             {}\n  with a nonce       {}\n  deleted            {}\n\
         factors              {}\n  removed            {}\n\
         nonces               {}\n  to be erased       {}\n\
         slots                {}\nevents               {}\n\
         sessions             {}\nrequest ids          {}\nmailboxes            {}\n\
         tables of version    {}\nbytes of records     {}\nbytes of nonces      {}",
        stats.accounts,
        stats.accounts_with_nonce,
        stats.tombstones,
        stats.factors,
        stats.removed_factors,
        stats.nonces,
        stats.nonce_erasures,
        stats.slots,
        stats.events,
        stats.sessions,
        stats.request_ids,
        stats.mailboxes,
        stats.schema,
        bytes(stats.record_bytes),
        bytes(stats.nonce_bytes),
    );
    ui.step("stats", report::json(&stats)?, text);
    Ok(())
}
