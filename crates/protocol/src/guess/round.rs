//! A client's part of one guess.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use trefoil_oprf::{
    Blinding, Committee, Evaluation, EvaluationError, Input, NodeIndex, Output, VerifiedEvaluation,
};

use super::dealing::open_secret;
use super::signed::{Signed, VERSION};
use super::slot::{SealedSecret, Slot};
use super::wire::{Count, Guess, GuessAnswer, GuessRequest, Unlock, UnlockRequest};
use super::{EvaluatorName, SLOT_EPOCH, UnlockTag};
use crate::account::GuessSeed;
use crate::bytes::{AttemptId, GroupElement, SlotId};
use crate::factor::FactorSecret;
use crate::sign::AuthPrivateKey;

/// One guess under way: the same attempt at every evaluator, however often each is asked.
#[derive(Debug)]
pub struct GuessRound {
    slot: SlotId,
    secret: SealedSecret,
    allowed: u8,
    attempt: AttemptId,
    key: AuthPrivateKey,
    blinding: Blinding,
    nodes: Committee,
    server: Committee,
    by_nodes: Vec<VerifiedEvaluation>,
    by_server: Option<Output>,
    counts: BTreeMap<u16, Count>,
}

/// One evaluator's part of a guess, to be signed for the time at which it is sent.
#[derive(Debug, Clone)]
pub struct PreparedGuess {
    guess: Guess,
    key: AuthPrivateKey,
}

/// What the evaluators' answers come to.
#[derive(Debug)]
pub enum Outcome {
    /// Right: the factor's secret.
    Right(FactorSecret),
    /// Wrong.
    Wrong {
        /// Guesses that this factor's guess key has left, by the lowest of the evaluators' counts.
        left: u8,
    },
}

/// Why an evaluator's answer is not used. Whatever the reason, it is faulty or lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerFault {
    /// The slot has no such place.
    #[error("the slot has no evaluator at place {0}")]
    UnknownPlace(u16),
    /// Answered before.
    #[error("it has answered already")]
    Twice,
    /// The answer is malformed or not proven.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A count that cannot be.
    #[error("it counts more guesses than the slot allows, or none, or allows another number")]
    Count,
}

/// Why a guess cannot be made or finished. None was counted on account of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuessError {
    /// The state does not describe a slot.
    #[error("the account's state describes no slot that can be guessed at")]
    BadSlot,
    /// The slot knows no such set of questions.
    #[error("these questions were not set up together")]
    UnknownSubset,
    /// Answers are missing.
    #[error("{nodes} more nodes and {server} more metadata server must answer")]
    Missing {
        /// Nodes.
        nodes: usize,
        /// 1 where the server has not answered.
        server: usize,
    },
    /// A value came out as zero.
    #[error("the random source gives no random numbers: a value came out as zero")]
    BrokenRandomness,
}

