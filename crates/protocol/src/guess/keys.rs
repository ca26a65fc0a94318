//! Keys of section 10.

use hmac::{Hmac, KeyInit, Mac};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::account::GuessSeed;
use crate::bytes::{SlotId, UnlockHash, decode_array, encode};
use crate::factor::FactorSecret;
use crate::kdf::{Prk, label, lp, sha256};
use crate::secret::secret_bytes;
use crate::sign::AuthPrivateKey;

secret_bytes!(
    /// What sets a counter back at one evaluator; only a right guess gives it.
    UnlockTag
);

impl GuessSeed {
    /// The key by which this factor guesses at a slot.
    #[must_use]
    pub fn guess_key(&self, slot: &SlotId) -> AuthPrivateKey {
        let prk = Prk::extract(None, self.expose_secret());
        AuthPrivateKey::from_seed(&prk.expand(&label("guess/key", &[slot.as_bytes()])))
    }
}

impl UnlockTag {
    /// HMAC-SHA256 under `unlock`, which is derived from the factor secret behind the slot, over `LP(slot) || u16 index`.
    #[must_use]
    pub fn of(secret: &FactorSecret, slot: &SlotId, index: u16) -> Self {
        let prk = Prk::extract(None, secret.expose_secret());
        let unlock: Zeroizing<[u8; 32]> = prk.expand(&label("guess/unlock", &[]));
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(unlock.as_slice()).expect("any key length");
        mac.update(&lp(slot.as_bytes()));
        mac.update(&index.to_be_bytes());
        Self::from_bytes(mac.finalize().into_bytes().into())
    }

    /// What the evaluator keeps of it.
    #[must_use]
    pub fn hash(&self) -> UnlockHash {
        UnlockHash::from_bytes(sha256(&[self.expose_secret()]))
    }
}

impl Serialize for UnlockTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(encode(self.expose_secret())))
    }
}

impl<'de> Deserialize<'de> for UnlockTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(alloc::string::String::deserialize(deserializer)?);
        decode_array(&text)
            .map(Self::from_bytes)
            .map_err(D::Error::custom)
    }
}
