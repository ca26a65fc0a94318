use trefoil_shares::PublicPoint;

use crate::account::Account;
use crate::draft::Draft;
use crate::ethereum::EthereumAddress;

/// An account that must turn on MFA before it hands out its key.
#[derive(Debug)]
pub struct MfaRequired(Account);

impl MfaRequired {
    pub(crate) const fn new(account: Account) -> Self {
        Self(account)
    }

    /// Starts turning it on.
    pub fn enable_mfa(&mut self) -> Draft<'_> {
        self.0.enable_mfa()
    }

    /// The wallet's public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicPoint {
        self.0.public_key()
    }

    /// The wallet's Ethereum address.
    #[must_use]
    pub fn ethereum_address(&self) -> EthereumAddress {
        self.0.ethereum_address()
    }

    /// The account, once MFA is on.
    ///
    /// # Errors
    /// Gives itself back while MFA is off.
    pub fn into_account(self) -> Result<Account, Box<Self>> {
        if self.0.mfa_is_on() {
            Ok(self.0)
        } else {
            Err(Box::new(self))
        }
    }
}
