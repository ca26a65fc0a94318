//! The coordinator of a network's ceremonies: carries messages between the nodes, which do not know each other's
//! addresses by themselves. It holds no secret of the network; nodes believe their own checks and each other's
//! signatures. What it can do is to make a ceremony fail.
//!
//! Every step can be repeated. Whoever carries out the same plan again goes on where it stopped; where a node has signed
//! the next manifest already, that ceremony is finished before anything else is begun.

mod activate;
mod call;
mod chain;
mod decided;
mod error;
mod hold;
mod sign;

use std::sync::Arc;

use futures::future::join_all;
use trefoil_protocol::bytes::AuthKey;
use trefoil_protocol::ceremony::{
    CeremonyStatus, DealRequest, Dealing, Join, Joins, NodeMessage, Plan, PlanRequest,
    PlanResponse, SignedPlan, VerifiedPlan,
};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::social::{SignedManifest, VerifiedManifest};

use crate::environment::Environment;
use crate::transport::Transport;

use call::{Caller, Refused};
pub use call::{fetch_manifests_after, fetch_status};
pub use chain::Chain;
use decided::{Decided, decided};
pub use error::{CeremonyError, NodeTrouble};

/// Carries out ceremonies in the name of one key, of which the nodes have been told.
#[derive(Debug)]
pub struct Coordinator {
    caller: Caller,
    key: AuthPrivateKey,
    environment: Environment,
}

/// A node that is to be a member: its base URL and, where it is known beforehand, its identity key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// HTTPS, or HTTP to this machine, without a slash at the end.
    pub url: String,
    /// What the node at this address must be. Without it, whoever answers there is taken.
    pub identity_key: Option<AuthKey>,
}

/// What a ceremony came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The network's manifest from now.
    pub manifest: VerifiedManifest,
    /// Unix second at which the last node erases the shares of earlier epochs; none where there are none, or while
    /// nodes are waited for.
    pub erase_at: Option<u64>,
    /// Addresses of members that did not confirm the new epoch yet: shares of earlier epochs are kept until they do and
    /// the ceremony is carried on.
    pub waiting_for: Vec<String>,
}

/// Everybody who has a part, told apart by identity key.
struct Parties {
    members: Vec<Party>,
    /// Nodes of the manifest before; where a key is made, the members.
    old: Vec<Party>,
}

#[derive(Debug, Clone)]
struct Party {
    index: u16,
    url: String,
    identity_key: AuthKey,
}

impl Coordinator {
    /// A coordinator that signs plans with `key`.
    pub fn new(
        transport: Arc<dyn Transport>,
        key: AuthPrivateKey,
        environment: Environment,
    ) -> Self {
        Self {
            caller: Caller::new(transport, environment.clone()),
            key,
            environment,
        }
    }

    /// Where the node at an address stands.
    ///
    /// # Errors
    /// [`CeremonyError::Node`].
    pub async fn status(&self, url: &str) -> Result<CeremonyStatus, CeremonyError> {
        let status = self.caller.status(url).await;
        status.map_err(|refused| refused.into_error(url))
    }

    /// A plan for a new network among these nodes, any `threshold` of which will be needed.
    ///
    /// # Errors
    /// [`CeremonyError::Node`], [`CeremonyError::OtherNode`] for an address where another node answers, and
    /// [`CeremonyError::Plan`] for nodes and a threshold that do not make a network.
    pub async fn plan_key(
        &self,
        members: &[Member],
        threshold: u16,
    ) -> Result<SignedPlan, CeremonyError> {
        self.plan(None, members, threshold).await
    }

    /// A plan that keeps nodes and threshold, and gives every node a new share.
    ///
    /// # Errors
    /// As [`Self::plan_key`].
    pub async fn plan_refresh(
        &self,
        current: &VerifiedManifest,
    ) -> Result<SignedPlan, CeremonyError> {
        let members = current.nodes().iter().map(|node| Member {
            url: node.url.clone(),
            identity_key: Some(node.identity_key),
        });
        let members: Vec<Member> = members.collect();
        self.plan(Some(current), &members, current.threshold())
            .await
    }

    /// A plan that moves the network's key to these nodes, any `threshold` of which will be needed.
    ///
    /// # Errors
    /// As [`Self::plan_key`].
    pub async fn plan_move(
        &self,
        current: &VerifiedManifest,
        members: &[Member],
        threshold: u16,
    ) -> Result<SignedPlan, CeremonyError> {
        self.plan(Some(current), members, threshold).await
    }

