//! `POST /v1/{tenant}/slots/{slot}/guess`: count a guess, then answer it. The guess key's signature is what counts.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::{GuessAnswer, GuessRequest, SlotRecord};
use trefoil_protocol::problem::ProblemCode as Code;

use super::change_after;
use crate::access::{InTenant, OfSlot};
use crate::body::Json;
use crate::openapi::{ANY, BODY, PATH, SLOT, SlotPath, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(
    SlotGuessProblems = [
        ANY,
        PATH,
        BODY,
        SLOT,
        &[
            Code::WrongEvaluator,
            Code::StatementExpired,
            Code::UnknownGuessKey,
            Code::GuessesSpent,
            Code::AttemptReused,
            Code::BadElement,
        ]
    ]
);

/// Count a guess, then answer it
#[utoipa::path(
    post, path = "/v1/{tenant}/slots/{slot}/guess", tag = "slots",
    operation_id = "slot_guess",
    params(SlotPath),
    request_body = GuessRequest,
    responses((status = 200, description = "counted and evaluated", body = GuessAnswer), SlotGuessProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InTenant(tenant): InTenant,
    slot: OfSlot,
    Json(request): Json<GuessRequest>,
) -> Answer<axum::Json<GuessAnswer>> {
    slot.check(request.slot)?;
    let now = server.now();
    let ask = |record: &SlotRecord| record.guess(&request, &server.name, now, &mut server.rng());
    let limit = || server.limit_slot(&tenant, &slot.0);
    let answer = change_after(&server, &tenant, slot.0, ask, limit).await?;
    Ok(axum::Json(answer))
}
