//! What the user knows, from a prompt, standard input or a file.

use serde::Deserialize;
use trefoil::knowledge::{Answers, BANK, NewQuestion, Password, Pin, SecurityQuestions};
use trefoil::{Draft, FactorKind, Known, Pending};
use zeroize::Zeroizing;

use super::setup::Setup;
use crate::args::{Factors, NewKnowledge, Proof};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::secrets::Source;
use crate::ui::Ui;

/// Questions with their answers, as a file has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionsFile {
    /// How many have to be answered; 3 unless said otherwise.
    needed: Option<usize>,
    question: Vec<QuestionEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionEntry {
    /// A question of the bank.
    id: Option<String>,
    /// The user's own.
    text: Option<String>,
    answer: String,
}

/// What the options say that the user knows; answers are asked for once the questions are known.
pub(super) fn bring(ui: Ui, given: &Factors) -> Result<Vec<Known>, Failure> {
    let mut known = Vec::new();
    if let Some(source) = Source::of(given.pin_file.as_deref(), given.pin) {
        known.push(Pin::entered(line(&source.read(ui, "PIN")?))?.into());
    }
    if let Some(source) = Source::of(given.password_file.as_deref(), given.password) {
        known.push(Password::entered(line(&source.read(ui, "password")?))?.into());
    }
    if let Some(source) = Source::of(given.answers_file.as_deref(), false) {
        known.push(parse_answers(&source.read_lines(ui, "answers")?)?.into());
    }
    Ok(known)
}

/// What the options say is to be proven.
pub(super) fn bring_proof(ui: Ui, proof: &Proof) -> Result<Vec<Known>, Failure> {
    let given = Factors {
        pin_file: proof.prove_pin_file.clone(),
        pin: proof.prove_pin,
        password_file: proof.prove_password_file.clone(),
        password: proof.prove_password,
        answers_file: proof.prove_answers_file.clone(),
        ..Factors::default()
    };
    bring(ui, &given)
}

/// Asks for what opens a factor of this kind.
pub(super) fn ask(ui: Ui, kind: FactorKind, pending: &Pending) -> Result<Known, Failure> {
    match kind {
        FactorKind::Pin => Ok(Pin::entered(line(&Source::Prompt.read(ui, "PIN")?))?.into()),
        FactorKind::Password => {
            Ok(Password::entered(line(&Source::Prompt.read(ui, "password")?))?.into())
        }
        _ => Ok(ask_answers(ui, pending)?.into()),
    }
}

fn ask_answers(ui: Ui, pending: &Pending) -> Result<Answers, Failure> {
    let (needed, questions) = pending.security_questions().unwrap_or_default();
    ui.note(format_args!(
        "Answer the {needed} questions you are sure of, and leave the others empty."
    ));
    let mut answers = Vec::new();
    for (number, question) in (1..).zip(questions) {
        if answers.len() == needed {
            break;
        }
        let answer = Source::Prompt.read(ui, question)?;
        if !answer.trim().is_empty() {
            answers.push((number, answer));
        }
    }
    Ok(Answers::new(answers))
}

/// One answer a line, with the number of its question in front: `2: Marzipan`.
fn parse_answers(text: &str) -> Result<Answers, Failure> {
    let mut answers = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let parts = line.split_once(':');
        let parts = parts.and_then(|(number, answer)| {
            let number: usize = number.trim().parse().ok()?;
            Some((number, Zeroizing::new(answer.to_owned())))
        });
        answers.push(parts.ok_or_else(|| {
            let message = "answers stand one to a line, with the number of the question in front, such as 2: Marzipan";
            Failure::new(Exit::Input, "bad_input", message)
        })?);
    }
    Ok(Answers::new(answers))
}

/// Drafts a new password, PIN or set of questions, or one in place of the factor at `replaces`.
pub(super) fn draft(
    setup: &Setup,
    draft: &mut Draft<'_>,
    kind: FactorKind,
    how: &NewKnowledge,
    (label, replaces): (&str, Option<u32>),
) -> Result<(), Failure> {
    let ui = setup.ui;
    let secret = |what| {
        let source = Source::of(how.new_secret_file.as_deref(), true).unwrap_or(Source::Prompt);
        source.read_new(ui, what)
    };
    match kind {
        FactorKind::Password => {
            let password = Password::choose(line(&secret("new password")?), &[label])?;
            match replaces {
                Some(index) => draft.change_password(index, &password)?,
                None => draft.password(label, &password)?,
            };
        }
        FactorKind::Pin => {
            let pin = Pin::choose(line(&secret("new PIN")?), &[label])?;
            match replaces {
                Some(index) => draft.change_pin(index, &pin)?,
                None => draft.pin(label, &pin)?,
            };
        }
        FactorKind::SecurityQuestions => {
            let questions = match &how.questions_file {
                Some(path) => parse_questions(&files::read(path)?)?,
                None => ask_questions(ui)?,
            };
            match replaces {
                Some(index) => draft.change_security_questions(index, &questions)?,
                None => draft.security_questions(label, &questions)?,
            };
        }
        other => {
            return Err(Failure::usage(format!(
                "a {other} is not something you know: remove it and add another one"
            )));
        }
    }
    Ok(())
}

fn parse_questions(text: &str) -> Result<SecurityQuestions, Failure> {
    let bad = |reason: String| Failure::new(Exit::Input, "bad_questions", reason);
    // The parser's message would quote the line, and with it an answer.
    let file: QuestionsFile = toml::from_str(text).map_err(|_| {
        bad("the questions' file is not of the form: needed = 3, then for each question [[question]] with id or text, and answer".to_owned())
    })?;
    let mut entries = Vec::new();
    for (number, entry) in (1..).zip(file.question) {
        let answer = Zeroizing::new(entry.answer);
        let question = match (entry.id, entry.text) {
            (Some(id), None) => of_bank(&id).ok_or_else(|| {
                bad(format!(
                    "question {number}: the bank has no question {id:?}"
                ))
            })?,
            (None, Some(text)) => NewQuestion::Own(text),
            _ => {
                return Err(bad(format!(
                    "question {number}: give id, for one of the bank, or text, for your own"
                )));
            }
        };
        entries.push((question, answer));
    }
    let needed = file.needed.unwrap_or(SecurityQuestions::NEEDED);
    Ok(SecurityQuestions::choose(needed, entries)?)
}

fn of_bank(id: &str) -> Option<NewQuestion> {
    let mut bank = BANK.iter();
    bank.find(|question| question.id == id)
        .map(NewQuestion::Bank)
}

fn ask_questions(ui: Ui) -> Result<SecurityQuestions, Failure> {
    if !ui.interactive() {
        return Err(Failure::usage(
            "there is no terminal to ask for questions on: give them in a file (--questions-file)",
        ));
    }
    for (number, question) in (1..).zip(BANK) {
        ui.note(format_args!("{number:>4}  {}", question.text));
    }
    let mut entries = Vec::new();
    for number in 1..=SecurityQuestions::QUESTIONS {
        let chosen =
            Source::Prompt.read(ui, &format!("question {number}: its number, or your own"))?;
        let of_bank = chosen.trim().parse::<usize>().ok();
        let of_bank = of_bank.and_then(|number| BANK.get(number.checked_sub(1)?));
        let question = match of_bank {
            Some(question) => NewQuestion::Bank(question),
            None => NewQuestion::Own(chosen.trim().to_owned()),
        };
        entries.push((question, Source::Prompt.read_new(ui, "answer")?));
    }
    Ok(SecurityQuestions::choose(
        SecurityQuestions::NEEDED,
        entries,
    )?)
}

/// Without the line's end, which nobody means.
fn line(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}
