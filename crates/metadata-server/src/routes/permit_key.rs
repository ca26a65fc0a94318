//! `GET /v1/permit_key`: by which key nodes tell this server's permits, for whoever configures one.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::guess::PermitKeyResponse;

use super::slots::permit_key;
use crate::openapi::{ANY, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(PermitKeyProblems = [ANY]);

/// By which key nodes tell this server's permits
#[utoipa::path(
    get, path = "/v1/permit_key", tag = "operator",
    operation_id = "permit_key",
    responses((status = 200, description = "the public key", body = PermitKeyResponse), PermitKeyProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
) -> Answer<axum::Json<PermitKeyResponse>> {
    Ok(axum::Json(PermitKeyResponse {
        permit_key: permit_key(&server)?.auth_key(),
    }))
}
