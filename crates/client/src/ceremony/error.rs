//! Why a ceremony did not come to its end.

use core::fmt;

use trefoil_protocol::ceremony::{MessageError, PlanError, SignedPlan, SuccessorError};
use trefoil_protocol::problem::Problem;
use trefoil_protocol::social::ManifestError;

/// A node, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeTrouble {
    /// Its address.
    pub url: String,
    /// What is wrong, in plain words.
    pub what: String,
    /// What it answered, where it did.
    pub problem: Option<Box<Problem>>,
}

impl NodeTrouble {
    pub(super) fn silent(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            what: "is a member and did not join".to_owned(),
            problem: None,
        }
    }

    pub(super) fn lying(url: &str, said: &MessageError) -> Self {
        Self {
            url: url.to_owned(),
            what: format!("says what cannot be taken: {said}"),
            problem: None,
        }
    }
}

impl fmt::Display for NodeTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.url, self.what)
    }
}

/// Why a ceremony did not come to its end. Whatever it is, the network serves as before: carrying the same plan on later
/// continues where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// Choose other nodes or another threshold.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another node answers at an address than the one that is meant.
    #[error("another node answers at {url} than the one that is meant: look at who runs there")]
    OtherNode {
        /// The address.
        url: String,
    },
    /// See to this node and try again.
    #[error("{0}")]
    Node(NodeTrouble),
    /// See to these nodes and carry the plan on, or make a plan without them.
    #[error("the ceremony needs every new member, and it stopped at: {}", list(.0))]
    Members(Vec<NodeTrouble>),
    /// None of the nodes serves the network's manifests.
    #[error("no node serves a manifest of this network: {}", list(.0))]
    NoChain(Vec<NodeTrouble>),
    /// Too few old nodes can hand on their share, or a new one refuses what they hand on.
    #[error(
        "{needed} old nodes must deal, and only {given} did{}: bring more of them back, or leave out whoever lies",
        accusations(.liars, .accusers)
    )]
    TooFewDealers {
        /// The old threshold.
        needed: usize,
        /// Usable dealings.
        given: usize,
        /// Dealers whose dealings do not fit, as members say.
        liars: Vec<u16>,
        /// Addresses of the members who say so: it may be they who lie.
        accusers: Vec<String>,
    },
    /// Too few old nodes sign the new manifest: bring more of them back and carry the plan on.
    #[error("{needed} nodes must sign the new manifest, and only {given} did: {}", list(.trouble))]
    TooFewSigners {
        /// A quorum.
        needed: usize,
        /// Good signatures.
        given: usize,
        /// The others.
        trouble: Vec<NodeTrouble>,
    },
    /// Carry this plan out first: a node signed its manifest already.
    #[error("another ceremony has gone so far that it must be finished first: carry its plan out")]
    Decided {
        /// The plan that was signed.
        plan: Box<SignedPlan>,
    },
    /// Make a new plan: the network has moved on.
    #[error("the network has moved on since this plan was made: make a new one")]
    Overtaken,
    /// Carry the plan on: the new manifest is signed, and no member took it yet.
    #[error("the new manifest is signed, but no member has taken it yet ({}): carry the plan on", .0.join(", "))]
    NotActivated(Vec<String>),
    /// The nodes agree on a manifest that does not follow from the plan.
    #[error(transparent)]
    Successor(#[from] SuccessorError),
    /// The signed manifest does not verify.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

fn list(trouble: &[NodeTrouble]) -> String {
    let each: Vec<String> = trouble.iter().map(ToString::to_string).collect();
    each.join("; ")
}

fn accusations(liars: &[u16], accusers: &[String]) -> String {
    if liars.is_empty() {
        return String::new();
    }
    format!(
        " ({} say that what nodes {liars:?} dealt does not fit)",
        accusers.join(", ")
    )
}
