//! A slot as the sealed state describes it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use trefoil_oprf::{Commitments, Committee, NodeIndex};

use super::SLOT_EPOCH;
use crate::bytes::{AuthKey, Blob, GroupElement, SlotId};

/// Everything that a guess needs to know of a slot. Immutable but for its list's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Its name at the evaluators.
    pub id: SlotId,
    /// Index of the factor that it keeps.
    pub factor: u32,
    /// Feldman commitments to `K_nodes`, `T` of them.
    pub commitments: Vec<GroupElement>,
    /// `K_server*B`.
    pub server_key: GroupElement,
    /// The nodes that hold a part, by ascending place.
    pub nodes: Vec<SlotNode>,
    /// Guesses per guess key.
    pub allowed: u8,
    /// Number of the newest list.
    pub list: u64,
    /// Unix seconds of its enrolment.
    pub created: u64,
    /// How what the user knows is prepared.
    pub knowledge: Knowledge,
    /// How it is stretched.
    pub stretch: StretchCost,
    /// The factor secret, once for each set of things that the user may know.
    pub sealed: Vec<SealedSecret>,
}

/// A node that holds a part of a slot's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotNode {
    /// Its place, from 1.
    pub index: u16,
    /// By which statements name it.
    pub identity_key: AuthKey,
    /// Where it was reached when the slot was enrolled.
    pub url: String,
}

/// What the user knows and by which rule it is normalised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what", deny_unknown_fields)]
#[non_exhaustive]
pub enum Knowledge {
    /// A password.
    Password {
        /// Of the normalisation.
        rule: u8,
    },
    /// A PIN.
    Pin {
        /// Of the normalisation.
        rule: u8,
    },
    /// Answers, of which `needed` are asked.
    Questions {
        /// Of the normalisation.
        rule: u8,
        /// `m`.
        needed: u8,
        /// `q` of them.
        questions: Vec<Question>,
    },
}

/// A question, from the bank or the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name in the bank, where it is from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// As it is asked.
    pub text: String,
}

/// Argon2id's parameters (RFC 9106).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StretchCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Salt.
    pub salt: Blob,
}

/// The factor secret, sealed under what the right guess yields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    /// Which questions are answered, as a bit mask; 0 where there are none.
    pub subset: u16,
    /// XChaCha20-Poly1305.
    pub sealed: Blob,
}

impl Slot {
    /// Nodes whose answers are needed.
    #[must_use]
    pub fn threshold(&self) -> usize {
        self.commitments.len()
    }

    /// The nodes that hold a part, each with its verifying share; `None` for a slot that is none.
    pub(super) fn committee(&self) -> Option<Committee> {
        let commitments = self.commitments.iter().map(GroupElement::as_bytes);
        let commitments = Commitments::from_bytes(commitments).ok()?;
        let places = self.nodes.iter().map(|node| NodeIndex::new(node.index));
        let places: Vec<NodeIndex> = places.collect::<Result<_, _>>().ok()?;
        commitments.committee(SLOT_EPOCH, places).ok()
    }

    /// The metadata server, as the one node of a committee of its own.
    pub(super) fn server(&self) -> Option<Committee> {
        let key = Commitments::from_bytes([self.server_key.as_bytes()]).ok()?;
        key.committee(SLOT_EPOCH, [NodeIndex::new(1).ok()?]).ok()
    }
}
