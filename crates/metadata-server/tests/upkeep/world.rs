//! Accounts in a store, as the server would have put them there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use trefoil_metadata_server::upkeep::{
    self, AccountName, BackedUp, Restore, RestoreError, RestoreReport,
};
use trefoil_protocol::bytes::RequestId;
use trefoil_protocol::policy::{Action, Level};
use trefoil_protocol::statement::WINDOW;
use trefoil_protocol::wire::SessionToken;
use trefoil_store::{
    AtRest, Caller, CommitRecord, CreateAccount, MetadataStore as _, NewEntry, NewRecord,
    NewSession, OpenSession, OpenedSession, SqliteOptions, SqliteStore, StatementUse, StoreError,
    TokenHash,
};

use crate::support::NOW;
use crate::support::wallet::Wallet;

/// A directory with a store, closed until it is asked for, and room for backups.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
}

fn fresh<const N: usize>() -> [u8; N] {
    static LAST: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; N];
    bytes[..8].copy_from_slice(&LAST.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes
}

fn statement() -> StatementUse {
    StatementUse {
        request_id: RequestId::from_bytes(fresh()),
        remember_until: NOW + WINDOW,
    }
}

fn session() -> NewSession {
    NewSession {
        token: TokenHash::of(&SessionToken::from_bytes(fresh())),
        level: Level::Primary,
        expires: NOW + 900,
    }
}

fn record(wallet: &Wallet) -> NewRecord {
    let signed = wallet.record();
    NewRecord {
        hash: signed.hash(),
        payload: signed.payload,
        signature: signed.signature,
        revision: wallet.payload.revision,
        entries: wallet
            .payload
            .factors
            .iter()
            .map(|entry| NewEntry {
                index: entry.index,
                locator: entry.locator,
                envelope_hash: entry.envelope_hash,
            })
            .collect(),
        nonce_hash: wallet.payload.nonce_hash,
    }
}

pub(crate) fn name(wallet: &Wallet) -> AccountName {
    AccountName {
        tenant: wallet.tenant().clone(),
        account_id: wallet.id(),
    }
}

/// Creates the account and gives its first session.
pub(crate) async fn create(store: &SqliteStore, wallet: &Wallet) -> Caller {
    let session = session();
    let create = CreateAccount {
        tenant: wallet.tenant().clone(),
        account_id: wallet.id(),
        record: record(wallet),
        envelopes: wallet.envelopes.values().cloned().collect(),
        sealed_nonce: wallet.nonce.clone(),
        statement: statement(),
        proven: wallet.payload.factors[0].locator,
        session,
        now: NOW,
    };
    store.create_account(create).await.unwrap();
    Caller {
        tenant: wallet.tenant().clone(),
        account_id: wallet.id(),
        token: session.token,
        now: NOW,
    }
}

pub(crate) async fn commit(store: &SqliteStore, caller: &Caller, base: &Wallet, next: &Wallet) {
    let commit = CommitRecord {
        caller: caller.clone(),
        base: base.record().hash(),
        record: record(next),
        envelopes: next.envelopes.values().cloned().collect(),
        sealed_nonce: next.nonce.clone().filter(|_| next.nonce != base.nonce),
        actions: BTreeSet::from([Action::ChangePolicy]),
        restore: false,
        guess_lists: Vec::new(),
    };
    store.commit_record(commit).await.unwrap();
}

pub(crate) async fn delete(store: &SqliteStore, caller: &Caller) {
    store
        .delete_account(caller.clone(), statement())
        .await
        .unwrap();
}

/// Logs in with the factor of this index.
pub(crate) async fn login(
    store: &SqliteStore,
    wallet: &Wallet,
    index: u32,
) -> Result<OpenedSession, StoreError> {
    let entry = wallet.payload.factors.iter();
    let entry = entry.clone().find(|entry| entry.index == index).unwrap();
    let open = OpenSession {
        tenant: wallet.tenant().clone(),
        proven: vec![entry.locator],
        statements: vec![statement()],
        session: session(),
        now: NOW,
    };
    store.open_session(open).await
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteOptions::new(self.data()).open().unwrap()
    }

    pub(crate) fn to_restore(&self) -> SqliteStore {
        SqliteOptions::new(self.data()).open_to_restore().unwrap()
    }

    /// Files `<name>.records` and `<name>.nonces`, made `age` seconds ago.
    pub(crate) async fn back_up(&self, store: &SqliteStore, name: &str, age: u64) -> BackedUp {
        let (records, nonces) = (
            self.file(&format!("{name}.records")),
            self.file(&format!("{name}.nonces")),
        );
        upkeep::back_up(store, Some(&records), Some(&nonces), NOW - age)
            .await
            .unwrap()
    }

    /// The records are lost; where said so the nonces too.
    pub(crate) fn lose(&self, nonces_too: bool) {
        for entry in std::fs::read_dir(self.data()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("records.db") || (nonces_too && name.starts_with("nonces.db")) {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

pub(crate) async fn restore(
    store: &SqliteStore,
    plan: Restore,
) -> Result<RestoreReport, RestoreError> {
    upkeep::restore(store, &AtRest::default(), plan, NOW).await
}

pub(crate) fn plan(records: &Path) -> Restore {
    Restore::new(records)
}
