//! Keys derived from the wallet key `k` and from the shared secret `s`.

use core::fmt;

use trefoil_shares::{KeyScalar, SharedSecret};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::bytes::{AccountId, AuthKey};
use crate::kdf::{Prk, label};
use crate::secret::secret_bytes;
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;

secret_bytes!(
    /// From it come a factor's guess keys at the evaluators of section 10.
    GuessSeed
);

/// Everything derived from the wallet key within one tenant.
pub struct AccountKeys {
    auth: AuthPrivateKey,
    id: AccountId,
    vault: Zeroizing<[u8; 32]>,
    prk: Prk,
}

impl AccountKeys {
    /// Derives them. The same key in another tenant gives an unrelated account.
    #[must_use]
    pub fn derive(tenant: &Tenant, key: &KeyScalar) -> Self {
        let prk = Prk::of_account(tenant, key.expose_secret().as_slice());
        let auth = AuthPrivateKey::from_seed(&prk.expand(&label("account/auth", &[])));
        Self {
            id: AccountId::of(&auth.auth_key()),
            auth,
            vault: prk.expand(&label("account/vault", &[])),
            prk,
        }
    }

    /// Signs every record of the account.
    #[must_use]
    pub const fn auth(&self) -> &AuthPrivateKey {
        &self.auth
    }

    /// The public half of [`Self::auth`].
    #[must_use]
    pub fn auth_key(&self) -> AuthKey {
        self.auth.auth_key()
    }

    /// The account's name.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    pub(crate) const fn vault(&self) -> &Zeroizing<[u8; 32]> {
        &self.vault
    }

    /// The guess seed of the factor with this index.
    #[must_use]
    pub fn guess_seed(&self, index: u32) -> GuessSeed {
        GuessSeed::from_bytes(
            *self
                .prk
                .expand(&label("account/guess", &[&index.to_be_bytes()])),
        )
    }

    /// The key that administers one slot of section 10.
    #[must_use]
    pub fn slot_admin(&self, slot: &[u8]) -> AuthPrivateKey {
        AuthPrivateKey::from_seed(&self.prk.expand(&label("account/slot", &[slot])))
    }
}

// Every secret inside wipes itself.
impl ZeroizeOnDrop for AccountKeys {}

impl fmt::Debug for AccountKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKeys(redacted, id {})", self.id)
    }
}

/// The key whose statement starts a reset of lost authenticators: from the shared secret, so that `t` factors have it
/// even where the server withholds the nonce.
#[must_use]
pub fn reset_key(tenant: &Tenant, secret: &SharedSecret) -> AuthPrivateKey {
    let prk = Prk::of_account(tenant, secret.expose_secret().as_slice());
    AuthPrivateKey::from_seed(&prk.expand(&label("account/reset", &[])))
}

/// What a guarded account's nonce is sealed under.
#[must_use]
pub fn guarded_nonce_key(tenant: &Tenant, secret: &SharedSecret) -> Zeroizing<[u8; 32]> {
    Prk::of_account(tenant, secret.expose_secret().as_slice()).expand(&label("account/nonce", &[]))
}

/// The seed of the account's ed25519 wallet where none was imported: the same in every tenant.
#[must_use]
pub fn ed25519_wallet_seed(key: &KeyScalar) -> Zeroizing<[u8; 32]> {
    Prk::extract(None, key.expose_secret().as_slice()).expand(&label("wallet/ed25519", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_unlinkable_and_the_wallet_seed_is_not_theirs() {
        let key = KeyScalar::from_bytes(&[5; 32]).unwrap();
        let here = AccountKeys::derive(&Tenant::new("acme").unwrap(), &key);
        let there = AccountKeys::derive(&Tenant::new("other").unwrap(), &key);
        assert_ne!(here.id(), there.id());
        assert_ne!(here.guess_seed(1), here.guess_seed(2));
        assert_ne!(
            here.slot_admin(b"a").auth_key(),
            here.slot_admin(b"b").auth_key()
        );
        assert_ne!(ed25519_wallet_seed(&key), *here.vault());
        assert_eq!(
            format!("{here:?}"),
            format!("AccountKeys(redacted, id {})", here.id())
        );
        assert_eq!(format!("{:?}", here.guess_seed(1)), "GuessSeed(redacted)");
    }
}
