//! Random histories of changes. Whatever happened: every `t` current factors open to the same key, fewer never do, removed
//! factors never do, and what belongs to different epochs never goes together. A failing history is kept in
//! `tests/proptest-regressions` and must be committed.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand_chacha::ChaCha20Rng;
use trefoil_protocol::change::{Accepted, Change, ChangeError, restore};
use trefoil_protocol::envelope::{self, Place};
use trefoil_protocol::opening::{Opening, OpeningError};
use trefoil_protocol::record::Custody;
use trefoil_shares::{Commitments, KeyScalar, Share, reconstruct};

use crate::support::*;

#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    Remove(usize),
    Replace(usize),
    /// Enrols a factor again that was removed before.
    Again(usize),
    Threshold(u8),
    Refresh,
    Guard,
    Own,
    Label(usize),
    /// The server is set back to an earlier time and a device restores.
    SetBack(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..=2_u8).prop_map(Step::Add),
        any::<usize>().prop_map(Step::Remove),
        any::<usize>().prop_map(Step::Replace),
        any::<usize>().prop_map(Step::Again),
        (2..=4_u8).prop_map(Step::Threshold),
        Just(Step::Refresh),
        Just(Step::Guard),
        Just(Step::Own),
        any::<usize>().prop_map(Step::Label),
        any::<usize>().prop_map(Step::SetBack),
    ]
}

/// An account, all that ever was stored of it, and the user's factors by index.
struct Life {
    stored: Stored,
    past: Vec<Stored>,
    key: KeyScalar,
    removed: Vec<u8>,
    next: u8,
    rng: ChaCha20Rng,
}

impl Life {
    fn new(t: u8, m: u8, seed: u64) -> Self {
        let mut rng = rng(seed);
        let (stored, account) = self_custody(t, m, &mut rng);
        Self {
            past: vec![stored.clone()],
            stored,
            key: account.key().clone(),
            removed: Vec::new(),
            next: m + 1,
            rng,
        }
    }

    fn enrolled(stored: &Stored, next: u8) -> BTreeMap<u32, u8> {
        let index = |number: u8| stored.record.factor_at(&factor(number).locator());
        let found = (1..next).filter_map(|number| Some((index(number)?.index, number)));
        found.collect()
    }

    fn factors(&self) -> Vec<u8> {
        Self::enrolled(&self.stored, self.next)
            .into_values()
            .collect()
    }

    /// The first `t` factors, beginning somewhere.
    fn opening_set(stored: &Stored, next: u8, from: usize) -> Vec<u8> {
        let all: Vec<u8> = Self::enrolled(stored, next).into_values().collect();
        let t = usize::from(stored.record.threshold);
        (0..t).map(|at| all[(from + at) % all.len()]).collect()
    }

    fn change(&self, step: &Step) -> Change {
        let indices: Vec<u32> = self.stored.record.factors.iter().map(|e| e.index).collect();
        let pick = |at: &usize| indices[at % indices.len()];
        let accepted = Accepted {
            no_spare_factor: true,
            one_primary_factor: false,
        };
        let remove = |at| Change {
            remove: vec![pick(at)],
            accepted,
            ..Change::default()
        };
        let custody = |custody| Change {
            custody: Some(custody),
            ..Change::default()
        };
        match step {
            Step::Add(count) => Change {
                add: primaries(self.next..self.next + count),
                ..Change::default()
            },
            Step::Remove(at) => remove(at),
            Step::Replace(at) => Change {
                add: primaries([self.next]),
                ..remove(at)
            },
            Step::Again(at) => Change {
                add: primaries(self.removed.get(at % self.removed.len().max(1)).copied()),
                ..Change::default()
            },
            Step::Threshold(t) => Change {
                threshold: Some(*t),
                ..Change::default()
            },
            Step::Refresh | Step::SetBack(_) => Change {
                refresh: true,
                ..Change::default()
            },
            Step::Guard => custody(Custody::Guarded),
            Step::Own => custody(Custody::SelfCustody),
            Step::Label(at) => Change {
                labels: [(pick(at), format!("label {at}"))].into(),
                ..Change::default()
            },
        }
    }

