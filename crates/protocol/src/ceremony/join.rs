//! Step 1: a member to come says that it takes part, and to which key its share is to be sealed.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::VerifiedPlan;
use super::message::{MessageError, NodeMessage, Spoken, VERSION, check_count, transcript};
use crate::bytes::{Blob, CeremonyId, EnvelopeKey, TranscriptHash};
use crate::sign::AuthPrivateKey;

/// What a member to come says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    version: u32,
    ceremony: CeremonyId,
    index: u16,
    /// Made for this epoch alone: what is sealed to it can be read no longer once the epoch's secrets are erased.
    pub hpke_key: EnvelopeKey,
    /// Key generation only: the first-round package of the distributed key generation.
    pub package: Option<Blob>,
}

impl Spoken for Join {
    const LABEL: &'static str = "ceremony/join";

    fn speaker(&self) -> u16 {
        self.index
    }
}

impl Join {
    /// Signs a join.
    #[must_use]
    pub fn sign(
        ceremony: CeremonyId,
        index: u16,
        hpke_key: EnvelopeKey,
        package: Option<Vec<u8>>,
        identity: &AuthPrivateKey,
    ) -> NodeMessage {
        let said = Self {
            version: VERSION,
            ceremony,
            index,
            hpke_key,
            package: package.map(Blob::new),
        };
        NodeMessage::sign(&said, identity)
    }

    /// Verifies one member's join by itself.
    ///
    /// # Errors
    /// [`MessageError`], naming the member.
    pub fn verify(plan: &VerifiedPlan, message: &NodeMessage) -> Result<Self, MessageError> {
        let join: Self = message.verify(|index| plan.key_of(index))?;
        if join.ceremony != plan.ceremony() {
            return Err(MessageError::OtherCeremony(join.index));
        }
        // What is sealed to a key of small order everybody can open.
        if !join.hpke_key.is_usable() || join.package.is_some() != plan.is_key_generation() {
            return Err(MessageError::BadValue(join.index));
        }
        Ok(join)
    }

    /// The member's place.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.index
    }
}

/// The joins of every member, each of them verified, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joins {
    joins: Vec<Join>,
    messages: Vec<NodeMessage>,
    hash: TranscriptHash,
}

impl Joins {
    /// Verifies one join of each member, in the order of the plan.
    ///
    /// # Errors
    /// [`MessageError`], naming the member.
    pub fn verify(plan: &VerifiedPlan, messages: &[NodeMessage]) -> Result<Self, MessageError> {
        check_count(messages.len(), plan.nodes().len())?;
        let mut joins: Vec<Join> = Vec::with_capacity(messages.len());
        for message in messages {
            let join = Join::verify(plan, message)?;
            if joins.iter().any(|known| known.index == join.index) {
                return Err(MessageError::Twice(join.index));
            }
            if joins.iter().any(|known| known.hpke_key == join.hpke_key) {
                return Err(MessageError::BadValue(join.index));
            }
            joins.push(join);
        }
        for node in plan.nodes() {
            if !joins.iter().any(|join| join.index == node.index) {
                return Err(MessageError::Missing(node.index));
            }
        }
        let mut ordered: Vec<(Join, NodeMessage)> =
            joins.into_iter().zip(messages.iter().cloned()).collect();
        ordered.sort_by_key(|(join, _)| join.index);
        let (joins, messages): (Vec<_>, Vec<_>) = ordered.into_iter().unzip();
        Ok(Self {
            hash: TranscriptHash::from_bytes(transcript(&messages)),
            joins,
            messages,
        })
    }

    /// In the order of the places.
    pub fn iter(&self) -> impl Iterator<Item = &Join> {
        self.joins.iter()
    }

    /// As they were sent, in the order of the places.
    #[must_use]
    pub fn messages(&self) -> &[NodeMessage] {
        &self.messages
    }

    /// Over all joins as they were sent: every dealer names it, so that all members saw the same.
    #[must_use]
    pub const fn hash(&self) -> TranscriptHash {
        self.hash
    }
}
