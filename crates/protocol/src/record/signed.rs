//! From bytes to a record that can be relied on: signature, form, and what must hold in any record.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Custody, FactorEntry, MAX_FACTORS, MAX_PAYLOAD, Payload, VERSION};
use crate::bytes::{AccountId, AuthKey, Blob, PayloadHash, Signature};
use crate::factor::EnrolmentError;
use crate::kdf::{label, sha256};
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;
use crate::versioned;

const LABEL: &str = "record";

/// A payload's exact bytes with the account's signature; nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignedPayload {
    /// JSON of a [`Payload`], byte for byte as signed.
    pub payload: Blob,
    /// By account auth, over label `record`.
    pub signature: Signature,
}

/// A payload whose signature holds and in which every rule holds that needs no other record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRecord {
    payload: Payload,
    signed: SignedPayload,
    hash: PayloadHash,
}

/// What has been verified before.
#[derive(Clone, Copy)]
enum Trust<'a> {
    Nothing,
    /// The proofs of the entries of this record.
    ProofsOf(&'a VerifiedRecord),
    /// These bytes as a whole.
    Signatures,
}

impl Trust<'_> {
    fn covers(self, payload: &Payload, entry: &FactorEntry) -> bool {
        match self {
            Self::Nothing => false,
            // Locator and proof are about the auth key, the account id and the account's key and nothing else.
            Self::ProofsOf(current) => {
                current.account_id == payload.account_id
                    && current.account_auth_key == payload.account_auth_key
                    && current
                        .factor_at(&entry.locator)
                        .is_some_and(|held| held.enrolment() == entry.enrolment())
            }
            Self::Signatures => true,
        }
    }
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// More than [`MAX_PAYLOAD`] bytes.
    #[error("the record is larger than {MAX_PAYLOAD} bytes")]
    TooLarge,
    /// Cut off or not JSON of the expected form; an unknown field is refused too.
    #[error("the record is damaged: it is not a payload of a known form")]
    Malformed,
    /// A version this software does not know.
    #[error("the record has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// Not by the account it names.
    #[error("the record's signature does not hold")]
    BadSignature,
    /// The account id is not the hash of the auth key.
    #[error("the record's account id does not belong to its key")]
    WrongAccountId,
    /// Another name space.
    #[error("the record belongs to another tenant")]
    WrongTenant,
    /// Threshold, factor count, custody and nonce do not go together.
    #[error("the record's threshold, factors, custody and nonce do not go together")]
    Inconsistent,
    /// Indices are not ascending from 1, or a locator stands twice.
    #[error("the record's factor list has a zero, unordered or repeated index, or a locator twice")]
    BadFactorList,
    /// A factor's entry does not belong to the account.
    #[error("the entry of factor {index} is wrong: {source}")]
    BadFactor {
        /// Whose entry.
        index: u32,
        /// What is wrong.
        source: EnrolmentError,
    },
}

impl AccountId {
    /// The id that belongs to an account's auth key.
    #[must_use]
    pub fn of(account_auth_key: &AuthKey) -> Self {
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            sha256(&[&label("account", &[]), account_auth_key.as_bytes()]);
        Self::from_bytes(id)
    }
}

impl SignedPayload {
    /// Serialises and signs.
    #[must_use]
    pub fn sign(payload: &Payload, account_auth: &AuthPrivateKey) -> Self {
        // Strings, numbers and lists only: serialising them cannot fail.
        let bytes = serde_json::to_vec(payload).unwrap_or_default();
        let signature = account_auth.sign(LABEL, &bytes);
        Self {
            payload: Blob::new(bytes),
            signature,
        }
    }

    /// SHA-256 of the exact payload bytes.
    #[must_use]
    pub fn hash(&self) -> PayloadHash {
        PayloadHash::from_bytes(sha256(&[self.payload.as_bytes()]))
    }

    /// Checks everything that can be checked without another record or a secret.
    ///
    /// # Errors
    /// One [`RecordError`] per kind of fault.
    pub fn verify(&self, tenant: &Tenant) -> Result<VerifiedRecord, RecordError> {
        self.check(tenant, Trust::Nothing)
    }

