//! Section 12: the recovery kit, everything the servers hold of an account, as armored text.
//!
//! ```text
//! -----BEGIN TREFOIL RECOVERY KIT-----
//! base64url of the JSON, 64 characters a line
//! =first 6 bytes of SHA-256 over the JSON, base64url
//! -----END TREFOIL RECOVERY KIT-----
//! ```

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::bytes::{Envelope, SealedNonce, decode, encode};
use crate::factor::FactorKeys;
use crate::kdf::sha256;
use crate::opening::{Opening, OpeningError};
use crate::record::{RecordError, VerifiedRecord};
use crate::tenant::Tenant;
use crate::versioned;
use crate::wire::{IndexedEnvelope, KitResponse};

const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN TREFOIL RECOVERY KIT-----";
const END: &str = "-----END TREFOIL RECOVERY KIT-----";
const LINE: usize = 64;
const CHECKSUM: usize = 6;
/// Bytes of an armored kit at most.
pub const MAX_KIT: usize = 1024 * 1024;

/// The latest record with all envelopes: useless without `t` factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryKit {
    record: VerifiedRecord,
    envelopes: Vec<IndexedEnvelope>,
    sealed_nonce: Option<SealedNonce>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    tenant: Tenant,
    kit: KitResponse,
}

/// Why a text is not a recovery kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The first or last line is missing, or the text is too long.
    #[error("this is not a whole recovery kit: its first or last line is missing")]
    NotAKit,
    /// Characters were changed, lost or added.
    #[error("the recovery kit is damaged: its checksum does not fit")]
    Damaged,
    /// A version this software does not know.
    #[error("the recovery kit has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// The record inside is not one.
    #[error("the recovery kit's record: {0}")]
    Record(#[from] RecordError),
    /// An envelope or the nonce is missing or not the record's.
    #[error(
        "the recovery kit is incomplete: an envelope or the nonce is not the one its record names"
    )]
    Incomplete,
}

impl RecoveryKit {
    /// Checks what a server handed out as an account's kit.
    ///
    /// # Errors
    /// [`KitError::Record`], [`KitError::Incomplete`].
    pub fn new(tenant: &Tenant, kit: KitResponse) -> Result<Self, KitError> {
        let record = kit.record.verify(tenant)?;
        let held = |index, hash| {
            kit.envelopes
                .iter()
                .any(|e| e.index == index && e.envelope.hash() == hash)
        };
        let complete = record
            .factors
            .iter()
            .all(|entry| held(entry.index, entry.envelope_hash))
            && record.factors.len() == kit.envelopes.len()
            && record.nonce_hash == kit.sealed_nonce.as_ref().map(SealedNonce::hash);
        if !complete {
            return Err(KitError::Incomplete);
        }
        Ok(Self {
            record,
            envelopes: kit.envelopes,
            sealed_nonce: kit.sealed_nonce,
        })
    }

    /// The armored text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let contents = Contents {
            version: VERSION,
            tenant: self.record.tenant.clone(),
            kit: KitResponse {
                record: self.record.signed().clone(),
                envelopes: self.envelopes.clone(),
                sealed_nonce: self.sealed_nonce.clone(),
            },
        };
        // Strings and numbers only: serialising them cannot fail.
        let json = serde_json::to_vec(&contents).unwrap_or_default();
        let mut text = format!("{BEGIN}\n");
        for (at, character) in encode(&json).chars().enumerate() {
            if at > 0 && at % LINE == 0 {
                text.push('\n');
            }
            text.push(character);
        }
        text.push_str(&format!("\n={}\n{END}\n", checksum(&json)));
        text
    }

    /// Reads the armored text; blanks and line ends inside do not matter.
    ///
    /// # Errors
    /// [`KitError`], each kind of damage its own.
    pub fn parse(text: &str) -> Result<Self, KitError> {
        if text.len() > MAX_KIT {
            return Err(KitError::NotAKit);
        }
        let body = text
            .trim()
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix(END))
            .ok_or(KitError::NotAKit)?;
        let body: String = body.split_whitespace().collect();
        let (json, sum) = body.split_once('=').ok_or(KitError::Damaged)?;
        let json = decode(json).map_err(|_| KitError::Damaged)?;
        if checksum(&json) != sum {
            return Err(KitError::Damaged);
        }
        let contents: Contents = versioned::read(&json, VERSION)
            .map_err(|unread| unread.into_error(KitError::Damaged, KitError::UnknownVersion))?;
        Self::new(&contents.tenant, contents.kit)
    }

    /// The record inside.
    #[must_use]
    pub const fn record(&self) -> &VerifiedRecord {
        &self.record
    }

    /// The sealed nonce of a one-click or guarded account.
    #[must_use]
    pub const fn sealed_nonce(&self) -> Option<&SealedNonce> {
        self.sealed_nonce.as_ref()
    }

    /// The envelope of a factor at hand.
    #[must_use]
    pub fn envelope_for(&self, keys: &FactorKeys) -> Option<&Envelope> {
        let entry = self.record.factor_at(&keys.locator())?;
        self.envelopes
            .iter()
            .find(|made| made.index == entry.index)
            .map(|made| &made.envelope)
    }

    /// Begins an opening without any server.
    ///
    /// # Errors
    /// [`OpeningError`] as for [`Opening::begin`].
    pub fn open(&self, keys: FactorKeys) -> Result<Opening, OpeningError> {
        let envelope = self.envelope_for(&keys).ok_or(OpeningError::NotEnrolled)?;
        Opening::begin(self.record.clone(), keys, envelope)
    }

    /// Adds a factor to such an opening.
    ///
    /// # Errors
    /// [`OpeningError`] as for [`Opening::add`].
    pub fn add(&self, opening: &mut Opening, keys: FactorKeys) -> Result<(), OpeningError> {
        let envelope = self.envelope_for(&keys).ok_or(OpeningError::NotEnrolled)?;
        opening.add(keys, envelope)
    }
}

fn checksum(json: &[u8]) -> String {
    encode(sha256(&[json]).get(..CHECKSUM).unwrap_or_default())
}
