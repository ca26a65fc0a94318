//! Security questions, `m` of `q`: every set of `m` answers opens, no answer can be tested alone.

mod bank;

use core::fmt;

use trefoil_protocol::guess::{Knowledge, Question};
use zeroize::Zeroizing;

use super::normalise::{self, NormaliseError, RULE, check_rule};
use super::strength::{self, Weakness};
use super::stretch::Input;

pub use bank::{BANK, BankQuestion};

/// Sets of answers at most: each is stretched when the questions are set up.
const MAX_SUBSETS: usize = 35;
/// Bytes of a question at most.
const MAX_QUESTION: usize = 200;
/// Characters of an answer at least, once it is normalised.
const LEAST_ANSWER: usize = 3;
/// Tries within which the easiest set of refused answers would be guessed.
const GUESSES: u64 = 1_000_000;

/// A question being set up.
#[derive(Debug, Clone)]
pub enum NewQuestion {
    /// From the bank.
    Bank(&'static BankQuestion),
    /// The user's own.
    Own(String),
}

/// Questions with their answers, being set up.
pub struct SecurityQuestions {
    needed: usize,
    entries: Vec<(Question, Zeroizing<String>)>,
}

/// Answers to some of the questions, given to open.
pub struct Answers(Vec<(usize, Zeroizing<String>)>);

/// Why questions cannot be set up like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionsError {
    /// `m` of `q` out of range.
    #[error(
        "{needed} of {questions} questions cannot be asked: at least 2, fewer than 17, and not too many combinations"
    )]
    OutOfRange {
        /// `m`.
        needed: usize,
        /// `q`.
        questions: usize,
    },
    /// One question twice.
    #[error("question {0} is there twice")]
    SameQuestion(usize),
    /// A question of the user's own that is empty or too long.
    #[error("question {0} must have 1 to {MAX_QUESTION} bytes")]
    QuestionLength(usize),
    /// A question of the user's own with control characters or such that not every device knows.
    #[error("question {0} contains a character that cannot be used")]
    QuestionText(usize),
    /// The question gives its answer away.
    #[error("question {0} contains its answer: ask it in other words")]
    AnswerInQuestion(usize),
    /// An answer cannot be used.
    #[error("the answer to question {question}: {source}")]
    Answer {
        /// Which, from 1.
        question: usize,
        /// Why.
        source: NormaliseError,
    },
    /// An answer is too short.
    #[error("the answer to question {0} must have at least {LEAST_ANSWER} characters")]
    ShortAnswer(usize),
    /// Two answers are the same.
    #[error("the answers to questions {0} and {1} are the same")]
    SameAnswer(usize, usize),
    /// The answers together are among the worst.
    #[error(transparent)]
    Weak(#[from] Weakness),
}

/// Why answers cannot be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswersError {
    /// Not the number that is asked for.
    #[error(
        "answer exactly {needed} of the questions, those you are sure of; {given} were answered"
    )]
    Count {
        /// `m`.
        needed: usize,
        /// Answers given.
        given: usize,
    },
    /// There is no such question, or it was answered twice.
    #[error("there is no question {0}, or it was answered twice")]
    Question(usize),
    /// An answer cannot be used.
    #[error("the answer to question {question}: {source}")]
    Answer {
        /// Which, from 1.
        question: usize,
        /// Why.
        source: NormaliseError,
    },
    /// These are not security questions, or were set up by a rule that this software does not know.
    #[error("the account has no security questions that this software knows: {0}")]
    Unknown(NormaliseError),
}

impl SecurityQuestions {
    /// Questions asked by default.
    pub const NEEDED: usize = 3;
    /// Questions set up by default.
    pub const QUESTIONS: usize = 5;

    /// Sets up questions with their answers, of which `needed` will have to be right.
    ///
    /// # Errors
    /// [`QuestionsError`] says what to change.
    pub fn choose(
        needed: usize,
        entries: impl IntoIterator<Item = (NewQuestion, Zeroizing<String>)>,
    ) -> Result<Self, QuestionsError> {
        let mut chosen: Vec<(Question, Zeroizing<String>)> = Vec::new();
        for (number, (question, answer)) in (1..).zip(entries) {
            let question = question.into_question();
            let asked = plain(&question.text, number)?;
            let answer = normalise::answer(&answer).map_err(|source| QuestionsError::Answer {
                question: number,
                source,
            })?;
            if answer.chars().count() < LEAST_ANSWER {
                return Err(QuestionsError::ShortAnswer(number));
            }
            if asked.contains(answer.as_str()) {
                return Err(QuestionsError::AnswerInQuestion(number));
            }
            for (earlier, (before, answered)) in (1..).zip(&chosen) {
                if plain(&before.text, earlier)? == asked {
                    return Err(QuestionsError::SameQuestion(number));
                }
                if *answered == answer {
                    return Err(QuestionsError::SameAnswer(earlier, number));
                }
            }
            chosen.push((question, answer));
        }
        let questions = chosen.len();
        let in_range = (2..=16).contains(&questions)
            && (2..=questions).contains(&needed)
            && subsets(questions, needed).len() <= MAX_SUBSETS;
        if !in_range {
            return Err(QuestionsError::OutOfRange { needed, questions });
        }
        let set_up = Self {
            needed,
            entries: chosen,
        };
        set_up.check_strength()?;
        Ok(set_up)
    }

