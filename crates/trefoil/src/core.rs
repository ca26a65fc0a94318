//! What all steps of the SDK share.

use std::collections::BTreeSet;
use std::sync::Arc;

use trefoil_client::network::NetworkClient;
use trefoil_client::{Environment, MetadataClient, RoundTrips, SlotClient};
use trefoil_factors::device::{
    DeviceState, DeviceStore, DeviceStoreError, DeviceStoreExt, PinConflict, UpdateError,
};
use trefoil_factors::knowledge::Cost;
use trefoil_protocol::bytes::{AccountId, Envelope};
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::record::VerifiedRecord;
use trefoil_protocol::social::VerifierId;
use trefoil_protocol::tenant::Tenant;

use crate::mfa::MfaLevel;

pub(crate) struct Core {
    pub(crate) tenant: Tenant,
    pub(crate) metadata: MetadataClient,
    pub(crate) network: NetworkClient,
    pub(crate) devices: Arc<dyn DeviceStore>,
    pub(crate) level: MfaLevel,
    pub(crate) custom_verifiers: BTreeSet<VerifierId>,
    pub(crate) environment: Environment,
    pub(crate) trips: RoundTrips,
    pub(crate) slots: SlotClient,
    /// What stretching what a user knows costs.
    pub(crate) stretch: Cost,
}

impl core::fmt::Debug for Core {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Core")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn now(&self) -> u64 {
        self.environment.now()
    }

    /// Opens connections to all servers and follows the network to its newest manifest while the user is at the provider;
    /// needs a tokio runtime, as every call does.
    pub(crate) fn connect_ahead(self: &Arc<Self>) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let core = Arc::clone(self);
            runtime.spawn(async move {
                tokio::join!(core.network.connect_ahead(), core.metadata.warm_up());
            });
        }
    }

    /// Device factors of an account, pending ones included: whether their commit landed only the record can say.
    pub(crate) fn device_keys(&self, state: &DeviceState, account: &AccountId) -> Vec<FactorKeys> {
        let mine = state
            .secrets(&self.tenant)
            .filter(|secret| secret.account_id() == *account && secret.contact_of().is_none());
        mine.map(|secret| FactorKeys::derive(&self.tenant, secret.factor_secret()))
            .collect()
    }

    /// Keeps a verified record as the newest one seen, decides pending device secrets by it and pins the factors
    /// through which it was found.
    pub(crate) fn remember(
        &self,
        record: &VerifiedRecord,
        found_by: &[FactorKeys],
        own_envelope: Option<&Envelope>,
    ) -> Result<(), UpdateError<PinConflict>> {
        self.devices.try_update(|state| {
            let enrolled = found_by.iter().map(FactorKeys::locator);
            for locator in enrolled.filter(|locator| record.factor_at(locator).is_some()) {
                state.pin(&self.tenant, locator, record.account_id)?;
            }
            // A record that another process has overtaken meanwhile changes nothing.
            let _ = state.remember(record, own_envelope);
            let _ = state.settle(record);
            Ok(())
        })
    }

    pub(crate) fn dont_ask(&self, account: &AccountId) -> Result<bool, DeviceStoreError> {
        Ok(self
            .devices
            .read()?
            .account(account)
            .is_some_and(|known| known.dont_ask_mfa()))
    }
}
