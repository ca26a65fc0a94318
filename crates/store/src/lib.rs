#![doc = include_str!("../README.md")]

mod at_rest;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod limit_store;
mod mailbox_store;
mod model;
mod node_store;
#[cfg(feature = "postgres")]
mod postgres;
mod slot_store;
mod sqlite;
mod store;
mod upkeep_store;
mod values;

pub use at_rest::{AtRest, Place, SealingKeys, SealingKeysError, sealing_key_of};
pub use error::StoreError;
pub use limit_store::{LimitDraw, LimitDrawn, LimitStore, LimitSubject, MemoryLimits};
pub use mailbox_store::{
    MAILBOXES_KEPT, MAILBOXES_OPEN, MailboxPlace, MailboxStore, NewMailbox, PutMessage,
    StoredMailbox, StoredMessage,
};
pub use model::{
    Caller, CommitRecord, Committed, CreateAccount, EVENTS_KEPT, EventLog, HeldEnvelope, Kit,
    NewEntry, NewRecord, NewSession, OpenSession, OpenedSession, ReadRecord, SLOTS_EVER,
    SLOTS_HELD, Session, StatementUse, StoredRecord, TokenHash,
};
pub use node_store::{MemoryNodeStore, NodeState, NodeStore};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
pub use slot_store::{MemorySlotStore, NodeSlotStore, SlotStore, StoredSlot};
pub use sqlite::{SqliteNodeStore, SqliteOptions, SqliteReader, SqliteStore};
pub use store::{MetadataStore, StoreFuture};
pub use upkeep_store::{
    DumpEntry, DumpedAccount, DumpedEnvelope, DumpedFactor, DumpedNonce, DumpedSlot, Pruned,
    Resealed, StoreReader, StoreStats, UpkeepStore,
};