    fn play(&mut self, step: &Step) -> Result<(), TestCaseError> {
        if let Step::SetBack(to) = step {
            return self.set_back(*to);
        }
        if self.stored.record.factors.len() > 6 && matches!(step, Step::Add(_)) {
            return Ok(());
        }
        let before = self.factors();
        let using = Self::opening_set(&self.stored, self.next, self.past.len());
        let account = self.stored.open(&numbered(using)).unwrap();
        match account.prepare(&self.change(step), NOW, &mut self.rng) {
            Ok(prepared) => {
                prop_assert_eq!(prepared.account.key(), &self.key);
                self.stored.commit(&prepared).unwrap();
                self.past.push(self.stored.clone());
                self.next += 2;
            }
            Err(
                ChangeError::Nothing
                | ChangeError::NoSpareFactor
                | ChangeError::OnePrimaryFactor
                | ChangeError::Threshold { .. },
            ) => {}
            Err(other) => return Err(TestCaseError::fail(format!("{step:?}: {other}"))),
        }
        let after = self.factors();
        self.removed.retain(|number| !after.contains(number));
        self.removed
            .extend(before.into_iter().filter(|number| !after.contains(number)));
        Ok(())
    }

    /// The device of some current factor holds the newest record and restores through a server that shows an older one.
    fn set_back(&mut self, to: usize) -> Result<(), TestCaseError> {
        let mut server = self.past[to % self.past.len()].clone();
        if server.record.hash() == self.stored.record.hash() {
            return Ok(());
        }
        let using = Self::opening_set(&server, self.next, to);
        let served = server.open(&numbered(using)).unwrap();
        let device = self.stored.begin(&[factor(self.factors()[0])]).unwrap();
        let prepared = restore(&served, &device, &mut self.rng).unwrap();
        prop_assert_eq!(prepared.account.key(), &self.key);
        server.commit(&prepared).unwrap();
        prop_assert!(server.record.revision > self.stored.record.revision);
        prop_assert_eq!(
            server.record.factors.len(),
            self.stored.record.factors.len()
        );
        self.stored = server;
        self.past.push(self.stored.clone());
        Ok(())
    }

    fn check_openings(&self) -> Result<(), TestCaseError> {
        let t = usize::from(self.stored.record.threshold);
        let current = numbered(self.factors());
        for subset in subsets(&current, t) {
            let account = self.stored.open(&subset).unwrap();
            prop_assert_eq!(account.key(), &self.key);
        }
        for subset in subsets(&current, t - 1) {
            prop_assert!(matches!(
                self.stored.open(&subset),
                Err(OpeningError::Shares(error)) if error.missing() == 1
            ));
        }
        for number in &self.removed {
            prop_assert_eq!(
                self.stored.begin(&numbered([*number])).unwrap_err(),
                OpeningError::NotEnrolled
            );
        }
        Ok(())
    }

    /// Everything anyone ever decrypted: the share of each factor in each epoch.
    fn shares(&self, stored: &Stored) -> Vec<Share> {
        let record = &stored.record;
        let open = |(index, number): (u32, u8)| {
            let place = Place {
                account_id: record.account_id,
                epoch: record.epoch,
                index,
            };
            let contents = envelope::open(&stored.envelopes[&index], &factor(number), place);
            contents.unwrap().share
        };
        Self::enrolled(stored, self.next)
            .into_iter()
            .filter_map(open)
            .collect()
    }

    fn commitments(&self, stored: &Stored) -> Commitments {
        let first = Self::enrolled(stored, self.next)
            .into_values()
            .next()
            .unwrap();
        Commitments::from_points(stored.state(&factor(first)).0.commitments).unwrap()
    }

    fn check_mixtures(&self) -> Result<(), TestCaseError> {
        let now = &self.stored;
        let (shares, commitments) = (self.shares(now), self.commitments(now));
        let t = usize::from(now.record.threshold);
        for then in self
            .past
            .iter()
            .filter(|then| then.record.epoch != now.record.epoch)
        {
            // As the server would pass them off: the hash in the signed record does not fit.
            for number in self.factors() {
                let keys = factor(number);
                if let Some(old) = then.envelope(&keys) {
                    let error = Opening::begin(now.record.clone(), keys, old).unwrap_err();
                    let stale = matches!(error, OpeningError::StaleEnvelope { .. });
                    prop_assert!(stale, "{}", error);
                }
            }
            // As a thief would combine what was decrypted: t-1 of today with any of then.
            for old in self.shares(then) {
                let mut mixed: Vec<Share> = shares
                    .iter()
                    .filter(|share| share.index() != old.index())
                    .take(t - 1)
                    .cloned()
                    .collect();
                mixed.push(old);
                let error = reconstruct(&commitments, &mixed).unwrap_err();
                prop_assert_eq!(error.missing(), 1);
            }
        }
        Ok(())
    }
}

const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/proptest-regressions/histories.txt"
);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_keeps_the_key_and_nothing_else_opens(
        t in 2..=3_u8,
        spare in 1..=2_u8,
        steps in proptest::collection::vec(step(), 1..=7),
        seed: u64,
    ) {
        let mut life = Life::new(t, t + spare, seed);
        for step in &steps {
            life.play(step)?;
        }
        life.check_openings()?;
        life.check_mixtures()?;
    }
}
