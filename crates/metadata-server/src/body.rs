//! A JSON body: of bounded size, in bounded time, without unknown fields.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header;
use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::wire::MAX_BODY;

use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;

/// For so long a body waits until there is room for it.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// The parsed body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<MetadataServer>> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, server: &Arc<MetadataServer>) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let is_json = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(Code::UnsupportedMediaType.into());
        }
        let stated: Option<u64> = parts
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        if stated.is_some_and(|length| length > MAX_BODY as u64) {
            return Err(too_large());
        }
        let _room = room(server, stated).await?;
        let bytes = tokio::time::timeout(server.config.body_timeout, read(body))
            .await
            .map_err(|_| Refusal::from(Code::RequestTimeout))??;
        // serde would also read a struct from an array of its fields' values.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::new(
                Code::MalformedRequest,
                "the body must be a JSON object",
            ));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // The error's own text may quote what was sent; the place is enough to find the mistake.
            let (line, column) = (error.line(), error.column());
            let detail =
                format!("the body is not of the expected form; see line {line}, column {column}");
            Refusal::new(Code::MalformedRequest, detail)
        })
    }
}

/// Room for a body of this length, or for the longest where it does not say: what all bodies hold in memory is bounded.
async fn room(server: &MetadataServer, stated: Option<u64>) -> Answer<SemaphorePermit<'_>> {
    let bytes = stated.map_or(MAX_BODY, |length| {
        usize::try_from(length).map_or(MAX_BODY, |length| length.min(MAX_BODY))
    });
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    match tokio::time::timeout(ROOM_WAIT, server.body_room.acquire_many(bytes)).await {
        Ok(Ok(room)) => Ok(room),
        _ => Err(Refusal::busy()),
    }
}

async fn read(body: Body) -> Answer<Bytes> {
    to_bytes(body, MAX_BODY).await.map_err(|error| {
        let over_limit =
            std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimit>());
        if over_limit {
            too_large()
        } else {
            Refusal::new(Code::MalformedRequest, "the body broke off")
        }
    })
}

type LengthLimit = http_body_util::LengthLimitError;

fn too_large() -> Refusal {
    Refusal::new(
        Code::BodyTooLarge,
        format!("the body has more than {MAX_BODY} bytes"),
    )
}
