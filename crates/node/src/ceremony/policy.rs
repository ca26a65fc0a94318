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
