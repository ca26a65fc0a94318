//! Replace the record by compare-and-set.

use rusqlite::params;
use trefoil_protocol::bytes::NonceHash;
use trefoil_protocol::event::EventBody;

use super::rows::{NO_RECORD, append_event, head};
use super::writer::Transaction;
use super::{factors, nonce, sessions, slots};
use crate::error::StoreError;
use crate::model::{CommitRecord, Committed};
use crate::values::{NonceKey, actions_from_text, actions_to_text, to_sql};

pub(super) fn commit(
    transaction: &mut Transaction<'_>,
    commit: &CommitRecord,
) -> Result<Committed, StoreError> {
    let CommitRecord {
        caller,
        base,
        record,
        envelopes,
        actions,
        guess_lists,
        ..
    } = commit;
    let (tenant, account_id) = (&caller.tenant, caller.account_id);
    let records = transaction.records;
    let session = sessions::check(records, caller)?;
    let current = head(records, tenant, account_id)?.ok_or(NO_RECORD)?;
    if current.hash == record.hash {
        slots::take_lists(transaction, caller, guess_lists)?;
        return Ok(Committed {
            revision: current.revision,
            actions: actions_from_text(&current.actions)?,
        });
    }
    if current.hash != *base {
        return Err(StoreError::Stale {
            revision: current.revision,
        });
    }

    let removed = factors::replace(records, tenant, account_id, &record.entries, envelopes)?;
    if record.nonce_hash != current.nonce_hash {
        if let Some(hash) = record.nonce_hash {
            nonce::require_held(transaction, tenant, account_id, hash)?;
        }
        if let Some(hash) = current.nonce_hash {
            transaction.end_nonce(NonceKey {
                tenant: tenant.clone(),
                account_id,
                hash,
            })?;
        }
    }
    records
        .prepare_cached(
            "UPDATE records SET revision = ?3, payload_hash = ?4, nonce_hash = ?5, actions = ?6, signature = ?7,
             payload = ?8 WHERE tenant = ?1 AND account_id = ?2",
        )?
        .execute(params![
            tenant.as_str(),
            account_id.as_bytes(),
            to_sql(record.revision),
            record.hash.as_bytes(),
            record.nonce_hash.as_ref().map(NonceHash::as_bytes),
            actions_to_text(actions)?,
            record.signature.as_bytes(),
            record.payload.as_bytes()
        ])?;
    if !removed.is_empty() {
        // A removed factor ends what it may have opened. The caller's own session goes on, without that factor: its
        // commit was signed by the account itself.
        sessions::end_others(records, tenant, account_id, Some(caller.token))?;
        let still_proven: Vec<_> = session
            .proven
            .iter()
            .copied()
            .filter(|locator| !removed.contains(locator))
            .collect();
        sessions::set_proven(records, caller, &still_proven)?;
    }
    slots::take_lists(transaction, caller, guess_lists)?;
    let body = EventBody::Committed {
        revision: record.revision,
        payload_hash: record.hash,
        actions: actions.clone(),
        restore: commit.restore,
    };
    append_event(records, tenant, account_id, caller.now, body)?;
    Ok(Committed {
        revision: record.revision,
        actions: actions.clone(),
    })
}
