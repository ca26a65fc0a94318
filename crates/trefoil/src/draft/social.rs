//! Another social login as a factor.

use trefoil_protocol::change::NewFactor;
use trefoil_protocol::factor::{FactorKeys, FactorKind};

use super::{Draft, DraftError};
use crate::login::SocialLogin;

impl Draft<'_> {
    /// Adds another social login, proven by the login itself. Show the user what follows, by [`Self::consequences`]: a second
    /// login of the same identity is no second factor to whoever takes that identity.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn social(
        &mut self,
        label: impl Into<String>,
        login: SocialLogin,
    ) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        let keys = FactorKeys::derive(&self.account.core().tenant, &login.secret);
        let mut factor = NewFactor::present(FactorKind::Social, label, keys);
        factor.hints = login.identity.hints();
        self.change.add.push(factor);
        Ok(self)
    }
}
