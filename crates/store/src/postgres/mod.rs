//! The PostgreSQL back end: records and everything beside them in one database, sealed nonces in another or the same one.
//!
//! An operation is one transaction, and every one that writes to an account takes the account's row first; so two of them on
//! one account come one after the other, also at the weakest isolation. Where the database runs at a stronger one it may refuse
//! instead of waiting; such a transaction is run again. Nothing here is for one process only: any number of servers may work
//! on one database.
//!
//! Only what databases that speak PostgreSQL's protocol have in common is used: primary keys that spread, `ON CONFLICT`,
//! row locks; no sequences, foreign keys, triggers, advisory locks or stored procedures. Statements about an account name its
//! tenant and id, which begin the primary keys of its rows.

mod commit;
mod create;
mod delete;
mod error;
mod factors;
mod kit;
mod limits;
mod login;
mod mailboxes;
mod nonces;
mod options;
mod read;
mod rows;
mod schema;
mod sessions;
mod slots;
mod sweep;
#[cfg(all(test, feature = "conformance", unix))]
mod tests;
mod tls;
mod transaction;
mod upkeep;

use std::future::Future;
use std::sync::Arc;

use deadpool_postgres::Pool;
use trefoil_protocol::bytes::{SealedNonce, SlotId};
use trefoil_protocol::guess::{HeldSlot, OpenedEnrolment};
use zeroize::Zeroizing;

pub use self::options::PostgresOptions;
use self::sweep::Sweeper;
use crate::at_rest::AtRest;
use crate::error::StoreError;
use crate::limit_store::{LimitDraw, LimitDrawn, LimitStore};
use crate::mailbox_store::{MailboxPlace, MailboxStore, NewMailbox, PutMessage, StoredMailbox};
use crate::model::{
    Caller, CommitRecord, Committed, CreateAccount, EventLog, Kit, OpenSession, OpenedSession,
    ReadRecord, StatementUse,
};
use crate::slot_store::{SlotReplacement, SlotStore, StoredSlot};
use crate::store::{MetadataStore, StoreFuture};

/// [`MetadataStore`] on PostgreSQL.
///
/// Clones share their connections.
#[derive(Clone)]
pub struct PostgresStore {
    databases: Arc<Databases>,
}

/// Where records and nonces are.
struct Databases {
    records: Pool,
    nonces: Pool,
    at_rest: AtRest,
    sweeper: Sweeper,
}

impl PostgresStore {
    /// Runs an operation to its end, also where the caller no longer waits: a transaction that is given up half-way would have
    /// to be undone, and one that is being committed cannot be.
    fn detached<T, F>(&self, operation: impl FnOnce(Arc<Databases>) -> F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let running = tokio::spawn(operation(Arc::clone(&self.databases)));
        Box::pin(async move { running.await.unwrap_or(Err(StoreError::Closed)) })
    }

    /// The same, at `now`: what is over by then is cleared away beside it.
    fn detached_at<T, F>(
        &self,
        now: u64,
        operation: impl FnOnce(Arc<Databases>) -> F,
    ) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        sweep::now_and_then(&self.databases, now);
        self.detached(operation)
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl MetadataStore for PostgresStore {
    fn create_account(&self, create: CreateAccount) -> StoreFuture<'_, OpenedSession> {
        self.detached_at(create.now, |databases| async move {
            create::create(&databases, &create).await
        })
    }

    fn open_session(&self, open: OpenSession) -> StoreFuture<'_, OpenedSession> {
        self.detached_at(open.now, |databases| async move {
            login::open(&databases, &open).await
        })
    }

    fn commit_record(&self, commit: CommitRecord) -> StoreFuture<'_, Committed> {
        self.detached_at(commit.caller.now, |databases| async move {
            commit::commit(&databases, &commit).await
        })
    }

    fn read_record(&self, caller: Caller) -> StoreFuture<'_, ReadRecord> {
        self.detached(|databases| async move { read::record(&databases, &caller).await })
    }

    fn release_nonce(&self, caller: Caller) -> StoreFuture<'_, SealedNonce> {
        self.detached(|databases| async move { nonces::release(&databases, &caller).await })
    }

    fn export_kit(&self, caller: Caller, statement: StatementUse) -> StoreFuture<'_, Kit> {
        self.detached(
            move |databases| async move { kit::export(&databases, &caller, statement).await },
        )
    }

    fn delete_account(&self, caller: Caller, statement: StatementUse) -> StoreFuture<'_, ()> {
        self.detached(move |databases| async move {
            delete::delete(&databases, &caller, statement).await
        })
    }

    fn read_events(&self, caller: Caller) -> StoreFuture<'_, EventLog> {
        self.detached(|databases| async move { read::events(&databases, &caller).await })
    }

    fn enrol_slot(&self, caller: Caller, enrolment: OpenedEnrolment) -> StoreFuture<'_, ()> {
        self.detached(
            |databases| async move { slots::enrol(&databases, &caller, &enrolment).await },
        )
    }

    fn list_slots(&self, caller: Caller) -> StoreFuture<'_, Vec<HeldSlot>> {
        self.detached(|databases| async move { slots::list(&databases, &caller).await })
    }

    fn check_ready(&self, now: u64) -> StoreFuture<'_, ()> {
        self.detached_at(now, move |databases| async move {
            sweep::check_ready(&databases, now).await
        })
    }
}

impl MailboxStore for PostgresStore {
    fn create_mailbox(&self, new: NewMailbox) -> StoreFuture<'_, StoredMailbox> {
        self.detached_at(new.caller.now, |databases| async move {
            mailboxes::create(&databases, &new).await
        })
    }

    fn put_message(&self, put: PutMessage) -> StoreFuture<'_, ()> {
        self.detached(|databases| async move { mailboxes::put(&databases, &put).await })
    }

    fn read_mailbox(&self, place: MailboxPlace) -> StoreFuture<'_, StoredMailbox> {
        self.detached(|databases| async move { mailboxes::read(&databases, &place).await })
    }

    fn close_mailbox(&self, place: MailboxPlace) -> StoreFuture<'_, ()> {
        self.detached(|databases| async move { mailboxes::close(&databases, &place).await })
    }
}

impl SlotStore for PostgresStore {
    fn load_slot(&self, slot: SlotId) -> StoreFuture<'_, Option<StoredSlot>> {
        self.detached(move |databases| async move { slots::load(&databases, slot).await })
    }

    fn replace_slot(
        &self,
        slot: SlotId,
        expected: u64,
        bytes: Zeroizing<Vec<u8>>,
    ) -> StoreFuture<'_, ()> {
        let replacement = SlotReplacement::new(slot, expected, bytes);
        self.detached(|databases| async move { slots::replace(&databases, &replacement).await })
    }
}

impl LimitStore for PostgresStore {
    fn draw(&self, draw: LimitDraw) -> StoreFuture<'_, LimitDrawn> {
        self.detached_at(draw.now / 1000, move |databases| async move {
            limits::draw(&databases, &draw).await
        })
    }
}
