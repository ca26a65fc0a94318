//! Collecting answers until `T` agree: liars are dropped and named, whatever the order in which answers come.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use trefoil_oprf::{EvaluationError, Input, NodeIndex, VerifiedEvaluation};

use super::{
    EphemeralKey, EvaluateResponse, OpenEvaluationError, UserIdentity, VerifiedManifest, VerifierId,
};
use crate::factor::FactorSecret;
use crate::tenant::Tenant;

/// Collects the answers of one login. Feed it every answer until it yields the factor secret.
///
/// Answers are grouped by the user string that they name. A group is complete with `T` proven answers; at most one
/// can be while fewer than `T` nodes lie.
pub struct Gathering<'a> {
    manifest: &'a VerifiedManifest,
    ephemeral: &'a EphemeralKey,
    tenant: Tenant,
    verifier: VerifierId,
    generation: u32,
    groups: Vec<Group>,
    answered: BTreeSet<NodeIndex>,
}

struct Group {
    identity: UserIdentity,
    input: Input,
    answers: Vec<VerifiedEvaluation>,
}

/// Why one node's answer is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedAnswer {
    /// The node asked at this address is another one.
    #[error("node {expected} answered as node {answered}")]
    WrongIndex {
        /// Who was asked.
        expected: NodeIndex,
        /// Who the answer claims to be from.
        answered: u16,
    },
    /// It answered before.
    #[error("node {0} answered twice")]
    Twice(NodeIndex),
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenEvaluationError),
    /// The proof does not hold, or it was made in another epoch.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

impl<'a> Gathering<'a> {
    /// Starts with no answers. `generation` is below [`super::GENERATIONS`]; it is the one that was asked for.
    #[must_use]
    pub fn new(
        manifest: &'a VerifiedManifest,
        ephemeral: &'a EphemeralKey,
        tenant: Tenant,
        verifier: VerifierId,
        generation: u32,
    ) -> Self {
        Self {
            manifest,
            ephemeral,
            tenant,
            verifier,
            generation,
            groups: Vec::new(),
            answered: BTreeSet::new(),
        }
    }

    /// Takes the answer of the node that was asked as `from`. `Some` as soon as `T` answers agree.
    ///
    /// # Errors
    /// [`RefusedAnswer`]: this node is faulty or lies; the others still count.
    pub fn add(
        &mut self,
        from: NodeIndex,
        response: &EvaluateResponse,
    ) -> Result<Option<(UserIdentity, FactorSecret)>, RefusedAnswer> {
        if response.index != from.get() {
            return Err(RefusedAnswer::WrongIndex {
                expected: from,
                answered: response.index,
            });
        }
        if self.answered.contains(&from) {
            return Err(RefusedAnswer::Twice(from));
        }
        let opened = response.open(self.ephemeral)?;
        let committee = self.manifest.committee();
        let known = self
            .groups
            .iter()
            .position(|group| group.identity.user() == opened.user());
        // A user string is only remembered with a proof for it.
        let (mut group, verified) = match known.map(|at| self.groups.swap_remove(at)) {
            Some(group) => match committee.verify(&group.input, opened.into_evaluation()) {
                Ok(verified) => (group, verified),
                Err(refuted) => {
                    self.groups.push(group);
                    return Err(refuted.into());
                }
            },
            None => {
                let (tenant, verifier) = (self.tenant.clone(), self.verifier.clone());
                let identity = UserIdentity::new(tenant, verifier, opened.user(), self.generation)
                    .map_err(|_| OpenEvaluationError::Malformed)?;
                let input = identity.input();
                let verified = committee.verify(&input, opened.into_evaluation())?;
                (
                    Group {
                        identity,
                        input,
                        answers: Vec::new(),
                    },
                    verified,
                )
            }
        };
        self.answered.insert(from);
        group.answers.push(verified);
        let found = self.complete(&group);
        self.groups.push(group);
        Ok(found)
    }

    fn complete(&self, group: &Group) -> Option<(UserIdentity, FactorSecret)> {
        // One index each, one input, one committee: combining fails only while there are not exactly T.
        let output = self.manifest.committee().combine(&group.answers).ok()?;
        Some((
            group.identity.clone(),
            group
                .identity
                .factor_secret(&output, &self.manifest.network()),
        ))
    }

    /// Proven answers still missing where all further ones agree with the largest group.
    #[must_use]
    pub fn missing(&self) -> usize {
        let largest = self
            .groups
            .iter()
            .map(|group| group.answers.len())
            .max()
            .unwrap_or(0);
        usize::from(self.manifest.threshold()).saturating_sub(largest)
    }

    /// Nodes whose proven answers name another user than `identity`: they misread the token or lie.
    #[must_use]
    pub fn dissenters(&self, identity: &UserIdentity) -> Vec<NodeIndex> {
        let others = self
            .groups
            .iter()
            .filter(|group| group.identity != *identity);
        others
            .flat_map(|group| group.answers.iter().map(VerifiedEvaluation::index))
            .collect()
    }

    /// Whether proven answers name different users.
    #[must_use]
    pub fn disagree(&self) -> bool {
        self.groups.len() > 1
    }
}

impl fmt::Debug for Gathering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering")
            .field("answered", &self.answered)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
