//! `DELETE /v1/{tenant}/accounts/{id}`: erase the account, asked for by its own key.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::DeleteRequest;

use crate::access::InSession;
use crate::body::Json;
use crate::metrics::Tombstone;
use crate::openapi::{ANY, AccountPath, BODY, PATH, SESSION, STATEMENT, problems};
use crate::refusal::Answer;
use crate::server::MetadataServer;
use crate::statements;

problems!(DeleteProblems = [ANY, PATH, BODY, SESSION, STATEMENT, &[Code::WrongKey]]);

/// Erase the account, asked for by its own key
#[utoipa::path(
    delete, path = "/v1/{tenant}/accounts/{account}", tag = "accounts",
    operation_id = "delete",
    params(AccountPath),
    request_body = DeleteRequest,
    security(("session" = [])),
    responses((status = 204, description = "erased"), DeleteProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
    Json(request): Json<DeleteRequest>,
) -> Answer<StatusCode> {
    let usage = statements::by_account(&server, &caller, &request.statement, |body| match body {
        StatementBody::Delete { account_id } => Some(*account_id),
        _ => None,
    })?;
    server.store.delete_account(caller, usage).await?;
    server.metrics.tombstone(Tombstone::Account);
    Ok(StatusCode::NO_CONTENT)
}
