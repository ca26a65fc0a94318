//! Steps 3 and 5: a member says that it holds its share, and that it serves with it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::VerifiedPlan;
use super::message::{MessageError, NodeMessage, Spoken, VERSION, check_count};
use crate::bytes::{AuthKey, ManifestHash};
use crate::sign::AuthPrivateKey;
use crate::social::VerifiedManifest;

macro_rules! receipt {
    ($(#[$doc:meta])* $name:ident, $label:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            version: u32,
            index: u16,
            manifest: ManifestHash,
        }

        impl Spoken for $name {
            const LABEL: &'static str = $label;

            fn speaker(&self) -> u16 {
                self.index
            }
        }

        impl $name {
            /// Signs.
            #[must_use]
            pub fn sign(index: u16, manifest: ManifestHash, identity: &AuthPrivateKey) -> NodeMessage {
                let said = Self { version: VERSION, index, manifest };
                NodeMessage::sign(&said, identity)
            }

            /// The member's place, where its key says so of this manifest.
            ///
            /// # Errors
            /// [`MessageError`].
            pub fn verify(
                message: &NodeMessage,
                manifest: ManifestHash,
                key_of: impl FnOnce(u16) -> Option<AuthKey>,
            ) -> Result<u16, MessageError> {
                let said: Self = message.verify(key_of)?;
                if said.manifest != manifest {
                    return Err(MessageError::OtherManifest(said.index));
                }
                Ok(said.index)
            }
        }
    };
}

receipt!(
    /// "I hold, durably, the share that this manifest names for me."
    Held,
    "ceremony/held"
);
receipt!(
    /// "I serve this manifest's epoch, and will take no other for it."
    Active,
    "ceremony/active"
);

impl Held {
    /// Whether every member of the plan holds its share of this manifest.
    ///
    /// # Errors
    /// [`MessageError`], naming the member.
    pub fn verify_all(
        plan: &VerifiedPlan,
        manifest: ManifestHash,
        messages: &[NodeMessage],
    ) -> Result<(), MessageError> {
        check_count(messages.len(), plan.nodes().len())?;
        let said = messages
            .iter()
            .map(|message| Self::verify(message, manifest, |index| plan.key_of(index)))
            .collect::<Result<Vec<_>, _>>()?;
        complete(&said, plan.nodes().iter().map(|node| node.index))
    }
}

impl Active {
    /// Whether every member of this manifest serves it.
    ///
    /// # Errors
    /// [`MessageError`], naming the member.
    pub fn verify_all(
        manifest: &VerifiedManifest,
        messages: &[NodeMessage],
    ) -> Result<(), MessageError> {
        check_count(messages.len(), manifest.nodes().len())?;
        let key_of = |index: u16| manifest.node(index).map(|node| node.identity_key);
        let said = messages
            .iter()
            .map(|message| Self::verify(message, manifest.hash(), key_of))
            .collect::<Result<Vec<_>, _>>()?;
        complete(&said, manifest.nodes().iter().map(|node| node.index.get()))
    }
}

fn complete(said: &[u16], members: impl Iterator<Item = u16>) -> Result<(), MessageError> {
    let mut members = members;
    members
        .find(|member| !said.contains(member))
        .map_or(Ok(()), |missing| Err(MessageError::Missing(missing)))
}
