//! What goes into the store's operations and what comes out. Every operation is keyed by tenant first, and time comes
//! in as unix seconds.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};
use trefoil_protocol::bytes::{
    AccountId, Blob, Envelope, EnvelopeHash, Locator, NonceHash, PayloadHash, RequestId,
    SealedNonce, Signature,
};
use trefoil_protocol::guess::{GuessList, Signed};
use trefoil_protocol::policy::{Action, Level};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::SessionToken;

/// How many events are kept per account; older ones are erased. The chain's head still commits to all of them.
pub const EVENTS_KEPT: u64 = 128;
/// How many slots that are not deleted an account may have.
pub const SLOTS_HELD: u64 = 64;
/// How many slot ids an account may ever use: each is refused for ever afterwards, so each takes room for ever.
pub const SLOTS_EVER: u64 = 1024;

/// SHA-256 of a session token; the store never sees the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of a token.
    #[must_use]
    pub fn of(token: &SessionToken) -> Self {
        Self(Sha256::digest(token.expose_secret()).into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(redacted)")
    }
}

/// Who asks: the session and the account that the request names. The session is checked in the transaction of what it
/// allows.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Tenant of the request.
    pub tenant: Tenant,
    /// Account of the request.
    pub account_id: AccountId,
    /// The session's token.
    pub token: TokenHash,
    /// Unix seconds.
    pub now: u64,
}

/// A statement about to be used up: its request id is accepted once.
#[derive(Debug, Clone, Copy)]
pub struct StatementUse {
    /// The statement's request id.
    pub request_id: RequestId,
    /// The last second (unix) at which the statement itself would still be accepted; the id is remembered until then.
    pub remember_until: u64,
}

/// A session to open.
#[derive(Debug, Clone, Copy)]
pub struct NewSession {
    /// Of the token that the client gets.
    pub token: TokenHash,
    /// Level reached.
    pub level: Level,
    /// Last second (unix) at which the session is good.
    pub expires: u64,
}

/// A session as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Locators of the factors that the login proved and that are still enrolled.
    pub proven: Vec<Locator>,
    /// Level reached.
    pub level: Level,
    /// Last second (unix) at which the session is good.
    pub expires: u64,
}

/// A verified record on its way in. The store trusts that these fields are those of the payload.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The exact signed bytes.
    pub payload: Blob,
    /// Signature of the account over the payload.
    pub signature: Signature,
    /// SHA-256 of the payload.
    pub hash: PayloadHash,
    /// The payload's revision.
    pub revision: u64,
    /// The payload's factor entries.
    pub entries: Vec<NewEntry>,
    /// The payload's nonce hash.
    pub nonce_hash: Option<NonceHash>,
}

/// What the store needs of a factor's entry.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry {
    /// Share index.
    pub index: u32,
    /// The factor's locator.
    pub locator: Locator,
    /// Hash of the envelope that has to be held.
    pub envelope_hash: EnvelopeHash,
}

/// Input of [`MetadataStore::create_account`](crate::MetadataStore::create_account).
#[derive(Debug, Clone)]
pub struct CreateAccount {
    /// Name space.
    pub tenant: Tenant,
    /// The new account.
    pub account_id: AccountId,
    /// Its first record.
    pub record: NewRecord,
    /// One envelope for every entry.
    pub envelopes: Vec<Envelope>,
    /// The sealed nonce that the record names.
    pub sealed_nonce: Option<SealedNonce>,
    /// The statement by which it was asked.
    pub statement: StatementUse,
    /// Locator of the factor that signed the statement.
    pub proven: Locator,
    /// The session to open.
    pub session: NewSession,
    /// Unix seconds.
    pub now: u64,
}

/// Input of [`MetadataStore::open_session`](crate::MetadataStore::open_session).
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// Name space.
    pub tenant: Tenant,
    /// Locators of the factors that signed, one per statement.
    pub proven: Vec<Locator>,
    /// The statements.
    pub statements: Vec<StatementUse>,
    /// The session to open.
    pub session: NewSession,
    /// Unix seconds.
    pub now: u64,
}

/// Input of [`MetadataStore::commit_record`](crate::MetadataStore::commit_record).
#[derive(Debug, Clone)]
pub struct CommitRecord {
    /// Who commits.
    pub caller: Caller,
    /// Hash of the current payload against which the change was checked. The checks are pure functions of the two
    /// payloads, so comparing this hash inside the transaction is the same as running them there, without holding the
    /// writer for the time of their signature verifications.
    pub base: PayloadHash,
    /// The new record.
    pub record: NewRecord,
    /// The envelopes whose hash is new.
    pub envelopes: Vec<Envelope>,
    /// The sealed nonce, where the record names a new one.
    pub sealed_nonce: Option<SealedNonce>,
    /// What the change amounts to; kept as the answer to a repeated commit.
    pub actions: BTreeSet<Action>,
    /// Whether it restores what this store had lost.
    pub restore: bool,
    /// Lists of guess keys for slots of the account, in force from the commit on.
    pub guess_lists: Vec<Signed<GuessList>>,
}

/// What a commit answers, the first time and every time it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The new revision.
    pub revision: u64,
    /// What the change amounted to.
    pub actions: BTreeSet<Action>,
}

/// A record as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The exact signed bytes.
    pub payload: Blob,
    /// Signature of the account over the payload.
    pub signature: Signature,
    /// SHA-256 of the payload.
    pub hash: PayloadHash,
    /// The payload's revision.
    pub revision: u64,
    /// The payload's nonce hash.
    pub nonce_hash: Option<NonceHash>,
}

/// An envelope and the share index of its factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEnvelope {
    /// Share index.
    pub index: u32,
    /// The envelope.
    pub envelope: Envelope,
}

/// The answer to a login and to a creation.
#[derive(Debug, Clone)]
pub struct OpenedSession {
    /// The account.
    pub account_id: AccountId,
    /// Its record.
    pub record: StoredRecord,
    /// Envelopes of the proven factors, no others.
    pub envelopes: Vec<HeldEnvelope>,
    /// The sealed nonce whose hash the record carries.
    pub sealed_nonce: Option<SealedNonce>,
    /// How many logins there were, this one included.
    pub logins: u64,
    /// Locators that no account has.
    pub unknown: Vec<Locator>,
    /// Locators that were removed from an account.
    pub removed: Vec<Locator>,
}

/// The answer to a read.
#[derive(Debug, Clone)]
pub struct ReadRecord {
    /// The session that asked.
    pub session: Session,
    /// The current record.
    pub record: StoredRecord,
    /// Envelopes of the session's proven factors, no others.
    pub envelopes: Vec<HeldEnvelope>,
}

/// All that is needed to open the account offline with enough factors.
#[derive(Debug, Clone)]
pub struct Kit {
    /// The current record.
    pub record: StoredRecord,
    /// Every envelope, by share index.
    pub envelopes: Vec<HeldEnvelope>,
    /// The sealed nonce, where the record names one.
    pub sealed_nonce: Option<SealedNonce>,
}

/// The newest events of an account, oldest first.
#[derive(Debug, Clone)]
pub struct EventLog {
    /// Exact bytes of each event ([`trefoil_protocol::event`]); each names the hash of the one before.
    pub events: Vec<Blob>,
    /// Hash of the newest.
    pub head: PayloadHash,
}
