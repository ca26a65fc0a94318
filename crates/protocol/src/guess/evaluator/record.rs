use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use trefoil_oprf::{KeyShare, NodeIndex};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::super::list::GuessList;
use super::super::signed::{Signed, VERSION};
use super::super::wire::Count;
use crate::bytes::{AttemptId, AuthKey, DleqProof, GroupElement, SlotId, UnlockHash};
use crate::tenant::Tenant;
use crate::versioned;

/// A slot at one evaluator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotRecord {
    pub(super) version: u32,
    pub(super) tenant: Tenant,
    pub(super) slot: SlotId,
    pub(super) admin_key: AuthKey,
    /// 0 for the metadata server.
    pub(super) index: u16,
    /// SHA-256 of the enrolment: the same one again changes nothing.
    pub(super) enrolled: EnrolmentHash,
    pub(super) status: Status,
    /// There while the status is [`Status::Live`]; stored in front of the rest.
    #[serde(skip)]
    pub(super) share: Option<StoredShare>,
    pub(super) unlock_hash: UnlockHash,
    pub(super) allowed: u8,
    /// The list in force, and its number.
    pub(super) list: Signed<GuessList>,
    pub(super) number: u64,
    pub(super) counters: Vec<Counter>,
}

/// SHA-256 of an enrolment's exact bytes.
pub(super) type EnrolmentHash = crate::bytes::PayloadHash;

/// Whether the evaluator still has its part of the slot's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// As long as some counter is not exhausted.
    Live,
    /// All counters were exhausted.
    Destroyed,
    /// Its account has no use for it any more.
    Deleted,
}

/// A scalar on its way to and from the store.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(super) struct StoredShare([u8; 32]);

/// One guess key's count since it was last unlocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counter {
    pub(super) key: AuthKey,
    pub(super) used: u8,
    /// At most `allowed` and one.
    pub(super) attempts: Vec<Attempt>,
}

/// An attempt that was counted, with what it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    pub(super) blinded: GroupElement,
    pub(super) evaluation: GroupElement,
    pub(super) proof: DleqProof,
    /// Whether it has set the counter back; once only.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(super) unlocked: bool,
}

/// What became of a record.
#[derive(Debug)]
pub struct Changed<T> {
    /// To be stored before anything is answered; none where nothing changed.
    pub record: Option<SlotRecord>,
    /// The answer.
    pub answer: T,
}

/// The stored bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Cut off or changed.
    #[error("a stored slot is damaged")]
    Malformed,
    /// A version this software does not know.
    #[error("a stored slot has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
}

impl SlotRecord {
    /// Reads what [`Self::expose_bytes`] gave.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (share, json) = bytes.split_first_chunk().ok_or(RecordError::Malformed)?;
        let mut record: Self = versioned::read(json, VERSION).map_err(|unread| {
            unread.into_error(RecordError::Malformed, RecordError::UnknownVersion)
        })?;
        record.share = (record.status == Status::Live).then(|| StoredShare(*share));
        Ok(record)
    }

    /// As it is stored: the evaluator's part of the key (zeros where it is gone), then JSON.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Strings, numbers and lists only: serialising them cannot fail.
        let json = serde_json::to_vec(self).unwrap_or_default();
        // Reserved whole: growing would leave a copy of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(32 + json.len()));
        match &self.share {
            Some(StoredShare(share)) => bytes.extend_from_slice(share),
            None => bytes.extend_from_slice(&[0; 32]),
        }
        bytes.extend_from_slice(&json);
        bytes
    }

    /// Which slot.
    #[must_use]
    pub const fn slot(&self) -> SlotId {
        self.slot
    }

    /// The name space of its account.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether it was not deleted.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        !matches!(self.status, Status::Deleted)
    }

    /// The list in force.
    #[must_use]
    pub const fn list(&self) -> &Signed<GuessList> {
        &self.list
    }

    pub(super) fn count(&self, counter: &Counter) -> Count {
        Count {
            used: counter.used,
            allowed: self.allowed,
            list: self.number,
            live: self.share.is_some(),
            spent: self
                .counters
                .iter()
                .any(|counter| counter.used >= self.allowed),
        }
    }

    pub(super) fn counter(&self, key: &AuthKey) -> Option<(usize, &Counter)> {
        let mut counters = self.counters.iter().enumerate();
        counters.find(|(_, counter)| counter.key == *key)
    }
}

impl StoredShare {
    pub(super) fn new(share: &KeyShare) -> Self {
        Self(*share.expose_secret())
    }

    /// The share at the evaluator's place. The server, whose place is 0, has a committee of its own and is its node 1.
    pub(super) fn key_share(&self, index: u16) -> Option<KeyShare> {
        let index = NodeIndex::new(index.max(1)).ok()?;
        KeyShare::from_bytes(index, &self.0).ok()
    }
}

impl core::fmt::Debug for StoredShare {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StoredShare(redacted)")
    }
}
