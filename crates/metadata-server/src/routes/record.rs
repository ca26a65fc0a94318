//! `GET /v1/{tenant}/accounts/{id}/record`: read it again.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use trefoil_protocol::wire::RecordResponse;

use crate::access::InSession;
use crate::openapi::{ANY, AccountPath, PATH, SESSION, problems};
use crate::parts::{indexed, signed_payload};
use crate::refusal::Answer;
use crate::server::MetadataServer;

problems!(RecordProblems = [ANY, PATH, SESSION]);

/// Read the record again
#[utoipa::path(
    get, path = "/v1/{tenant}/accounts/{account}/record", tag = "accounts",
    operation_id = "record",
    params(AccountPath),
    security(("session" = [])),
    responses((status = 200, description = "the record", body = RecordResponse, headers(("ETag" = String, description = "the revision, for If-Match"))), RecordProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
) -> Answer<impl IntoResponse> {
    let read = server.store.read_record(caller).await?;
    let tag = format!("\"{}\"", read.record.revision);
    let response = RecordResponse {
        record: signed_payload(read.record),
        envelopes: indexed(read.envelopes),
    };
    Ok(([(header::ETAG, tag)], axum::Json(response)))
}
