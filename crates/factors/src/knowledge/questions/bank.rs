/// A question with its name: the wording may be improved, the name stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankQuestion {
    /// Its name.
    pub id: &'static str,
    /// As it is asked.
    pub text: &'static str,
}

const fn question(id: &'static str, text: &'static str) -> BankQuestion {
    BankQuestion { id, text }
}

/// Questions whose answers last, that few others know, and that no registry holds.
pub const BANK: &[BankQuestion] = &[
    question(
        "first-concert",
        "Who played at the first concert you went to?",
    ),
    question(
        "first-friend-street",
        "In which street did your first friend live?",
    ),
    question(
        "childhood-hiding-place",
        "Where did you hide best as a child?",
    ),
    question(
        "first-stuffed-animal",
        "What was the name of your first stuffed animal?",
    ),
    question("teacher-you-feared", "Which teacher did you fear most?"),
    question("worst-meal", "Which meal did you hate most as a child?"),
    question(
        "first-thing-saved-for",
        "What was the first thing you saved money for?",
    ),
    question(
        "childhood-dream-job",
        "What did you want to become when you were ten?",
    ),
    question(
        "first-book-loved",
        "Which book did you read more than twice as a child?",
    ),
    question(
        "first-trip-abroad-town",
        "In which town did you sleep on your first trip abroad?",
    ),
    question(
        "grandparents-smell",
        "What did your grandparents' home smell of?",
    ),
    question(
        "first-broken-thing",
        "What did you break as a child and never admit?",
    ),
    question("imaginary-friend", "What was your imaginary friend called?"),
    question("first-boss", "What was your first boss's nickname?"),
    question("song-you-cannot-stand", "Which song can you not stand?"),
    question(
        "first-computer-game",
        "Which computer game did you finish first?",
    ),
    question("favourite-tree", "Where stood the tree you climbed most?"),
    question("school-trip-mishap", "What went wrong on a school trip?"),
    question(
        "first-vehicle-name",
        "What did your family call its first car or boat?",
    ),
    question(
        "secret-recipe",
        "Which ingredient does your family's best recipe need?",
    ),
    question(
        "sports-disgrace",
        "In which sport did you disgrace yourself first?",
    ),
    question(
        "letter-never-sent",
        "To whom did you write a letter that you never sent?",
    ),
    question("lost-object", "Which lost thing do you still look for?"),
    question(
        "first-roommate-habit",
        "Which habit of your first roommate annoyed you most?",
    ),
];
