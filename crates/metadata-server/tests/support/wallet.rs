//! Wallets as their owners see them: real keys, signatures, statements and records; made-up sealed bytes, because a server
//! never opens those.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use trefoil_protocol::bytes::{AccountId, Blob, Envelope, SealedNonce};
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::policy::Policy;
use trefoil_protocol::record::{Custody, FactorEntry, Payload, SignedPayload};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{
    CommitRequest, CreateRequest, DeleteRequest, IndexedEnvelope, KitRequest, LoginRequest,
    LoginResponse,
};

use super::http::{Call, Reply, call};
use super::{AUDIENCE, Server, tenant};

/// A factor of this tenant; seeds tell factors apart.
pub fn factor(tenant_name: &str, seed: u8) -> FactorKeys {
    FactorKeys::derive(&tenant(tenant_name), &FactorSecret::from_bytes([seed; 32]))
}

/// A statement for the server under test, at this time.
pub fn statement_at(
    tenant: &Tenant,
    body: StatementBody,
    signer: &AuthPrivateKey,
    now: u64,
) -> SignedStatement {
    static SEED: AtomicU64 = AtomicU64::new(0);
    let mut rng = ChaCha20Rng::seed_from_u64(SEED.fetch_add(1, Ordering::Relaxed));
    SignedStatement::sign(
        body,
        signer,
        Context {
            aud: AUDIENCE,
            tenant,
            now,
        },
        &mut rng,
    )
}

/// An account at one revision.
#[derive(Clone)]
pub struct Wallet {
    pub auth: AuthPrivateKey,
    pub payload: Payload,
    pub factors: BTreeMap<u32, FactorKeys>,
    pub envelopes: BTreeMap<u32, Envelope>,
    pub nonce: Option<SealedNonce>,
}

impl Wallet {
    /// A one-click account whose key and social factor come from these seeds.
    pub fn one_click(tenant_name: &str, key_seed: u8, factor_seed: u8) -> Self {
        // The same wallet key has an unrelated auth key in every tenant.
        let mut seed = [key_seed; 32];
        seed[0] = tenant_name.as_bytes()[0];
        let auth = AuthPrivateKey::from_seed(&seed);
        let nonce = SealedNonce::new(format!("the sealed nonce of wallet {key_seed}").into_bytes());
        let payload = Payload {
            version: 1,
            tenant: tenant(tenant_name),
            account_id: AccountId::of(&auth.auth_key()),
            account_auth_key: auth.auth_key(),
            revision: 1,
            previous: None,
            epoch: 1,
            restore: false,
            custody: Custody::OneClick,
            threshold: 1,
            reset_key: auth.auth_key(),
            policy: Policy::default(),
            nonce_hash: Some(nonce.hash()),
            factors: Vec::new(),
            state: Blob::new(vec![1; 512]),
            vault: Blob::new(vec![2; 64]),
        };
        let mut wallet = Self {
            auth,
            payload,
            factors: BTreeMap::from([(1, factor(tenant_name, factor_seed))]),
            envelopes: BTreeMap::new(),
            nonce: Some(nonce),
        };
        wallet.seal_envelopes();
        wallet
    }

    /// New envelopes for this epoch, and entries that name them.
    pub fn seal_envelopes(&mut self) {
        let (id, key, epoch) = (
            self.payload.account_id,
            self.payload.account_auth_key,
            self.payload.epoch,
        );
        self.envelopes = self
            .factors
            .keys()
            .map(|index| {
                let text = format!(
                    "envelope of {id} epoch {epoch} index {index}, sealed and then some more bytes"
                );
                (*index, Envelope::new(text.into_bytes()))
            })
            .collect();
        self.payload.factors = self
            .factors
            .iter()
            .map(|(index, keys)| {
                FactorEntry::new(*index, &keys.enrol(&id, &key), self.envelopes[index].hash())
            })
            .collect();
    }

    /// The next revision, nothing else changed.
    pub fn next(&self) -> Self {
        let mut next = self.clone();
        next.payload.previous = Some(self.record().hash());
        next.payload.revision += 1;
        next
    }

    /// The next revision with another state.
    pub fn update(&self, byte: u8) -> Self {
        let mut next = self.next();
        next.payload.state = Blob::new(vec![byte; 512]);
        next
    }

    /// The next revision in a new epoch with these factors, by index and seed.
    pub fn with_factors(&self, factors: &[(u32, u8)]) -> Self {
        let mut next = self.next();
        let tenant_name = self.payload.tenant.as_str();
        next.factors = factors
            .iter()
            .map(|(index, seed)| (*index, factor(tenant_name, *seed)))
            .collect();
        next.payload.epoch += 1;
        next.seal_envelopes();
        next
    }

    /// The upgrade: 2 of these factors, the nonce gone.
    pub fn upgrade(&self, factors: &[(u32, u8)]) -> Self {
        let mut next = self.with_factors(factors);
        next.payload.custody = Custody::SelfCustody;
        next.payload.threshold = 2;
        next.payload.nonce_hash = None;
        next.nonce = None;
        next
    }

