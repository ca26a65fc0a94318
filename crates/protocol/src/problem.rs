//! What a server answers when it refuses: problem documents (RFC 9457) with a stable code.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Media type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// Why a server refuses. The code is stable; titles may be reworded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ProblemCode {
            $($(#[$doc])* #[doc = concat!("`", $code, "`, status ", stringify!($status), ": ", $title, ".")]
            #[serde(rename = $code)] $variant,)*
        }

        impl ProblemCode {
            /// All codes, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problem_codes! {
    // Any server
    MalformedRequest = "malformed_request", 400, "the request is not of the expected form";
    UnknownVersion = "unknown_version", 400, "the request has a version that this server does not know";
    NotFound = "not_found", 404, "there is nothing here";
    MethodNotAllowed = "method_not_allowed", 405, "this method is not offered here";
    UnsupportedMediaType = "unsupported_media_type", 415, "the body must be application/json";
    BodyTooLarge = "body_too_large", 413, "the body is too large";
    RequestTimeout = "request_timeout", 408, "the request took too long to arrive";
    TooManyRequests = "too_many_requests", 429, "too many requests; try again later";
    Internal = "internal", 500, "the server failed; nothing was changed";
    Unavailable = "unavailable", 503, "the server cannot do this now; try again later";
    UnknownTenant = "unknown_tenant", 404, "this server does not know the tenant";
    NotOffered = "not_offered", 403, "the tenant does not offer this";

    // Statements and sessions
    BadSignature = "bad_signature", 401, "a signature does not hold";
    StatementExpired = "statement_expired", 401, "the statement's time is too far from the server's";
    WrongAudience = "wrong_audience", 401, "the statement was made for another server";
    WrongTenant = "wrong_tenant", 401, "made for another tenant";
    ReplayedRequest = "replayed_request", 409, "this request id was used before";
    UnknownSession = "unknown_session", 401, "the session has ended or never was; log in again";
    WrongSession = "wrong_session", 403, "the session belongs to another account";
    WrongKey = "wrong_key", 403, "signed by a key that may not do this";
    LevelTooLow = "level_too_low", 403, "the account's policy asks for an authenticator first";
    AuthenticatorRequired = "authenticator_required", 403, "a guarded account needs an enrolled authenticator first";

    // Accounts
    NoAccount = "no_account", 404, "no account is known for this factor";
    FactorRemoved = "factor_removed", 403, "this factor was removed from its account";
    SeveralAccounts = "several_accounts", 409, "the factors belong to different accounts";
    LocatorTaken = "locator_taken", 409, "one of the factors already belongs to an account";
    AccountExists = "account_exists", 409, "this wallet key already has an account here";
    AccountDeleted = "account_deleted", 410, "the account was deleted for ever";
    NoNonce = "no_nonce", 404, "the current record has no nonce";

    // Records
    BadRecord = "bad_record", 422, "the record breaks a rule that holds for every record";
    RecordTooLarge = "record_too_large", 413, "the record is too large";
    PreconditionRequired = "precondition_required", 428, "If-Match must name the revision that the commit replaces";
    StaleRevision = "stale_revision", 412, "the account has changed since; open it again";
    WrongRevision = "wrong_revision", 422, "the new revision does not follow the current one";
    WrongPrevious = "wrong_previous", 422, "the record does not name the current one as its previous";
    WrongAccountKey = "wrong_account_key", 422, "the account's key cannot change";
    CustodyReversed = "custody_reversed", 422, "an account that left one-click cannot go back";
    WrongEpoch = "wrong_epoch", 422, "the epoch must stay or grow by one, and grow where shares change";
    ChangedEntry = "changed_entry", 422, "the entry of a kept factor was changed";
    EnvelopeHashMismatch = "envelope_hash_mismatch", 422, "an envelope hash must change exactly when the epoch does";
    NoSpareFactor = "no_spare_factor", 422, "there must be more factors than the threshold";
    BadEnvelopes = "bad_envelopes", 422, "the envelopes are not those that the record names";
    BadNonce = "bad_nonce", 422, "the sealed nonce is not the one that the record names";

    // Counted guesses
    NoSlot = "no_slot", 404, "there is no such slot here";
    SlotGone = "slot_gone", 410, "the slot was deleted, or destroyed when all its guesses were spent";
    SlotTaken = "slot_taken", 409, "another slot was enrolled under this id";
    BadSlot = "bad_slot", 422, "what is to be enrolled is no slot for this evaluator";
    BadPermit = "bad_permit", 403, "enrolling a slot needs a fresh permit of the tenant's metadata server";
    TooManySlots = "too_many_slots", 403, "the account has as many slots as it may have";
    UnknownGuessKey = "unknown_guess_key", 403, "this key may not guess at the slot";
    GuessesSpent = "guesses_spent", 403, "this key's guesses are spent";
    AttemptReused = "attempt_reused", 409, "the attempt was made with another guess before";
    WrongUnlock = "wrong_unlock", 403, "the counter is not unlocked by this";
    WrongEvaluator = "wrong_evaluator", 401, "made for another evaluator";
    BadElement = "bad_element", 400, "the blinded element is not one to evaluate";

    // Mailboxes
    NoMailbox = "no_mailbox", 404, "there is no such mailbox";
    MailboxClosed = "mailbox_closed", 410, "the mailbox is closed; start over with a new request";
    MailboxExpired = "mailbox_expired", 410, "the mailbox's time is over; start over with a new request";
    MailboxTaken = "mailbox_taken", 409, "somebody else has put something there; start over with a new request";
    MailboxFull = "mailbox_full", 413, "the message is too large for a mailbox";
    TooManyMailboxes = "too_many_mailboxes", 409, "the account has too many mailboxes; wait until earlier ones are over";

    // Nodes
    BadEphemeralKey = "bad_ephemeral_key", 400, "the ephemeral key is not one to seal to";
    GenerationOutOfRange = "generation_out_of_range", 400, "the generation is out of range";
    UnknownVerifier = "unknown_verifier", 404, "this network does not know the verifier";
    TokenTooLarge = "token_too_large", 413, "the ID token is too large";
    TokenMalformed = "token_malformed", 401, "the ID token is not a signed token of a known form";
    TokenAlgorithmRefused = "token_algorithm_refused", 401, "the ID token's algorithm is not allowed";
    TokenCriticalHeader = "token_critical_header", 401, "the ID token's header demands an extension that is not known";
    TokenWrongType = "token_wrong_type", 401, "the token is not an ID token";
    TokenWrongKeyType = "token_wrong_key_type", 401, "the ID token's algorithm does not fit the key that it names";
    TokenUnknownKey = "token_unknown_key", 401, "the ID token names a key that its provider does not publish";
    TokenBadSignature = "token_bad_signature", 401, "the ID token's signature does not hold";
    TokenWrongIssuer = "token_wrong_issuer", 401, "the ID token comes from another issuer";
    TokenWrongAudience = "token_wrong_audience", 401, "the ID token was made for another app";
    TokenWrongParty = "token_wrong_party", 401, "the ID token was made for several apps and does not name this one";
    TokenExpired = "token_expired", 401, "the ID token has expired; log in again";
    TokenTooOld = "token_too_old", 401, "the ID token was issued too long ago; log in again";
    TokenIssuedInFuture = "token_issued_in_future", 401, "the ID token was issued in the future";
    TokenNotYetValid = "token_not_yet_valid", 401, "the ID token is not valid yet";
    TokenWrongNonce = "token_wrong_nonce", 401, "the ID token is not bound to this login";
    TokenMissingClaim = "token_missing_claim", 401, "the ID token lacks a claim that is needed";
    TokenBadUser = "token_bad_user", 401, "the ID token's user claim cannot be used";
    TokenUnverifiedEmail = "token_unverified_email", 401, "the ID token's e-mail address is not verified";
    OtherEpoch = "other_epoch", 409, "this node does not answer in that epoch; fetch the network's current manifest";
    NoShare = "no_share", 503, "this node has no share of a network's key yet";
    PlanRefused = "plan_refused", 403, "this node was not told to follow such a plan";
    BadPlan = "bad_plan", 422, "the plan cannot be carried out";
    StalePlan = "stale_plan", 412, "the plan does not follow the network's current manifest";
    NetworkExists = "network_exists", 409, "this node belongs to a network already";
    OtherCeremony = "other_ceremony", 409, "this node is in another ceremony, or in none";
    CeremonyDecided = "ceremony_decided", 409, "this node signed another manifest for the epoch to come; finish that ceremony first";
    BadCeremonyMessage = "bad_ceremony_message", 422, "what another node said in the ceremony cannot be taken";
    BadDealing = "bad_dealing", 422, "what some nodes dealt does not fit; go on without them";
    NotAMember = "not_a_member", 403, "this node has no part in that step of the ceremony";
    BadManifest = "bad_manifest", 422, "the manifest is not the one that follows";
    ProviderUnreachable = "provider_unreachable", 503, "the login provider's keys cannot be fetched now";
}

impl core::fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A problem document. Members this version does not know are ignored, as RFC 9457 section 3.2 asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:trefoil:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's title.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time, in plain words.
    pub detail: String,
    /// The stable code.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub code: ProblemCode,
    /// With `statement_expired`: the server's unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_time: Option<u64>,
    /// With `stale_revision`: the current revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// With `other_epoch`: the newest epoch in which this node answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// With `bad_dealing` and `bad_ceremony_message`: the nodes to leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<u16>,
    /// Seconds after which to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A document of this code.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:trefoil:problem:{code}"),
            title: code.title().to_string(),
            status: code.status(),
            detail: detail.into(),
            code,
            server_time: None,
            revision: None,
            epoch: None,
            nodes: Vec::new(),
            retry_after: None,
        }
    }
}

impl From<ProblemCode> for Problem {
    fn from(code: ProblemCode) -> Self {
        Self::new(code, code.title())
    }
}

impl core::fmt::Display for Problem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl core::error::Error for Problem {}
