//! Leave to enrol a slot: strangers must not fill the nodes.

use serde::{Deserialize, Serialize};

use super::signed::{Signable, Signed, SignedError, VERSION};
use crate::bytes::{AuthKey, SlotId};
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;

/// Seconds for which a permit is good.
pub const PERMIT_SECONDS: u64 = 600;

/// The metadata server's word that a slot belongs to one of the tenant's accounts. It does not say to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// [`VERSION`].
    pub version: u32,
    /// The name space.
    pub tenant: Tenant,
    /// Which slot.
    pub slot: SlotId,
    /// Who administers it.
    pub admin_key: AuthKey,
    /// The last second (unix) at which it is good.
    pub expires: u64,
}

/// The permit is not one for this slot, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the permit is not one for this slot, or its time is over: ask the metadata server for another one"
)]
pub struct BadPermit;

impl Signable for Permit {
    const LABEL: &'static str = "guess/permit";
    const MAX: usize = 512;
}

impl Permit {
    /// Permits a slot for [`PERMIT_SECONDS`] from `now`.
    #[must_use]
    pub fn grant(
        tenant: &Tenant,
        slot: SlotId,
        admin_key: AuthKey,
        now: u64,
        key: &AuthPrivateKey,
    ) -> Signed<Self> {
        let permit = Self {
            version: VERSION,
            tenant: tenant.clone(),
            slot,
            admin_key,
            expires: now.saturating_add(PERMIT_SECONDS),
        };
        Signed::sign(&permit, key)
    }
}

impl Signed<Permit> {
    /// Checks that the server with `server_key` permits `slot` with `admin_key` in `tenant`.
    ///
    /// # Errors
    /// [`BadPermit`].
    pub fn check(
        &self,
        server_key: &AuthKey,
        tenant: &Tenant,
        slot: &SlotId,
        admin_key: &AuthKey,
        now: u64,
    ) -> Result<(), BadPermit> {
        let permit: Permit = self
            .verify(server_key)
            .map_err(|_: SignedError| BadPermit)?;
        // A clock that is ahead must not make permits last for ever either.
        let in_time = permit.expires >= now
            && permit.expires <= now.saturating_add(PERMIT_SECONDS + crate::statement::WINDOW);
        let fits =
            permit.tenant == *tenant && permit.slot == *slot && permit.admin_key == *admin_key;
        if in_time && fits {
            Ok(())
        } else {
            Err(BadPermit)
        }
    }
}
