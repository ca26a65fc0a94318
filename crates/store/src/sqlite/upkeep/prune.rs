//! Clear away what is over.

use rusqlite::params;

use super::restore;
use crate::error::StoreError;
use crate::mailbox_store::NAME_KEPT;
use crate::sqlite::rows::current_nonce;
use crate::sqlite::sessions::ENDED_KEPT;
use crate::sqlite::writer::{Transaction, Writer};
use crate::upkeep_store::Pruned;
use crate::values::NonceKey;
use crate::values::time;

/// Rows in one transaction, so that others are served between two.
const AT_ONCE: u32 = 1000;

const SESSIONS: &str = "DELETE FROM sessions WHERE (tenant, token_hash) IN
    (SELECT tenant, token_hash FROM sessions WHERE expires < ?1 ORDER BY expires LIMIT ?2)";
const REQUEST_IDS: &str = "DELETE FROM request_ids WHERE (tenant, request_id) IN
    (SELECT tenant, request_id FROM request_ids WHERE remember_until < ?1 ORDER BY remember_until LIMIT ?2)";
const MESSAGES: &str = "UPDATE mailboxes SET open = 0, old_1 = NULL, old_2 = NULL, old_3 = NULL, new_1 = NULL,
    new_2 = NULL, new_3 = NULL WHERE (tenant, mailbox_id) IN
    (SELECT tenant, mailbox_id FROM mailboxes WHERE open = 1 AND expires < ?1 ORDER BY expires LIMIT ?2)";
const MAILBOXES: &str = "DELETE FROM mailboxes WHERE (tenant, mailbox_id) IN
    (SELECT tenant, mailbox_id FROM mailboxes WHERE open = 0 AND expires < ?1 ORDER BY expires LIMIT ?2)";

pub(in crate::sqlite) async fn all(writer: &Writer, now: u64) -> Result<Pruned, StoreError> {
    let mut pruned = Pruned {
        sessions: rows(writer, SESSIONS, now.saturating_sub(ENDED_KEPT)).await?,
        request_ids: rows(writer, REQUEST_IDS, now).await?,
        ..Pruned::default()
    };
    rows(writer, MESSAGES, now).await?;
    pruned.mailboxes = rows(writer, MAILBOXES, now.saturating_sub(NAME_KEPT)).await?;
    let mut last = None;
    loop {
        let from = last.take();
        let (erased, next) = writer
            .submit(None, move |transaction| nonces(transaction, from.as_ref()))
            .await?;
        pruned.nonces += erased;
        match next {
            Some(next) => last = Some(next),
            None => return Ok(pruned),
        }
    }
}

async fn rows(writer: &Writer, sql: &'static str, before: u64) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let changed = writer
            .submit(None, move |transaction| {
                refuse_while_restoring(transaction)?;
                let mut statement = transaction.records.prepare_cached(sql)?;
                Ok(statement.execute(params![time(before), AT_ONCE])?)
            })
            .await?;
        if changed == 0 {
            return Ok(all);
        }
        all += u64::try_from(changed).map_err(StoreError::backend)?;
    }
}

/// Has those of the next nonces erased that no record names; gives how many, and where to go on.
fn nonces(
    transaction: &mut Transaction<'_>,
    last: Option<&NonceKey>,
) -> Result<(u64, Option<NonceKey>), StoreError> {
    refuse_while_restoring(transaction)?;
    let names = transaction.nonces.names_after(last, AT_ONCE)?;
    let next = names.last().cloned();
    let mut erased = 0;
    for key in names {
        if current_nonce(transaction.records, &key.tenant, key.account_id)? != Some(key.hash) {
            transaction.erase_unnamed(key);
            erased += 1;
        }
    }
    Ok((erased, next))
}

fn refuse_while_restoring(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    match restore::under_way(transaction.records)? {
        Some(_) => Err(StoreError::Restoring),
        None => Ok(()),
    }
}
