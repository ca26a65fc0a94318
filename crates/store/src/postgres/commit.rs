//! Replace the record by compare-and-set.

use futures::try_join;
use trefoil_protocol::bytes::{NonceHash, SealedNonce};
use trefoil_protocol::event::EventBody;

use super::rows::{self, HEAD, LOCK, Locked, NO_RECORD, WRITE_EVENT, head, write_event};
use super::sessions::SESSION;
use super::transaction::{Params, Transaction, transact};
use super::{Databases, factors, nonces, sessions, slots};
use crate::error::StoreError;
use crate::model::{CommitRecord, Committed};
use crate::values::{NonceKey, actions_from_text, actions_to_text, next_event, to_sql};

const REPLACE: &str =
    "UPDATE records SET revision = $3, payload_hash = $4, nonce_hash = $5, actions = $6,
     signature = $7, payload = $8 WHERE tenant = $1 AND account_id = $2";

pub(super) async fn commit(
    databases: &Databases,
    commit: &CommitRecord,
) -> Result<Committed, StoreError> {
    let Some(sealed) = &commit.sealed_nonce else {
        let done = transact!(databases, transaction => attempt(databases, &transaction, commit))?;
        return finish(databases, done).await;
    };
    let key = NonceKey {
        tenant: commit.caller.tenant.clone(),
        account_id: commit.caller.account_id,
        hash: sealed.hash(),
    };
    let now = commit.caller.now;
    let done = transact!(databases, transaction => async {
        nonces::write(databases, &key, sealed, now).await?;
        attempt(databases, &transaction, commit).await
    });
    match &done {
        Ok(_) => nonces::settle(databases, &key).await,
        // Also where it is not known whether the record was committed: the nonce is kept if it was.
        Err(_) => {
            nonces::take_back(databases, &key).await;
        }
    }
    finish(databases, done?).await
}

/// What was committed, and nonces that this ended, or an earlier attempt at it.
struct Done {
    committed: Committed,
    ended: Vec<NonceKey>,
}

/// The answer waits for the erasure: afterwards the nonce is gone, not only unusable.
async fn finish(databases: &Databases, done: Done) -> Result<Committed, StoreError> {
    for key in &done.ended {
        nonces::erase_queued(databases, key).await;
    }
    Ok(done.committed)
}

async fn attempt(
    databases: &Databases,
    transaction: &Transaction,
    commit: &CommitRecord,
) -> Result<Done, StoreError> {
    let CommitRecord {
        caller,
        base,
        record,
        envelopes,
        actions,
        guess_lists,
        ..
    } = commit;
    let (tenant, account_id) = (&caller.tenant, &caller.account_id);
    transaction.prepare(&[LOCK, SESSION, HEAD]).await?;
    // Sent in this order: what is read is read under the lock.
    let ((), locked, session, current) = try_join!(
        transaction.begin(),
        rows::lock(transaction, tenant, account_id),
        sessions::check(transaction, caller),
        head(transaction, tenant, account_id),
    )?;
    let locked = locked.ok_or(NO_RECORD)?;
    let current = current.ok_or(NO_RECORD)?;
    if current.hash == record.hash {
        slots::take_lists(transaction, &databases.at_rest, caller, guess_lists).await?;
        return Ok(Done {
            committed: Committed {
                revision: current.revision,
                actions: actions_from_text(&current.actions)?,
            },
            ended: nonces::queued(transaction, tenant, account_id).await?,
        });
    }
    if current.hash != *base {
        return Err(StoreError::Stale {
            revision: current.revision,
        });
    }

    let removed =
        factors::replace(transaction, tenant, account_id, &record.entries, envelopes).await?;
    let key = |hash: NonceHash| NonceKey {
        tenant: tenant.clone(),
        account_id: *account_id,
        hash,
    };
    let mut ended = Vec::new();
    if record.nonce_hash != current.nonce_hash {
        if let Some(hash) = record.nonce_hash {
            let given = commit.sealed_nonce.as_ref().map(SealedNonce::hash) == Some(hash);
            nonces::name(databases, transaction, &key(hash), given).await?;
        }
        if let Some(hash) = current.nonce_hash {
            nonces::end(transaction, &key(hash)).await?;
            ended.push(key(hash));
        }
    }
    if !removed.is_empty() {
        // A removed factor ends what it may have opened. The caller's own session goes on, without that factor: its
        // commit was signed by the account itself.
        let still_proven: Vec<_> = session
            .proven
            .iter()
            .copied()
            .filter(|locator| !removed.contains(locator))
            .collect();
        sessions::end_others(transaction, caller, &still_proven).await?;
    }
    slots::take_lists(transaction, &databases.at_rest, caller, guess_lists).await?;
    write(transaction, commit, &locked).await?;
    Ok(Done {
        committed: Committed {
            revision: record.revision,
            actions: actions.clone(),
        },
        ended,
    })
}

/// Writes record and event and commits, in one round trip.
async fn write(
    transaction: &Transaction,
    commit: &CommitRecord,
    locked: &Locked,
) -> Result<(), StoreError> {
    let CommitRecord {
        caller,
        record,
        actions,
        restore,
        ..
    } = commit;
    let (tenant, account) = (
        caller.tenant.as_str(),
        caller.account_id.as_bytes().as_slice(),
    );
    let body = EventBody::Committed {
        revision: record.revision,
        payload_hash: record.hash,
        actions: actions.clone(),
        restore: *restore,
    };
    let next = next_event(locked.event_seq, locked.event_head, caller.now, body);
    let revision = to_sql(record.revision);
    let hash = record.hash.as_bytes().as_slice();
    let nonce_hash = record
        .nonce_hash
        .as_ref()
        .map(|hash| hash.as_bytes().as_slice());
    let actions = actions_to_text(actions)?;
    let signature = record.signature.as_bytes().as_slice();
    let payload = record.payload.as_bytes();

    transaction.prepare(&[REPLACE]).await?;
    transaction.prepare(&WRITE_EVENT).await?;
    let replace = async {
        let params: Params<'_> = &[
            &tenant,
            &account,
            &revision,
            &hash,
            &nonce_hash,
            &actions,
            &signature,
            &payload,
        ];
        transaction.execute(REPLACE, params).await
    };
    let log = write_event(transaction, &caller.tenant, &caller.account_id, &next);
    let (replaced, ..) = try_join!(replace, log, transaction.commit())?;
    if replaced == 1 {
        Ok(())
    } else {
        Err(rows::NO_RECORD)
    }
}
