//! One step at one node.

use core::time::Duration;
use std::sync::Arc;

use futures::future::join_all;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trefoil_protocol::ceremony::{CeremonyStatus, MAX_CEREMONY_BODY};
use trefoil_protocol::problem::Problem;
use trefoil_protocol::social::ManifestChain;
use url::Url;

use super::{CeremonyError, NodeTrouble, Party};
use crate::environment::Environment;
use crate::retry::RetryPolicy;
use crate::transport::{Request, Response, Transport, TransportError};

/// Times that one step is sent to one node.
const ATTEMPTS: u32 = 4;
/// The longest wait that a node gets which asks for one.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Sends requests; what may pass by itself is tried again, since every step can be repeated.
#[derive(Clone)]
pub(super) struct Caller {
    transport: Arc<dyn Transport>,
    environment: Environment,
    retry: RetryPolicy,
}

/// Why a node did not take a step.
#[derive(Debug)]
pub(super) enum Refused {
    Address,
    Transport(TransportError),
    Problem(Box<Problem>),
    Form(StatusCode),
}

impl Caller {
    pub(super) fn new(transport: Arc<dyn Transport>, environment: Environment) -> Self {
        Self {
            transport,
            environment,
            retry: RetryPolicy {
                attempts: ATTEMPTS,
                ..RetryPolicy::default()
            },
        }
    }

    pub(super) async fn status(&self, base: &str) -> Result<CeremonyStatus, Refused> {
        let url = address(base, &["ceremony"])?;
        read(&self.send(Request::new(Method::GET, url)).await?)
    }

    pub(super) async fn manifests_after(
        &self,
        base: &str,
        epoch: u32,
    ) -> Result<ManifestChain, Refused> {
        read_chain(&self.send(manifests_request(base, epoch)?).await?)
    }

    pub(super) async fn step<T: DeserializeOwned>(
        &self,
        base: &str,
        step: &str,
        request: &impl Serialize,
    ) -> Result<T, Refused> {
        let url = address(base, &["ceremony", step])?;
        // Strings, numbers and lists only: serialising them cannot fail.
        let body = serde_json::to_vec(request).unwrap_or_default();
        read(
            &self
                .send(Request::new(Method::POST, url).json(body))
                .await?,
        )
    }

    /// The same step at several nodes at once.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        parties: &[&Party],
        step: &str,
        request: &impl Serialize,
    ) -> Vec<(Party, Result<T, Refused>)> {
        let calls = parties.iter().map(|party| async move {
            let answer = self.step(&party.url, step, request).await;
            ((*party).clone(), answer)
        });
        join_all(calls).await
    }

    async fn send(&self, request: Request) -> Result<Response, Refused> {
        let request = request.max_body(MAX_CEREMONY_BODY);
        for failed in 1.. {
            let last = failed >= self.retry.attempts;
            let asked_for = match self.transport.send(request.clone()).await {
                Ok(answer) if last || !is_transient(answer.status) => return Ok(answer),
                Ok(answer) => wait_asked_for(&answer),
                Err(error) if last || !error.is_transient() => {
                    return Err(Refused::Transport(error));
                }
                Err(_) => Duration::ZERO,
            };
            let delay = self.retry.delay(failed, &mut self.environment.rng());
            tokio::time::sleep(delay.max(asked_for)).await;
        }
        Err(Refused::Address)
    }
}

/// The manifests that a node serves after an epoch; nothing about them is checked yet.
///
/// # Errors
/// [`NodeTrouble`], in plain words.
pub async fn fetch_manifests_after(
    transport: &dyn Transport,
    base: &str,
    epoch: u32,
) -> Result<ManifestChain, NodeTrouble> {
    let fetch = async {
        let answer = transport
            .send(manifests_request(base, epoch)?)
            .await
            .map_err(Refused::Transport)?;
        read_chain(&answer)
    };
    fetch.await.map_err(|refused| refused.into_trouble(base))
}

/// Where a node says that it stands, asked once.
///
/// # Errors
/// [`NodeTrouble`], in plain words.
pub async fn fetch_status(
    transport: &dyn Transport,
    base: &str,
) -> Result<CeremonyStatus, NodeTrouble> {
    let fetch = async {
        let url = address(base, &["ceremony"])?;
        let request = Request::new(Method::GET, url).max_body(MAX_CEREMONY_BODY);
        read(&transport.send(request).await.map_err(Refused::Transport)?)
    };
    fetch.await.map_err(|refused| refused.into_trouble(base))
}

fn manifests_request(base: &str, epoch: u32) -> Result<Request, Refused> {
    let mut url = address(base, &["manifests"])?;
    url.query_pairs_mut()
        .append_pair("after", &epoch.to_string());
    Ok(Request::new(Method::GET, url).max_body(MAX_CEREMONY_BODY))
}

fn read_chain(answer: &Response) -> Result<ManifestChain, Refused> {
    if answer.status != StatusCode::OK {
        return Err(refusal(answer));
    }
    ManifestChain::from_json(&answer.body).map_err(|_| Refused::Form(answer.status))
}

impl core::fmt::Debug for Caller {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}

impl Refused {
    pub(super) fn into_trouble(self, url: &str) -> NodeTrouble {
        NodeTrouble {
            url: url.to_owned(),
            what: match &self {
                Self::Address => "is no address that can be called".to_owned(),
                Self::Transport(error) => format!("cannot be reached ({error})"),
                Self::Problem(problem) => format!("refuses: {problem}"),
                Self::Form(status) => format!("answers with status {status} in no known form"),
            },
            problem: match self {
                Self::Problem(problem) => Some(problem),
                _ => None,
            },
        }
    }

    pub(super) fn into_error(self, url: &str) -> CeremonyError {
        CeremonyError::Node(self.into_trouble(url))
    }
}

/// A node may be asked too often from one address; it says when again.
fn wait_asked_for(answer: &Response) -> Duration {
    let problem: Option<Problem> = serde_json::from_slice(&answer.body).ok();
    let seconds = problem.and_then(|problem| problem.retry_after);
    Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_WAIT)
}

fn is_transient(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn address(base: &str, call: &[&str]) -> Result<Url, Refused> {
    let mut url = Url::parse(base).map_err(|_| Refused::Address)?;
    url.path_segments_mut()
        .map_err(|()| Refused::Address)?
        .pop_if_empty()
        .push("v1")
        .extend(call);
    Ok(url)
}

fn read<T: DeserializeOwned>(answer: &Response) -> Result<T, Refused> {
    if answer.status != StatusCode::OK {
        return Err(refusal(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Refused::Form(answer.status))
}

fn refusal(answer: &Response) -> Refused {
    serde_json::from_slice(&answer.body).map_or(Refused::Form(answer.status), Refused::Problem)
}
