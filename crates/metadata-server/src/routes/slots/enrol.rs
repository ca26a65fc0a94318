//! `PUT /v1/{tenant}/accounts/{id}/slots/{slot}`: take in the server's part of a slot and permit it at the nodes.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::{EnrolRequest, EnrolResponse, Permit};
use trefoil_protocol::problem::ProblemCode as Code;

use super::permit_key;
use crate::access::{InSession, OfSlot};
use crate::body::Json;
use crate::guard;
use crate::openapi::{ANY, AccountSlotPath, BODY, PATH, SESSION, SLOT, problems};
use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;
use crate::tenants::Offer;

problems!(
    SlotEnrolProblems = [
        ANY,
        PATH,
        BODY,
        SESSION,
        SLOT,
        &[
            Code::NotOffered,
            Code::WrongTenant,
            Code::WrongKey,
            Code::WrongEvaluator,
            Code::SlotTaken,
            Code::BadSlot,
            Code::TooManySlots,
        ]
    ]
);

/// Take in the server's part of a slot and permit it at the nodes
#[utoipa::path(
    put, path = "/v1/{tenant}/accounts/{account}/slots/{slot}", tag = "slots",
    operation_id = "slot_enrol",
    params(AccountSlotPath),
    request_body = EnrolRequest,
    security(("session" = [])),
    responses((status = 200, description = "taken in", body = EnrolResponse), SlotEnrolProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
    slot: OfSlot,
    Json(request): Json<EnrolRequest>,
) -> Answer<axum::Json<EnrolResponse>> {
    guard::check_offered(&server, &caller.tenant, Offer::Slots)?;
    // Nothing is taken in that could not be permitted at the nodes.
    let key = permit_key(&server)?;
    let enrolment = request.open(&server.name)?;
    slot.check(enrolment.content().slot)?;
    if enrolment.content().tenant != caller.tenant {
        return Err(Code::WrongTenant.into());
    }
    if !request.is_claimed(&caller.account_id, &slot.0) {
        return Err(Refusal::new(
            Code::WrongKey,
            "the slot must be claimed by the account's own key",
        ));
    }
    let (tenant, admin_key) = (caller.tenant.clone(), *enrolment.admin_key());
    server.store.enrol_slot(caller, enrolment).await?;
    // Again with every repetition: an earlier one's time may be over.
    let permit = Permit::grant(&tenant, slot.0, admin_key, server.now(), key);
    Ok(axum::Json(EnrolResponse {
        permit: Some(permit),
    }))
}
