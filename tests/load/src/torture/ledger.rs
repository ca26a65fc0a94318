//! What clients know of the accounts: what was acknowledged, what was tried, what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use trefoil_protocol::bytes::{AccountId, Locator, NonceHash, PayloadHash};
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::record::VerifiedRecord;

use crate::backend::NonceName;
use crate::linear::{Operation, Seen, Version};

/// One account, shared by all who use it.
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) social: FactorKeys,
    ledger: Mutex<Ledger>,
}

/// Everything known of one account.
pub(super) struct Ledger {
    /// Of every factor that was ever to be enrolled.
    pub(super) keys: BTreeMap<Locator, FactorKeys>,
    /// Every record that was ever sent.
    pub(super) attempts: BTreeMap<PayloadHash, Attempt>,
    /// Factors of the newest record seen.
    pub(super) newest: (u64, Vec<Locator>),
    /// As of the last look while nobody worked; none before the first.
    pub(super) settled: Option<Version>,
    /// Since then.
    pub(super) operations: Vec<Operation>,
    /// Whether it is to be there at all.
    pub(super) deletion: Deletion,
}

/// How far the account's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    /// Nobody asked for it.
    Unasked,
    /// Without an answer so far: it may happen, or not.
    Sent,
    /// Acknowledged, or seen: the account must never be there again.
    Done,
}

/// A record that was sent.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) version: Version,
    pub(super) previous: Option<PayloadHash>,
    pub(super) locators: BTreeSet<Locator>,
    pub(super) nonce: Option<NonceHash>,
    /// Acknowledged.
    pub(super) acknowledged: bool,
    /// Acknowledged, or served as current: either way it must never be lost.
    pub(super) seen: bool,
}

/// The version of a record.
pub(super) fn version(record: &VerifiedRecord) -> Version {
    Version {
        revision: record.revision,
        hash: record.hash(),
    }
}

impl Account {
    /// Before its first record is sent.
    pub(super) fn new(social: FactorKeys, first: &VerifiedRecord) -> Self {
        let account = Self {
            id: first.account_id,
            social: social.clone(),
            ledger: Mutex::new(Ledger {
                keys: [(social.locator(), social)].into(),
                attempts: BTreeMap::new(),
                newest: (0, Vec::new()),
                settled: None,
                operations: Vec::new(),
                deletion: Deletion::Unasked,
            }),
        };
        account.ledger().attempt(first, &[]);
        account
    }

    /// Whether it was there at the last look and nobody asked for its end.
    pub(super) fn is_there(&self) -> bool {
        let ledger = self.ledger();
        ledger.deletion == Deletion::Unasked && ledger.settled.is_some()
    }

    /// Nonces that were its own and must not be kept any more, as of the last look.
    pub(super) fn ended(&self) -> BTreeSet<NonceName> {
        let ledger = self.ledger();
        let named: BTreeSet<NonceHash> = match (ledger.deletion, ledger.settled) {
            (Deletion::Done, _) => ledger.attempts.values().filter_map(|it| it.nonce).collect(),
            (_, Some(current)) => {
                let chain = ledger.chain(&current.hash);
                let now = chain.first().and_then(|current| current.nonce);
                let ever = chain.iter().filter_map(|attempt| attempt.nonce);
                ever.filter(|nonce| Some(*nonce) != now).collect()
            }
            (_, None) => BTreeSet::new(),
        };
        named.into_iter().map(|nonce| (self.id, nonce)).collect()
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Before a record is sent.
    pub(super) fn attempt(&mut self, record: &VerifiedRecord, new: &[FactorKeys]) {
        for keys in new {
            self.keys.insert(keys.locator(), keys.clone());
        }
        let attempt = Attempt {
            version: version(record),
            previous: record.previous,
            locators: record.factors.iter().map(|entry| entry.locator).collect(),
            nonce: record.nonce_hash,
            acknowledged: false,
            seen: false,
        };
        self.attempts.insert(record.hash(), attempt);
    }

    pub(super) fn acknowledged(&mut self, hash: &PayloadHash) {
        if let Some(attempt) = self.attempts.get_mut(hash) {
            attempt.acknowledged = true;
            attempt.seen = true;
        }
    }

    /// A record was served as the current one.
    pub(super) fn served(&mut self, record: &VerifiedRecord, begun: u64, ended: u64) {
        if let Some(attempt) = self.attempts.get_mut(&record.hash()) {
            attempt.seen = true;
        }
        if record.revision >= self.newest.0 {
            let locators = record.factors.iter().map(|entry| entry.locator);
            self.newest = (record.revision, locators.collect());
        }
        self.operations.push(Operation {
            begun,
            ended: Some(ended),
            seen: Seen::Read(version(record)),
        });
    }

    /// Records from this one back to the first, as far as they are known.
    pub(super) fn chain(&self, current: &PayloadHash) -> Vec<&Attempt> {
        let mut chain = Vec::new();
        let mut at = Some(*current);
        while let Some(attempt) = at.and_then(|hash| self.attempts.get(&hash)) {
            chain.push(attempt);
            at = attempt.previous;
        }
        chain
    }

    /// Nobody works any more, and this is current. What got no answer may still take effect where it fits.
    pub(super) fn settle(&mut self, current: Version) {
        self.settled = Some(current);
        self.operations.retain(
            |operation| matches!(operation.seen, Seen::Unknown { from, .. } if from == current),
        );
    }
}

/// Nanoseconds since the run began.
#[derive(Clone, Copy)]
pub(super) struct Timeline(Instant);

impl Timeline {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
