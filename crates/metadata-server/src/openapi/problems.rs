//! Which problems a call may answer, by status.

use std::collections::BTreeMap;

use trefoil_protocol::problem::{CONTENT_TYPE, Problem, ProblemCode as Code};
use utoipa::ToSchema as _;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Header, Ref, RefOr, Response, ResponseBuilder};

/// Any call.
pub(crate) const ANY: &[Code] = &[Code::TooManyRequests, Code::Unavailable, Code::Internal];
/// A path that names a tenant, or an id.
pub(crate) const PATH: &[Code] = &[Code::UnknownTenant, Code::MalformedRequest];
/// A body.
pub(crate) const BODY: &[Code] = &[
    Code::MalformedRequest,
    Code::UnsupportedMediaType,
    Code::BodyTooLarge,
    Code::RequestTimeout,
];
/// A signed statement.
pub(crate) const STATEMENT: &[Code] = &[
    Code::UnknownVersion,
    Code::BadSignature,
    Code::WrongAudience,
    Code::WrongTenant,
    Code::StatementExpired,
    Code::ReplayedRequest,
];
/// A session's token.
pub(crate) const SESSION: &[Code] = &[Code::UnknownSession, Code::WrongSession];
/// A record with its envelopes and its nonce.
pub(crate) const RECORD: &[Code] = &[
    Code::UnknownVersion,
    Code::BadSignature,
    Code::WrongTenant,
    Code::BadRecord,
    Code::NoSpareFactor,
    Code::RecordTooLarge,
    Code::AuthenticatorRequired,
    Code::BadEnvelopes,
    Code::BadNonce,
    Code::LocatorTaken,
];
/// A new account.
pub(crate) const CREATION: &[Code] = &[
    Code::NotOffered,
    Code::WrongKey,
    Code::AccountExists,
    Code::AccountDeleted,
];
/// Something signed about a slot.
pub(crate) const SLOT: &[Code] = &[
    Code::MalformedRequest,
    Code::UnknownVersion,
    Code::BadSignature,
    Code::NoSlot,
    Code::SlotGone,
];

/// Makes a type that documents these sets of codes.
macro_rules! problems {
    ($name:ident = [$($set:expr),+ $(,)?]) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::openapi::by_status(&[$($set),+])
            }
        }
    };
}
pub(crate) use problems;

/// One response for each status, with the codes that it may carry.
pub(crate) fn by_status(sets: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut codes: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in sets.iter().copied().flatten() {
        let of_status = codes.entry(code.status()).or_default();
        if !of_status.contains(code) {
            of_status.push(*code);
        }
    }
    codes
        .into_iter()
        .map(|(status, codes)| (status.to_string(), response(status, &codes).into()))
        .collect()
}

fn response(status: u16, codes: &[Code]) -> Response {
    let lines = codes
        .iter()
        .map(|code| format!("`{code}`: {}", code.title()));
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes.iter().map(|code| code.as_str())));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name(Problem::name()))
        .item(ObjectBuilder::new().property("code", code).required("code"))
        .build();
    let content = ContentBuilder::new()
        .schema(Some(Schema::AllOf(schema)))
        .build();
    let response = ResponseBuilder::new()
        .description(lines.collect::<Vec<_>>().join("; "))
        .content(CONTENT_TYPE, content);
    let response = match status {
        429 | 503 => response.header("Retry-After", seconds()),
        _ => response,
    };
    response.build()
}

/// Given where it is known when to come back.
fn seconds() -> Header {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1_u8));
    let mut header = Header::new(number);
    header.description = Some("seconds after which to try again".to_owned());
    header
}
