//! Clear away what is over.

use super::restore;
use crate::error::StoreError;
use crate::postgres::{Databases, nonces, sweep};
use crate::upkeep_store::Pruned;

pub(super) async fn all(databases: &Databases, now: u64) -> Result<Pruned, StoreError> {
    restore::refuse_while_under_way(databases).await?;
    let mut pruned = Pruned::default();
    loop {
        let swept = sweep::rows(databases, now).await?;
        pruned.sessions += swept.sessions;
        pruned.request_ids += swept.request_ids;
        pruned.mailboxes += swept.mailboxes;
        if swept.is_nothing() {
            break;
        }
    }
    while nonces::sweep(databases, now).await? {}
    pruned.nonces = nonces::erase_unnamed(databases, now).await?;
    Ok(pruned)
}
