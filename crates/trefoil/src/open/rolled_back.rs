use std::sync::Arc;

use trefoil_protocol::change;
use trefoil_protocol::opening::Opening;
use trefoil_protocol::rollback::RollbackError;

use super::locked::{begin, complete, ready};
use super::pending::with_factor;
use super::{Found, Opened, RestoreError, Standing};
use crate::account::{Account, store_error};
use crate::core::Core;
use crate::factor::Factor;

/// The server shows an older record than this device has seen: it was set back after a loss, or it lies.
///
/// Nothing is opened from it. After an explicit warning the user may restore: the served revision gives only the wallet
/// key, everything else comes from this device's own newer record.
#[derive(Debug)]
pub struct RolledBack {
    core: Arc<Core>,
    found: Found,
}

impl RolledBack {
    pub(super) const fn new(core: Arc<Core>, found: Found) -> Self {
        Self { core, found }
    }

    /// What the server did, to be shown to the user.
    #[must_use]
    pub fn reason(&self) -> Option<RollbackError> {
        match &self.found.standing {
            Standing::Older { error, .. } => Some(*error),
            Standing::Current(_) => None,
        }
    }

    /// How many more factors of the served revision are needed.
    ///
    /// # Errors
    /// [`RestoreError::Open`] where what the server holds does not open.
    pub fn missing(&self) -> Result<usize, RestoreError> {
        Ok(begin(&self.found)?.missing())
    }

    /// Adds a factor of the served revision.
    ///
    /// # Errors
    /// [`RestoreError::Provide`].
    pub async fn provide(&mut self, factor: impl Into<Factor>) -> Result<&mut Self, RestoreError> {
        self.found = with_factor(&self.core, &self.found, &factor.into())
            .await
            .map_err(Box::new)?;
        Ok(self)
    }

    /// Restores, once the user has been warned and agreed: commits this device's newer record above both revisions.
    ///
    /// # Errors
    /// [`RestoreError`]; nothing was committed.
    pub async fn restore_after_warning(self) -> Result<Opened, RestoreError> {
        let Standing::Older { newer, .. } = &self.found.standing else {
            // A factor given meanwhile showed that the server has caught up.
            let opening = begin(&self.found)?;
            return Ok(ready(complete(self.core, &self.found, &opening).await?));
        };
        let opening = begin(&self.found)?;
        if opening.missing() > 0 {
            return Err(RestoreError::NeedsFactors {
                missing: opening.missing(),
            });
        }
        let served = complete(Arc::clone(&self.core), &self.found, &opening).await?;
        let own = self.own_opening(newer)?;
        let prepared = change::restore(served.open(), &own, &mut self.core.environment.rng())?;
        let record = prepared.record();
        self.core
            .metadata
            .commit(
                &self.found.session,
                self.found.served.revision,
                record,
                &prepared.commit_request(),
            )
            .await?;
        let own_index = own.held().first().map(|held| held.index);
        let own_envelope = prepared
            .envelopes
            .iter()
            .find(|made| Some(made.index) == own_index);
        let session = self.found.session.clone();
        let (logins, dont_ask) = (self.found.response.logins, served.dont_ask());
        self.core
            .remember(
                record,
                &self.found.factors,
                own_envelope.map(|made| &made.envelope),
            )
            .map_err(store_error)?;
        Ok(ready(Account::new(
            self.core,
            prepared.account,
            session,
            logins,
            dont_ask,
        )))
    }

    /// Reads this device's newer record with its own factor.
    fn own_opening(
        &self,
        newer: &trefoil_protocol::record::VerifiedRecord,
    ) -> Result<Opening, RestoreError> {
        let state = self.core.devices.read()?;
        let envelope = state
            .account(&newer.account_id)
            .and_then(|known| known.own_envelope().cloned());
        let envelope = envelope.ok_or(RestoreError::NoOwnFactor)?;
        let keys = self.core.device_keys(&state, &newer.account_id);
        let own = keys
            .into_iter()
            .find(|keys| newer.factor_at(&keys.locator()).is_some());
        Opening::begin(
            newer.clone(),
            own.ok_or(RestoreError::NoOwnFactor)?,
            &envelope,
        )
        .map_err(RestoreError::OwnRecord)
    }
}