    /// As [`Self::verify`], for a record that is to replace `current`. A factor's proof says nothing about revisions, so that
    /// of an entry which `current` has in the same form is not checked a second time.
    ///
    /// # Errors
    /// The same as those of [`Self::verify`].
    pub fn verify_successor(
        &self,
        tenant: &Tenant,
        current: &VerifiedRecord,
    ) -> Result<VerifiedRecord, RecordError> {
        self.check(tenant, Trust::ProofsOf(current))
    }

    /// As [`Self::verify`] but for the signatures: for a server that verified exactly these bytes before it stored them and
    /// has compared their hash. A client never calls this.
    ///
    /// # Errors
    /// The same as those of [`Self::verify`] but for signatures and proofs.
    pub fn verified_before(&self, tenant: &Tenant) -> Result<VerifiedRecord, RecordError> {
        self.check(tenant, Trust::Signatures)
    }

    fn check(&self, tenant: &Tenant, trust: Trust<'_>) -> Result<VerifiedRecord, RecordError> {
        let bytes = self.payload.as_bytes();
        if bytes.len() > MAX_PAYLOAD {
            return Err(RecordError::TooLarge);
        }
        let payload: Payload = versioned::read(bytes, VERSION).map_err(|unread| {
            unread.into_error(RecordError::Malformed, RecordError::UnknownVersion)
        })?;
        if !matches!(trust, Trust::Signatures) {
            payload
                .account_auth_key
                .verify(LABEL, bytes, &self.signature)
                .map_err(|_| RecordError::BadSignature)?;
        }
        if AccountId::of(&payload.account_auth_key) != payload.account_id {
            return Err(RecordError::WrongAccountId);
        }
        if payload.tenant != *tenant {
            return Err(RecordError::WrongTenant);
        }
        payload.check_numbers()?;
        payload.check_factors(trust)?;
        Ok(VerifiedRecord {
            payload,
            signed: self.clone(),
            hash: self.hash(),
        })
    }
}

impl Payload {
    fn check_numbers(&self) -> Result<(), RecordError> {
        let (t, m) = (usize::from(self.threshold), self.factors.len());
        let counts = match self.custody {
            Custody::OneClick => t == 1 && m == 1,
            Custody::SelfCustody | Custody::Guarded => 2 <= t && t <= m && m <= MAX_FACTORS,
        };
        let nonce = self.nonce_hash.is_some() == (self.custody != Custody::SelfCustody);
        let history = (self.revision == 1) == self.previous.is_none();
        if counts && nonce && history && self.revision >= 1 && self.epoch >= 1 {
            Ok(())
        } else {
            Err(RecordError::Inconsistent)
        }
    }

    fn check_factors(&self, trust: Trust<'_>) -> Result<(), RecordError> {
        let indices: Vec<u32> = self.factors.iter().map(|entry| entry.index).collect();
        let ascending =
            indices.first().is_some_and(|first| *first >= 1) && indices.is_sorted_by(|a, b| a < b);
        let locators: BTreeSet<_> = self.factors.iter().map(|entry| entry.locator).collect();
        let one_click = self.custody != Custody::OneClick || indices == [1];
        if !ascending || locators.len() != indices.len() || !one_click {
            return Err(RecordError::BadFactorList);
        }
        let to_check = self
            .factors
            .iter()
            .filter(|entry| !trust.covers(self, entry));
        for entry in to_check {
            entry
                .enrolment()
                .verify(&self.account_id, &self.account_auth_key)
                .map_err(|source| RecordError::BadFactor {
                    index: entry.index,
                    source,
                })?;
        }
        Ok(())
    }
}

impl VerifiedRecord {
    /// SHA-256 of the exact payload bytes.
    #[must_use]
    pub const fn hash(&self) -> PayloadHash {
        self.hash
    }

    /// The bytes and signature it was verified from.
    #[must_use]
    pub const fn signed(&self) -> &SignedPayload {
        &self.signed
    }

    /// The payload.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }
}

impl Deref for VerifiedRecord {
    type Target = Payload;

