//! One epoch's part of a login: all its nodes asked at once, the first `T` good answers combined.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use trefoil_protocol::social::{EvaluateRequest, Gathering};

use super::ask::{Question, Unanswered};
use super::hints::Hints;
use super::known::View;
use super::{NetworkClient, NodeFault, NodeReport, SocialError, SocialLogin, SocialSecret};

impl NetworkClient {
    /// Asks all nodes of `view` in its epoch and returns as soon as `T` proven answers agree. The others are dropped.
    ///
    /// Ends by `deadline`, and as soon as so many nodes refuse that `T` answers cannot come together.
    pub(super) async fn round(
        &self,
        view: &View,
        login: &SocialLogin<'_>,
        hints: &Hints,
        deadline: Instant,
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
            view.epoch(),
        )?;
        let mut gathering = Gathering::new(
            &view.manifest,
            ephemeral,
            tenant.clone(),
            verifier.clone(),
            *generation,
        );
        let unanswered = Unanswered::new(view.nodes.iter().map(|node| node.index));
        let question = Question {
            body: Bytes::from_owner(request.to_json()),
            epoch: view.epoch(),
            deadline,
            hints,
            unanswered: &unanswered,
        };
        let (nodes, needed) = (view.nodes.len(), view.threshold());
        let spare = nodes - needed;
        let mut reports = Vec::new();
        // All requests are made before the first is awaited: together they are one round trip.
        let mut under_way: FuturesUnordered<_> = view
            .nodes
            .iter()
            .map(|node| self.ask(node, &question))
            .collect();

        let in_time = loop {
            let next = tokio::time::timeout_at(deadline, under_way.next()).await;
            let (index, answer) = match next {
                Ok(Some(answered)) => answered,
                Ok(None) => break true,
                Err(_) => break false,
            };
            unanswered.remove(index);
            let added = answer.and_then(|response| {
                gathering
                    .add(index, &response)
                    .map_err(NodeFault::WrongAnswer)
            });
            match added {
                Ok(None) => {}
                Ok(Some((identity, secret))) => {
                    drop(under_way);
                    let dissenters = gathering.dissenters(&identity).into_iter();
                    let dissenters = dissenters.map(|index| (index, NodeFault::OtherUser));
                    let rest = unanswered.into_faults(|| NodeFault::NotWaitedFor);
                    reports.extend(
                        rest.chain(dissenters)
                            .map(|(index, fault)| NodeReport { index, fault }),
                    );
                    return Ok(SocialSecret {
                        secret,
                        identity,
                        reports: logged(reports),
                    });
                }
                Err(fault) => {
                    hints.note(&fault, view.epoch());
                    reports.push(NodeReport { index, fault });
                }
            }
            // With this many refusals an honest node is among them and T answers cannot come together. Short of that the
            // rest is waited for, so that the error says the right thing; but nodes that are behind only as long as they
            // would be enough.
            let refusals = reports.iter().filter(|report| report.fault.is_refusal());
            let behind = unanswered.all_behind(view.epoch());
            if refusals.count() > spare || behind.is_some_and(|left| left < gathering.missing()) {
                break true;
            }
        };
        drop(under_way);
        let good = needed - gathering.missing();
        let silence = || {
            if in_time {
                NodeFault::NotWaitedFor
            } else {
                NodeFault::TooSlow
            }
        };
        let rest = unanswered.into_faults(silence);
        reports.extend(rest.map(|(index, fault)| NodeReport { index, fault }));
        Err(SocialError::weigh(nodes, needed, good, logged(reports)))
    }
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
