//! This device as a factor.

use trefoil_factors::device::{DeviceSecret, DeviceStoreExt};
use trefoil_protocol::bytes::Envelope;
use trefoil_protocol::change::Prepared;
use trefoil_protocol::factor::{FactorKind, FactorSecret};

use super::{CommitError, Draft, DraftError};

#[derive(Debug)]
pub(super) struct Device {
    pub(super) label: String,
    pub(super) secret: FactorSecret,
}

impl Draft<'_> {
    /// Adds this device as a factor.
    ///
    /// # Errors
    /// [`DraftError::DeviceEnrolled`], [`DraftError::OneOfAKind`].
    pub fn device(&mut self, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.device.is_some() {
            return Err(DraftError::OneOfAKind(FactorKind::Device));
        }
        let core = self.account.core();
        let state = core.devices.read().map_err(|_| DraftError::DeviceStore)?;
        let record = self.account.open().record();
        let enrolled = core
            .device_keys(&state, &record.account_id)
            .into_iter()
            .any(|keys| {
                let entry = record.factor_at(&keys.locator());
                entry.is_some_and(|entry| !self.change.remove.contains(&entry.index))
            });
        if enrolled {
            return Err(DraftError::DeviceEnrolled);
        }
        // A failed attempt on top of the same revision has left one that no commit can have enrolled elsewhere.
        let left = state.secrets(&core.tenant).filter(|kept| {
            kept.account_id() == record.account_id
                && kept.pending_since() == Some(record.revision)
                && kept.contact_of().is_none()
        });
        let secret = match left.last() {
            Some(left) => left.factor_secret().clone(),
            None => FactorSecret::random(&mut core.environment.rng()),
        };
        self.device = Some(Device {
            label: label.into(),
            secret,
        });
        Ok(self)
    }

    /// The new envelope of this device's own factor, or the kept one where the epoch stayed.
    pub(super) fn own_envelope(
        &self,
        prepared: &Prepared,
    ) -> Result<Option<Envelope>, CommitError> {
        let (core, record) = (self.account.core(), prepared.record());
        let state = core.devices.read()?;
        let keys = core.device_keys(&state, &record.account_id);
        let Some(entry) = keys
            .iter()
            .find_map(|keys| record.factor_at(&keys.locator()))
        else {
            return Ok(None);
        };
        let made = prepared
            .envelopes
            .iter()
            .find(|made| made.index == entry.index);
        let kept = || {
            state
                .account(&record.account_id)
                .and_then(|known| known.own_envelope().cloned())
        };
        let own = made.map(|made| made.envelope.clone()).or_else(kept);
        Ok(own.filter(|envelope| envelope.hash() == entry.envelope_hash))
    }

    /// Stored before anything is sent: the commit may land although the answer is lost.
    pub(super) fn store_pending_device(&self) -> Result<(), CommitError> {
        let Some(device) = &self.device else {
            return Ok(());
        };
        let core = self.account.core();
        let pending = DeviceSecret::pending(
            core.tenant.clone(),
            self.account.id(),
            device.secret.clone(),
            core.now(),
            self.account.revision(),
        );
        let locator = pending.locator();
        core.devices.update(|state| state.insert_secret(pending))?;
        let state = core.devices.read()?;
        let stored = state
            .secret(&locator)
            .is_some_and(|kept| *kept.factor_secret() == device.secret);
        if stored {
            Ok(())
        } else {
            Err(CommitError::DeviceDrill)
        }
    }
}
