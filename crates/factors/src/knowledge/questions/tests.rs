use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

const ANSWERS: [&str; 5] = [
    "Blue Heron",
    "Marzipan",
    "Quarry Lane",
    "the attic",
    "Otter 77",
];

fn five(answers: [&str; 5]) -> Vec<(NewQuestion, Zeroizing<String>)> {
    let questions = BANK.iter().take(5).map(NewQuestion::Bank);
    questions.zip(answers.map(text)).collect()
}

fn cost() -> trefoil_protocol::guess::StretchCost {
    trefoil_protocol::guess::StretchCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
        salt: trefoil_protocol::bytes::Blob::new(vec![1; 16]),
    }
}

#[test]
fn every_set_of_right_answers_gives_what_was_set_up_for_it() {
    let set_up = SecurityQuestions::choose(3, five(ANSWERS)).unwrap();
    let inputs = set_up.inputs();
    assert_eq!(inputs.len(), 10);
    let stretched: Vec<_> = inputs
        .iter()
        .map(|input| input.stretch(&cost()).unwrap())
        .collect();
    let distinct: BTreeSet<_> = stretched.iter().map(|one| *one.expose_secret()).collect();
    assert_eq!(distinct.len(), 10);
    for (input, expected) in inputs.iter().zip(&stretched) {
        let answered = (0..5).filter(|place| input.subset() >> place & 1 == 1);
        // In another order, in capitals, with more blanks.
        let given: Vec<_> = answered
            .map(|place| {
                (
                    place + 1,
                    text(&format!("  {} ", ANSWERS[place].to_uppercase())),
                )
            })
            .rev()
            .collect();
        let tried = Answers::new(given).input(&set_up.knowledge()).unwrap();
        assert_eq!(tried.subset(), input.subset());
        assert_eq!(tried.stretch(&cost()).unwrap(), *expected);
    }
}

#[test]
fn answers_do_not_run_into_each_other() {
    let set_up = SecurityQuestions::choose(3, five(ANSWERS)).unwrap();
    let of = |answers: [(usize, &str); 3]| {
        let answers = answers.map(|(number, answer)| (number, text(answer)));
        let input = Answers::new(answers).input(&set_up.knowledge()).unwrap();
        *input.stretch(&cost()).unwrap().expose_secret()
    };
    let right = of([(1, "ab"), (2, "cd"), (3, "ef")]);
    assert_ne!(right, of([(1, "abc"), (2, "d"), (3, "ef")]));
    assert_ne!(right, of([(1, "cd"), (2, "ab"), (3, "ef")]));
    assert_ne!(right, of([(1, "ab"), (2, "cd"), (4, "ef")]));
}

#[test]
fn what_cannot_be_set_up_is_named() {
    let refused = |needed, entries| SecurityQuestions::choose(needed, entries).unwrap_err();
    for (needed, count) in [(1, 5), (6, 5), (2, 1)] {
        let entries = five(ANSWERS).into_iter().take(count).collect::<Vec<_>>();
        let questions = count;
        assert_eq!(
            refused(needed, entries),
            QuestionsError::OutOfRange { needed, questions }
        );
    }
    // C(8, 4) = 70.
    let eight = BANK.iter().take(8).map(NewQuestion::Bank);
    let eight: Vec<_> = eight
        .zip((0..8).map(|n| text(&format!("answer number {n}"))))
        .collect();
    assert!(matches!(
        refused(4, eight),
        QuestionsError::OutOfRange { .. }
    ));

    let mut twice = five(ANSWERS);
    twice[4].0 = NewQuestion::Bank(&BANK[0]);
    assert_eq!(refused(3, twice), QuestionsError::SameQuestion(5));
    let mut empty = five(ANSWERS);
    empty[1].0 = NewQuestion::Own("  ".to_owned());
    assert_eq!(refused(3, empty), QuestionsError::QuestionLength(2));
    for (text, expected) in [
        ("Which\u{1b}[2J colour?", QuestionsError::QuestionText(2)),
        ("Which \u{378}?", QuestionsError::QuestionText(2)),
        (
            "Whose MARZIPAN was it?",
            QuestionsError::AnswerInQuestion(2),
        ),
        ("\u{200b}", QuestionsError::QuestionLength(2)),
    ] {
        let mut own = five(ANSWERS);
        own[1].0 = NewQuestion::Own(text.to_owned());
        assert_eq!(refused(3, own), expected);
    }
    let mut long = five(ANSWERS);
    long[1].0 = NewQuestion::Own("x".repeat(201));
    assert_eq!(refused(3, long), QuestionsError::QuestionLength(2));
    // Another case and other blanks are no other question.
    let mut spelled = five(ANSWERS);
    spelled[4].0 = NewQuestion::Own(format!("  {} ", BANK[0].text.to_uppercase()));
    assert_eq!(refused(3, spelled), QuestionsError::SameQuestion(5));
    let mut same = ANSWERS;
    same[3] = " BLUE  heron";
    assert_eq!(refused(3, five(same)), QuestionsError::SameAnswer(1, 4));
    let mut short = ANSWERS;
    short[2] = "ab";
    assert_eq!(refused(3, five(short)), QuestionsError::ShortAnswer(3));
    let mut none = ANSWERS;
    none[2] = " ";
    assert_eq!(
        refused(3, five(none)),
        QuestionsError::Answer {
            question: 3,
            source: NormaliseError::Empty
        }
    );
    let weak = five(["red", "blue", "dog", "cat", "mom"]);
    assert!(matches!(refused(2, weak), QuestionsError::Weak(_)));
}

