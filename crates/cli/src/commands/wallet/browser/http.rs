//! What carries the requests to the provider: the SDK's own transport, with its limits. No redirects, HTTPS outside
//! this machine, answers up to 256 KiB, 15 s.

use std::future::Future;
use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use trefoil_client::{HttpTransport, Request, Transport as _, TransportError};
use url::Url;

use crate::failure::{Exit, Failure};

#[derive(Debug)]
pub(super) struct Http(HttpTransport);

impl Http {
    pub(super) fn new() -> Result<Self, Failure> {
        HttpTransport::new()
            .map(Self)
            .map_err(|error| Failure::new(Exit::Other, "unexpected", error))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(malformed)?;
        let mut request = Request::new(parts.method, url);
        request.headers = parts.headers;
        request.body = body.into();
        let answer = self.0.send(request).await?;
        let mut response = HttpResponse::new(answer.body.into());
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

fn malformed(source: url::ParseError) -> TransportError {
    TransportError::Malformed {
        source: Box::new(source),
    }
}
