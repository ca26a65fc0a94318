use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bytes::SlotId;
use crate::factor::{Enrolment, FactorKeys, FactorKind};
use crate::guess::Slot;
use crate::policy::Policy;
use crate::record::Custody;
use crate::vault::Vault;

/// A factor to enrol.
#[derive(Debug, Clone)]
pub struct NewFactor {
    /// What it is.
    pub kind: FactorKind,
    /// The user's or app's name for it, at most [`crate::state::MAX_LABEL`] bytes.
    pub label: String,
    /// What helps to find it again.
    pub hints: BTreeMap<String, String>,
    /// Of a secondary factor: enrolled at the evaluators for the index and revision that this change will give it.
    pub(super) slot: Option<Slot>,
    pub(super) source: Source,
}

#[derive(Debug, Clone)]
pub(super) enum Source {
    Present(alloc::boxed::Box<FactorKeys>),
    Absent(alloc::boxed::Box<Enrolment>),
}

impl NewFactor {
    /// A factor whose keys are at hand.
    #[must_use]
    pub fn present(kind: FactorKind, label: impl Into<String>, keys: FactorKeys) -> Self {
        Self::new(kind, label.into(), Source::Present(keys.into()))
    }

    /// A factor of which another party showed only the public parts.
    #[must_use]
    pub fn absent(kind: FactorKind, label: impl Into<String>, enrolment: Enrolment) -> Self {
        Self::new(kind, label.into(), Source::Absent(enrolment.into()))
    }

    fn new(kind: FactorKind, label: String, source: Source) -> Self {
        Self {
            kind,
            label,
            hints: BTreeMap::new(),
            slot: None,
            source,
        }
    }

    /// Gives a secondary factor its slot.
    #[must_use]
    pub fn slot(mut self, slot: Slot) -> Self {
        self.slot = Some(slot);
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.hints.insert(name.into(), value.into());
        self
    }
}

/// Risks that the user accepted for this change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Removing factors until none is spare.
    pub no_spare_factor: bool,
    /// Leaving one factor only from which an opening can start.
    pub one_primary_factor: bool,
}

/// What to change, all in one commit. `Change::default()` changes nothing.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Factors to enrol.
    pub add: Vec<NewFactor>,
    /// Indices of factors to remove.
    pub remove: Vec<u32>,
    /// Another threshold.
    pub threshold: Option<u8>,
    /// A new polynomial even where nothing else asks for one.
    pub refresh: bool,
    /// Another custody; the upgrade from one-click.
    pub custody: Option<Custody>,
    /// Another policy.
    pub policy: Option<Policy>,
    /// Another vault.
    pub vault: Option<Vault>,
    /// Other labels, by index.
    pub labels: BTreeMap<u32, String>,
    /// Indices of factors that were just proven to work.
    pub proven: Vec<u32>,
    /// Days between reminders to prove recovery factors.
    pub reminder_days: Option<u32>,
    /// Slots that take the place of those of factors that stay as they are.
    pub renew_slots: Vec<Slot>,
    /// Retired slots whose end every evaluator has acknowledged, or that are given up.
    pub acknowledged: Vec<SlotId>,
    /// Risks that the user accepted.
    pub accepted: Accepted,
}