    pub fn tenant(&self) -> &Tenant {
        &self.payload.tenant
    }

    pub fn id(&self) -> AccountId {
        self.payload.account_id
    }

    pub fn record(&self) -> SignedPayload {
        SignedPayload::sign(&self.payload, &self.auth)
    }

    pub fn indexed(&self) -> Vec<IndexedEnvelope> {
        let pair = |(index, envelope): (&u32, &Envelope)| IndexedEnvelope {
            index: *index,
            envelope: envelope.clone(),
        };
        self.envelopes.iter().map(pair).collect()
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/{}/accounts/{}{rest}", self.tenant(), self.id())
    }

    pub fn statement(
        &self,
        body: StatementBody,
        signer: &AuthPrivateKey,
        server: &Server,
    ) -> SignedStatement {
        statement_at(self.tenant(), body, signer, server.now())
    }

    pub fn create_request(&self, server: &Server) -> CreateRequest {
        let body = StatementBody::Create {
            payload_hash: self.record().hash(),
        };
        CreateRequest {
            statement: self.statement(body, self.factors[&1].auth(), server),
            record: self.record(),
            envelopes: self.indexed(),
            sealed_nonce: self.nonce.clone(),
        }
    }

    pub fn create_call(&self, request: &CreateRequest) -> Call {
        call("POST", &format!("/v1/{}/accounts", self.tenant())).json(request)
    }

    /// Creates the account and returns the session's token.
    pub async fn create(&self, server: &Server) -> Session {
        let reply = self
            .create_call(&self.create_request(server))
            .send(server)
            .await;
        assert_eq!(reply.status, 201);
        Session::of(&reply.ok())
    }

    pub fn login_request(&self, factors: &[&FactorKeys], server: &Server) -> LoginRequest {
        let sign =
            |keys: &&FactorKeys| self.statement(StatementBody::Login {}, keys.auth(), server);
        LoginRequest {
            statements: factors.iter().map(sign).collect(),
        }
    }

    pub fn login_call(&self, request: &LoginRequest) -> Call {
        call("POST", &format!("/v1/{}/sessions", self.tenant())).json(request)
    }

    /// Logs in with the factors of these indexes.
    pub async fn try_login(&self, indexes: &[u32], server: &Server) -> Reply {
        let factors: Vec<&FactorKeys> = indexes.iter().map(|index| &self.factors[index]).collect();
        self.login_call(&self.login_request(&factors, server))
            .send(server)
            .await
    }

    pub async fn login(&self, indexes: &[u32], server: &Server) -> (LoginResponse, Session) {
        let response: LoginResponse = self.try_login(indexes, server).await.ok();
        let session = Session::of(&response);
        (response, session)
    }

    /// This record as a commit over `base`.
    pub fn commit_request(&self, base: &Self) -> CommitRequest {
        CommitRequest {
            record: self.record(),
            envelopes: if self.payload.epoch == base.payload.epoch {
                Vec::new()
            } else {
                self.indexed()
            },
            sealed_nonce: if self.nonce == base.nonce {
                None
            } else {
                self.nonce.clone()
            },
            guess_lists: Vec::new(),
        }
    }

    pub fn commit_call(&self, base: &Self, session: &Session) -> Call {
        call("PUT", &self.path("/record"))
            .header("authorization", &session.0)
            .header("if-match", &format!("\"{}\"", base.payload.revision))
            .json(&self.commit_request(base))
    }

    pub async fn commit(&self, base: &Self, session: &Session, server: &Server) -> Reply {
        self.commit_call(base, session).send(server).await
    }

    pub fn session_call(&self, method: &str, rest: &str, session: &Session) -> Call {
        call(method, &self.path(rest)).header("authorization", &session.0)
    }

    pub fn kit_call(&self, session: &Session, server: &Server) -> Call {
        let statement = self.statement(
            StatementBody::Kit {
                account_id: self.id(),
            },
            &self.auth,
            server,
        );
        self.session_call("POST", "/kit", session)
            .json(&KitRequest { statement })
    }

    pub fn delete_call(&self, session: &Session, server: &Server) -> Call {
        let statement = self.statement(
            StatementBody::Delete {
                account_id: self.id(),
            },
            &self.auth,
            server,
        );
        self.session_call("DELETE", "", session)
            .json(&DeleteRequest { statement })
    }
}

/// The text of the `Authorization` header.
#[derive(Debug, Clone)]
pub struct Session(pub String);

impl Session {
    pub fn of(response: &LoginResponse) -> Self {
        Self(format!(
            "Bearer {}",
            response.session.token.expose_text().as_str()
        ))
    }
}

/// A one-click account and its upgrade to 2 of 3 (factors 1, 2 and 3), both committed.
pub async fn upgraded(server: &Server, tenant_name: &str, seed: u8) -> (Wallet, Wallet, Session) {
    let first = Wallet::one_click(tenant_name, seed, seed);
    let session = first.create(server).await;
    let second = first.upgrade(&[(1, seed), (2, seed + 1), (3, seed + 2)]);
    assert_eq!(second.commit(&first, &session, server).await.status, 200);
    (first, second, session)
}