#[test]
fn what_cannot_be_tried_is_named() {
    let known = SecurityQuestions::choose(3, five(ANSWERS))
        .unwrap()
        .knowledge();
    let refused = |answers: Vec<(usize, &str)>| {
        let answers = answers
            .into_iter()
            .map(|(number, answer)| (number, text(answer)));
        Answers::new(answers).input(&known).unwrap_err()
    };
    let (needed, given) = (3, 2);
    assert_eq!(
        refused(vec![(1, "a"), (2, "b")]),
        AnswersError::Count { needed, given }
    );
    for number in [0, 6, 1] {
        assert_eq!(
            refused(vec![(1, "a"), (2, "b"), (number, "c")]),
            AnswersError::Question(number)
        );
    }
    assert!(matches!(
        refused(vec![(1, "a"), (2, "b"), (3, "")]),
        AnswersError::Answer { question: 3, .. }
    ));
    let pin = Knowledge::Pin { rule: RULE };
    assert!(matches!(
        Answers::new([]).input(&pin),
        Err(AnswersError::Unknown(_))
    ));
}

#[test]
fn the_bank_has_distinct_questions() {
    let ids: BTreeSet<_> = BANK.iter().map(|question| question.id).collect();
    let texts: BTreeSet<_> = BANK.iter().map(|question| question.text).collect();
    assert_eq!((ids.len(), texts.len()), (BANK.len(), BANK.len()));
    assert!(BANK.len() >= 20);
}

/// Pinned: a change here locks out everybody who set up questions.
#[test]
fn these_answers_give_this() {
    let set_up = SecurityQuestions::choose(3, five(ANSWERS)).unwrap();
    let inputs = set_up.inputs();
    let subsets: Vec<u16> = inputs.iter().map(Input::subset).collect();
    assert_eq!(subsets, [7, 11, 13, 14, 19, 21, 22, 25, 26, 28]);
    let first = inputs[0].stretch(&cost()).unwrap();
    assert_eq!(
        hex::encode(first.expose_secret()),
        "b4dd20a7271360dcceaf8d3f412d12f64c5762d11e5136e18f64a5af40684173"
    );
}

/// Different answers, or the same to other questions, never become the same bytes.
#[test]
fn no_two_tries_are_the_same() {
    let known = SecurityQuestions::choose(3, five(ANSWERS))
        .unwrap()
        .knowledge();
    let answers = || proptest::collection::btree_map(1_usize..=5, "[ab]{1,3}", 3);
    let of = |answers: &std::collections::BTreeMap<usize, String>| {
        let answers = answers
            .iter()
            .map(|(number, answer)| (*number, text(answer)));
        let input = Answers::new(answers).input(&known).unwrap();
        input.stretch(&cost()).unwrap()
    };
    proptest!(|(one in answers(), other in answers())| {
        prop_assert_eq!(one == other, of(&one) == of(&other));
    });
}
