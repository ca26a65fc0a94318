//! How well the account's factors are known to work, and when each should be tried again (protocol section 12).

use trefoil_protocol::factor::FactorKind;
use trefoil_protocol::guess::Slot;
use trefoil_protocol::state::FactorNote;

use crate::account::Account;
use crate::guess::{GuessError, Known};

/// Days between two proofs of a recovery factor, unless the account says otherwise.
const REMINDER_DAYS: u32 = 90;
/// Days for which nodes that left the network answer for what a user knows.
const SLOT_DAYS: u64 = 400;
const DAY: u64 = 24 * 60 * 60;

/// How a factor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FactorHealth {
    /// Which factor.
    pub index: u32,
    /// What it is.
    pub kind: FactorKind,
    /// Its name.
    pub label: String,
    /// Unix seconds when it was last proven to work.
    pub proven: u64,
    /// Unix seconds when it should be proven again; none for what proves itself at every login.
    pub due: Option<u64>,
    /// Whether that time is over.
    pub overdue: bool,
    /// What the user knows must be used by then, unix seconds: after that, nodes that have left the network may have forgotten
    /// it.
    pub use_by: Option<u64>,
}

/// Why a factor was not proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// It is none of the account's factors: mistyped, removed, or of another account.
    #[error(
        "this is none of the account's factors: it was mistyped, was removed, or belongs to another account"
    )]
    NotEnrolled,
    /// The guess was wrong, or came to no end.
    #[error(transparent)]
    Guess(#[from] GuessError),
    /// It was right for the last time: the servers hold it no more.
    #[error(
        "these answers are right, but too few servers still hold them: set the questions up anew"
    )]
    SetUpAnew,
    /// It was proven; that it was could not be noted down.
    #[error("it works, but that could not be noted down: {0}")]
    Commit(#[from] crate::draft::CommitError),
    /// The draft was sent already.
    #[error(transparent)]
    Draft(#[from] crate::draft::DraftError),
}

impl Account {
    /// How each factor stands, by index.
    #[must_use]
    pub fn backup_health(&self) -> Vec<FactorHealth> {
        let now = self.core().now();
        let days = self
            .open()
            .state()
            .mfa
            .reminder_days
            .unwrap_or(REMINDER_DAYS);
        let interval = u64::from(days).saturating_mul(DAY);
        self.factors()
            .iter()
            .map(|note| health(note, self.slot_of(note.index), interval, now))
            .collect()
    }

    /// The factors whose reminder is due: ask the user to prove them, by [`Self::drill`] or [`Self::drill_known`].
    #[must_use]
    pub fn due_for_proof(&self) -> Vec<FactorHealth> {
        let mut all = self.backup_health();
        all.retain(|factor| factor.overdue);
        all
    }

    /// Proves a factor on demand, without opening anything with it, and notes that down.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn drill(
        &mut self,
        factor: impl Into<crate::factor::Factor>,
    ) -> Result<u32, DrillError> {
        let keys = factor.into().keys(&self.core().tenant);
        let record = self.open().record();
        let entry = record.factor_at(&keys.locator());
        let holds = |entry: &&trefoil_protocol::record::FactorEntry| {
            let (id, auth) = (&record.account_id, &record.account_auth_key);
            entry.enrolment().verify_binding(&keys, id, auth).is_ok()
        };
        let index = entry.filter(holds).ok_or(DrillError::NotEnrolled)?.index;
        self.note_proven(index).await
    }

    /// Proves what the user knows, at the price of one guess, and notes that down.
    ///
    /// # Errors
    /// [`DrillError`].
    pub async fn drill_known(&mut self, known: impl Into<Known>) -> Result<u32, DrillError> {
        let known = known.into();
        let right = self.guess(&known).await?;
        let index = right.used.slot.factor;
        let questions = right.used.kind == FactorKind::SecurityQuestions;
        let spare = right
            .used
            .slot
            .nodes
            .len()
            .saturating_sub(right.used.slot.threshold());
        let lacking = &right.used.standing.without;
        if questions && (lacking.contains(&0) || lacking.len() > spare) {
            return Err(DrillError::SetUpAnew);
        }
        self.renew_slot(right.used).await?;
        let noted = self.open().state().note(index).map(|note| note.proven);
        if noted == Some(self.core().now()) {
            return Ok(index);
        }
        self.note_proven(index).await
    }

    fn slot_of(&self, index: u32) -> Option<&Slot> {
        let mut slots = self.open().state().slots.iter();
        slots.find(|slot| slot.factor == index)
    }

    async fn note_proven(&mut self, index: u32) -> Result<u32, DrillError> {
        let mut draft = self.change();
        draft.proven(index)?;
        draft.commit().await?;
        Ok(index)
    }
}

fn health(note: &FactorNote, slot: Option<&Slot>, interval: u64, now: u64) -> FactorHealth {
    let due = (!proves_itself(note.kind)).then(|| note.proven.saturating_add(interval));
    // A use sets a password or PIN up anew where that is needed; questions stay where they were set up.
    let since = match (note.kind, slot) {
        (FactorKind::SecurityQuestions, Some(slot)) => slot.created,
        _ => note.proven,
    };
    let use_by = since.saturating_add(SLOT_DAYS * DAY);
    FactorHealth {
        index: note.index,
        kind: note.kind,
        label: note.label.clone(),
        proven: note.proven,
        due,
        overdue: due.is_some_and(|due| due <= now),
        use_by: (!note.kind.is_primary()).then_some(use_by),
    }
}

/// Daily use would show at once that it is lost.
const fn proves_itself(kind: FactorKind) -> bool {
    matches!(kind, FactorKind::Social | FactorKind::Device)
}
