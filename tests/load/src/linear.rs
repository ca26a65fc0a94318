//! Whether what clients saw of one account's record can have happened one after the other, each between its call and its
//! answer: linearizability (Herlihy and Wing 1990), decided by the search of Wing and Gong with Lowe's memory of what was
//! tried before.

use std::collections::HashSet;

use trefoil_protocol::bytes::PayloadHash;

/// A record as clients tell it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// Its revision.
    pub revision: u64,
    /// Hash of its payload.
    pub hash: PayloadHash,
}

/// What a client saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The current record was this one.
    Read(Version),
    /// A commit in place of `from` was acknowledged.
    Swapped {
        /// What it replaced.
        from: Version,
        /// What is current then.
        to: Version,
    },
    /// A commit in place of `from` was refused as stale.
    Refused {
        /// What it was to replace.
        from: Version,
        /// The revision that the server named as current.
        current: Option<u64>,
    },
    /// A commit got no answer: it may take effect at any time, or never.
    Unknown {
        /// What it was to replace.
        from: Version,
        /// What would be current then.
        to: Version,
    },
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Not after it was sent.
    pub begun: u64,
    /// Not before its answer was there; none without an answer.
    pub ended: Option<u64>,
    /// What came of it.
    pub seen: Seen,
}

/// What the search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is such an order.
    Linear,
    /// There is none.
    NotLinear,
    /// Too many orders to try.
    Undecided,
}

/// Places of the search at most.
const MOST_PLACES: usize = 2_000_000;

