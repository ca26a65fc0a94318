//! The requests of each operation, made ahead, and what their answers must be.

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use rand_core::CryptoRng;
use serde::Serialize;
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::record::SignedPayload;
use trefoil_protocol::statement::{Context, SignedStatement, StatementBody};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{CommitRequest, LoginRequest};

use super::{LoadAccount, OneClick};
use crate::http::Answer;
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
pub(super) struct Call {
    pub(super) request: Request<Full<Bytes>>,
    /// How the body of a right answer begins.
    begins: Bytes,
}

impl Call {
    /// Whether it is the answer that must come.
    pub(super) fn accepts(begins: &[u8], answer: &Answer) -> bool {
        answer.status == StatusCode::OK && answer.body.starts_with(begins)
    }

    /// The request and what its answer has to begin with.
    pub(super) fn split(self) -> (Request<Full<Bytes>>, Bytes) {
        (self.request, self.begins)
    }
}

/// The account's next request of this kind. A commit moves the account on: it must be sent.
pub(super) fn next(
    operation: Operation,
    account: &mut LoadAccount,
    rng: &mut impl CryptoRng,
) -> Result<Call, Failure> {
    match operation {
        Operation::Login => login(account, rng),
        Operation::Read => read(account),
        Operation::Commit => commit(account, rng),
        Operation::Health => Ok(Call {
            request: Request::get("/healthz")
                .header(HOST, "load")
                .body(Full::default())?,
            begins: Bytes::new(),
        }),
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
    Ok(Call {
        request: post(&account.tenant, "sessions", &LoginRequest { statements })?,
        begins: Bytes::from(format!(
            "{{\"account_id\":\"{id}\",\"record\":{}",
            serde_json::to_string(signed)?
        )),
    })
}

fn read(account: &LoadAccount) -> Result<Call, Failure> {
    let request = Request::get(record_path(account))
        .header(HOST, "load")
        .header(AUTHORIZATION, &account.bearer);
    Ok(Call {
        request: request.body(Full::default())?,
        begins: Bytes::from(format!(
            "{{\"record\":{}",
            serde_json::to_string(&account.signed)?
        )),
    })
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
    Ok(Call {
        request: put(account, replaced, &commit)?,
        begins: Bytes::from(format!("{{\"revision\":{},", account.payload.revision)),
    })
}

fn record_path(account: &LoadAccount) -> String {
    let (tenant, id) = (account.tenant.as_str(), account.payload.account_id);
    format!("/v1/{tenant}/accounts/{id}/record")
}

pub(super) fn post(
    tenant: &Tenant,
    path: &str,
    body: &impl Serialize,
) -> Result<Request<Full<Bytes>>, Failure> {
    let uri = format!("/v1/{}/{path}", tenant.as_str());
    json(Request::builder().method(Method::POST).uri(uri), body)
}

/// A commit that replaces this revision.
pub(super) fn put(
    account: &LoadAccount,
    replaced: u64,
    body: &CommitRequest,
) -> Result<Request<Full<Bytes>>, Failure> {
    let request = Request::builder()
        .method(Method::PUT)
        .uri(record_path(account))
        .header(AUTHORIZATION, &account.bearer)
        .header(IF_MATCH, format!("\"{replaced}\""));
    json(request, body)
}

fn json(
    request: http::request::Builder,
    body: &impl Serialize,
) -> Result<Request<Full<Bytes>>, Failure> {
    let body = Full::new(Bytes::from(serde_json::to_vec(body)?));
    Ok(request
        .header(HOST, "load")
        .header(CONTENT_TYPE, "application/json")
        .body(body)?)
}
