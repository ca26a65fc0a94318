//! What evaluators are asked and what they answer.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::list::GuessList;
use super::permit::Permit;
#[cfg(feature = "openapi")]
use super::signed::Form;
use super::signed::{Signable, Signed, VERSION};
use super::{EvaluatorName, UnlockTag};
use crate::bytes::{
    AccountId, AttemptId, AuthKey, Blob, DleqProof, GroupElement, SlotId, UnlockHash,
};
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;

/// Guesses per guess key unless set otherwise.
pub const DEFAULT_ALLOWED: u8 = 10;
/// Guesses per guess key at most.
pub const MAX_ALLOWED: u8 = 20;
/// Bytes of a request to an evaluator at most.
pub const MAX_REQUEST: usize = 64 * 1024;

/// Takes in a slot: signed by the slot's admin key, which it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotEnrolment {
    /// The form's version.
    pub version: u32,
    /// The name space.
    pub tenant: Tenant,
    /// The new slot.
    pub slot: SlotId,
    /// For whom this is.
    pub evaluator: EvaluatorName,
    /// The evaluator's place: 0 for the metadata server, 1 and up for nodes.
    pub index: u16,
    /// The evaluator's part of the key, 32 bytes little-endian: to a node sealed to its HPKE key
    /// ([`super::dealing::share_info`]), to the server as it is.
    #[serde(with = "crate::bytes::constant_time")]
    pub share: Blob,
    /// SHA-256 of the tag that unlocks counters here.
    pub unlock_hash: UnlockHash,
    /// Guesses per guess key, 1 to [`MAX_ALLOWED`].
    pub allowed: u8,
    /// Who may guess.
    pub list: Signed<GuessList>,
}

impl Signable for SlotEnrolment {
    const LABEL: &'static str = "guess/enrol";
    const MAX: usize = 32 * 1024;
}

/// `POST /v1/slots/enrol` at a node; `PUT /v1/{tenant}/accounts/{id}/slots/{slot}` at the metadata server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// Whose signature the enrolment and all lists carry.
    pub admin_key: AuthKey,
    /// What is enrolled.
    #[cfg_attr(feature = "openapi", schema(value_type = Form))]
    pub enrolment: Signed<SlotEnrolment>,
    /// For nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Form>))]
    pub permit: Option<Signed<Permit>>,
    /// For the metadata server: that the account itself wants the slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<OwnersClaim>,
}

/// The account's word for its slot, and the key that it is to be verified by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnersClaim {
    /// The account's auth key, of which the account id is the hash.
    pub account_key: AuthKey,
    /// Signed by it: a thief of one factor has a session, but not this key, and cannot use up the account's slots.
    #[cfg_attr(feature = "openapi", schema(value_type = Form))]
    pub claim: Signed<SlotClaim>,
}

/// Which slot, with which admin key, an account takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotClaim {
    /// The form's version.
    pub version: u32,
    /// Which account.
    pub account_id: AccountId,
    /// Which slot.
    pub slot: SlotId,
    /// Who administers it.
    pub admin_key: AuthKey,
}

impl Signable for SlotClaim {
    const LABEL: &'static str = "guess/claim";
    const MAX: usize = 512;
}

impl OwnersClaim {
    /// Claims a slot for the account with this auth key.
    #[must_use]
    pub fn sign(account: &AuthPrivateKey, slot: SlotId, admin_key: AuthKey) -> Self {
        let account_key = account.auth_key();
        let claim = SlotClaim {
            version: VERSION,
            account_id: AccountId::of(&account_key),
            slot,
            admin_key,
        };
        Self {
            account_key,
            claim: Signed::sign(&claim, account),
        }
    }
}

impl EnrolRequest {
    /// Whether the account itself claims the slot under the admin key that this request names.
    #[must_use]
    pub fn is_claimed(&self, account_id: &AccountId, slot: &SlotId) -> bool {
        self.claim.as_ref().is_some_and(|owner| {
            let claim = owner.claim.verify(&owner.account_key);
            AccountId::of(&owner.account_key) == *account_id
                && claim.is_ok_and(|claim| {
                    claim.account_id == *account_id
                        && claim.slot == *slot
                        && claim.admin_key == self.admin_key
                })
        })
    }
}