/// Looks for an order that starts at `initial`.
#[must_use]
pub fn check(initial: Version, operations: &[Operation]) -> Verdict {
    let mut operations = operations.to_vec();
    operations.sort_by_key(|operation| operation.begun);
    let start = Place {
        done: vec![0; operations.len().div_ceil(64)],
        version: initial,
    };
    let mut tried = HashSet::from([start.clone()]);
    let mut left = vec![start];
    while let Some(mut place) = left.pop() {
        let choices = loop {
            let open = place.open(&operations);
            if !place.awaits(&operations) {
                return Verdict::Linear;
            }
            // What changes nothing and fits now can only stop fitting: no need to try it later.
            let mut settled = false;
            for (at, operation) in &open {
                if operation.seen.fits_unchanged(place.version) {
                    place.mark(*at);
                    settled = true;
                }
            }
            if !settled {
                break open;
            }
        };
        for (at, operation) in choices {
            let Some(version) = operation.seen.changes(place.version) else {
                continue;
            };
            let mut next = place.clone();
            next.mark(at);
            next.version = version;
            if tried.len() >= MOST_PLACES {
                return Verdict::Undecided;
            }
            if tried.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    Verdict::NotLinear
}

impl Seen {
    fn fits_unchanged(self, now: Version) -> bool {
        match self {
            Self::Read(version) => version == now,
            Self::Refused { from, current } => {
                from != now && current.is_none_or(|revision| revision == now.revision)
            }
            Self::Swapped { .. } | Self::Unknown { .. } => false,
        }
    }

    fn changes(self, now: Version) -> Option<Version> {
        match self {
            Self::Swapped { from, to } | Self::Unknown { from, to } if from == now => Some(to),
            _ => None,
        }
    }
}

/// Which operations have taken effect, and what is current then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    done: Vec<u64>,
    version: Version,
}

impl Place {
    fn is_done(&self, at: usize) -> bool {
        let word = self.done.get(at / 64).copied().unwrap_or_default();
        word >> (at % 64) & 1 == 1
    }

    fn mark(&mut self, at: usize) {
        if let Some(word) = self.done.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Operations that may be the next: not done, and begun before any other that is not done had ended.
    fn open(&self, operations: &[Operation]) -> Vec<(usize, Operation)> {
        let (mut open, mut first_end) = (Vec::new(), u64::MAX);
        for (at, operation) in operations.iter().enumerate() {
            if operation.begun > first_end {
                break;
            }
            if !self.is_done(at) {
                first_end = first_end.min(operation.ended.unwrap_or(u64::MAX));
                open.push((at, *operation));
            }
        }
        open.retain(|(_, operation)| operation.begun <= first_end);
        open
    }

    /// Whether any operation that got an answer is not done. What got none need not happen.
    fn awaits(&self, operations: &[Operation]) -> bool {
        let mut all = operations.iter().enumerate();
        all.any(|(at, operation)| operation.ended.is_some() && !self.is_done(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(revision: u64, name: u8) -> Version {
        Version {
            revision,
            hash: PayloadHash::from_bytes([name; 32]),
        }
    }

    fn v(revision: u8) -> Version {
        version(revision.into(), revision)
    }

    fn operation(begun: u64, ended: u64, seen: Seen) -> Operation {
        Operation {
            begun,
            ended: Some(ended),
            seen,
        }
    }

    fn read(begun: u64, ended: u64, of: u8) -> Operation {
        operation(begun, ended, Seen::Read(v(of)))
    }

    fn swap(begun: u64, ended: u64, from: u8) -> Operation {
        let (from, to) = (v(from), v(from + 1));
        operation(begun, ended, Seen::Swapped { from, to })
    }

    fn refused(begun: u64, ended: u64, from: u8, current: u64) -> Operation {
        let (from, current) = (v(from), Some(current));
        operation(begun, ended, Seen::Refused { from, current })
    }

    fn unanswered(begun: u64, from: u8) -> Operation {
        let (from, to) = (v(from), v(from + 1));
        Operation {
            begun,
            ended: None,
            seen: Seen::Unknown { from, to },
        }
    }

    fn linear(operations: &[Operation]) -> bool {
        // The order in which operations are listed says nothing.
        let mut reversed = operations.to_vec();
        reversed.reverse();
        let verdict = check(v(1), operations);
        assert_eq!(verdict, check(v(1), &reversed));
        assert_ne!(verdict, Verdict::Undecided);
        verdict == Verdict::Linear
    }

    #[test]
    fn what_one_order_explains_is_linear() {
        for history in [
            vec![],
            vec![read(0, 1, 1)],
            vec![swap(0, 1, 1), read(2, 3, 2), swap(4, 5, 2), read(6, 7, 3)],
            // Overlapping calls may have happened either way round.
            vec![swap(0, 10, 1), read(1, 2, 1), read(3, 4, 2)],
            vec![swap(0, 10, 1), read(1, 2, 2), refused(3, 4, 1, 2)],
            vec![
                swap(0, 10, 1),
                swap(0, 10, 2),
                swap(0, 10, 3),
                read(11, 12, 4),
            ],
            vec![
                swap(0, 10, 3),
                swap(0, 10, 2),
                swap(0, 10, 1),
                read(5, 6, 2),
            ],
            // Without an answer: happened, happened late, or not.
            vec![unanswered(0, 1), read(2, 3, 2)],
            vec![unanswered(0, 1), read(2, 3, 1), read(4, 5, 2)],
            vec![unanswered(0, 1), read(2, 3, 1), read(4, 5, 1)],
            vec![unanswered(0, 1), swap(2, 3, 2)],
            vec![unanswered(0, 1), refused(2, 3, 1, 2)],
        ] {
            assert!(linear(&history), "{history:?}");
        }
    }

    #[test]
    fn what_no_order_explains_is_not() {
        for history in [
            // A value that nobody wrote, or that nobody had written yet.
            vec![read(0, 1, 2)],
            vec![read(0, 1, 2), swap(2, 3, 1)],
            // An acknowledged commit is lost.
            vec![swap(0, 1, 1), read(2, 3, 1)],
            vec![swap(0, 1, 1), swap(2, 3, 2), read(4, 5, 2)],
            vec![swap(0, 1, 1), unanswered(0, 1), read(4, 5, 1)],
            // Two in place of the same one.
            vec![swap(0, 9, 1), swap(0, 9, 1), read(10, 11, 2)],
            // Reads go backwards while a commit is under way.
            vec![swap(0, 10, 1), read(1, 2, 2), read(3, 4, 1)],
            vec![unanswered(0, 1), read(1, 2, 2), read(3, 4, 1)],
            // Refused although it fitted all the time, or with a revision that never was.
            vec![refused(0, 1, 1, 2)],
            vec![swap(0, 1, 1), refused(2, 3, 1, 7)],
            vec![swap(0, 1, 1), refused(2, 3, 2, 2)],
            // Acknowledged in place of what was not current any more.
            vec![swap(0, 1, 1), swap(2, 3, 2), swap(4, 5, 2)],
            // Without an answer, but it had not begun yet.
            vec![read(0, 1, 2), unanswered(2, 1)],
        ] {
            assert!(!linear(&history), "{history:?}");
        }
    }

    #[test]
    fn the_same_revision_with_other_content_is_another_version() {
        let (from, other) = (v(1), version(2, 99));
        let won = operation(0, 10, Seen::Swapped { from, to: v(2) });
        let lost = Operation {
            ended: None,
            ..operation(0, 0, Seen::Unknown { from, to: other })
        };
        assert!(linear(&[won, lost, read(11, 12, 2)]));
        assert!(!linear(&[won, lost, operation(11, 12, Seen::Read(other))]));
    }

    #[test]
    fn long_histories_of_many_clients_are_decided() {
        // Four clients, each call overlapping the next three: a search without memory would not end.
        let mut history: Vec<Operation> = (1..200)
            .map(|at: u8| swap(u64::from(at) * 10, u64::from(at) * 10 + 35, at))
            .collect();
        assert!(linear(&history));
        history.push(read(1_500, 1_501, 20));
        assert!(!linear(&history));
    }
}
