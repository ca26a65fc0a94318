//! That it is the coordinator who asks: plans and joins are there for all to read, and whoever could have nodes hold and
//! sign what he puts together could have them sign apart until no manifest gets a quorum.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::message::transcript;
use super::{DealRequest, HoldRequest, NodeMessage, SignRequest};
use crate::bytes::{AuthKey, Blob, CeremonyId, Signature};
use crate::kdf::sha256;
use crate::sign::{AuthPrivateKey, BadSignature};

const LABEL: &str = "ceremony/order";

/// A coordinator's signature under one step of one ceremony and what the step is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    coordinator: AuthKey,
    signature: Signature,
}

impl Order {
    fn sign(content: &[u8], key: &AuthPrivateKey) -> Self {
        Self {
            coordinator: key.auth_key(),
            signature: key.sign(LABEL, content),
        }
    }

    fn verify(&self, content: &[u8]) -> Result<AuthKey, BadSignature> {
        self.coordinator.verify(LABEL, content, &self.signature)?;
        Ok(self.coordinator)
    }
}

/// Step, ceremony, and a hash of each thing that the step is about.
fn content(step: &str, ceremony: &CeremonyId, about: &[[u8; 32]]) -> Vec<u8> {
    [
        step.as_bytes(),
        b"\0",
        ceremony.as_bytes(),
        about.as_flattened(),
    ]
    .concat()
}

impl DealRequest {
    /// Asks in the coordinator's name.
    #[must_use]
    pub fn new(ceremony: CeremonyId, joins: Vec<NodeMessage>, key: &AuthPrivateKey) -> Self {
        let content = content("deal", &ceremony, &[transcript(&joins)]);
        Self {
            order: Order::sign(&content, key),
            ceremony,
            joins,
        }
    }

    /// In whose name it is asked.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn asked_by(&self) -> Result<AuthKey, BadSignature> {
        let content = content("deal", &self.ceremony, &[transcript(&self.joins)]);
        self.order.verify(&content)
    }
}

impl HoldRequest {
    /// Asks in the coordinator's name.
    #[must_use]
    pub fn new(
        ceremony: CeremonyId,
        joins: Vec<NodeMessage>,
        dealings: Vec<NodeMessage>,
        key: &AuthPrivateKey,
    ) -> Self {
        let about = [transcript(&joins), transcript(&dealings)];
        Self {
            order: Order::sign(&content("hold", &ceremony, &about), key),
            ceremony,
            joins,
            dealings,
        }
    }

    /// In whose name it is asked.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn asked_by(&self) -> Result<AuthKey, BadSignature> {
        let about = [transcript(&self.joins), transcript(&self.dealings)];
        self.order.verify(&content("hold", &self.ceremony, &about))
    }
}

impl SignRequest {
    /// Asks in the coordinator's name.
    #[must_use]
    pub fn new(
        ceremony: CeremonyId,
        manifest: Blob,
        held: Vec<NodeMessage>,
        key: &AuthPrivateKey,
    ) -> Self {
        let about = [sha256(&[manifest.as_bytes()])];
        Self {
            order: Order::sign(&content("sign", &ceremony, &about), key),
            ceremony,
            manifest,
            held,
        }
    }

    /// In whose name it is asked.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn asked_by(&self) -> Result<AuthKey, BadSignature> {
        let about = [sha256(&[self.manifest.as_bytes()])];
        self.order.verify(&content("sign", &self.ceremony, &about))
    }
}
