//! Section 9, the social factor: what a client and the node network say to each other.
//!
//! 1. The client makes an [`EphemeralKey`]; its [`EphemeralKey::oidc_nonce`] goes to the login provider.
//! 2. It sends an [`EvaluateRequest`] to all nodes of a [`VerifiedManifest`]. Each node checks the ID token, evaluates
//!    the [`UserIdentity`] and answers with an [`EvaluateResponse`] sealed to the ephemeral key.
//! 3. The client opens the answers, [`Gathering`] verifies them, drops liars and combines `T` of them into the factor
//!    secret.
//!
//! [`deal_network`] makes a network's keys where a trusted dealer will do (development).

mod dealer;
mod ephemeral;
mod evaluate;
mod gather;
mod identity;
mod manifest;
mod node_key;
mod node_secrets;
#[cfg(test)]
mod snapshot_tests;
mod verified_manifest;
mod verifier;

pub use dealer::{DealNetworkError, DealtNetwork, deal_network};
pub use ephemeral::{EphemeralKey, NonceForm, oidc_nonce};
pub use evaluate::{
    EvaluateRequest, EvaluateRequestError, EvaluateResponse, IdToken, MAX_EVALUATE_REQUEST,
    MAX_EVALUATE_RESPONSE, MAX_ID_TOKEN, OpenEvaluationError, OpenedEvaluation,
};
pub use gather::{Gathering, RefusedAnswer};
pub use identity::{GENERATIONS, IdentityError, MAX_USER, UserIdentity};
pub use manifest::{
    MAX_CHAIN, MAX_MANIFEST, MAX_NODES, Manifest, ManifestChain, ManifestNode, ManifestSignature,
    SignedManifest,
};
pub use node_key::{NodeKey, NodeKeyError};
pub use node_secrets::{NodeSecrets, NodeSecretsError};
pub use trefoil_oprf::{
    Commitments, Committee, CommitteeError, Evaluation, EvaluationError, GroupKey, KeyShare,
    NodeIndex, Output, ReshareError, Resharing, SubShare, VerifyingShare,
};
pub(crate) use verified_manifest::is_base_url;
pub use verified_manifest::{ManifestError, Node, VerifiedManifest};
pub use verifier::{VerifierId, VerifierIdError};