    /// The easiest set of answers is what an attacker goes for.
    fn check_strength(&self) -> Result<(), Weakness> {
        let tries = |(asked, answer): &(Question, Zeroizing<String>)| {
            let words: Vec<&str> = asked.text.split(|c: char| !c.is_alphanumeric()).collect();
            strength::tries(answer, &words)
        };
        let mut tries: Vec<u64> = self.entries.iter().map(tries).collect();
        tries.sort_unstable();
        let product = |product: u64, tries: &u64| product.saturating_mul(*tries);
        if tries.iter().take(self.needed).fold(1, product) >= GUESSES {
            return Ok(());
        }
        Err(Weakness {
            reason: format!(
                "The {} shortest and commonest answers are few tries together. Give longer or less common ones.",
                self.needed
            ),
        })
    }

    /// How the state describes them.
    #[must_use]
    pub fn knowledge(&self) -> Knowledge {
        Knowledge::Questions {
            rule: RULE,
            needed: u8::try_from(self.needed).unwrap_or(u8::MAX),
            questions: self
                .entries
                .iter()
                .map(|(asked, _)| asked.clone())
                .collect(),
        }
    }

    /// What is to be stretched: one for each set of answers.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        let all = subsets(self.entries.len(), self.needed).into_iter();
        all.map(|subset| {
            let answered = self.entries.iter().enumerate();
            let answered = answered.filter(|(place, _)| subset >> place & 1 == 1);
            input(subset, answered.map(|(_, (_, answer))| answer.as_str()))
        })
        .collect()
    }
}

/// A question as it is compared.
fn plain(question: &str, number: usize) -> Result<Zeroizing<String>, QuestionsError> {
    if question.len() > MAX_QUESTION {
        return Err(QuestionsError::QuestionLength(number));
    }
    if question.chars().any(char::is_control) {
        return Err(QuestionsError::QuestionText(number));
    }
    normalise::answer(question).map_err(|error| match error {
        NormaliseError::Empty | NormaliseError::TooLong(_) => {
            QuestionsError::QuestionLength(number)
        }
        _ => QuestionsError::QuestionText(number),
    })
}

impl NewQuestion {
    fn into_question(self) -> Question {
        match self {
            Self::Bank(question) => Question {
                id: Some(question.id.to_owned()),
                text: question.text.to_owned(),
            },
            Self::Own(text) => Question { id: None, text },
        }
    }
}

impl Answers {
    /// Answers by the number of their question, from 1 as they are shown.
    #[must_use]
    pub fn new(answers: impl IntoIterator<Item = (usize, Zeroizing<String>)>) -> Self {
        Self(answers.into_iter().collect())
    }

    /// What is to be stretched, for the questions that the state describes.
    ///
    /// # Errors
    /// [`AnswersError`].
    pub fn input(&self, knowledge: &Knowledge) -> Result<Input, AnswersError> {
        let Knowledge::Questions {
            rule,
            needed,
            questions,
        } = knowledge
        else {
            return Err(AnswersError::Unknown(NormaliseError::Empty));
        };
        check_rule(*rule).map_err(AnswersError::Unknown)?;
        let (needed, given) = (usize::from(*needed), self.0.len());
        if given != needed || given == 0 {
            return Err(AnswersError::Count { needed, given });
        }
        let mut normal: Vec<Option<Zeroizing<String>>> = vec![None; questions.len()];
        for (number, answer) in &self.0 {
            let place = number
                .checked_sub(1)
                .and_then(|place| normal.get_mut(place));
            let place = place.filter(|place| place.is_none());
            let place = place.ok_or(AnswersError::Question(*number))?;
            *place = Some(
                normalise::answer(answer).map_err(|source| AnswersError::Answer {
                    question: *number,
                    source,
                })?,
            );
        }
        let subset = normal
            .iter()
            .enumerate()
            .fold(0_u16, |subset, (place, answer)| {
                subset | (u16::from(answer.is_some()) << place.min(15))
            });
        let answers = normal.iter().flatten().map(|answer| answer.as_str());
        Ok(input(subset, answers))
    }
}

/// The subset, then each of its answers with its length in front, in the order of the questions.
fn input<'a>(subset: u16, answers: impl Iterator<Item = &'a str>) -> Input {
    let answers: Vec<&str> = answers.collect();
    let room: usize = answers.iter().map(|answer| answer.len() + 2).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    for answer in answers {
        // Normalised answers have at most 256 bytes.
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(answer.as_bytes());
    }
    Input::new("answers", subset, &[&subset.to_be_bytes(), &bytes])
}

/// All sets of `needed` out of `questions`, as bit masks in ascending order.
fn subsets(questions: usize, needed: usize) -> Vec<u16> {
    let all = 1_u32 << questions.min(16);
    let masks = (0..all).filter(|mask| mask.count_ones() as usize == needed);
    masks.filter_map(|mask| u16::try_from(mask).ok()).collect()
}

impl fmt::Debug for SecurityQuestions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (needed, questions) = (self.needed, self.entries.len());
        write!(f, "SecurityQuestions(redacted, {needed} of {questions})")
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answers(redacted, {})", self.0.len())
    }
}

#[cfg(test)]
mod tests;
