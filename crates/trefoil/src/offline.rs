//! Opening from the recovery kit with every server gone.

use k256::ecdsa::SigningKey;
use trefoil_protocol::kit::RecoveryKit;
use trefoil_protocol::opening::{OpenAccount, OpeningError};
use trefoil_protocol::state::FactorNote;
use trefoil_protocol::vault::Vault;
use trefoil_shares::PublicPoint;

use crate::account::{WalletSignature, secret_key};
use crate::ethereum::EthereumAddress;
use crate::factor::Factor;

/// A wallet opened from its recovery kit. Its key is the wallet's; its account cannot be changed from here.
#[derive(Debug)]
pub struct OfflineWallet(OpenAccount);

/// Why a recovery kit does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// No factor was given.
    #[error("give at least one factor")]
    NoFactor,
    /// More factors are needed.
    #[error("{missing} more factors are needed; the account has: {}", list(.known))]
    NeedsFactors {
        /// How many more.
        missing: usize,
        /// The account's factors.
        known: Vec<FactorNote>,
    },
    /// Kit and factors do not go together; the error says what is wrong.
    #[error(transparent)]
    Opening(#[from] OpeningError),
}

fn list(known: &[FactorNote]) -> String {
    let names: Vec<String> = known
        .iter()
        .map(|note| format!("{} \u{201c}{}\u{201d}", note.kind, note.label))
        .collect();
    names.join(", ")
}

/// Opens a recovery kit with factors at hand; no server is asked.
///
/// # Errors
/// [`OfflineError`]: too few factors and which the account has, a factor that is not the account's.
pub fn open_kit(
    kit: &RecoveryKit,
    factors: impl IntoIterator<Item = Factor>,
) -> Result<OfflineWallet, OfflineError> {
    let mut factors = factors
        .into_iter()
        .map(|factor| factor.keys(&kit.record().tenant));
    let mut opening = kit.open(factors.next().ok_or(OfflineError::NoFactor)?)?;
    for keys in factors {
        kit.add(&mut opening, keys)?;
    }
    if opening.missing() > 0 {
        let known = opening.state().factors.clone();
        return Err(OfflineError::NeedsFactors {
            missing: opening.missing(),
            known,
        });
    }
    Ok(OfflineWallet(opening.complete(kit.sealed_nonce())?))
}

impl OfflineWallet {
    /// The wallet's secp256k1 key.
    #[must_use]
    pub fn wallet_key(&self) -> k256::SecretKey {
        secret_key(&self.0)
    }

    /// The factors that opened it.
    pub fn factors(&self) -> impl Iterator<Item = &FactorNote> {
        let held = self.0.held().iter();
        held.filter_map(|held| self.0.state().note(held.index))
    }

    /// The wallet's public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicPoint {
        self.0.public_key()
    }

    /// The wallet's Ethereum address.
    #[must_use]
    pub fn ethereum_address(&self) -> EthereumAddress {
        EthereumAddress::of(self.public_key())
    }

    /// Signs a 32-byte hash, as [`crate::Account::sign_prehash`] does.
    #[must_use]
    pub fn sign_prehash(&self, hash: &[u8; 32]) -> WalletSignature {
        WalletSignature::sign(&SigningKey::from(self.wallet_key()), hash)
    }

    /// Imported keys and seeds.
    #[must_use]
    pub const fn vault(&self) -> &Vault {
        self.0.vault()
    }
}
