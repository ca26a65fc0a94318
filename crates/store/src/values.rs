//! Values on their way into columns and back, the same for every back end.

use std::collections::BTreeSet;

use trefoil_protocol::bytes::{AccountId, Locator, NonceHash, PayloadHash};
use trefoil_protocol::event::{self, Event, EventBody};
use trefoil_protocol::policy::{Action, Level};
use trefoil_protocol::tenant::Tenant;

use crate::error::StoreError;

/// Integers of databases are signed; the bits are kept, the order is not needed where this is used for revisions.
pub(crate) const fn to_sql(number: u64) -> i64 {
    number.cast_signed()
}

pub(crate) const fn from_sql(number: i64) -> u64 {
    number.cast_unsigned()
}

/// For columns that are compared in SQL.
pub(crate) fn time(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

pub(crate) const fn level_to_sql(level: Level) -> i64 {
    match level {
        Level::Primary => 0,
        Level::Elevated => 1,
        Level::StepUp => 2,
    }
}

pub(crate) const fn level_from_sql(level: i64) -> Result<Level, StoreError> {
    match level {
        0 => Ok(Level::Primary),
        1 => Ok(Level::Elevated),
        2 => Ok(Level::StepUp),
        _ => Err(StoreError::Corrupt {
            what: "a session's level",
        }),
    }
}

pub(crate) fn actions_to_text(actions: &BTreeSet<Action>) -> Result<String, StoreError> {
    serde_json::to_string(actions).map_err(StoreError::backend)
}

pub(crate) fn actions_from_text(text: &str) -> Result<BTreeSet<Action>, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt {
        what: "a commit's answer",
    })
}

pub(crate) fn tenant_from_text(text: &str) -> Result<Tenant, StoreError> {
    Tenant::new(text).map_err(|_| StoreError::Corrupt {
        what: "a tenant's name",
    })
}

pub(crate) fn encode_proven(proven: &[Locator]) -> Vec<u8> {
    proven
        .iter()
        .flat_map(|locator| *locator.as_bytes())
        .collect()
}

pub(crate) fn decode_proven(bytes: &[u8]) -> Result<Vec<Locator>, StoreError> {
    let (chunks, rest) = bytes.as_chunks::<{ Locator::LEN }>();
    if !rest.is_empty() {
        return Err(StoreError::Corrupt { what: "a session" });
    }
    Ok(chunks.iter().copied().map(Locator::from_bytes).collect())
}

/// An event to append, and the account's new head.
pub(crate) struct NextEvent {
    pub(crate) seq: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: PayloadHash,
}

/// The event after number `seq`, whose hash is `head`.
pub(crate) fn next_event(
    seq: u64,
    head: Option<PayloadHash>,
    now: u64,
    body: EventBody,
) -> NextEvent {
    let seq = seq.saturating_add(1);
    let event = Event {
        version: event::VERSION,
        sequence: seq,
        time: now,
        previous: head,
        body,
    };
    let bytes = event.to_bytes();
    NextEvent {
        seq,
        head: event::hash(&bytes),
        bytes,
    }
}

/// Names a sealed nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NonceKey {
    pub(crate) tenant: Tenant,
    pub(crate) account_id: AccountId,
    pub(crate) hash: NonceHash,
}
