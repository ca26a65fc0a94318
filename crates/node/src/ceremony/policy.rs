//! Whose plans a node follows.

use std::fmt;
use std::sync::Arc;

use trefoil_protocol::bytes::{AuthKey, CeremonyId};
use trefoil_protocol::ceremony::VerifiedPlan;
use trefoil_protocol::social::VerifiedManifest;

/// What a coordinator's signature is enough for, once a node has a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A refresh: the same nodes and threshold, so that nobody new gets a share. Everything else needs the operator's
    /// approval of that one plan.
    #[default]
    Refresh,
    /// Any plan: whoever has the coordinator's key can then take the network's key by moving it to nodes of his own, if
    /// as many nodes as its threshold are set so.
    Any,
}

/// Whose plans a node follows. Without a coordinator and approvals it follows none.
#[derive(Clone, Default)]
pub struct CeremonyPolicy {
    coordinator: Option<AuthKey>,
    trust: Trust,
    approved: Option<Approved>,
    url: Option<String>,
}

type Approved = Arc<dyn Fn(&CeremonyId) -> bool + Send + Sync>;

impl CeremonyPolicy {
    /// Follows plans that this key signed, as far as `trust` goes. A node without a share has nothing to lose and follows
    /// every plan of the coordinator.
    #[must_use]
    pub fn coordinator(key: AuthKey, trust: Trust) -> Self {
        Self {
            coordinator: Some(key),
            trust,
            approved: None,
            url: None,
        }
    }

    /// Follows also what its operator approved, whoever signed it.
    #[must_use]
    pub fn approvals(
        mut self,
        approved: impl Fn(&CeremonyId) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.approved = Some(Arc::new(approved));
        self
    }

    /// Refuses plans that name this node at another address than this one.
    #[must_use]
    pub fn at(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    /// Whether this address may be this node's.
    pub(crate) fn is_own(&self, url: &str) -> bool {
        self.url.as_ref().is_none_or(|own| own == url)
    }

    /// Whether this key may lead a ceremony that the node follows: the plan's own coordinator, or the one that the node is
    /// told to follow now, who finishes what another began.
    pub(crate) fn may_lead(&self, plan: &VerifiedPlan, key: &AuthKey) -> bool {
        plan.coordinator() == *key || self.coordinator == Some(*key)
    }

    /// Whether a plan is followed by a node whose network stands at `current`; `has_share` is whether it has anything to
    /// deal.
    pub(crate) fn allows(
        &self,
        plan: &VerifiedPlan,
        current: Option<&VerifiedManifest>,
        has_share: bool,
    ) -> bool {
        let refresh = || current.is_some_and(|current| plan.is_refresh_of(current));
        self.approves(plan)
            || (self.is_by_coordinator(plan)
                && (!has_share || self.trust == Trust::Any || refresh()))
    }

    /// Whether a plan is worth a look: by the coordinator, or approved.
    pub(crate) fn knows(&self, plan: &VerifiedPlan) -> bool {
        self.is_by_coordinator(plan) || self.approves(plan)
    }

    fn is_by_coordinator(&self, plan: &VerifiedPlan) -> bool {
        self.coordinator == Some(plan.coordinator())
    }

    fn approves(&self, plan: &VerifiedPlan) -> bool {
        let approved = self.approved.as_ref();
        approved.is_some_and(|approved| approved(&plan.ceremony()))
    }
}

impl fmt::Debug for CeremonyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CeremonyPolicy")
            .field("coordinator", &self.coordinator)
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use trefoil_protocol::ceremony::Plan;
    use trefoil_protocol::sign::AuthPrivateKey;
    use trefoil_protocol::social::deal_network;

    use super::*;

    /// Of who the nodes are, with a stranger at hand.
    type Change = fn(&mut Vec<(String, AuthKey)>, AuthKey);

    struct World {
        coordinator: AuthPrivateKey,
        current: VerifiedManifest,
        rng: ChaCha20Rng,
    }