/// The metadata server's answer to an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolResponse {
    /// For the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Form>))]
    pub permit: Option<Signed<Permit>>,
}

/// One guess: signed by a guess key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    /// The form's version.
    pub version: u32,
    /// At which slot.
    pub slot: SlotId,
    /// For whom this is.
    pub evaluator: EvaluatorName,
    /// Which attempt; the same one again is not counted again.
    pub attempt: AttemptId,
    /// What is to be evaluated.
    pub blinded: GroupElement,
    /// Unix seconds.
    pub time: u64,
}

impl Signable for Guess {
    const LABEL: &'static str = "guess/guess";
    const MAX: usize = 2048;
}

/// `POST …/guess`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GuessRequest {
    /// Which slot.
    pub slot: SlotId,
    /// The guess key.
    pub key: AuthKey,
    /// The guess.
    #[cfg_attr(feature = "openapi", schema(value_type = Form))]
    pub guess: Signed<Guess>,
}

/// How a counter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Guesses that were counted since the counter was last unlocked.
    pub used: u8,
    /// Guesses that are allowed.
    pub allowed: u8,
    /// Number of the list in force.
    pub list: u64,
    /// Whether the evaluator still has its part of the key.
    pub live: bool,
    /// Whether the guesses of some key, this or another, are spent.
    pub spent: bool,
}

/// The answer to a guess, the first time and every time the attempt is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GuessAnswer {
    /// The evaluated element.
    pub evaluation: GroupElement,
    /// That it was evaluated with the evaluator's part of the key.
    pub proof: DleqProof,
    /// This guess included.
    pub count: Count,
}

/// Sets a counter back after a right guess: signed by the guess key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The form's version.
    pub version: u32,
    /// At which slot.
    pub slot: SlotId,
    /// For whom this is.
    pub evaluator: EvaluatorName,
    /// The attempt that was right.
    pub attempt: AttemptId,
    /// What only the right guess gives.
    pub tag: UnlockTag,
    /// Unix seconds.
    pub time: u64,
}

impl Signable for Unlock {
    const LABEL: &'static str = "guess/unlock";
    const MAX: usize = 2048;
}

/// `POST …/unlock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UnlockRequest {
    /// Which slot.
    pub slot: SlotId,
    /// The guess key.
    pub key: AuthKey,
    /// What unlocks.
    #[cfg_attr(feature = "openapi", schema(value_type = Form))]
    pub unlock: Signed<Unlock>,
}

/// `POST …/list`: a newer list for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ListRequest {
    /// Which slot.
    pub slot: SlotId,
    /// The list.
    #[cfg_attr(feature = "openapi", schema(value_type = Form))]
    pub list: Signed<GuessList>,
}

/// The answer to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ListAnswer {
    /// Number of the list in force now.
    pub list: u64,
}

/// Ends a slot for ever: signed by its admin key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotDeletion {
    /// The form's version.
    pub version: u32,
    /// Which slot.
    pub slot: SlotId,
}

impl Signable for SlotDeletion {
    const LABEL: &'static str = "guess/delete";
    const MAX: usize = 256;
}

/// `POST …/delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SlotDeleteRequest {
    /// Which slot.
    pub slot: SlotId,
    /// The deletion.
    #[cfg_attr(feature = "openapi", schema(value_type = Form))]
    pub deletion: Signed<SlotDeletion>,
}

/// `GET /v1/{tenant}/accounts/{id}/slots`: the slots of an account that the metadata server has not been told to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SlotsResponse {
    /// Each with its signed list, whose number says from which revision on a record may name it.
    pub slots: Vec<HeldSlot>,
}

/// A slot that the metadata server holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HeldSlot {
    /// Which slot.
    pub slot: SlotId,
    /// Its list in force.
    #[cfg_attr(feature = "openapi", schema(value_type = Form))]
    pub list: Signed<GuessList>,
}

/// `GET /v1/permit_key`: what nodes are configured with to tell the metadata server's permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PermitKeyResponse {
    /// Verifies permits.
    pub permit_key: AuthKey,
}
