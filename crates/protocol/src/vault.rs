//! The vault: imported keys and seeds, sealed under a key that only the wallet key gives.

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::account::AccountKeys;
use crate::bytes::{Blob, decode, encode};
use crate::kdf::account_context;
use crate::seal::aead;
use crate::versioned;

/// The version of the vault's form.
pub const VERSION: u32 = 1;
/// Bytes of all secrets of a vault at most.
pub const MAX_VAULT: usize = 16 * 1024;

/// What a vault item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VaultKind {
    /// A secp256k1 private key, 32 bytes.
    Secp256k1Key,
    /// An ed25519 seed, 32 bytes.
    Ed25519Seed,
    /// A seed phrase as UTF-8 text.
    SeedPhrase,
}

/// The bytes of an item.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct VaultSecret(Vec<u8>);

impl VaultSecret {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}

impl core::fmt::Debug for VaultSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("VaultSecret(redacted)")
    }
}

impl Serialize for VaultSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for VaultSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        decode(&text).map(Self).map_err(D::Error::custom)
    }
}

/// One imported key or seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultItem {
    /// Unique within the vault.
    pub name: String,
    /// What it is.
    pub kind: VaultKind,
    /// Its bytes.
    pub secret: VaultSecret,
}

/// Imported keys and seeds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    version: u32,
    items: Vec<VaultItem>,
}

/// Why a vault does not open or take an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Another account or changed bytes.
    #[error("the vault does not open with this account's key")]
    Sealed,
    /// A version this software does not know.
    #[error("the vault has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// Opened, but not of a known form.
    #[error("the vault is not of a known form")]
    Malformed,
    /// The name is taken.
    #[error("the vault already holds an item of this name")]
    NameTaken,
    /// Too large.
    #[error("the vault would hold more than {MAX_VAULT} bytes")]
    Full,
}

impl Vault {
    /// An empty vault.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            version: VERSION,
            items: Vec::new(),
        }
    }

    /// What it holds.
    #[must_use]
    pub fn items(&self) -> &[VaultItem] {
        &self.items
    }

    /// Adds an item.
    ///
    /// # Errors
    /// [`VaultError::NameTaken`], [`VaultError::Full`].
    pub fn add(&mut self, item: VaultItem) -> Result<(), VaultError> {
        if self.items.iter().any(|held| held.name == item.name) {
            return Err(VaultError::NameTaken);
        }
        let size = |item: &VaultItem| item.name.len() + item.secret.expose_secret().len();
        if self.items.iter().map(size).sum::<usize>() + size(&item) > MAX_VAULT {
            return Err(VaultError::Full);
        }
        self.items.push(item);
        Ok(())
    }

    /// Removes the item of this name; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.items.len();
        self.items.retain(|item| item.name != name);
        before != self.items.len()
    }

    /// Seals it for its account.
    #[must_use]
    pub fn seal(&self, keys: &AccountKeys, rng: &mut impl CryptoRng) -> Blob {
        // Strings and numbers only: serialising them cannot fail.
        let plaintext = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        Blob::new(aead::seal(
            keys.vault(),
            &account_context("vault", &keys.id()),
            &plaintext,
            rng,
        ))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`VaultError`] for another account, damage, an unknown version or form.
    pub fn open(sealed: &Blob, keys: &AccountKeys) -> Result<Self, VaultError> {
        let plaintext = aead::open(
            keys.vault(),
            &account_context("vault", &keys.id()),
            sealed.as_bytes(),
        )
        .map_err(|_| VaultError::Sealed)?;
        versioned::read(&plaintext, VERSION)
            .map_err(|unread| unread.into_error(VaultError::Malformed, VaultError::UnknownVersion))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use trefoil_shares::KeyScalar;

    use super::*;
    use crate::tenant::Tenant;

    #[test]
    fn only_its_account_opens_it() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let tenant = Tenant::new("acme").unwrap();
        let keys = AccountKeys::derive(&tenant, &KeyScalar::random(&mut rng));
        let other = AccountKeys::derive(&tenant, &KeyScalar::random(&mut rng));
        let item = |name: &str, size| VaultItem {
            name: name.into(),
            kind: VaultKind::Ed25519Seed,
            secret: VaultSecret::new(alloc::vec![7; size]),
        };
        let mut vault = Vault::new();
        vault.add(item("old", 32)).unwrap();
        assert_eq!(vault.add(item("old", 32)), Err(VaultError::NameTaken));
        assert_eq!(vault.add(item("big", MAX_VAULT)), Err(VaultError::Full));
        let sealed = vault.seal(&keys, &mut rng);
        assert_eq!(Vault::open(&sealed, &keys), Ok(vault.clone()));
        assert_eq!(Vault::open(&sealed, &other), Err(VaultError::Sealed));
        assert!(vault.remove("old") && !vault.remove("old"));
        assert_eq!(
            format!("{:?}", item("a", 1).secret),
            "VaultSecret(redacted)"
        );
    }
}
