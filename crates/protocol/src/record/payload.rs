//! What account auth signs.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::bytes::{
    AccountId, AuthKey, Binding, Blob, EnvelopeHash, EnvelopeKey, Locator, NonceHash, PayloadHash,
    Signature,
};
use crate::factor::Enrolment;
use crate::policy::Policy;
use crate::tenant::Tenant;

/// The version of the payload's form that this crate writes and reads.
pub const VERSION: u32 = 1;

/// Who is needed for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Custody {
    /// The social factor and the server's nonce.
    #[serde(rename = "one_click")]
    OneClick,
    /// `t` factors.
    #[serde(rename = "self")]
    SelfCustody,
    /// `t` factors and the server's release of a nonce.
    #[serde(rename = "guarded")]
    Guarded,
}

/// An account's record but for the envelopes and the sealed nonce, whose hashes it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// [`VERSION`].
    pub version: u32,
    /// The name space.
    pub tenant: Tenant,
    /// Hash of `account_auth_key`.
    pub account_id: AccountId,
    /// Verifies the payload.
    pub account_auth_key: AuthKey,
    /// 1 at creation, then one more each commit.
    pub revision: u64,
    /// Hash of the payload before this one; none at creation.
    pub previous: Option<PayloadHash>,
    /// Number of the polynomial, from 1.
    pub epoch: u32,
    /// Whether this commit restores what a server had lost.
    pub restore: bool,
    /// Who is needed for the key.
    pub custody: Custody,
    /// Factors needed, 1 (one-click) or 2 to 255.
    pub threshold: u8,
    /// Verifies the reset of lost authenticators.
    pub reset_key: AuthKey,
    /// The account's own demands.
    pub policy: Policy,
    /// Hash of the sealed nonce; one-click and guarded only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce_hash: Option<NonceHash>,
    /// By ascending index, 1 to 255 of them.
    pub factors: Vec<FactorEntry>,
    /// Sealed under the epoch's state key ([`crate::state`]).
    pub state: Blob,
    /// Sealed under the vault key ([`crate::vault`]).
    pub vault: Blob,
}

/// The public parts of one factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorEntry {
    /// The factor's x coordinate, never reused.
    pub index: u32,
    /// Where its account is found.
    pub locator: Locator,
    /// Verifies its statements.
    pub auth_key: AuthKey,
    /// Its shares are sealed to it.
    pub envelope_key: EnvelopeKey,
    /// By which it knows its account.
    pub binding: Binding,
    /// By which anyone knows that it agreed.
    pub proof: Signature,
    /// Hash of its envelope.
    pub envelope_hash: EnvelopeHash,
}

impl FactorEntry {
    /// Entry of a factor that was just enrolled.
    #[must_use]
    pub fn new(index: u32, enrolment: &Enrolment, envelope_hash: EnvelopeHash) -> Self {
        Self {
            index,
            locator: enrolment.locator,
            auth_key: enrolment.auth_key,
            envelope_key: enrolment.envelope_key,
            binding: enrolment.binding,
            proof: enrolment.proof,
            envelope_hash,
        }
    }

    /// The entry's part that is carried unchanged.
    #[must_use]
    pub const fn enrolment(&self) -> Enrolment {
        Enrolment {
            locator: self.locator,
            auth_key: self.auth_key,
            envelope_key: self.envelope_key,
            binding: self.binding,
            proof: self.proof,
        }
    }
}

impl Payload {
    /// The entry with this locator.
    #[must_use]
    pub fn factor_at(&self, locator: &Locator) -> Option<&FactorEntry> {
        self.factors.iter().find(|entry| entry.locator == *locator)
    }

    /// The entry with this index.
    #[must_use]
    pub fn factor(&self, index: u32) -> Option<&FactorEntry> {
        self.factors.iter().find(|entry| entry.index == index)
    }
}