    async fn plan(
        &self,
        current: Option<&VerifiedManifest>,
        members: &[Member],
        threshold: u16,
    ) -> Result<SignedPlan, CeremonyError> {
        let statuses = join_all(members.iter().map(|member| self.status(&member.url))).await;
        let mut nodes = Vec::new();
        for (member, status) in members.iter().zip(statuses) {
            let found = status?.identity_key;
            if member.identity_key.is_some_and(|known| known != found) {
                return Err(CeremonyError::OtherNode {
                    url: member.url.clone(),
                });
            }
            nodes.push((member.url.clone(), found));
        }
        let plan = Plan::new(current, threshold, nodes, &mut self.environment.rng());
        let signed = plan.sign(&self.key);
        // What no node would take is told before any is asked.
        signed.verify()?;
        Ok(signed)
    }

    /// Carries out a plan, or carries it on. `chain` is the network's manifests; none where a key is made.
    ///
    /// # Errors
    /// [`CeremonyError`]. The network serves as before then, unless it says otherwise.
    pub async fn carry_out(
        &self,
        signed: &SignedPlan,
        chain: Option<&Chain>,
    ) -> Result<Outcome, CeremonyError> {
        let plan = signed.verify()?;
        let parties = Parties::of(&plan, chain.map(Chain::newest));
        if let Some(chain) = chain
            && plan.check_follows(chain.newest()).is_err()
        {
            // Done before, perhaps but for the end.
            let reached = chain.newest().ceremony() == Some(plan.ceremony());
            return match chain.before_newest() {
                Some(before) if reached => {
                    let parties = Parties::of(&plan, Some(&before));
                    self.activate(&parties, chain.newest().clone()).await
                }
                _ => Err(CeremonyError::Overtaken),
            };
        }
        let statuses = self.statuses(&parties).await;
        if let Some(done) = self.activated_somewhere(&plan, chain, &statuses).await? {
            return self.activate(&parties, done).await;
        }
        let manifest = match decided(&plan, chain, &statuses) {
            Decided::This(next) => {
                // For those who were away or in another ceremony; whoever is missing now can still be spared.
                let _ = self.collect_joins(signed, &plan, &parties, chain).await;
                self.sign(&plan, &parties, next, chain).await?
            }
            Decided::Other(other) if other.coordinator == self.key.auth_key() => {
                return Err(CeremonyError::Decided { plan: other });
            }
            // Another coordinator's plan may be one that no honest node would follow.
            Decided::Other(other) => match self.begin(signed, &plan, &parties, chain).await {
                Ok(manifest) => manifest,
                Err(_) => return Err(CeremonyError::Decided { plan: other }),
            },
            Decided::Nothing => self.begin(signed, &plan, &parties, chain).await?,
        };
        self.activate(&parties, manifest).await
    }

    /// Steps 1 to 4.
    async fn begin(
        &self,
        signed: &SignedPlan,
        plan: &VerifiedPlan,
        parties: &Parties,
        chain: Option<&Chain>,
    ) -> Result<VerifiedManifest, CeremonyError> {
        let joins = self.collect_joins(signed, plan, parties, chain).await?;
        let dealings = self.collect_dealings(plan, parties, &joins).await?;
        let joins = joins.messages().to_vec();
        let next = self.hold(plan, parties, joins, dealings, chain).await?;
        self.sign(plan, parties, next, chain).await
    }

    async fn statuses(&self, parties: &Parties) -> Vec<(Party, CeremonyStatus)> {
        let all: Vec<&Party> = parties.all();
        let asked = all.iter().map(|party| self.caller.status(&party.url));
        let answers = join_all(asked).await;
        all.into_iter()
            .cloned()
            .zip(answers)
            .filter_map(|(party, status)| Some((party, status.ok()?)))
            .filter(|(party, status)| status.identity_key == party.identity_key)
            .collect()
    }

    /// Step 1. Every member must join; of the old nodes those are left out that do not take the plan.
    async fn collect_joins(
        &self,
        signed: &SignedPlan,
        plan: &VerifiedPlan,
        parties: &Parties,
        chain: Option<&Chain>,
    ) -> Result<Joins, CeremonyError> {
        let request = PlanRequest {
            plan: signed.clone(),
            manifests: chain
                .map(|chain| chain.manifests().to_vec())
                .unwrap_or_default(),
        };
        let answers: Vec<(Party, Result<PlanResponse, Refused>)> =
            self.caller.all(&parties.all(), "plan", &request).await;
        let mut joins = Vec::new();
        let mut missing = Vec::new();
        for (party, answer) in answers {
            let is_member = plan.place_of(&party.identity_key).is_some();
            match answer {
                Ok(PlanResponse { join: Some(join) }) if is_member => {
                    match Join::verify(plan, &join) {
                        Ok(said) if said.index() == party.index => joins.push(join),
                        Ok(_) => missing.push(NodeTrouble::silent(&party.url)),
                        Err(error) => missing.push(NodeTrouble::lying(&party.url, &error)),
                    }
                }
                Ok(_) if !is_member => {}
                Ok(_) => missing.push(NodeTrouble::silent(&party.url)),
                Err(refused) if is_member => missing.push(refused.into_trouble(&party.url)),
                Err(refused) => {
                    let trouble = refused.into_trouble(&party.url);
                    tracing::warn!(%trouble, "an old node does not take the plan");
                }
            }
        }
        if !missing.is_empty() {
            return Err(CeremonyError::Members(missing));
        }
        Joins::verify(plan, &joins).map_err(|error| {
            let node = error.node().and_then(|index| plan.node(index));
            let url = node.map(|node| node.url.as_str()).unwrap_or_default();
            CeremonyError::Members(vec![NodeTrouble::lying(url, &error)])
        })
    }

