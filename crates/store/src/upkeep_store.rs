//! The trait by which an operator looks after a store: counting, checking, backing up, restoring, pruning.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use trefoil_protocol::bytes::{
    AccountId, Blob, Envelope, EnvelopeHash, Locator, NonceHash, PayloadHash, SealedNonce,
    Signature, SlotId,
};
use trefoil_protocol::policy::Action;
use trefoil_protocol::tenant::Tenant;

use crate::store::{MetadataStore, StoreFuture};
use std::collections::BTreeSet;

/// One thing that a backup holds, in the order in which a dump gives them: accounts, then tombstones.
///
/// Sessions, request ids, mailboxes and limits are short-lived and not backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DumpEntry {
    /// Everything of an account but its sealed nonce.
    Account(Box<DumpedAccount>),
    /// A deleted account, whose ids are never given out again.
    Tombstone {
        /// Name space.
        tenant: Tenant,
        /// The account.
        account_id: AccountId,
        /// Unix seconds.
        deleted_at: u64,
        /// Its slots, all of them ended.
        slots: Vec<DumpedSlot>,
    },
}

/// An account as a backup holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedAccount {
    /// Name space.
    pub tenant: Tenant,
    /// The account.
    pub account_id: AccountId,
    /// Logins so far.
    pub logins: u64,
    /// Sequence number of the newest event.
    pub event_seq: u64,
    /// Hash of the newest event.
    pub event_head: Option<PayloadHash>,
    /// The events that are kept, oldest first.
    pub events: Vec<Blob>,
    /// The record's revision.
    pub revision: u64,
    /// SHA-256 of the payload.
    pub payload_hash: PayloadHash,
    /// Hash of the sealed nonce that the record names.
    pub nonce_hash: Option<NonceHash>,
    /// The answer of the commit that wrote the record.
    pub actions: BTreeSet<Action>,
    /// Signature over the payload.
    pub signature: Signature,
    /// The record's exact bytes.
    pub payload: Blob,
    /// Its factors, enrolled and removed, by locator.
    pub factors: Vec<DumpedFactor>,
    /// Its slots, held and ended, by id.
    pub slots: Vec<DumpedSlot>,
}

/// A row of the locator index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedFactor {
    /// Name of the factor.
    pub locator: Locator,
    /// What it has while it is enrolled; `None` where it was removed.
    pub enrolled: Option<DumpedEnvelope>,
}

/// The envelope of an enrolled factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedEnvelope {
    /// Share index.
    pub index: u32,
    /// Hash as the record names it.
    pub hash: EnvelopeHash,
    /// The envelope.
    pub envelope: Envelope,
}

/// A row of the slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedSlot {
    /// Its id.
    pub slot_id: SlotId,
    /// Version of the record, for compare-and-set.
    pub version: u64,
    /// Whether it is held, as opposed to ended.
    pub held: bool,
    /// The record as it is stored: sealed where the store seals.
    pub record: Blob,
}

/// A sealed nonce, of a nonce store's own backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpedNonce {
    /// Name space.
    pub tenant: Tenant,
    /// The account.
    pub account_id: AccountId,
    /// The sealed nonce; its hash names it.
    pub sealed: SealedNonce,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreStats {
    /// Accounts.
    pub accounts: u64,
    /// Accounts whose record names a nonce: one-click and guarded ones.
    pub accounts_with_nonce: u64,
    /// Deleted accounts.
    pub tombstones: u64,
    /// Enrolled factors.
    pub factors: u64,
    /// Removed factors, whose locators stay reserved.
    pub removed_factors: u64,
    /// Sealed nonces.
    pub nonces: u64,
    /// Sealed nonces that wait to be erased.
    pub nonce_erasures: u64,
    /// Slots that are held.
    pub slots: u64,
    /// Events that are kept.
    pub events: u64,
    /// Sessions, ended ones that are not cleared away yet included.
    pub sessions: u64,
    /// Request ids that are remembered.
    pub request_ids: u64,
    /// Mailboxes, open or remembered.
    pub mailboxes: u64,
    /// Version of the tables.
    pub schema: u32,
    /// Bytes of records and everything beside them, where the back end knows.
    pub record_bytes: Option<u64>,
    /// Bytes of the nonce store, where the back end knows.
    pub nonce_bytes: Option<u64>,
}

