//! How a factor is tied to an account: the binding, which only the factor can check, and the proof, which anyone can.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::FactorKeys;
use crate::bytes::{AccountId, AuthKey, Binding, EnvelopeKey, Locator, Signature};
use crate::kdf::account_context;

const PROOF: &str = "proof";

/// The public parts of a factor for one account. Made while the factor is present, carried unchanged ever after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// SHA-256 of the auth key.
    pub locator: Locator,
    /// Verifies the factor's statements.
    pub auth_key: AuthKey,
    /// Shares are sealed to it.
    pub envelope_key: EnvelopeKey,
    /// HMAC under the factor's binding key.
    pub binding: Binding,
    /// Signature by the factor's auth key.
    pub proof: Signature,
}

/// An entry that does not belong to its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// The locator is not the hash of the auth key.
    #[error("the locator is not the hash of the factor's auth key")]
    Locator,
    /// The proof does not hold for this account.
    #[error("the factor's proof does not hold for this account")]
    Proof,
    /// The binding does not hold: this factor was never enrolled in this account.
    #[error("this factor was never enrolled in this account: the server shows another account")]
    Binding,
}

impl Enrolment {
    pub(crate) fn make(
        keys: &FactorKeys,
        account_id: &AccountId,
        account_auth_key: &AuthKey,
    ) -> Self {
        let message = bound(account_id, account_auth_key);
        Self {
            locator: keys.locator(),
            auth_key: keys.auth_key(),
            envelope_key: keys.envelope_key(),
            binding: binding(keys, account_id, account_auth_key),
            proof: keys.auth().sign(PROOF, &message),
        }
    }

    /// Checks locator and proof, as anyone can.
    ///
    /// # Errors
    /// [`EnrolmentError::Locator`] or [`EnrolmentError::Proof`].
    pub fn verify(
        &self,
        account_id: &AccountId,
        account_auth_key: &AuthKey,
    ) -> Result<(), EnrolmentError> {
        if Locator::of(&self.auth_key) != self.locator {
            return Err(EnrolmentError::Locator);
        }
        self.auth_key
            .verify(PROOF, &bound(account_id, account_auth_key), &self.proof)
            .map_err(|_| EnrolmentError::Proof)
    }

    /// Checks, with the factor at hand, that it was enrolled in exactly this account.
    ///
    /// # Errors
    /// [`EnrolmentError::Binding`] where it was not.
    pub fn verify_binding(
        &self,
        keys: &FactorKeys,
        account_id: &AccountId,
        account_auth_key: &AuthKey,
    ) -> Result<(), EnrolmentError> {
        let expected = binding(keys, account_id, account_auth_key);
        let same = expected.as_bytes().ct_eq(self.binding.as_bytes())
            & keys
                .envelope_key()
                .as_bytes()
                .ct_eq(self.envelope_key.as_bytes());
        if same.into() {
            Ok(())
        } else {
            Err(EnrolmentError::Binding)
        }
    }
}

fn bound(account_id: &AccountId, account_auth_key: &AuthKey) -> Vec<u8> {
    [
        account_id.as_bytes().as_slice(),
        account_auth_key.as_bytes(),
    ]
    .concat()
}

fn binding(keys: &FactorKeys, account_id: &AccountId, account_auth_key: &AuthKey) -> Binding {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.binding.as_slice()).expect("any key length");
    mac.update(&account_context("binding", account_id));
    mac.update(account_auth_key.as_bytes());
    Binding::from_bytes(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::FactorSecret;
    use crate::sign::AuthPrivateKey;
    use crate::tenant::Tenant;

    #[test]
    fn a_factor_knows_its_account_and_no_other() {
        let tenant = Tenant::new("acme").unwrap();
        let keys = FactorKeys::derive(&tenant, &FactorSecret::from_bytes([1; 32]));
        let other = FactorKeys::derive(&tenant, &FactorSecret::from_bytes([2; 32]));
        let (id, auth) = (
            AccountId::from_bytes([9; 16]),
            AuthPrivateKey::from_seed(&[8; 32]).auth_key(),
        );
        let foreign = AuthPrivateKey::from_seed(&[7; 32]).auth_key();
        let entry = keys.enrol(&id, &auth);
        assert_eq!(entry.verify(&id, &auth), Ok(()));
        assert_eq!(entry.verify_binding(&keys, &id, &auth), Ok(()));
        assert_eq!(entry.verify(&id, &foreign), Err(EnrolmentError::Proof));
        assert_eq!(
            entry.verify_binding(&keys, &id, &foreign),
            Err(EnrolmentError::Binding)
        );
        assert_eq!(
            entry.verify_binding(&other, &id, &auth),
            Err(EnrolmentError::Binding)
        );
        let moved = Enrolment {
            locator: other.locator(),
            ..entry.clone()
        };
        assert_eq!(moved.verify(&id, &auth), Err(EnrolmentError::Locator));
        // A server that swaps the envelope key would have shares sealed to itself.
        let swapped = Enrolment {
            envelope_key: other.envelope_key(),
            ..entry
        };
        assert_eq!(
            swapped.verify_binding(&keys, &id, &auth),
            Err(EnrolmentError::Binding)
        );
    }
}