impl GuessRound {
    /// Blinds `stretched`, which is of the questions `subset` (0 where there are none), to guess at `slot` with the guess key
    /// of the factor that `seed` belongs to.
    ///
    /// # Errors
    /// [`GuessError::BadSlot`], [`GuessError::UnknownSubset`], [`GuessError::BrokenRandomness`].
    pub fn new(
        slot: &Slot,
        seed: &GuessSeed,
        subset: u16,
        stretched: &[u8; 32],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, GuessError> {
        let mut sealed = slot.sealed.iter();
        let secret = sealed
            .find(|sealed| sealed.subset == subset)
            .ok_or(GuessError::UnknownSubset)?;
        let committees = slot.committee().zip(slot.server());
        let (nodes, server) = committees.ok_or(GuessError::BadSlot)?;
        Ok(Self {
            slot: slot.id,
            secret: secret.clone(),
            allowed: slot.allowed,
            attempt: AttemptId::random(rng),
            key: seed.guess_key(&slot.id),
            blinding: Blinding::new(stretched, rng).map_err(|_| GuessError::BrokenRandomness)?,
            nodes,
            server,
            by_nodes: Vec::new(),
            by_server: None,
            counts: BTreeMap::new(),
        })
    }

    /// What an evaluator is asked at `time`, unix seconds by its clock.
    #[must_use]
    pub fn request(&self, evaluator: EvaluatorName, time: u64) -> GuessRequest {
        self.prepared(evaluator).at(time)
    }

    /// The same for a time that is not known yet.
    #[must_use]
    pub fn prepared(&self, evaluator: EvaluatorName) -> PreparedGuess {
        let guess = Guess {
            version: VERSION,
            slot: self.slot,
            evaluator,
            attempt: self.attempt,
            blinded: GroupElement::from_bytes(*self.blinding.element().as_bytes()),
            time: 0,
        };
        PreparedGuess {
            guess,
            key: self.key.clone(),
        }
    }

    /// What resets this guess key's counter at an evaluator, once the guess was right.
    #[must_use]
    pub fn unlock(
        &self,
        secret: &FactorSecret,
        evaluator: EvaluatorName,
        index: u16,
        time: u64,
    ) -> UnlockRequest {
        let unlock = Unlock {
            version: VERSION,
            slot: self.slot,
            evaluator,
            attempt: self.attempt,
            tag: UnlockTag::of(secret, &self.slot, index),
            time,
        };
        UnlockRequest {
            slot: self.slot,
            key: self.key.auth_key(),
            unlock: Signed::sign(&unlock, &self.key),
        }
    }

    /// Takes the answer of the evaluator at place `index`, 0 for the metadata server, once it is proven.
    ///
    /// # Errors
    /// [`AnswerFault`]; the answer is not used.
    pub fn add(&mut self, index: u16, answer: &GuessAnswer) -> Result<(), AnswerFault> {
        if self.counts.contains_key(&index) {
            return Err(AnswerFault::Twice);
        }
        let server = index == 0;
        let place = NodeIndex::new(index.max(1)).map_err(|_| AnswerFault::UnknownPlace(index))?;
        let committee = if server { &self.server } else { &self.nodes };
        if committee.verifying_share(place).is_none() {
            return Err(AnswerFault::UnknownPlace(index));
        }
        let Count { used, allowed, .. } = answer.count;
        // Since this attempt is not unlocked, this guess is counted wherever it is answered.
        if allowed != self.allowed || !(1..=allowed).contains(&used) {
            return Err(AnswerFault::Count);
        }
        let evaluation = Evaluation::from_parts(
            place,
            SLOT_EPOCH,
            answer.evaluation.as_bytes(),
            answer.proof.as_bytes(),
        )?;
        let verified = committee.verify(&Input::guess(self.blinding.element()), evaluation)?;
        if server {
            let output = self.server.combine(&[verified]);
            self.by_server = Some(output.map_err(|_| AnswerFault::UnknownPlace(index))?);
        } else {
            self.by_nodes.push(verified);
        }
        self.counts.insert(index, answer.count);
        Ok(())
    }

    /// Nodes whose proven answers are still missing, and whether the server's is.
    #[must_use]
    pub fn missing(&self) -> (usize, bool) {
        let needed = usize::from(self.nodes.threshold());
        (
            needed.saturating_sub(self.by_nodes.len()),
            self.by_server.is_none(),
        )
    }

    /// The counts of those that have answered, by place.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<u16, Count> {
        &self.counts
    }

    /// Guesses that are left by the lowest of the counts.
    ///
    /// Nodes that say that none is left count only where the server says so, too, or where too few others remain for a guess:
    /// fewer of them end nothing, and may be lying.
    #[must_use]
    pub fn left(&self) -> u8 {
        let left = |count: &Count| count.allowed.saturating_sub(count.used);
        let spent = |(place, count): &(&u16, &Count)| **place != 0 && left(count) == 0;
        let of_nodes = self.counts.iter().filter(spent).count();
        let threshold = usize::from(self.nodes.threshold());
        let ends_it = of_nodes > self.nodes.indices().count().saturating_sub(threshold);
        let believed = self.counts.iter().filter(|one| ends_it || !spent(one));
        believed.map(|(_, count)| left(count)).min().unwrap_or(0)
    }

    /// Combines the answers. Every one of them is proven, so that a wrong outcome can only mean a wrong guess.
    ///
    /// # Errors
    /// [`GuessError::Missing`], [`GuessError::BrokenRandomness`].
    pub fn finish(&self) -> Result<Outcome, GuessError> {
        let (nodes, server) = self.missing();
        let by_server = self.by_server.as_ref().filter(|_| nodes == 0);
        let by_server = by_server.ok_or(GuessError::Missing {
            nodes,
            server: usize::from(server),
        })?;
        let needed = usize::from(self.nodes.threshold());
        let by_nodes = self.by_nodes.get(..needed).unwrap_or_default();
        let by_nodes = self
            .nodes
            .combine(by_nodes)
            .map_err(|_| GuessError::BadSlot)?;
        let output = self
            .blinding
            .finalize([&by_nodes, by_server])
            .map_err(|_| GuessError::BrokenRandomness)?;
        Ok(match open_secret(&self.secret, &output, &self.slot) {
            Ok(secret) => Outcome::Right(secret),
            Err(_) => Outcome::Wrong { left: self.left() },
        })
    }
}

impl PreparedGuess {
    /// Signed for `time`, unix seconds by the evaluator's clock.
    #[must_use]
    pub fn at(&self, time: u64) -> GuessRequest {
        let guess = Guess {
            time,
            ..self.guess.clone()
        };
        GuessRequest {
            slot: guess.slot,
            key: self.key.auth_key(),
            guess: Signed::sign(&guess, &self.key),
        }
    }
}

impl Slot {
    /// The evaluators with their places: the metadata server under the name that its client has for it, then the nodes.
    pub fn evaluators(&self, server: &str) -> impl Iterator<Item = (u16, EvaluatorName)> {
        let nodes = self.nodes.iter();
        let nodes = nodes.map(|node| (node.index, EvaluatorName::Node(node.identity_key)));
        core::iter::once((0, EvaluatorName::Server(String::from(server)))).chain(nodes)
    }
}
