//! From bytes to a record that can be relied on: signature, form, and what must hold in any record.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Custody, MAX_FACTORS, MAX_PAYLOAD, Payload, VERSION};
use crate::bytes::{AccountId, AuthKey, Blob, PayloadHash, Signature};
use crate::factor::EnrolmentError;
use crate::kdf::{label, sha256};
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;

const LABEL: &str = "record";

/// A payload's exact bytes with the account's signature; nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// Read before anything else, so that a newer version is told apart from damage.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
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
        let bytes = self.payload.as_bytes();
        if bytes.len() > MAX_PAYLOAD {
            return Err(RecordError::TooLarge);
        }
        let VersionOnly { version } =
            serde_json::from_slice(bytes).map_err(|_| RecordError::Malformed)?;
        if version != VERSION {
            return Err(RecordError::UnknownVersion(version));
        }
        let payload: Payload = serde_json::from_slice(bytes).map_err(|_| RecordError::Malformed)?;
        payload
            .account_auth_key
            .verify(LABEL, bytes, &self.signature)
            .map_err(|_| RecordError::BadSignature)?;
        if AccountId::of(&payload.account_auth_key) != payload.account_id {
            return Err(RecordError::WrongAccountId);
        }
        if payload.tenant != *tenant {
            return Err(RecordError::WrongTenant);
        }
        payload.check_numbers()?;
        payload.check_factors()?;
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

    fn check_factors(&self) -> Result<(), RecordError> {
        let indices: Vec<u32> = self.factors.iter().map(|entry| entry.index).collect();
        let ascending =
            indices.first().is_some_and(|first| *first >= 1) && indices.is_sorted_by(|a, b| a < b);
        let locators: BTreeSet<_> = self.factors.iter().map(|entry| entry.locator).collect();
        let one_click = self.custody != Custody::OneClick || indices == [1];
        if !ascending || locators.len() != indices.len() || !one_click {
            return Err(RecordError::BadFactorList);
        }
        for entry in &self.factors {
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