    fn world() -> World {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let urls: Vec<String> = (1..=3).map(|i| format!("https://n{i}.example")).collect();
        let dealt = deal_network(&urls, 2, &mut rng).unwrap();
        World {
            coordinator: AuthPrivateKey::from_seed(&[1; 32]),
            current: dealt.manifest.trust_pinned().unwrap(),
            rng,
        }
    }

    impl World {
        /// The current nodes, changed, under a threshold.
        fn plan(
            &mut self,
            threshold: u16,
            change: impl Fn(&mut Vec<(String, AuthKey)>),
            signer: &AuthPrivateKey,
        ) -> VerifiedPlan {
            let nodes = self.current.nodes().iter();
            let mut nodes = nodes
                .map(|node| (node.url.clone(), node.identity_key))
                .collect();
            change(&mut nodes);
            let plan = Plan::new(Some(&self.current), threshold, nodes, &mut self.rng);
            plan.sign(signer).verify().unwrap()
        }
    }

    #[test]
    fn a_refresh_is_what_gives_nobody_new_a_share() {
        let mut world = world();
        let coordinator = world.coordinator.clone();
        let stranger = AuthPrivateKey::from_seed(&[2; 32]).auth_key();
        let changes: [(u16, Change); 6] = [
            (3, |_, _| {}),
            (2, |nodes, _| drop(nodes.pop())),
            (2, |nodes, _| nodes.swap(0, 1)),
            (2, |nodes, stranger| nodes[0].1 = stranger),
            (2, |nodes, _| nodes[0].0 += "/elsewhere"),
            (2, |nodes, stranger| {
                nodes.push(("https://n4.example".into(), stranger));
            }),
        ];
        let refresh = CeremonyPolicy::coordinator(coordinator.auth_key(), Trust::Refresh);
        let any = CeremonyPolicy::coordinator(coordinator.auth_key(), Trust::Any);
        let same = world.plan(2, |_| {}, &coordinator);
        let current = world.current.clone();
        assert!(refresh.allows(&same, Some(&current), true));
        for (number, (threshold, change)) in changes.into_iter().enumerate() {
            let plan = world.plan(threshold, |nodes| change(nodes, stranger), &coordinator);
            assert!(!refresh.allows(&plan, Some(&current), true), "{number}");
            assert!(any.allows(&plan, Some(&current), true), "{number}");
            // Who has nothing to lose follows.
            assert!(refresh.allows(&plan, Some(&current), false), "{number}");
        }
    }

    #[test]
    fn strangers_are_followed_where_the_operator_approved_that_plan() {
        let mut world = world();
        let stranger = AuthPrivateKey::from_seed(&[2; 32]);
        let plan = world.plan(2, |nodes| nodes.swap(0, 1), &stranger);
        let twin = world.plan(2, |nodes| nodes.swap(0, 1), &stranger);
        let approved = plan.ceremony();
        let none = CeremonyPolicy::default();
        let known = CeremonyPolicy::coordinator(world.coordinator.auth_key(), Trust::Any);
        let approving = none.clone().approvals(move |id| *id == approved);
        let current = Some(&world.current);
        for has_share in [true, false] {
            assert!(!none.allows(&plan, current, has_share) && !none.knows(&plan));
            assert!(!known.allows(&plan, current, has_share) && !known.knows(&plan));
            assert!(approving.allows(&plan, current, has_share) && approving.knows(&plan));
            assert!(!approving.allows(&twin, current, has_share) && !approving.knows(&twin));
        }
    }

    #[test]
    fn a_pinned_address_is_the_only_one() {
        let policy = CeremonyPolicy::default();
        assert!(policy.is_own("https://anywhere.example"));
        let pinned = policy.at("https://n1.example");
        assert!(pinned.is_own("https://n1.example"));
        assert!(!pinned.is_own("https://n1.example.evil.example"));
        assert!(!pinned.is_own("https://n1.example/path"));
    }
}
