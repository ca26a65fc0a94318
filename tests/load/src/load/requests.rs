//! The requests of each operation, made ahead, and what their answers must be.

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH};
use http::{Method, Request, StatusCode};
use rand_chacha::ChaCha20Rng;
use rand_core::CryptoRng;
use serde::Serialize;
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::record::SignedPayload;
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{CommitRequest, LoginRequest};

use super::phase::User;
use super::{LoadAccount, OneClick};
use crate::http::{Connection, encode};
use crate::{Failure, now};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `POST sessions` with one fresh statement; every other account is one-click, so that the nonce store is asked, too.
    Login,
    /// `GET record` within a session.
    Read,
    /// `PUT record`: the next revision with another state, envelopes carried.
    Commit,
    /// `GET /healthz`, for comparison: what HTTP alone costs.
    Health,
}

impl Operation {
    /// What the server is for.
    pub const ALL: [Self; 3] = [Self::Login, Self::Read, Self::Commit];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login => "login",
            Self::Read => "read",
            Self::Commit => "commit",
            Self::Health => "health",
        })
    }
}

/// A request ready to be sent.
pub(crate) struct Call {
    /// As it goes over the wire.
    request: Vec<u8>,
    /// How the body of a right answer begins.
    begins: Bytes,
}

impl Call {
    pub(crate) fn new(request: &Request<Bytes>, begins: impl Into<Bytes>) -> Self {
        Self {
            request: encode(request),
            begins: begins.into(),
        }
    }

    /// Whether the answer came that must come.
    pub(super) async fn run(&self, connection: &mut Connection) -> bool {
        let answer = connection.exchange(&self.request).await;
        answer.is_ok_and(|answer| {
            answer.status == StatusCode::OK && answer.body.starts_with(&self.begins)
        })
    }
}

impl User for LoadAccount {
    fn next(&mut self, operation: Operation, rng: &mut ChaCha20Rng) -> Result<Call, Failure> {
        match operation {
            Operation::Login => login(self, rng),
            Operation::Read => read(self),
            Operation::Commit => commit(self, rng),
            Operation::Health => {
                let request = Request::get("/healthz").header(HOST, "load");
                Ok(Call::new(&request.body(Bytes::new())?, Bytes::new()))
            }
        }
    }
}

fn login(account: &mut LoadAccount, rng: &mut impl CryptoRng) -> Result<Call, Failure> {
    let context = Context {
        aud: &account.audience,
        tenant: &account.tenant,
        now: now(),
    };
    account.turn = !account.turn;
    let (factor, signed, id) = if account.turn {
        let OneClick { factor, signed, id } = &account.one_click;
        (factor, signed, *id)
    } else {
        let id = account.payload.account_id;
        (&account.factor, &account.signed, id)
    };
    let statement = SignedStatement::sign(StatementBody::Login {}, factor.auth(), context, rng);
    let statements = vec![statement];
    let request = post(&account.tenant, "sessions", &LoginRequest { statements })?;
    let record = serde_json::to_string(signed)?;
    let begins = format!("{{\"account_id\":\"{id}\",\"record\":{record}");
    Ok(Call::new(&request, begins))
}

fn read(account: &LoadAccount) -> Result<Call, Failure> {
    let request = Request::get(record_path(account))
        .header(HOST, "load")
        .header(AUTHORIZATION, &account.bearer);
    let record = serde_json::to_string(&account.signed)?;
    let begins = format!("{{\"record\":{record}");
    Ok(Call::new(&request.body(Bytes::new())?, begins))
}

fn commit(account: &mut LoadAccount, rng: &mut impl CryptoRng) -> Result<Call, Failure> {
    let replaced = account.payload.revision;
    let mut state = account.payload.state.as_bytes().to_vec();
    rng.fill_bytes(&mut state);
    account.payload.previous = Some(account.signed.hash());
    account.payload.revision += 1;
    account.payload.state = Blob::new(state);
    account.signed = SignedPayload::sign(&account.payload, &account.auth);
    let commit = CommitRequest {
        record: account.signed.clone(),
        envelopes: Vec::new(),
        sealed_nonce: None,
        guess_lists: Vec::new(),
    };
    let begins = format!("{{\"revision\":{},", account.payload.revision);
    Ok(Call::new(&put(account, replaced, &commit)?, begins))
}

fn record_path(account: &LoadAccount) -> String {
    let (tenant, id) = (account.tenant.as_str(), account.payload.account_id);
    format!("/v1/{tenant}/accounts/{id}/record")
}

pub(super) fn post(
    tenant: &Tenant,
    path: &str,
    body: &impl Serialize,
) -> Result<Request<Bytes>, Failure> {
    let uri = format!("/v1/{}/{path}", tenant.as_str());
    json(Request::builder().method(Method::POST).uri(uri), body)
}

/// A commit that replaces this revision.
pub(super) fn put(
    account: &LoadAccount,
    replaced: u64,
    body: &CommitRequest,
) -> Result<Request<Bytes>, Failure> {
    let request = Request::builder()
        .method(Method::PUT)
        .uri(record_path(account))
        .header(AUTHORIZATION, &account.bearer)
        .header(IF_MATCH, format!("\"{replaced}\""));
    json(request, body)
}

pub(crate) fn json(
    request: http::request::Builder,
    body: &impl Serialize,
) -> Result<Request<Bytes>, Failure> {
    let body = Bytes::from(serde_json::to_vec(body)?);
    Ok(request
        .header(HOST, "load")
        .header(CONTENT_TYPE, "application/json")
        .body(body)?)
}
