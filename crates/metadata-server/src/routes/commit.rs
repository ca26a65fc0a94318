//! `PUT /v1/{tenant}/accounts/{id}/record`: replace the record by compare-and-set.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use http::HeaderMap;
use trefoil_protocol::commit::check_commit;
use trefoil_protocol::policy::Action;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::wire::{CommitRequest, CommitResponse};
use trefoil_store::CommitRecord;

use crate::access::{InSession, if_match};
use crate::body::Json;
use crate::guard;
use crate::metrics::Tombstone;
use crate::openapi::{ANY, AccountPath, BODY, IfMatch, PATH, RECORD, SESSION, SLOT, problems};
use crate::parts::{check_envelopes, check_nonce, new_record, signed_payload};
use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;

/// Lists of one commit at most: an account has no more slots.
const MAX_LISTS: usize = 64;

problems!(
    CommitProblems = [
        ANY,
        PATH,
        BODY,
        SESSION,
        RECORD,
        SLOT,
        &[
            Code::PreconditionRequired,
            Code::StaleRevision,
            Code::WrongRevision,
            Code::WrongPrevious,
            Code::WrongAccountKey,
            Code::CustodyReversed,
            Code::WrongEpoch,
            Code::ChangedEntry,
            Code::EnvelopeHashMismatch,
            Code::BadSlot,
        ]
    ]
);

/// Replace the record by compare-and-set
#[utoipa::path(
    put, path = "/v1/{tenant}/accounts/{account}/record", tag = "accounts",
    operation_id = "commit",
    params(AccountPath, IfMatch),
    request_body = CommitRequest,
    security(("session" = [])),
    responses((status = 200, description = "replaced", body = CommitResponse), CommitProblems)
)]
pub(super) async fn handle(
    State(server): State<Arc<MetadataServer>>,
    InSession(caller): InSession,
    headers: HeaderMap,
    Json(request): Json<CommitRequest>,
) -> Answer<axum::Json<CommitResponse>> {
    let replaced = if_match(&headers)?;
    if request.guess_lists.len() > MAX_LISTS {
        let detail = format!("a commit carries at most {MAX_LISTS} lists of guess keys");
        return Err(Refusal::new(Code::MalformedRequest, detail));
    }
    let held = server.store.read_record(caller.clone()).await?.record;
    let tenant = caller.tenant.clone();
    let (base, revision) = (held.hash, held.revision);
    // The store has compared the hash of what it verified and kept.
    let current = signed_payload(held)
        .verified_before(&tenant)
        .map_err(|error| {
            tracing::error!(%error, "a stored record does not parse; restore it from a backup");
            Refusal::from(Code::Internal)
        })?;
    let record = request.record.verify_successor(&tenant, &current)?;
    let mut commit = CommitRecord {
        caller,
        base,
        record: new_record(&record),
        envelopes: Vec::new(),
        sealed_nonce: None,
        actions: BTreeSet::new(),
        restore: record.restore,
        guess_lists: request.guess_lists,
    };
    // A repeated payload was checked the first time; the store knows what it answered.
    if base != record.hash() {
        if revision != replaced {
            return Err(Refusal::stale(revision));
        }
        let derived = check_commit(&current, &record)?;
        guard::check_commit(&current, &record)?;
        check_nonce(&record, Some(&current), request.sealed_nonce.as_ref())?;
        commit.envelopes = check_envelopes(&record, Some(&current), request.envelopes)?;
        commit.sealed_nonce = request.sealed_nonce;
        commit.actions = derived.actions;
    }
    let committed = server.store.commit_record(commit).await?;
    server.metrics.commit();
    if committed.actions.contains(&Action::RemoveFactor) {
        server.metrics.tombstone(Tombstone::Factor);
    }
    Ok(axum::Json(CommitResponse {
        revision: committed.revision,
        actions: committed.actions,
    }))
}
