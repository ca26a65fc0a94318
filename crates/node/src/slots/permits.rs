//! Whose permits this node takes slots on.

use serde::{Deserialize, Serialize};
use trefoil_protocol::bytes::AuthKey;
use trefoil_protocol::guess::{BadPermit, OpenedEnrolment, Permit, Signed};
use trefoil_protocol::tenant::Tenant;

/// A metadata server whose accounts may have slots here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermitConfig {
    /// The name space.
    pub tenant: Tenant,
    /// The server's public permit key. Several for one tenant while it changes.
    pub key: AuthKey,
}

/// Of all tenants; of those that are not there no slot is taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Permits(Vec<PermitConfig>);

impl Permits {
    pub(crate) const fn new(permits: Vec<PermitConfig>) -> Self {
        Self(permits)
    }

    /// Whether the enrolment is permitted by one of its tenant's servers.
    pub(super) fn check(
        &self,
        permit: Option<&Signed<Permit>>,
        enrolment: &OpenedEnrolment,
        now: u64,
    ) -> Result<(), BadPermit> {
        let content = enrolment.content();
        let permit = permit.ok_or(BadPermit)?;
        let mut servers = self.0.iter();
        let permits = |server: &PermitConfig| {
            let (slot, admin) = (&content.slot, enrolment.admin_key());
            server.tenant == content.tenant
                && permit
                    .check(&server.key, &content.tenant, slot, admin, now)
                    .is_ok()
        };
        if servers.any(permits) {
            Ok(())
        } else {
            Err(BadPermit)
        }
    }
}
