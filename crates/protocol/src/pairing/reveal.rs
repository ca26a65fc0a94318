//! What each side reveals, and the commitment to it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::code::Purpose;
use super::message::Role;
use super::{PairingError, wire::VERSION};
use crate::bytes::{AccountId, AuthKey, EnvelopeKey, PairingCommitment};
use crate::kdf::{label, lp, sha256};
use crate::state::MAX_LABEL;
use crate::versioned;

/// Random bytes behind what is revealed: without them a commitment to guessable content could be opened by trying.
const BLIND: usize = 32;

/// What the new side shows of the factor it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicFactor {
    /// Verifies the factor's statements.
    pub auth_key: AuthKey,
    /// Shares are sealed to it.
    pub envelope_key: EnvelopeKey,
}

/// What the new side reveals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewReveal {
    pub(super) version: u32,
    /// What it asks for.
    pub purpose: Purpose,
    /// The outcome is sealed to it.
    pub exchange_key: EnvelopeKey,
    /// Its name for itself.
    pub label: String,
    /// The factor to enrol; none for help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<PublicFactor>,
}

/// What the old side reveals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldReveal {
    pub(super) version: u32,
    /// What it takes the request for.
    pub purpose: Purpose,
    /// Enrolments are sealed to it.
    pub exchange_key: EnvelopeKey,
    /// The account's name for the other side, such as whose wallet it is.
    pub label: String,
    /// The account.
    pub account_id: AccountId,
    /// Signs every record of the account.
    pub account_auth_key: AuthKey,
    /// The revision on top of which a commit will be made.
    pub revision: u64,
}

impl NewReveal {
    /// Checks what anyone can who knows the request's purpose.
    pub(super) fn check(&self, purpose: Purpose) -> Result<(), PairingError> {
        let for_help = matches!(purpose, Purpose::Help { .. });
        if self.purpose != purpose || self.factor.is_some() == for_help {
            return Err(PairingError::WrongPurpose);
        }
        let factor_fits = self
            .factor
            .is_none_or(|factor| factor.envelope_key.is_usable());
        check_parts(&self.exchange_key, &self.label)?;
        if factor_fits {
            Ok(())
        } else {
            Err(PairingError::UnusableKey)
        }
    }
}

impl OldReveal {
    /// Checks what anyone can who knows the request's purpose.
    pub(super) fn check(&self, purpose: Purpose) -> Result<(), PairingError> {
        if self.purpose != purpose {
            return Err(PairingError::WrongPurpose);
        }
        let asked = match purpose {
            Purpose::Help { account } => account,
            Purpose::Device | Purpose::Contact => self.account_id,
        };
        if self.account_id != asked || AccountId::of(&self.account_auth_key) != self.account_id {
            return Err(PairingError::WrongAccount);
        }
        check_parts(&self.exchange_key, &self.label)
    }
}

fn check_parts(exchange_key: &EnvelopeKey, label: &str) -> Result<(), PairingError> {
    if !exchange_key.is_usable() {
        return Err(PairingError::UnusableKey);
    }
    check_label(label)
}

/// The other side's users see it beside the digits that they compare, so it cannot hold what steers a terminal or moves the
/// text around it.
pub(super) fn check_label(label: &str) -> Result<(), PairingError> {
    let unfit = |c: char| c.is_control() || turns_text(c);
    if label.len() > MAX_LABEL || label.chars().any(unfit) {
        return Err(PairingError::Label);
    }
    Ok(())
}

/// Sets the direction of writing (Unicode, property Bidi_Control) or ends a line, and is no control character (general
/// categories Zl and Zp).
const fn turns_text(c: char) -> bool {
    matches!(
        c,
        '\u{61C}'
            | '\u{200E}'..='\u{200F}'
            | '\u{2028}'..='\u{2029}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// A reveal as the exact bytes that were committed to: its JSON and [`BLIND`] random bytes.
#[derive(Clone)]
pub(super) struct Opening<T> {
    pub(super) content: T,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl<T: fmt::Debug> fmt::Debug for Opening<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening(redacted, {:?})", self.content)
    }
}

impl<T: Serialize + DeserializeOwned> Opening<T> {
    pub(super) fn make(content: T, rng: &mut impl CryptoRng) -> Self {
        // Strings and numbers only: serialising them cannot fail.
        let mut bytes = Zeroizing::new(serde_json::to_vec(&content).unwrap_or_default());
        let mut blind = Zeroizing::new([0; BLIND]);
        rng.fill_bytes(blind.as_mut_slice());
        bytes.extend_from_slice(blind.as_slice());
        Self { content, bytes }
    }

    /// Takes bytes that hash to the commitment, and nothing else.
    pub(super) fn read(
        bytes: Zeroizing<Vec<u8>>,
        role: Role,
        commitment: &PairingCommitment,
    ) -> Result<Self, PairingError> {
        if commit(role, &bytes) != *commitment {
            return Err(PairingError::NotAsCommitted);
        }
        let (json, _) = bytes
            .split_last_chunk::<BLIND>()
            .ok_or(PairingError::Malformed)?;
        let content = versioned::read(json, VERSION).map_err(|unread| {
            unread.into_error(PairingError::Malformed, PairingError::UnknownVersion)
        })?;
        Ok(Self { content, bytes })
    }

    pub(super) fn commitment(&self, role: Role) -> PairingCommitment {
        commit(role, &self.bytes)
    }
}

fn commit(role: Role, bytes: &[u8]) -> PairingCommitment {
    PairingCommitment::from_bytes(sha256(&[
        &label("mailbox/commitment", &[]),
        &lp(role.as_str().as_bytes()),
        bytes,
    ]))
}

/// The HPKE info of what is sealed to one of the exchange keys: it opens in this pairing only, for what both revealed.
pub(super) fn sealed_info(name: &str, new: &[u8], old: &[u8]) -> Vec<u8> {
    let transcript = sha256(&[&label("mailbox/transcript", &[]), &lp(new), &lp(old)]);
    label(name, &[&transcript])
}
