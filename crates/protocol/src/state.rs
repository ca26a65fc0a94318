//! The sealed state: what any one factor may see of the account, and no server.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use trefoil_shares::PublicPoint;
use zeroize::Zeroizing;

use crate::bytes::{AccountId, Blob};
use crate::factor::FactorKind;
use crate::guess::{Retired, Slot};
use crate::kdf::epoch_context;
use crate::point;
use crate::seal::aead;
use crate::secret::secret_bytes;
use crate::versioned;

/// The version of the state's form.
pub const VERSION: u32 = 1;
/// The sealed state's plaintext is padded to a multiple of this many bytes.
pub const PADDING: usize = 512;
/// Bytes of a factor's label at most.
pub const MAX_LABEL: usize = 64;

secret_bytes!(
    /// Opens the state of one epoch.
    StateKey
);

/// What any one factor shows its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// [`VERSION`].
    pub version: u32,
    /// `P = k*G`.
    #[serde(with = "point::one")]
    pub public_key: PublicPoint,
    /// Feldman commitments of the epoch's polynomial, `t` of them; none in one-click.
    #[serde(with = "point::many", default, skip_serializing_if = "Vec::is_empty")]
    pub commitments: Vec<PublicPoint>,
    /// `N = nonce*G` where there is a nonce.
    #[serde(
        with = "point::maybe",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub nonce_point: Option<PublicPoint>,
    /// The index that the next new factor gets.
    pub next_index: u32,
    /// One note per factor, by ascending index.
    pub factors: Vec<FactorNote>,
    /// Slots of counted guesses (section 10).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slot>,
    /// Signed deletions of slots that some evaluator has not acknowledged yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    /// Settings of MFA and reminders.
    #[serde(default)]
    pub mfa: MfaSettings,
}

/// What the user is shown of a factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorNote {
    /// Which factor.
    pub index: u32,
    /// What it is.
    pub kind: FactorKind,
    /// The user's or app's name for it, at most [`MAX_LABEL`] bytes.
    pub label: String,
    /// What helps to find it again, such as the verifier of a social login.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, String>,
    /// Unix seconds of its enrolment.
    pub created: u64,
    /// Unix seconds when it was last proven to work.
    pub proven: u64,
}

/// Settings of MFA and reminders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaSettings {
    /// Unix seconds when the account left one-click.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Days after which a recovery factor should be proven again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder_days: Option<u32>,
}

/// Why a sealed state is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another epoch's key or account, or changed bytes.
    #[error("the account's state does not open with this epoch's key")]
    Sealed,
    /// A version this software does not know.
    #[error("the account's state has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// Opened, but not of a known form.
    #[error("the account's state is not of a known form")]
    Malformed,
}

impl State {
    /// The note of a factor.
    #[must_use]
    pub fn note(&self, index: u32) -> Option<&FactorNote> {
        self.factors.iter().find(|note| note.index == index)
    }

    /// Seals it: JSON, byte 0x80, zeros to a multiple of [`PADDING`] (ISO/IEC 7816-4), XChaCha20-Poly1305.
    #[must_use]
    pub fn seal(
        &self,
        key: &StateKey,
        account: &AccountId,
        epoch: u32,
        rng: &mut impl CryptoRng,
    ) -> Blob {
        // Strings, numbers and lists only: serialising them cannot fail.
        let mut plaintext = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        plaintext.push(0x80);
        let padded = plaintext.len().next_multiple_of(PADDING);
        plaintext.resize(padded, 0);
        Blob::new(aead::seal(
            key.expose_secret(),
            &epoch_context("state", account, epoch, 0),
            &plaintext,
            rng,
        ))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`StateError`] for another key, damage, an unknown version or form.
    pub fn open(
        sealed: &Blob,
        key: &StateKey,
        account: &AccountId,
        epoch: u32,
    ) -> Result<Self, StateError> {
        let context = epoch_context("state", account, epoch, 0);
        let plaintext = aead::open(key.expose_secret(), &context, sealed.as_bytes())
            .map_err(|_| StateError::Sealed)?;
        let end = plaintext
            .iter()
            .rposition(|byte| *byte != 0)
            .ok_or(StateError::Malformed)?;
        let json = match plaintext.split_at_checked(end) {
            Some((json, [0x80, ..])) => json,
            _ => return Err(StateError::Malformed),
        };
        versioned::read(json, VERSION)
            .map_err(|unread| unread.into_error(StateError::Malformed, StateError::UnknownVersion))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use trefoil_shares::KeyScalar;

    use super::*;

    #[test]
    fn size_tells_little_and_only_the_epochs_key_opens() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut state = State {
            version: VERSION,
            public_key: KeyScalar::random(&mut rng).public_point(),
            commitments: Vec::new(),
            nonce_point: None,
            next_index: 2,
            factors: Vec::new(),
            slots: Vec::new(),
            retired: Vec::new(),
            mfa: MfaSettings::default(),
        };
        let (key, id) = (StateKey::random(&mut rng), AccountId::from_bytes([1; 16]));
        for label_len in 0..=MAX_LABEL {
            let note = FactorNote {
                index: 1,
                kind: FactorKind::Social,
                label: "x".repeat(label_len),
                hints: BTreeMap::new(),
                created: 1,
                proven: 1,
            };
            state.factors = alloc::vec![note];
            let sealed = state.seal(&key, &id, 7, &mut rng);
            assert_eq!((sealed.as_bytes().len() - 40) % PADDING, 0);
            assert_eq!(State::open(&sealed, &key, &id, 7), Ok(state.clone()));
            assert_eq!(State::open(&sealed, &key, &id, 8), Err(StateError::Sealed));
            assert_eq!(
                State::open(&sealed, &StateKey::from_bytes([0; 32]), &id, 7),
                Err(StateError::Sealed)
            );
        }
        state.version = 2;
        let sealed = state.seal(&key, &id, 7, &mut rng);
        assert_eq!(
            State::open(&sealed, &key, &id, 7),
            Err(StateError::UnknownVersion(2))
        );
    }
}