    /// Step 2: of all old nodes that answer.
    async fn collect_dealings(
        &self,
        plan: &VerifiedPlan,
        parties: &Parties,
        joins: &Joins,
    ) -> Result<Vec<(u16, NodeMessage)>, CeremonyError> {
        let request = DealRequest::new(plan.ceremony(), joins.messages().to_vec(), &self.key);
        let dealers: Vec<&Party> = parties.old.iter().collect();
        let answers = self.caller.all(&dealers, "deal", &request).await;
        let mut dealings = Vec::new();
        let mut trouble = Vec::new();
        for (party, answer) in answers {
            match answer {
                // One that no member would take must not spoil the others.
                Ok(dealing) => {
                    let key = |index| (index == party.index).then_some(party.identity_key);
                    match Dealing::verify(&dealing, plan, joins, key) {
                        Ok(_) => dealings.push((party.index, dealing)),
                        Err(error) => trouble.push(NodeTrouble::lying(&party.url, &error)),
                    }
                }
                Err(refused) => trouble.push(refused.into_trouble(&party.url)),
            }
        }
        // Where a key is made everybody deals; how many are enough else, the next step says.
        if plan.is_key_generation() && !trouble.is_empty() {
            return Err(CeremonyError::Members(trouble));
        }
        for trouble in trouble {
            tracing::warn!(%trouble, "an old node does not deal");
        }
        Ok(dealings)
    }

    /// A manifest of this plan that a node serves already.
    async fn activated_somewhere(
        &self,
        plan: &VerifiedPlan,
        chain: Option<&Chain>,
        statuses: &[(Party, CeremonyStatus)],
    ) -> Result<Option<VerifiedManifest>, CeremonyError> {
        let known = chain.map(|chain| chain.newest().hash());
        for (party, status) in statuses {
            if status.manifest.is_none() || status.manifest == known {
                continue;
            }
            let Ok(served) = self
                .caller
                .manifests_after(&party.url, plan.epoch() - 1)
                .await
            else {
                continue;
            };
            let next = served.manifests.first();
            let verified = next.and_then(|next| verified(plan, chain, next));
            if let Some(verified) = verified {
                return Ok(Some(verified));
            }
        }
        Ok(None)
    }
}

/// The manifest, where it is the one that the plan leads to and a quorum signed it.
fn verified(
    plan: &VerifiedPlan,
    chain: Option<&Chain>,
    next: &SignedManifest,
) -> Option<VerifiedManifest> {
    let planned = trefoil_protocol::ceremony::check_successor(plan, &next.manifest).ok()?;
    match chain {
        Some(chain) => chain.newest().verify_next(next).ok(),
        None => next.verify_first(&planned.network()).ok(),
    }
}

impl Parties {
    fn of(plan: &VerifiedPlan, before: Option<&VerifiedManifest>) -> Self {
        let members: Vec<Party> = plan
            .nodes()
            .iter()
            .map(|node| Party {
                index: node.index,
                url: node.url.clone(),
                identity_key: node.identity_key,
            })
            .collect();
        let old = match before {
            None => members.clone(),
            Some(before) => before
                .nodes()
                .iter()
                .map(|node| Party {
                    index: node.index.get(),
                    url: node.url.clone(),
                    identity_key: node.identity_key,
                })
                .collect(),
        };
        Self { members, old }
    }

    /// Each node once; one with two addresses at its new one.
    fn all(&self) -> Vec<&Party> {
        let is_member = |party: &&Party| {
            let mut members = self.members.iter();
            members.any(|member| member.identity_key == party.identity_key)
        };
        let leaving = self.old.iter().filter(|party| !is_member(party));
        self.members.iter().chain(leaving).collect()
    }
}
