use alloc::vec::Vec;
use core::fmt;

use trefoil_shares::{KeyScalar, Nonce, PublicPoint, Share, SharedSecret};
use zeroize::ZeroizeOnDrop;

use crate::account::AccountKeys;
use crate::bytes::Blob;
use crate::factor::FactorKeys;
use crate::record::{Custody, VerifiedRecord};
use crate::state::{State, StateKey};
use crate::vault::Vault;

/// A factor at hand and its index in the account.
#[derive(Debug, Clone)]
pub struct HeldFactor {
    /// Its index.
    pub index: u32,
    /// Its keys.
    pub keys: FactorKeys,
}

/// An account whose key is proven; from here it can be changed.
pub struct OpenAccount {
    pub(crate) record: VerifiedRecord,
    pub(crate) state: State,
    pub(crate) state_key: StateKey,
    pub(crate) held: Vec<HeldFactor>,
    /// At least `t` shares of the current epoch; none in one-click.
    pub(crate) shares: Vec<Share>,
    pub(crate) secret: SharedSecret,
    pub(crate) nonce: Option<Nonce>,
    pub(crate) key: KeyScalar,
    pub(crate) keys: AccountKeys,
    pub(crate) vault: Vault,
}

impl OpenAccount {
    /// The wallet key.
    #[must_use]
    pub const fn key(&self) -> &KeyScalar {
        &self.key
    }

    /// `P`.
    #[must_use]
    pub const fn public_key(&self) -> &PublicPoint {
        &self.state.public_key
    }

    /// Keys derived from the wallet key.
    #[must_use]
    pub const fn keys(&self) -> &AccountKeys {
        &self.keys
    }

    /// The record that was opened.
    #[must_use]
    pub const fn record(&self) -> &VerifiedRecord {
        &self.record
    }

    /// Notes on the factors, settings.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The factors at hand.
    #[must_use]
    pub fn held(&self) -> &[HeldFactor] {
        &self.held
    }

    /// Imported keys and seeds.
    #[must_use]
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Whether the account left one-click.
    #[must_use]
    pub fn mfa_is_on(&self) -> bool {
        self.record.custody != Custody::OneClick
    }

    pub(crate) fn vault_bytes(&self) -> Blob {
        self.record.vault.clone()
    }
}

// Every secret inside wipes itself.
impl ZeroizeOnDrop for OpenAccount {}

impl fmt::Debug for OpenAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OpenAccount(redacted, id {}, revision {})",
            self.record.account_id, self.record.revision
        )
    }
}
