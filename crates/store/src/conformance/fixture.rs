//! Made-up accounts and shorthands for the operations on them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use trefoil_protocol::bytes::{
    AccountId, Blob, Envelope, Locator, PayloadHash, RequestId, SealedNonce, Signature,
};
use trefoil_protocol::policy::{Action, Level};
use trefoil_protocol::statement::WINDOW;
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::SessionToken;

use crate::error::StoreError;
use crate::model::{
    Caller, CommitRecord, Committed, CreateAccount, NewEntry, NewRecord, NewSession, OpenSession,
    OpenedSession, StatementUse, TokenHash,
};
use crate::store::MetadataStore;

/// When every test starts, unix seconds.
pub(crate) const NOW: u64 = 1_800_000_000;
/// How long a session of these tests lasts, seconds.
pub(crate) const SESSION: u64 = 900;

static FRESH: AtomicU64 = AtomicU64::new(1);

/// Unique among all processes that work on one store.
fn fresh<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..8].copy_from_slice(&FRESH.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    bytes
}

pub(crate) fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

pub(crate) fn token() -> TokenHash {
    TokenHash::of(&SessionToken::from_bytes(fresh()))
}

pub(crate) fn statement(now: u64) -> StatementUse {
    StatementUse {
        request_id: RequestId::from_bytes(fresh()),
        remember_until: now + WINDOW,
    }
}

pub(crate) fn locator(name: &str) -> Locator {
    Locator::from_bytes(Sha256::digest(name).into())
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::try_from(&Sha256::digest(name)[..16]).unwrap()
}

/// An account as its owner sees it. Factors are told apart by name.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) tenant: Tenant,
    pub(crate) account_id: AccountId,
    pub(crate) revision: u64,
    pub(crate) epoch: u32,
    pub(crate) factors: Vec<(u32, String)>,
    pub(crate) nonce: Option<SealedNonce>,
    /// Tells apart payloads of the same revision.
    pub(crate) variant: String,
}

impl Owner {
    /// One-click, with the factor `<name> social`.
    pub(crate) fn new(tenant_name: &str, name: &str) -> Self {
        Self {
            tenant: tenant(tenant_name),
            account_id: account(name),
            revision: 1,
            epoch: 1,
            factors: vec![(1, format!("{name} social"))],
            nonce: Some(SealedNonce::new(
                format!("sealed nonce of {name}, long enough to be found").into_bytes(),
            )),
            variant: "first".to_owned(),
        }
    }

    /// The next revision with these factors, in a new epoch.
    pub(crate) fn next(&self, factors: &[&str]) -> Self {
        let mut next = self.clone();
        next.revision += 1;
        next.epoch += 1;
        let mut highest = self.factors.iter().map(|(index, _)| *index).max().unwrap();
        next.factors = factors
            .iter()
            .map(|name| {
                let kept = self.factors.iter().find(|(_, held)| held == name).cloned();
                kept.unwrap_or_else(|| {
                    highest += 1;
                    (highest, (*name).to_owned())
                })
            })
            .collect();
        next
    }

