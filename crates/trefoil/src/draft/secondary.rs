//! Factors that the user knows: password, PIN, security questions. Their slots are enrolled at the servers that count guesses
//! before the record that names them is committed; until then the old ones stay as they are.

use std::sync::Arc;

use trefoil_factors::knowledge::{Input, Password, Pin, SecurityQuestions, Stretched};
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::change::{Change, NewFactor};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::guess::{
    DEFAULT_ALLOWED, DealtSlot, Guessable, Knowledge, NewSlot, Slot, StretchCost,
};

use super::{CommitError, Draft, DraftError};
use crate::guess::stretch;

/// A factor whose slot is still to be enrolled.
#[derive(Debug)]
pub(super) struct Secondary {
    kind: FactorKind,
    label: String,
    knowledge: Knowledge,
    inputs: Vec<Arc<Input>>,
    secret: FactorSecret,
    place: Place,
}

/// What the slot is for.
#[derive(Debug, Clone, Copy)]
enum Place {
    New,
    /// The factor of this index, which stays as it is.
    Renewed(u32),
}

impl Draft<'_> {
    /// Adds a password, which [`Password::choose`] has judged.
    ///
    /// # Errors
    /// [`DraftError::Sent`], [`DraftError::OneOfAKind`].
    pub fn password(
        &mut self,
        label: impl Into<String>,
        password: &Password,
    ) -> Result<&mut Self, DraftError> {
        let knowledge = Password::knowledge();
        let input = password.input(trefoil_factors::knowledge::RULE)?;
        self.know(FactorKind::Password, label.into(), knowledge, vec![input])
    }

    /// Adds a PIN, which [`Pin::choose`] has judged.
    ///
    /// # Errors
    /// [`DraftError::Sent`], [`DraftError::OneOfAKind`].
    pub fn pin(&mut self, label: impl Into<String>, pin: &Pin) -> Result<&mut Self, DraftError> {
        let knowledge = Pin::knowledge();
        let input = pin.input(trefoil_factors::knowledge::RULE)?;
        self.know(FactorKind::Pin, label.into(), knowledge, vec![input])
    }

    /// Adds security questions, which [`SecurityQuestions::choose`] has judged.
    ///
    /// # Errors
    /// [`DraftError::Sent`], [`DraftError::OneOfAKind`].
    pub fn security_questions(
        &mut self,
        label: impl Into<String>,
        questions: &SecurityQuestions,
    ) -> Result<&mut Self, DraftError> {
        let kind = FactorKind::SecurityQuestions;
        self.know(
            kind,
            label.into(),
            questions.knowledge(),
            questions.inputs(),
        )
    }

    /// Puts another password in place of the one at `index`: one works until the commit, the other from then on.
    ///
    /// # Errors
    /// [`DraftError::NothingToChange`] where the factor at `index` is none, and those of [`Self::password`].
    pub fn change_password(
        &mut self,
        index: u32,
        password: &Password,
    ) -> Result<&mut Self, DraftError> {
        let label = self.label_of(index, FactorKind::Password)?;
        self.password(label, password)?.remove(index)
    }

    /// Puts another PIN in place of the one at `index`, as [`Self::change_password`] does.
    ///
    /// # Errors
    /// As [`Self::change_password`].
    pub fn change_pin(&mut self, index: u32, pin: &Pin) -> Result<&mut Self, DraftError> {
        let label = self.label_of(index, FactorKind::Pin)?;
        self.pin(label, pin)?.remove(index)
    }

    /// Puts other questions and answers in place of those at `index`, as [`Self::change_password`] does.
    ///
    /// # Errors
    /// As [`Self::change_password`].
    pub fn change_security_questions(
        &mut self,
        index: u32,
        questions: &SecurityQuestions,
    ) -> Result<&mut Self, DraftError> {
        let label = self.label_of(index, FactorKind::SecurityQuestions)?;
        self.security_questions(label, questions)?.remove(index)
    }

    /// The same knowledge in a new slot, for a factor that stays as it is.
    pub(crate) fn renew(
        &mut self,
        (index, kind): (u32, FactorKind),
        knowledge: Knowledge,
        input: Arc<Input>,
        secret: FactorSecret,
    ) -> &mut Self {
        self.change.proven.push(index);
        self.secondary.push(Secondary {
            kind,
            label: String::new(),
            knowledge,
            inputs: vec![input],
            secret,
            place: Place::Renewed(index),
        });
        self
    }

    fn know(
        &mut self,
        kind: FactorKind,
        label: String,
        knowledge: Knowledge,
        inputs: Vec<Input>,
    ) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.secondary.iter().any(|known| known.kind == kind) {
            return Err(DraftError::OneOfAKind(kind));
        }
        self.secondary.push(Secondary {
            kind,
            label,
            knowledge,
            inputs: inputs.into_iter().map(Arc::new).collect(),
            secret: FactorSecret::random(&mut self.account.core().environment.rng()),
            place: Place::New,
        });
        Ok(self)
    }

    fn label_of(&self, index: u32, kind: FactorKind) -> Result<String, DraftError> {
        let mut notes = self.account.factors().iter();
        notes
            .find(|note| note.index == index && note.kind == kind)
            .map(|note| note.label.clone())
            .ok_or(DraftError::NothingToChange { index, kind })
    }

    /// The whole change without slots: enough to tell whether it is allowed.
    pub(super) fn change_without_slots(&self) -> Change {
        let mut change = self.primary_change();
        let tenant = &self.account.core().tenant;
        let new = self
            .secondary
            .iter()
            .filter(|known| matches!(known.place, Place::New));
        change.add.extend(new.map(|known| {
            let keys = FactorKeys::derive(tenant, &known.secret);
            NewFactor::present(known.kind, known.label.clone(), keys)
        }));
        change
    }

    /// Enrols the slots of this change at the servers that count guesses.
    pub(super) async fn with_slots(&mut self) -> Result<Change, CommitError> {
        let mut change = self.change_without_slots();
        if self.secondary.is_empty() {
            return Ok(change);
        }
        let core = self.account.core().clone();
        if self.account.session().expires() <= core.metadata.server_time() {
            self.account.renew_session().await?;
        }
        let factors = self.account.open().factors_after(&change);
        let new = self
            .secondary
            .iter()
            .filter(|known| matches!(known.place, Place::New));
        let mut indices = factors
            .iter()
            .skip(factors.len().saturating_sub(new.count()));
        let first_new = change.add.len().saturating_sub(indices.len());
        let mut with_slot = change.add.split_off(first_new).into_iter();
        for known in &self.secondary {
            let index = match known.place {
                Place::Renewed(index) => index,
                Place::New => indices.next().copied().unwrap_or_default(),
            };
            let cost = core.stretch.with_salt(&mut core.environment.rng());
            let stretched = stretch_all(&known.inputs, &cost).await?;
            let slot = enrol(self.account, known, (index, &factors), cost, &stretched).await?;
            match known.place {
                Place::Renewed(_) => change.renew_slots.push(slot),
                Place::New => change
                    .add
                    .extend(with_slot.next().map(|factor| factor.slot(slot))),
            }
        }
        Ok(change)
    }
}

