//! `POST {node}/v1/evaluate` to all nodes in parallel: one round trip from ID token to factor secret.

use core::fmt;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::{Method, StatusCode};
use tokio::time::Instant;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::social::{
    EphemeralKey, EvaluateRequest, EvaluateResponse, Gathering, IdToken, MAX_EVALUATE_RESPONSE,
    NodeIndex, RefusedAnswer, UserIdentity, VerifierId,
};
use trefoil_protocol::tenant::Tenant;

use super::fault::{NodeFault, NodeReport};
use super::{NetworkClient, SocialError};
use crate::transport::{Request, Response, TransportError};

/// One login of one user.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SocialLogin<'a> {
    /// The key whose nonce the ID token carries.
    pub ephemeral: &'a EphemeralKey,
    /// The name space.
    pub tenant: Tenant,
    /// Which of its verifiers.
    pub verifier: VerifierId,
    /// From the provider.
    pub id_token: IdToken,
    /// 0 unless an earlier social factor of this user was removed; below 16.
    pub generation: u32,
}

/// What a login yields.
#[non_exhaustive]
pub struct SocialSecret {
    /// The social factor's secret.
    pub secret: FactorSecret,
    /// Whose it is, as `T` nodes agree.
    pub identity: UserIdentity,
    /// Nodes that did not contribute: liars, failing ones, and those that were not waited for.
    pub reports: Vec<NodeReport>,
}

impl<'a> SocialLogin<'a> {
    /// A login in generation 0.
    #[must_use]
    pub const fn new(
        ephemeral: &'a EphemeralKey,
        tenant: Tenant,
        verifier: VerifierId,
        id_token: IdToken,
    ) -> Self {
        Self {
            ephemeral,
            tenant,
            verifier,
            id_token,
            generation: 0,
        }
    }

    /// The same login in another generation. The same token serves again while it is young enough.
    #[must_use]
    pub const fn in_generation(mut self, generation: u32) -> Self {
        self.generation = generation;
        self
    }
}

impl NetworkClient {
    /// Asks all nodes at once and returns as soon as `T` proven answers agree. The others are dropped.
    ///
    /// Ends within the time limit, and as soon as so many nodes refuse that `T` answers cannot come together. Dropping the future drops all requests;
    /// nodes keep no state of a login, so nothing is left half done.
    ///
    /// # Errors
    /// [`SocialError`], by what to do next.
    pub async fn social_secret(
        &self,
        login: &SocialLogin<'_>,
    ) -> Result<SocialSecret, SocialError> {
        let SocialLogin {
            ephemeral,
            tenant,
            verifier,
            id_token,
            generation,
        } = login;
        let request = EvaluateRequest::new(
            tenant.clone(),
            verifier.clone(),
            id_token.clone(),
            ephemeral.public(),
            *generation,
            self.manifest.epoch(),
        )?;
        // One wiped buffer for all nodes.
        let body = Bytes::from_owner(request.to_json());
        let mut gathering = Gathering::new(
            &self.manifest,
            ephemeral,
            tenant.clone(),
            verifier.clone(),
            *generation,
        );
        let mut reports = Vec::new();
        // All requests are made before the first is awaited: together they are one round trip.
        let mut under_way: FuturesUnordered<_> = self
            .nodes
            .iter()
            .map(|node| {
                let request = Request::new(Method::POST, node.call("evaluate"))
                    .json(body.clone())
                    .max_body(MAX_EVALUATE_RESPONSE);
                let (index, answer) = (node.index, self.transport.send(request));
                async move { (index, answer.await) }
            })
            .collect();
        let mut waiting: Vec<NodeIndex> = self.nodes.iter().map(|node| node.index).collect();
        let deadline = Instant::now() + self.time_limit;
        let spare = self.nodes.len() - usize::from(self.manifest.threshold());

        let fault_of_rest = loop {
            let next = tokio::time::timeout_at(deadline, under_way.next()).await;
            let (index, outcome) = match next {
                Ok(Some(answered)) => answered,
                Ok(None) => break NodeFault::NotWaitedFor,
                Err(_) => break NodeFault::TooSlow,
            };
            waiting.retain(|waiting| *waiting != index);
            match read(outcome).and_then(|response| {
                gathering
                    .add(index, &response)
                    .map_err(NodeFault::WrongAnswer)
            }) {
                Ok(None) => {}
                Ok(Some((identity, secret))) => {
                    let not_waited_for = waiting
                        .into_iter()
                        .map(|index| (index, NodeFault::NotWaitedFor));
                    let dissenters = gathering.dissenters(&identity).into_iter();
                    let dissenters = dissenters.map(|index| (index, NodeFault::OtherUser));
                    reports.extend(
                        not_waited_for
                            .chain(dissenters)
                            .map(|(index, fault)| NodeReport { index, fault }),
                    );
                    return Ok(SocialSecret {
                        secret,
                        identity,
                        reports: logged(reports),
                    });
                }
                Err(fault) => reports.push(NodeReport { index, fault }),
            }
            // With this many refusals an honest node is among them and T answers cannot come together. Short of that the
            // rest is waited for, so that the error says the right thing.
            if reports
                .iter()
                .filter(|report| report.fault.is_refusal())
                .count()
                > spare
            {
                break NodeFault::NotWaitedFor;
            }
        };
        let slow = matches!(fault_of_rest, NodeFault::TooSlow);
        reports.extend(waiting.into_iter().map(|index| NodeReport {
            index,
            fault: if slow {
                NodeFault::TooSlow
            } else {
                NodeFault::NotWaitedFor
            },
        }));
        let needed = usize::from(self.manifest.threshold());
        let good = needed - gathering.missing();
        Err(SocialError::weigh(
            self.nodes.len(),
            needed,
            good,
            logged(reports),
        ))
    }
}

fn read(outcome: Result<Response, TransportError>) -> Result<EvaluateResponse, NodeFault> {
    let response = outcome.map_err(NodeFault::NoAnswer)?;
    if response.status != StatusCode::OK {
        return Err(NodeFault::of_refusal(&response));
    }
    EvaluateResponse::from_json(&response.body)
        .map_err(|error| NodeFault::WrongAnswer(RefusedAnswer::Open(error)))
}

/// In the order of the nodes; those at fault are logged for whoever operates the app.
fn logged(mut reports: Vec<NodeReport>) -> Vec<NodeReport> {
    reports.sort_by_key(|report| report.index);
    for NodeReport { index, fault } in &reports {
        if !matches!(fault, NodeFault::NotWaitedFor) {
            tracing::debug!(node = index.get(), %fault, "a node did not contribute to a login");
        }
    }
    reports
}

impl fmt::Debug for SocialSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocialSecret")
            .field("secret", &self.secret)
            .field("identity", &self.identity)
            .field("reports", &self.reports)
            .finish()
    }
}
