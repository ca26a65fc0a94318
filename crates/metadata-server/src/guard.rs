//! What a tenant does not offer, and section 11, as far as it reaches without authenticators.
//!
//! A level above primary is demanded only while an authenticator is enrolled. Nobody can enrol one yet, so every session
//! is good for what its account allows, and what needs an authenticator beforehand is refused.

use trefoil_protocol::commit::Derived;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::record::{Custody, VerifiedRecord};
use trefoil_protocol::tenant::Tenant;

use crate::refusal::Answer;
use crate::server::MetadataServer;
use crate::tenants::Offer;

/// Whether the tenant offers this to its users.
pub(crate) fn check_offered(server: &MetadataServer, tenant: &Tenant, offer: Offer) -> Answer<()> {
    if server.policy(tenant).offers(offer) {
        Ok(())
    } else {
        Err(Code::NotOffered.into())
    }
}

/// An account that starts guarded, or demands an authenticator from the start, would have to bring one.
pub(crate) fn check_create(record: &VerifiedRecord) -> Answer<()> {
    if record.custody == Custody::Guarded || record.policy.authenticator_required {
        return Err(Code::AuthenticatorRequired.into());
    }
    Ok(())
}

/// Becoming guarded requires an authenticator: otherwise the nonce would be released on demand.
pub(crate) fn check_commit(current: &VerifiedRecord, new: &VerifiedRecord) -> Answer<()> {
    if Derived::becomes_guarded(current, new) {
        return Err(Code::AuthenticatorRequired.into());
    }
    Ok(())
}
