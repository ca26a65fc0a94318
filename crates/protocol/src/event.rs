//! The account's audit log: a chain in which each event names the hash of the one before.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::bytes::{Blob, PayloadHash};
use crate::kdf::sha256;
use crate::policy::Action;

/// The version of an event's form.
pub const VERSION: u32 = 1;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
#[non_exhaustive]
pub enum EventBody {
    /// The account was created.
    Created {
        /// Hash of its first payload.
        payload_hash: PayloadHash,
    },
    /// A record was committed.
    Committed {
        /// Its revision.
        revision: u64,
        /// Hash of its payload.
        payload_hash: PayloadHash,
        /// What the server took it for.
        actions: BTreeSet<Action>,
        /// Whether it restored what the server had lost.
        restore: bool,
    },
    /// The nonce was released by a call of its own.
    NonceReleased {},
    /// The recovery kit was handed out.
    KitExported {},
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// [`VERSION`].
    pub version: u32,
    /// From 1, without gaps.
    pub sequence: u64,
    /// Unix seconds by the server's clock.
    pub time: u64,
    /// Hash of the event before; none for the first.
    pub previous: Option<PayloadHash>,
    /// What happened.
    pub body: EventBody,
}

/// Why a list of events is not the end of one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventChainError {
    /// An event is not of a known form.
    #[error("event number {0} of the list is not of a known form")]
    Malformed(usize),
    /// An event does not follow the one before it.
    #[error("event number {0} of the list does not follow the one before it")]
    Broken(usize),
    /// The last event is not the head.
    #[error("the list of events does not end at the head that the server names")]
    WrongHead,
}

impl Event {
    /// The exact bytes of the chain's next link.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers only: serialising them cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Hash of an event's exact bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> PayloadHash {
    PayloadHash::from_bytes(sha256(&[bytes]))
}

/// Parses events and checks that they follow one another and end at `head`. Servers may drop the oldest, so the first may
/// name a previous one that is not in the list.
///
/// # Errors
/// [`EventChainError`] names the first place where the chain is broken.
pub fn verify_chain(events: &[Blob], head: &PayloadHash) -> Result<Vec<Event>, EventChainError> {
    let mut parsed: Vec<Event> = Vec::with_capacity(events.len());
    let mut last: Option<PayloadHash> = None;
    for (at, bytes) in events.iter().enumerate() {
        let event: Event =
            serde_json::from_slice(bytes.as_bytes()).map_err(|_| EventChainError::Malformed(at))?;
        if event.version != VERSION {
            return Err(EventChainError::Malformed(at));
        }
        let starts = (event.sequence == 1) == event.previous.is_none();
        let follows = parsed.last().is_none_or(|before| {
            event.previous == last && before.sequence.checked_add(1) == Some(event.sequence)
        });
        if !starts || !follows {
            return Err(EventChainError::Broken(at));
        }
        last = Some(hash(bytes.as_bytes()));
        parsed.push(event);
    }
    if last.as_ref() == Some(head) {
        Ok(parsed)
    } else {
        Err(EventChainError::WrongHead)
    }
}