/// One after the other, on a thread that may block.
async fn stretch_all(
    inputs: &[Arc<Input>],
    cost: &StretchCost,
) -> Result<Vec<(u16, Stretched)>, CommitError> {
    let mut stretched = Vec::new();
    for input in inputs {
        stretched.push((input.subset(), stretch(input, cost).await?));
    }
    Ok(stretched)
}

async fn enrol(
    account: &crate::account::Account,
    known: &Secondary,
    (index, factors): (u32, &[u32]),
    stretch: StretchCost,
    stretched: &[(u16, Stretched)],
) -> Result<Slot, CommitError> {
    let core = account.core();
    let (nodes, threshold) = core.slots.places().await;
    let guessables: Vec<Guessable<'_>> = stretched
        .iter()
        .map(|(subset, stretched)| Guessable {
            subset: *subset,
            stretched: stretched.expose_secret(),
        })
        .collect();
    let mut rng = core.environment.rng();
    let new = NewSlot {
        tenant: &core.tenant,
        id: SlotId::random(&mut rng),
        factor: index,
        factors,
        revision: account.revision().saturating_add(1),
        server: core.metadata.audience(),
        nodes: &nodes,
        threshold,
        allowed: DEFAULT_ALLOWED,
        knowledge: known.knowledge.clone(),
        stretch,
        now: core.now(),
    };
    let keys = account.open().keys();
    let dealt = DealtSlot::deal(&new, keys, &known.secret, &guessables, &mut rng)
        .map_err(trefoil_client::slots::EnrolError::from)?;
    Ok(core.slots.enrol(account.session(), dealt).await?)
}
