//! `POST /v1/{tenant}/slots/{slot}/unlock`: set a guess key's counter back after a right guess.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::{Count, SlotRecord, UnlockRequest};
use trefoil_protocol::problem::ProblemCode as Code;

use super::change;
use crate::access::{InTenant, OfSlot};
use crate::body::Json;
use crate::openapi::{ANY, BODY, PATH, SLOT, SlotPath, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(
    SlotUnlockProblems = [
        ANY,
        PATH,
        BODY,
        SLOT,
        &[
            Code::WrongEvaluator,
            Code::StatementExpired,
            Code::UnknownGuessKey,
            Code::GuessesSpent,
            Code::WrongUnlock,
        ]
    ]
);

/// Set a guess key's counter back after a right guess
#[utoipa::path(
    post, path = "/v1/{tenant}/slots/{slot}/unlock", tag = "slots",
    operation_id = "slot_unlock",
    params(SlotPath),
    request_body = UnlockRequest,
    responses((status = 200, description = "how the counter stands", body = Count), SlotUnlockProblems)
)]
pub(in crate::routes) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InTenant(tenant): InTenant,
    slot: OfSlot,
    Json(request): Json<UnlockRequest>,
) -> Answer<axum::Json<Count>> {
    slot.check(request.slot)?;
    let now = server.now();
    let ask = |record: &SlotRecord| record.unlock(&request, &server.name, now);
    Ok(axum::Json(change(&server, &tenant, slot.0, ask).await?))
}
