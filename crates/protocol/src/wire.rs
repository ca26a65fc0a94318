//! Bodies of the metadata server's calls (section 8). Unknown fields are refused.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::bytes::{
    AccountId, Blob, Envelope, Locator, PayloadHash, SealedNonce, decode_array, encode,
};
#[cfg(feature = "openapi")]
use crate::guess::Form;
use crate::guess::{GuessList, Signed};
use crate::policy::Action;
use crate::record::SignedPayload;
use crate::secret::secret_bytes;
use crate::statement::SignedStatement;

/// Bytes of a request body at most.
pub const MAX_BODY: usize = 256 * 1024;
/// Statements of one login at most.
pub const MAX_STATEMENTS: usize = 16;

secret_bytes!(
    /// What a session is recognised by; sent as a bearer token, base64url.
    SessionToken
);

impl SessionToken {
    /// The text of the `Authorization: Bearer` header.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(encode(self.expose_secret()))
    }

    /// Reads that text.
    ///
    /// # Errors
    /// [`crate::bytes::BytesError`] where it is not 32 bytes of base64url.
    pub fn parse(text: &str) -> Result<Self, crate::bytes::BytesError> {
        decode_array(text).map(Self::from_bytes)
    }
}

impl Serialize for SessionToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.expose_text())
    }
}

impl<'de> Deserialize<'de> for SessionToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// An envelope and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct IndexedEnvelope {
    /// The factor's index.
    pub index: u32,
    /// Its envelope.
    pub envelope: Envelope,
}

/// A session as given to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionGrant {
    /// The bearer token.
    pub token: SessionToken,
    /// Unix seconds after which it is refused.
    pub expires: u64,
}

/// `POST /v1/{tenant}/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// One per factor at hand, 1 to [`MAX_STATEMENTS`], all of type `login`.
    pub statements: Vec<SignedStatement>,
}

/// Answer to a login and to a creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginResponse {
    /// Whose record this is.
    pub account_id: AccountId,
    /// The current record.
    pub record: SignedPayload,
    /// Envelopes of the proven factors and no others.
    pub envelopes: Vec<IndexedEnvelope>,
    /// Where the record has one and the policy allows it at this level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_nonce: Option<SealedNonce>,
    /// For the calls that follow.
    pub session: SessionGrant,
    /// Logins to this account so far, this one included.
    pub logins: u64,
    /// Locators that no account knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Locator>,
    /// Locators that were removed from this account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Locator>,
    /// The server's unix seconds.
    pub server_time: u64,
}

/// `POST /v1/{tenant}/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    /// Type `create`, by the auth key of one of the record's factors.
    pub statement: SignedStatement,
    /// Revision 1.
    pub record: SignedPayload,
    /// One per factor.
    pub envelopes: Vec<IndexedEnvelope>,
    /// Where the record names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_nonce: Option<SealedNonce>,
}

/// `PUT /v1/{tenant}/accounts/{id}/record`, with `If-Match: "<current revision>"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CommitRequest {
    /// The new record.
    pub record: SignedPayload,
    /// Only those whose hash is new.
    pub envelopes: Vec<IndexedEnvelope>,
    /// Only where its hash is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_nonce: Option<SealedNonce>,
    /// Lists of guess keys for slots of the account, applied in the commit's transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Form>))]
    pub guess_lists: Vec<Signed<GuessList>>,
}

/// Answer to a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CommitResponse {
    /// The revision that is now current.
    pub revision: u64,
    /// What the server took the commit for.
    pub actions: BTreeSet<Action>,
}

/// `GET /v1/{tenant}/accounts/{id}/record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordResponse {
    /// The current record.
    pub record: SignedPayload,
    /// Envelopes of the session's factors and no others.
    pub envelopes: Vec<IndexedEnvelope>,
}

/// `POST /v1/{tenant}/accounts/{id}/nonce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NonceResponse {
    /// The current record's.
    pub sealed_nonce: SealedNonce,
}

/// `POST /v1/{tenant}/accounts/{id}/kit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KitRequest {
    /// Type `kit`, by account auth.
    pub statement: SignedStatement,
}

/// Everything the server holds of an account: useless without `t` factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KitResponse {
    /// The current record.
    pub record: SignedPayload,
    /// All of them.
    pub envelopes: Vec<IndexedEnvelope>,
    /// Where the record names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_nonce: Option<SealedNonce>,
}

/// `DELETE /v1/{tenant}/accounts/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteRequest {
    /// Type `delete`, by account auth.
    pub statement: SignedStatement,
}

/// `GET /v1/{tenant}/accounts/{id}/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EventsResponse {
    /// The newest, oldest first, each the exact JSON bytes of an [`crate::event::Event`].
    pub events: Vec<Blob>,
    /// Hash of the last one.
    pub head: PayloadHash,
}
