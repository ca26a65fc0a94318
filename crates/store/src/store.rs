//! The trait that a back end of the metadata server implements.

use std::future::Future;
use std::pin::Pin;

use crate::error::StoreError;
use crate::mailbox_store::MailboxStore;
use crate::model::{
    Caller, CommitRecord, Committed, CreateAccount, EventLog, Kit, OpenSession, OpenedSession,
    ReadRecord, StatementUse,
};
use crate::slot_store::SlotStore;
use trefoil_protocol::bytes::SealedNonce;
use trefoil_protocol::guess::{HeldSlot, OpenedEnrolment};

/// What an operation returns: boxed, so that servers can choose a back end at run time.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Accounts, their records and nonces, sessions and events, the server's part of their slots, and the mailboxes that they
/// make.
///
/// Every method is one transaction: it happens as a whole and is durable before its future resolves with `Ok`, or it
/// changes nothing. Dropping a future does not undo the operation. There are no locks across calls; two writers of one
/// record are told apart by compare-and-set. No method reaches across tenants.
///
/// The nonces lie in a store of their own. A create or a replacement writes the nonce durably first and then the record;
/// a nonce is handed out only while the current record carries its hash; its erasure is queued in the transaction that
/// ends it and repeated until it is done.
///
/// Every back end must pass the suite that the feature `conformance` exports.
pub trait MetadataStore: SlotStore + MailboxStore {
    /// Creates an account and opens its first session. The same payload again succeeds again with a new session.
    ///
    /// # Errors
    /// [`StoreError::ReplayedRequest`], [`StoreError::AccountDeleted`], [`StoreError::LocatorTaken`],
    /// [`StoreError::AccountExists`], [`StoreError::MissingEnvelope`], [`StoreError::MissingNonce`], or a fault.
    fn create_account(&self, create: CreateAccount) -> StoreFuture<'_, OpenedSession>;

    /// Finds the account of the proven factors, counts the login and opens a session.
    ///
    /// # Errors
    /// [`StoreError::ReplayedRequest`], [`StoreError::NoAccount`], [`StoreError::FactorRemoved`],
    /// [`StoreError::SeveralAccounts`], or a fault.
    fn open_session(&self, open: OpenSession) -> StoreFuture<'_, OpenedSession>;

    /// Replaces the record by compare-and-set. The same payload again succeeds again with the same answer.
    ///
    /// Replaces the payload and the envelopes whose hash changed and erases the old ones, updates the locator index
    /// (a removed locator stays reserved to the account), drops or replaces the nonce, appends an event; where a factor
    /// was removed it ends every other session and takes the locator from the caller's.
    ///
    /// Its lists of guess keys are in force from then on, so that a removed factor guesses no more: those for slots that the
    /// account does not have here, or that were deleted, are passed over, and those that are not higher than the one in force
    /// change nothing. A repeated commit's lists count too.
    ///
    /// # Errors
    /// A session error, [`StoreError::Stale`], [`StoreError::LocatorTaken`], [`StoreError::MissingEnvelope`],
    /// [`StoreError::MissingNonce`], [`StoreError::Slot`] for a list that is none for its slot, or a fault.
    fn commit_record(&self, commit: CommitRecord) -> StoreFuture<'_, Committed>;

    /// Reads the current record and the envelopes of the session's proven factors.
    ///
    /// # Errors
    /// A session error or a fault.
    fn read_record(&self, caller: Caller) -> StoreFuture<'_, ReadRecord>;

    /// Releases the sealed nonce and logs that.
    ///
    /// # Errors
    /// A session error, [`StoreError::NoNonce`], or a fault.
    fn release_nonce(&self, caller: Caller) -> StoreFuture<'_, SealedNonce>;

    /// Hands out the record with all envelopes and the sealed nonce, and logs that. The statement's signer has been
    /// checked to be the account itself.
    ///
    /// # Errors
    /// A session error, [`StoreError::ReplayedRequest`], or a fault.
    fn export_kit(&self, caller: Caller, statement: StatementUse) -> StoreFuture<'_, Kit>;

    /// Erases the account, ends its slots and closes its mailboxes. Its locators become free, its id and those of its slots are never given out
    /// again. The statement's signer has been checked to be the account itself. Deleting a deleted account succeeds.
    ///
    /// # Errors
    /// A session error, [`StoreError::ReplayedRequest`], or a fault.
    fn delete_account(&self, caller: Caller, statement: StatementUse) -> StoreFuture<'_, ()>;

    /// The newest [`EVENTS_KEPT`](crate::EVENTS_KEPT) events.
    ///
    /// # Errors
    /// A session error or a fault.
    fn read_events(&self, caller: Caller) -> StoreFuture<'_, EventLog>;

    /// Takes a slot in for the account. The same enrolment again changes nothing. Its signatures have been checked, and
    /// that it is for this server and for the caller's tenant.
    ///
    /// # Errors
    /// A session error, [`StoreError::Slot`] as [`OpenedEnrolment::enrol`] says it (a slot of another account is taken),
    /// [`StoreError::TooManySlots`], or a fault.
    fn enrol_slot(&self, caller: Caller, enrolment: OpenedEnrolment) -> StoreFuture<'_, ()>;

    /// The account's slots that were not deleted, each with its list in force.
    ///
    /// # Errors
    /// A session error or a fault.
    fn list_slots(&self, caller: Caller) -> StoreFuture<'_, Vec<HeldSlot>>;

    /// Whether reads and durable writes work right now.
    ///
    /// # Errors
    /// The fault.
    fn check_ready(&self, now: u64) -> StoreFuture<'_, ()>;
}