    fn deref(&self) -> &Payload {
        &self.payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Envelope;
    use crate::factor::{EnrolmentError, FactorKeys, FactorSecret};
    use crate::policy::Policy;

    fn tenant() -> Tenant {
        Tenant::new("acme").unwrap()
    }

    fn account(seed: u8, factors: &[u8]) -> (AuthPrivateKey, Payload) {
        let auth = AuthPrivateKey::from_seed(&[seed; 32]);
        let (id, key) = (AccountId::of(&auth.auth_key()), auth.auth_key());
        let entry = |(at, seed): (usize, &u8)| {
            let keys = FactorKeys::derive(&tenant(), &FactorSecret::from_bytes([*seed; 32]));
            let hash = Envelope::new(alloc::vec![*seed]).hash();
            FactorEntry::new(u32::try_from(at).unwrap() + 1, &keys.enrol(&id, &key), hash)
        };
        let payload = Payload {
            version: VERSION,
            tenant: tenant(),
            account_id: id,
            account_auth_key: key,
            revision: 1,
            previous: None,
            epoch: 1,
            restore: false,
            custody: Custody::SelfCustody,
            threshold: 2,
            reset_key: key,
            policy: Policy::default(),
            nonce_hash: None,
            factors: factors.iter().enumerate().map(entry).collect(),
            state: Blob::new(Vec::new()),
            vault: Blob::new(Vec::new()),
        };
        (auth, payload)
    }

    #[test]
    fn a_successor_is_held_to_the_same_rules() {
        let (auth, payload) = account(1, &[1, 2, 3]);
        let current = SignedPayload::sign(&payload, &auth)
            .verify(&tenant())
            .unwrap();
        let same = |payload: &Payload, auth: &AuthPrivateKey| {
            let signed = SignedPayload::sign(payload, auth);
            let result = signed.verify_successor(&tenant(), &current);
            assert_eq!(result, signed.verify(&tenant()));
            result
        };
        let (_, added) = account(1, &[1, 2, 3, 4]);
        assert!(same(&added, &auth).is_ok());

        // What is new or changed is checked.
        let mut bad = added.clone();
        bad.factors[3].proof = bad.factors[2].proof;
        let refused = RecordError::BadFactor {
            index: 4,
            source: EnrolmentError::Proof,
        };
        assert_eq!(same(&bad, &auth), Err(refused));
        let mut bad = added.clone();
        bad.factors[0].proof = bad.factors[1].proof;
        let refused = RecordError::BadFactor {
            index: 1,
            source: EnrolmentError::Proof,
        };
        assert_eq!(same(&bad, &auth), Err(refused));
        let mut bad = added.clone();
        bad.factors[1].auth_key = bad.factors[0].auth_key;
        let refused = RecordError::BadFactor {
            index: 2,
            source: EnrolmentError::Locator,
        };
        assert_eq!(same(&bad, &auth), Err(refused));

        // Another account with the entries of this one.
        let (other_auth, mut other) = account(2, &[1, 2, 3]);
        other.factors.clone_from(&payload.factors);
        let refused = RecordError::BadFactor {
            index: 1,
            source: EnrolmentError::Proof,
        };
        assert_eq!(same(&other, &other_auth), Err(refused));
        assert_eq!(same(&added, &other_auth), Err(RecordError::BadSignature));
    }

    #[test]
    fn what_was_verified_before_is_still_parsed_and_counted() {
        let (auth, payload) = account(1, &[1, 2, 3]);
        let signed = SignedPayload::sign(&payload, &auth);
        assert_eq!(signed.verified_before(&tenant()), signed.verify(&tenant()));
        let mut bad = payload.clone();
        bad.threshold = 4;
        let bad = SignedPayload::sign(&bad, &auth);
        assert_eq!(
            bad.verified_before(&tenant()),
            Err(RecordError::Inconsistent)
        );
        let cut = Blob::new(signed.payload.as_bytes()[1..].to_vec());
        let cut = SignedPayload {
            payload: cut,
            ..signed
        };
        assert_eq!(cut.verified_before(&tenant()), Err(RecordError::Malformed));
    }
}
