//! `POST /v1/{tenant}/accounts`: create an account.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use trefoil_protocol::commit::check_create;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{CreateRequest, LoginResponse};
use trefoil_store::CreateAccount;

use crate::access::InTenant;
use crate::body::Json;
use crate::limits::ClientAddress;
use crate::metrics::Opened;
use crate::openapi::{ANY, BODY, CREATION, PATH, RECORD, STATEMENT, TenantPath, problems};
use crate::parts::{check_envelopes, check_nonce, login_response, new_record};
use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;
use crate::tenants::Offer;
use crate::{guard, statements};

problems!(CreateProblems = [ANY, PATH, BODY, STATEMENT, RECORD, CREATION]);

/// Create an account
#[utoipa::path(
    post, path = "/v1/{tenant}/accounts", tag = "accounts",
    operation_id = "create",
    params(TenantPath),
    request_body = CreateRequest,
    responses((status = 201, description = "created, with its first session", body = LoginResponse), CreateProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InTenant(tenant): InTenant,
    client: ClientAddress,
    Json(request): Json<CreateRequest>,
) -> Answer<(StatusCode, axum::Json<LoginResponse>)> {
    guard::check_offered(&server, &tenant, Offer::Create)?;
    let now = server.now();
    let (statement, usage) = statements::verify(&server, &tenant, now, &request.statement)?;
    let StatementBody::Create { payload_hash } = statement.body else {
        return Err(statements::wrong_type());
    };
    if payload_hash != request.record.hash() {
        return Err(Refusal::new(
            Code::BadRecord,
            "the statement was made for another record",
        ));
    }
    let record = request.record.verify(&tenant)?;
    check_create(&record)?;
    guard::check_create(&record)?;
    let signer = record
        .factors
        .iter()
        .find(|entry| entry.auth_key == statement.key);
    let proven = signer.map(|entry| entry.locator).ok_or_else(|| {
        Refusal::new(
            Code::WrongKey,
            "the statement must be signed by one of the record's factors",
        )
    })?;
    let envelopes = check_envelopes(&record, None, request.envelopes)?;
    check_nonce(&record, None, request.sealed_nonce.as_ref())?;

    server.limit_creation(&tenant, client).await?;
    let (grant, session) = server.new_session(&tenant, now);
    let create = CreateAccount {
        tenant,
        account_id: record.account_id,
        record: new_record(&record),
        envelopes,
        sealed_nonce: request.sealed_nonce,
        statement: usage,
        proven,
        session,
        now,
    };
    let opened = server.store.create_account(create).await?;
    server.metrics.session(Opened::Creation);
    Ok((
        StatusCode::CREATED,
        axum::Json(login_response(opened, grant, now)),
    ))
}
