//! Opening with what the user knows: stretched here, guessed with the servers that count, then provided like any other factor.

use std::sync::Arc;

use trefoil_client::Session;
use trefoil_client::slots::{self, Attempt, Guessed, Standing};
use trefoil_factors::knowledge::{
    Answers, AnswersError, Input, NormaliseError, Password, Pin, StretchError, Stretched,
};
use trefoil_protocol::account::GuessSeed;
use trefoil_protocol::factor::{FactorKind, FactorSecret};
use trefoil_protocol::guess::{Knowledge, Slot, StretchCost};
use trefoil_protocol::state::{FactorNote, State};

use crate::core::Core;
use crate::open::ProvideError;

/// What the user says to know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Known {
    /// A password.
    Password(Password),
    /// A PIN.
    Pin(Pin),
    /// Answers to as many of the security questions as are needed.
    Answers(Answers),
}

/// Why what the user knows did not open its factor. What was opened before stays open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuessError {
    /// Wrong; there are guesses left.
    #[error("wrong {kind}: {left} guesses are left starting from {from}")]
    Wrong {
        /// What was guessed.
        kind: FactorKind,
        /// Guesses that are left, by the lowest of the servers' counts.
        left: u8,
        /// The factor with whose guess key it was made.
        from: String,
    },
    /// Wrong, and it was the last guess of this guess key.
    #[error("wrong {kind}, and that was the last guess starting from {from}; still to be had: {}", list(.still))]
    LastWrong {
        /// What was guessed.
        kind: FactorKind,
        /// The factor whose guess key is spent.
        from: String,
        /// Factors that still work: the others, and this one again where another factor at hand may have guesses left.
        still: Vec<FactorNote>,
    },
    /// The account has no such factor, or it was given already.
    #[error("the account has no {0} that was not given yet")]
    NoSuchFactor(FactorKind),
    /// What was entered cannot be it.
    #[error(transparent)]
    Text(#[from] NormaliseError),
    /// The answers cannot be tried.
    #[error(transparent)]
    Answers(#[from] AnswersError),
    /// It cannot be stretched.
    #[error(transparent)]
    Stretch(#[from] StretchError),
    /// The guess came to no end; the error says whether and what can be tried next.
    #[error(transparent)]
    Guess(#[from] slots::GuessError),
    /// It was right, and the factor could not be provided.
    #[error("it was right, but {0}")]
    Provide(#[from] ProvideError),
}

impl From<Password> for Known {
    fn from(password: Password) -> Self {
        Self::Password(password)
    }
}

impl From<Pin> for Known {
    fn from(pin: Pin) -> Self {
        Self::Pin(pin)
    }
}

impl From<Answers> for Known {
    fn from(answers: Answers) -> Self {
        Self::Answers(answers)
    }
}

impl Known {
    /// The kind of factor that it opens.
    #[must_use]
    pub const fn kind(&self) -> FactorKind {
        match self {
            Self::Password(_) => FactorKind::Password,
            Self::Pin(_) => FactorKind::Pin,
            Self::Answers(_) => FactorKind::SecurityQuestions,
        }
    }

    fn input(&self, knowledge: &Knowledge) -> Result<Input, GuessError> {
        match (self, knowledge) {
            (Self::Password(password), Knowledge::Password { rule }) => Ok(password.input(*rule)?),
            (Self::Pin(pin), Knowledge::Pin { rule }) => Ok(pin.input(*rule)?),
            (Self::Answers(answers), questions) => Ok(answers.input(questions)?),
            _ => Err(GuessError::NoSuchFactor(self.kind())),
        }
    }
}

/// A guess that has not come to its end: repeating it costs nothing further.
#[derive(Debug)]
pub(crate) struct Unfinished {
    begun: Begun,
    attempt: Attempt,
}

/// By which a guess is known to be the same again.
#[derive(Debug, PartialEq, Eq)]
struct Begun {
    /// The factor with whose guess key it is made.
    held: u32,
    subset: u16,
    slot: Slot,
    stretched: Stretched,
}

/// A right guess, with what a new slot for the same factor would need.
#[derive(Debug)]
pub(crate) struct RightGuess {
    pub(crate) secret: FactorSecret,
    pub(crate) used: Used,
}

/// A factor that was opened by a guess in this opening.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) slot: Slot,
    pub(crate) kind: FactorKind,
    pub(crate) input: Arc<Input>,
    pub(crate) secret: FactorSecret,
    pub(crate) standing: Standing,
}

/// Guesses at the factor of the account whose `state` is open, with the guess keys of the factors at hand: with the next one
/// where the guesses of one are spent.
pub(crate) async fn guess(
    core: &Core,
    session: &Session,
    state: &State,
    seeds: &[(u32, GuessSeed)],
    index: Option<u32>,
    known: &Known,
    unfinished: &mut Option<Box<Unfinished>>,
) -> Result<RightGuess, GuessError> {
    let kind = known.kind();
    let given = |note: &FactorNote| seeds.iter().any(|(held, _)| *held == note.index);
    let fits = |note: &&FactorNote| {
        note.kind == kind && index.is_none_or(|index| index == note.index) && !given(note)
    };
    let note = state.factors.iter().find(fits);
    let note = note.ok_or(GuessError::NoSuchFactor(kind))?;
    let slot = state.slots.iter().find(|slot| slot.factor == note.index);
    let slot = slot.ok_or(GuessError::NoSuchFactor(kind))?;
    let input = Arc::new(known.input(&slot.knowledge)?);
    let stretched = stretch(&input, &slot.stretch).await?;
    let begun = |held| Begun {
        held,
        subset: input.subset(),
        slot: slot.clone(),
        stretched: stretched.clone(),
    };
    // One that came to no end goes on before another factor's guesses are used.
    let mut seeds: Vec<_> = seeds.iter().collect();
    seeds.sort_by_key(|(held, _)| !begun(*held).is_that_of(unfinished.as_deref()));
    let mut refused = slots::GuessError::Spent;
    for (tried, (held, seed)) in seeds.iter().enumerate() {
        let attempt = begun(*held).attempt(core, seed, unfinished)?;
        let mut guessed = core.slots.guess(attempt).await;
        let unknown = matches!(guessed, Err(slots::GuessError::KeyRemoved));
        if unknown && bring_list(core, session, slot).await {
            guessed = core.slots.guess(attempt).await;
        }
        match guessed {
            Ok(Guessed::Right(secret)) => {
                let standing = core.slots.unlock(attempt, &secret).await;
                *unfinished = None;
                let used = Used {
                    slot: slot.clone(),
                    kind,
                    input,
                    secret: secret.clone(),
                    standing,
                };
                return Ok(RightGuess { secret, used });
            }
            Ok(guessed) => {
                *unfinished = None;
                let others_left = tried + 1 < seeds.len();
                let usable = |other: &FactorNote| {
                    !given(other) && (other.index != note.index || others_left)
                };
                return Err(wrong(&guessed, kind, state, *held, usable));
            }
            Err(error @ (slots::GuessError::Spent | slots::GuessError::KeyRemoved)) => {
                *unfinished = None;
                refused = error;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused.into())
}

/// Nodes that were not told of a new factor do not know its guess key. The metadata server has the newest list, signed by the
/// account, since the commit that brought the factor: whoever opens next brings it to them.
async fn bring_list(core: &Core, session: &Session, slot: &Slot) -> bool {
    let held = core.metadata.slots(session).await.unwrap_or_default();
    match held.into_iter().find(|held| held.slot == slot.id) {
        Some(held) => !core.slots.tell_list(slot, &held.list).await.is_empty(),
        None => false,
    }
}

fn wrong(
    guessed: &Guessed,
    kind: FactorKind,
    state: &State,
    held: u32,
    usable: impl Fn(&FactorNote) -> bool,
) -> GuessError {
    let from = named(state, held);
    match guessed {
        Guessed::Wrong { left } if *left > 0 => GuessError::Wrong {
            kind,
            left: *left,
            from,
        },
        _ => {
            let still = state.factors.iter().filter(|other| usable(other));
            GuessError::LastWrong {
                kind,
                from,
                still: still.cloned().collect(),
            }
        }
    }
}

impl Begun {
    fn is_that_of(&self, unfinished: Option<&Unfinished>) -> bool {
        unfinished.is_some_and(|earlier| earlier.begun == *self)
    }

    /// Takes up the guess that came to no end, if this is the same again. From now on it is what is unfinished: also when
    /// whoever waits for it gives up.
    fn attempt<'a>(
        self,
        core: &Core,
        seed: &GuessSeed,
        unfinished: &'a mut Option<Box<Unfinished>>,
    ) -> Result<&'a mut Attempt, slots::GuessError> {
        let earlier = unfinished
            .take()
            .filter(|earlier| self.is_that_of(Some(earlier)));
        let attempt = match earlier {
            Some(earlier) => earlier.attempt,
            None => {
                let (subset, stretched) = (self.subset, self.stretched.expose_secret());
                core.slots.attempt(&self.slot, seed, subset, stretched)?
            }
        };
        let begun = Unfinished {
            begun: self,
            attempt,
        };
        Ok(&mut unfinished.insert(Box::new(begun)).attempt)
    }
}

fn named(state: &State, index: u32) -> String {
    state.note(index).map_or_else(String::new, |note| {
        format!("{} \u{201c}{}\u{201d}", note.kind, note.label)
    })
}

fn list(notes: &[FactorNote]) -> String {
    let names = notes
        .iter()
        .map(|note| format!("{} \u{201c}{}\u{201d}", note.kind, note.label));
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

/// On a thread that may block: it takes as long as the cost says.
pub(crate) async fn stretch(
    input: &Arc<Input>,
    cost: &StretchCost,
) -> Result<Stretched, StretchError> {
    let (input, cost) = (Arc::clone(input), cost.clone());
    tokio::task::spawn_blocking(move || input.stretch(&cost))
        .await
        .unwrap_or(Err(StretchError::Interrupted))
}
