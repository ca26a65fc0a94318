use std::sync::Arc;

use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::opening::Opening;
use trefoil_protocol::state::FactorNote;

use super::locked::{begin, complete, ready};
use super::{Found, OpenError, Opened, ProvideError, Standing};
use crate::core::Core;
use crate::factor::Factor;
use crate::login::{LoginError, authenticate};

/// Some factors were accepted, more are needed.
#[derive(Debug)]
pub struct Pending {
    core: Arc<Core>,
    found: Found,
    opening: Opening,
}

impl Pending {
    pub(super) const fn new(core: Arc<Core>, found: Found, opening: Opening) -> Self {
        Self {
            core,
            found,
            opening,
        }
    }

    /// How many more factors are needed.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.opening.missing()
    }

    /// The factors that could help: kind, label, hints and when they were last proven.
    pub fn available(&self) -> impl Iterator<Item = &FactorNote> {
        let held = self.opening.held();
        let given = move |note: &&FactorNote| held.iter().all(|held| held.index != note.index);
        self.opening.state().factors.iter().filter(given)
    }

    /// Adds a factor: the server proves that it is enrolled and hands out its envelope.
    ///
    /// # Errors
    /// [`ProvideError`]; the factors accepted before stay accepted.
    pub async fn provide(&mut self, factor: impl Into<Factor>) -> Result<&mut Self, ProvideError> {
        let found = with_factor(&self.core, &self.found, &factor.into()).await?;
        if let Standing::Older { error, .. } = found.standing {
            return Err(LoginError::from(error).into());
        }
        self.opening = begin(&found)?;
        self.found = found;
        Ok(self)
    }

    /// Opens the account if enough factors were given; otherwise comes back as [`Opened::NeedsFactors`].
    ///
    /// # Errors
    /// [`OpenError`] where the factors do not give the account's key.
    pub async fn open(self) -> Result<Opened, OpenError> {
        if self.missing() > 0 {
            return Ok(Opened::NeedsFactors(self));
        }
        Ok(ready(
            complete(self.core, &self.found, &self.opening).await?,
        ))
    }
}

/// Logs in anew with one factor more.
pub(super) async fn with_factor(
    core: &Arc<Core>,
    found: &Found,
    factor: &Factor,
) -> Result<Found, ProvideError> {
    let keys: FactorKeys = factor.keys(&core.tenant);
    if found
        .factors
        .iter()
        .any(|known| known.locator() == keys.locator())
    {
        return Err(ProvideError::AlreadyGiven);
    }
    let mut factors = found.factors.clone();
    factors.push(keys.clone());
    let anew = match authenticate(core, factors, &[]).await {
        Err(LoginError::Metadata(trefoil_client::metadata::LoginError::SeveralAccounts)) => {
            return Err(ProvideError::NotOfThisAccount);
        }
        Err(LoginError::OtherAccount { .. }) => return Err(ProvideError::NotOfThisAccount),
        other => other?.into_found().ok_or(ProvideError::NotOfThisAccount)?,
    };
    if anew.response.removed.contains(&keys.locator()) {
        return Err(ProvideError::FactorRemoved);
    }
    if anew.served.factor_at(&keys.locator()).is_none() {
        return Err(ProvideError::NotOfThisAccount);
    }
    Ok(anew)
}
