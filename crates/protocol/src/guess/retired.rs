use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::signed::Signed;
use super::slot::{Slot, SlotNode};
use super::wire::SlotDeletion;
use crate::account::AccountKeys;
use crate::bytes::SlotId;

/// A slot that is no longer used, with the signed word that ends it, until every evaluator has taken it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// Which slot.
    pub slot: SlotId,
    /// To be told to all that hold a part.
    pub deletion: Signed<SlotDeletion>,
    /// The nodes that hold one; the metadata server does, too.
    pub nodes: Vec<SlotNode>,
    /// Unix seconds when it was retired.
    pub since: u64,
}

impl Retired {
    /// Retires a slot at `now`.
    #[must_use]
    pub fn slot(slot: &Slot, account: &AccountKeys, now: u64) -> Self {
        Self {
            slot: slot.id,
            deletion: SlotDeletion::sign(slot.id, account),
            nodes: slot.nodes.clone(),
            since: now,
        }
    }
}

impl SlotDeletion {
    /// The word that ends a slot.
    #[must_use]
    pub fn sign(slot: SlotId, account: &AccountKeys) -> Signed<Self> {
        let deletion = Self {
            version: super::VERSION,
            slot,
        };
        Signed::sign(&deletion, &account.slot_admin(slot.as_bytes()))
    }
}