/// What a pruning cleared away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// Ended sessions.
    pub sessions: u64,
    /// Request ids whose window is over.
    pub request_ids: u64,
    /// Mailboxes that are over.
    pub mailboxes: u64,
    /// Nonces that no record names any more.
    pub nonces: u64,
}

/// What a sealing anew did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resealed {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows that were under an earlier key, or not sealed, and are under the current key now.
    pub resealed: u64,
}

/// What can be read of a store beside running servers. Nothing of it changes anything.
///
/// Every back end must pass the suite that the feature `conformance` exports.
pub trait StoreReader: Send + Sync + 'static {
    /// Counts.
    ///
    /// # Errors
    /// A fault.
    fn stats(&self) -> StoreFuture<'_, StoreStats>;

    /// Sends everything but the nonces, as one snapshot. A receiver that is dropped ends the dump.
    ///
    /// # Errors
    /// A fault. What was sent before is then no whole backup.
    fn dump(&self, entries: mpsc::Sender<DumpEntry>) -> StoreFuture<'_, ()>;

    /// Sends the sealed nonces, as one snapshot.
    ///
    /// # Errors
    /// A fault. What was sent before is then no whole backup.
    fn dump_nonces(&self, nonces: mpsc::Sender<DumpedNonce>) -> StoreFuture<'_, ()>;

    /// Which of these nonces the nonce store holds whole, in the order in which they are asked for.
    ///
    /// # Errors
    /// A fault.
    fn hold_nonces(&self, named: Vec<(Tenant, AccountId, NonceHash)>)
    -> StoreFuture<'_, Vec<bool>>;
}

/// A store as its operator changes it.
///
/// While it is being restored it serves nobody: [`MetadataStore::check_ready`] says [`StoreError::Restoring`](crate::StoreError::Restoring).
///
/// Every back end must pass the suite that the feature `conformance` exports.
pub trait UpkeepStore: MetadataStore + StoreReader {
    /// Notes that the store is being restored from the backup of this SHA-256. The same again goes on with it.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`](crate::StoreError::NotEmpty) where it holds accounts, tombstones or slots and is not being restored,
    /// [`StoreError::OtherRestore`](crate::StoreError::OtherRestore) where it is being restored from another backup, or a fault.
    fn begin_restore(&self, backup: [u8; 32]) -> StoreFuture<'_, ()>;

    /// Puts entries of a backup into the store, all of them or none. The same entry again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::AccountExists`](crate::StoreError::AccountExists) where another account or record is there under the id, [`StoreError::AccountDeleted`](crate::StoreError::AccountDeleted),
    /// [`StoreError::LocatorTaken`](crate::StoreError::LocatorTaken), [`StoreError::SlotChanged`](crate::StoreError::SlotChanged) where another slot is there under the id, or a fault.
    fn load(&self, entries: Vec<DumpEntry>) -> StoreFuture<'_, ()>;

    /// Puts those of the nonces into the nonce store that the current record of their account names, and gives how many it did
    /// not hold before.
    ///
    /// # Errors
    /// A fault.
    fn load_nonces(&self, nonces: Vec<DumpedNonce>) -> StoreFuture<'_, u64>;

    /// Notes that the restore is done: from now on the store may serve. Once more changes nothing.
    ///
    /// # Errors
    /// A fault.
    fn finish_restore(&self) -> StoreFuture<'_, ()>;

    /// Clears away what is over at `now` (unix seconds), and erases nonces that no record names.
    ///
    /// # Errors
    /// [`StoreError::Restoring`](crate::StoreError::Restoring), or a fault.
    fn prune(&self, now: u64) -> StoreFuture<'_, Pruned>;

    /// Seals everything that is sealed at rest under the current key, in small transactions, so that servers go on meanwhile.
    /// One that is cut off goes on when it is called again.
    ///
    /// # Errors
    /// [`StoreError::NoSealingKeys`](crate::StoreError::NoSealingKeys), [`StoreError::UnknownSealingKey`](crate::StoreError::UnknownSealingKey), or a fault.
    fn reseal(&self) -> StoreFuture<'_, Resealed>;
}
