//! Nonces that were ended, and whether they are gone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::backend::NonceName;

/// After which a server that is never ready has not come back.
const PATIENCE: Duration = Duration::from_secs(120);

/// What has to be gone from the nonce store.
pub(super) struct Erasures {
    grace: Duration,
    ended: BTreeSet<NonceName>,
    /// Of those, not seen to be gone yet.
    pending: BTreeSet<NonceName>,
    /// Since when any are.
    since: Option<Instant>,
    /// Since when they are waited for, and since when servers are ready meanwhile.
    waited: Option<(Instant, Option<Instant>)>,
}

impl Erasures {
    pub(super) const fn within(grace: Duration) -> Self {
        Self {
            grace,
            ended: BTreeSet::new(),
            pending: BTreeSet::new(),
            since: None,
            waited: None,
        }
    }

    /// Any that was ended.
    pub(super) fn any(&self) -> Option<NonceName> {
        self.ended.first().copied()
    }

    pub(super) fn expect(&mut self, ended: impl Iterator<Item = NonceName>) {
        for name in ended {
            if self.ended.insert(name) {
                self.pending.insert(name);
            }
        }
    }

    /// Those that are still held, of all that there ever were or of those not seen to be gone yet.
    pub(super) fn left(&mut self, held: &[NonceName], of_all: bool) -> Vec<NonceName> {
        let looked_for = if of_all { &self.ended } else { &self.pending };
        let left: Vec<NonceName> = held
            .iter()
            .filter(|name| looked_for.contains(name))
            .copied()
            .collect();
        self.pending = left.iter().copied().collect();
        if left.is_empty() {
            self.forget();
        } else {
            self.since.get_or_insert_with(Instant::now);
        }
        left
    }

    /// Whether some have had their time, though perhaps with servers down.
    pub(super) fn are_late(&self) -> bool {
        self.since
            .is_some_and(|since| since.elapsed() >= self.grace)
    }

    /// Whether the time in which they must go is over; it runs while servers are ready.
    pub(super) fn are_over(&mut self, ready: bool) -> Result<bool, Failure> {
        let (begun, up) = self.waited.get_or_insert_with(|| (Instant::now(), None));
        if ready {
            let up = up.get_or_insert_with(Instant::now);
            return Ok(up.elapsed() >= self.grace);
        }
        *up = None;
        if begun.elapsed() >= PATIENCE {
            return Err("the server is never ready again".into());
        }
        Ok(false)
    }

    /// What was told is not told again.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
        self.since = None;
        self.waited = None;
    }
}
