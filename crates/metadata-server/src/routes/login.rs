//! `POST /v1/{tenant}/sessions`: log in with one or more factors.

use std::sync::Arc;

use axum::extract::State;
use trefoil_protocol::bytes::Locator;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{LoginRequest, LoginResponse, MAX_STATEMENTS};
use trefoil_store::OpenSession;

use crate::access::InTenant;
use crate::body::Json;
use crate::metrics::Opened;
use crate::openapi::{ANY, BODY, PATH, STATEMENT, TenantPath, problems};
use crate::parts::login_response;
use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;
use crate::statements;

problems!(
    LoginProblems = [
        ANY,
        PATH,
        BODY,
        STATEMENT,
        &[Code::NoAccount, Code::FactorRemoved, Code::SeveralAccounts]
    ]
);

/// Log in with one or more factors
#[utoipa::path(
    post, path = "/v1/{tenant}/sessions", tag = "sessions",
    operation_id = "login",
    params(TenantPath),
    request_body = LoginRequest,
    responses((status = 200, description = "a session", body = LoginResponse), LoginProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InTenant(tenant): InTenant,
    Json(request): Json<LoginRequest>,
) -> Answer<axum::Json<LoginResponse>> {
    if !(1..=MAX_STATEMENTS).contains(&request.statements.len()) {
        let detail = format!("a login carries 1 to {MAX_STATEMENTS} statements");
        return Err(Refusal::new(Code::MalformedRequest, detail));
    }
    let now = server.now();
    let (mut proven, mut used) = (Vec::new(), Vec::new());
    for signed in &request.statements {
        let (statement, usage) = statements::verify(&server, &tenant, now, signed)?;
        if statement.body != (StatementBody::Login {}) {
            return Err(statements::wrong_type());
        }
        proven.push(Locator::of(&statement.key));
        used.push(usage);
    }
    server.limit_locators(&tenant, &proven).await?;
    let (grant, session) = server.new_session(&tenant, now);
    let opened = server
        .store
        .open_session(OpenSession {
            tenant,
            proven,
            statements: used,
            session,
            now,
        })
        .await?;
    server.metrics.session(Opened::Login);
    Ok(axum::Json(login_response(opened, grant, now)))
}