    /// The next revision with nothing but another payload.
    pub(crate) fn update(&self, variant: &str) -> Self {
        Self {
            revision: self.revision + 1,
            variant: variant.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn without_nonce(mut self) -> Self {
        self.nonce = None;
        self
    }

    pub(crate) fn payload(&self) -> Blob {
        let text = format!(
            "payload of {} revision {} epoch {} variant {} factors {:?}",
            self.account_id, self.revision, self.epoch, self.variant, self.factors
        );
        // As long as a real one, so that it spills into overflow pages.
        Blob::new(format!("{text:<2800}{text}").into_bytes())
    }

    pub(crate) fn envelope(&self, index: u32) -> Envelope {
        Envelope::new(
            format!(
                "envelope of {} epoch {} index {index}",
                self.account_id, self.epoch
            )
            .into_bytes(),
        )
    }

    pub(crate) fn envelopes(&self) -> Vec<Envelope> {
        self.factors
            .iter()
            .map(|(index, _)| self.envelope(*index))
            .collect()
    }

    pub(crate) fn hash(&self) -> PayloadHash {
        PayloadHash::from_bytes(Sha256::digest(self.payload().as_bytes()).into())
    }

    pub(crate) fn record(&self) -> NewRecord {
        let entry = |(index, name): &(u32, String)| NewEntry {
            index: *index,
            locator: locator(name),
            envelope_hash: self.envelope(*index).hash(),
        };
        NewRecord {
            payload: self.payload(),
            signature: Signature::from_bytes([7; 64]),
            hash: self.hash(),
            revision: self.revision,
            entries: self.factors.iter().map(entry).collect(),
            nonce_hash: self.nonce.as_ref().map(SealedNonce::hash),
        }
    }

    pub(crate) fn creation(&self, now: u64) -> (CreateAccount, TokenHash) {
        let token = token();
        let create = CreateAccount {
            tenant: self.tenant.clone(),
            account_id: self.account_id,
            record: self.record(),
            envelopes: self.envelopes(),
            sealed_nonce: self.nonce.clone(),
            statement: statement(now),
            proven: locator(&self.factors[0].1),
            session: NewSession {
                token,
                level: Level::Primary,
                expires: now + SESSION,
            },
            now,
        };
        (create, token)
    }

    /// Creates the account and returns the first session's caller.
    pub(crate) async fn create(&self, store: &impl MetadataStore) -> Caller {
        let (create, token) = self.creation(NOW);
        store.create_account(create).await.unwrap();
        self.caller(token, NOW)
    }

    pub(crate) fn caller(&self, token: TokenHash, now: u64) -> Caller {
        Caller {
            tenant: self.tenant.clone(),
            account_id: self.account_id,
            token,
            now,
        }
    }

    /// A commit of this record over `base`.
    pub(crate) fn commit(&self, base: &Self, caller: &Caller) -> CommitRecord {
        CommitRecord {
            caller: caller.clone(),
            base: base.hash(),
            record: self.record(),
            envelopes: if self.epoch == base.epoch {
                Vec::new()
            } else {
                self.envelopes()
            },
            sealed_nonce: if self.nonce == base.nonce {
                None
            } else {
                self.nonce.clone()
            },
            actions: BTreeSet::from([Action::Update]),
            restore: false,
            guess_lists: Vec::new(),
        }
    }

    pub(crate) async fn commit_over(
        &self,
        base: &Self,
        caller: &Caller,
        store: &impl MetadataStore,
    ) -> Result<Committed, StoreError> {
        store.commit_record(self.commit(base, caller)).await
    }
}

/// Logs in with factors by name.
pub(crate) async fn login(
    store: &impl MetadataStore,
    tenant_name: &str,
    factors: &[&str],
    now: u64,
) -> Result<(OpenedSession, Caller), StoreError> {
    login_until(store, tenant_name, factors, now, now + SESSION).await
}

/// A login whose session is good until `expires`.
pub(crate) async fn login_until(
    store: &impl MetadataStore,
    tenant_name: &str,
    factors: &[&str],
    now: u64,
    expires: u64,
) -> Result<(OpenedSession, Caller), StoreError> {
    let token = token();
    let open = OpenSession {
        tenant: tenant(tenant_name),
        proven: factors.iter().map(|name| locator(name)).collect(),
        statements: factors.iter().map(|_| statement(now)).collect(),
        session: NewSession {
            token,
            level: Level::Primary,
            expires,
        },
        now,
    };
    let opened = store.open_session(open).await?;
    let caller = Caller {
        tenant: tenant(tenant_name),
        account_id: opened.account_id,
        token,
        now,
    };
    Ok((opened, caller))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// Waits until the bytes are gone; erasing may lag behind the answer for a moment.
pub(crate) async fn assert_erased(bytes: impl Fn() -> Option<Vec<u8>>, needle: &[u8]) {
    for _ in 0..100 {
        match bytes() {
            Some(held) if contains(&held, needle) => {
                tokio::time::sleep(Duration::from_millis(100)).await
            }
            _ => return,
        }
    }
    panic!("still there: {}", String::from_utf8_lossy(needle));
}

/// The test above can only fail if the bytes were visible before.
pub(crate) fn assert_held(bytes: Option<Vec<u8>>, needle: &[u8]) {
    if let Some(held) = bytes {
        assert!(
            contains(&held, needle),
            "not there: {}",
            String::from_utf8_lossy(needle)
        );
    }
}
