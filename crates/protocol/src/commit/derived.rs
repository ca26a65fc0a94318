use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::bytes::{Locator, NonceHash};
use crate::policy::{Action, Level, Policy};
use crate::record::{Custody, Payload};

/// What a commit does, as the server derives it from the two records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Its actions; never empty.
    pub actions: BTreeSet<Action>,
    /// Locators that were not in the current record.
    pub added: Vec<Locator>,
    /// Locators that are no longer there; they stay reserved to the account.
    pub removed: Vec<Locator>,
    /// What becomes of the stored nonce.
    pub nonce: NonceChange,
    /// Whether it restores what the server had lost.
    pub restore: bool,
}

/// What becomes of the stored nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceChange {
    /// It stays, or there is none.
    Keep,
    /// It ends with this commit.
    Drop,
    /// One with this hash takes its place.
    Replace(NonceHash),
}

impl Derived {
    /// The highest level among the actions.
    #[must_use]
    pub fn required(&self, policy: &Policy) -> Level {
        self.actions
            .iter()
            .map(|action| policy.required(*action))
            .max()
            .unwrap_or_default()
    }

    pub(super) fn between(current: &Payload, new: &Payload) -> Self {
        let missing_in = |payload: &Payload, from: &Payload| -> Vec<Locator> {
            let locators = from.factors.iter().map(|entry| entry.locator);
            locators
                .filter(|locator| payload.factor_at(locator).is_none())
                .collect()
        };
        let (added, removed) = (missing_in(current, new), missing_in(new, current));
        let policy_changed = current.custody != new.custody
            || current.policy != new.policy
            || current.reset_key != new.reset_key
            || current.nonce_hash != new.nonce_hash;
        let mut actions = BTreeSet::new();
        let mut derive = |holds: bool, action| {
            if holds {
                actions.insert(action);
            }
        };
        derive(!added.is_empty(), Action::AddFactor);
        derive(!removed.is_empty(), Action::RemoveFactor);
        derive(current.threshold != new.threshold, Action::Reshare);
        derive(policy_changed, Action::ChangePolicy);
        if actions.is_empty() {
            actions.insert(if current.epoch == new.epoch {
                Action::Update
            } else {
                Action::Refresh
            });
        }
        let nonce = match (current.nonce_hash, new.nonce_hash) {
            (Some(_), None) => NonceChange::Drop,
            (before, Some(after)) if before != Some(after) => NonceChange::Replace(after),
            _ => NonceChange::Keep,
        };
        Self {
            actions,
            added,
            removed,
            nonce,
            restore: new.restore,
        }
    }

    /// Whether the account becomes guarded, for which an authenticator must be enrolled.
    #[must_use]
    pub fn becomes_guarded(current: &Payload, new: &Payload) -> bool {
        current.custody != Custody::Guarded && new.custody == Custody::Guarded
    }
}
