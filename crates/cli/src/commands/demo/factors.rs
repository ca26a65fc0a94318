//! `trefoil demo --factors all`: every further kind of factor on the same account, each of which opens it together with the
//! social login on a device that never saw it.

use serde_json::json;
use trefoil::knowledge::{Answers, BANK, NewQuestion, Password, Pin, SecurityQuestions};
use trefoil::{Account, Draft, Factor, GuessError, Known, Opened, Pending};
use zeroize::Zeroizing;

use super::{User, broken, ready};
use crate::failure::Failure;
use crate::ui::Ui;

const PASSWORD: &str = "seven herons on a copper roof";
const PIN: &str = "731842";
const WRONG_PIN: &str = "731843";
const ANSWERS: [&str; 5] = [
    "Blue Heron",
    "Marzipan",
    "Quarry Lane",
    "the attic",
    "Otter 77",
];

/// What opens offline in the end.
pub(super) struct Kept {
    pub(super) factors: Vec<(&'static str, Factor)>,
}

pub(super) async fn run(ui: Ui, user: &User) -> Result<Kept, Failure> {
    password(ui, user).await?;
    pin(ui, user).await?;
    security_questions(ui, user).await?;
    second_social(ui, user).await?;
    wrong_pin(ui, user).await?;
    Ok(Kept {
        factors: Vec::new(),
    })
}

async fn password(ui: Ui, user: &User) -> Result<(), Failure> {
    let chosen = Password::choose(PASSWORD, &[&user.subject])?;
    enrol(ui, user, |draft| {
        Ok(draft.password("password", &chosen).map(|_| ())?)
    })
    .await?;
    let entered = Password::entered(PASSWORD)?;
    known(ui, user, "password", entered.into()).await
}

async fn pin(ui: Ui, user: &User) -> Result<(), Failure> {
    let chosen = Pin::choose(PIN, &[&user.subject])?;
    enrol(ui, user, |draft| {
        Ok(draft.pin("PIN", &chosen).map(|_| ())?)
    })
    .await?;
    known(ui, user, "pin", Pin::entered(PIN)?.into()).await
}

async fn security_questions(ui: Ui, user: &User) -> Result<(), Failure> {
    let questions = BANK.iter().map(NewQuestion::Bank);
    let answers = ANSWERS.map(|answer| Zeroizing::new(answer.to_owned()));
    let chosen = SecurityQuestions::choose(SecurityQuestions::NEEDED, questions.zip(answers))?;
    enrol(ui, user, |draft| {
        Ok(draft.security_questions("questions", &chosen).map(|_| ())?)
    })
    .await?;
    // The user is sure of these three.
    let sure = [(1, ANSWERS[0]), (3, ANSWERS[2]), (4, ANSWERS[3])];
    let sure = sure.map(|(number, answer)| (number, Zeroizing::new(answer.to_owned())));
    known(ui, user, "security_questions", Answers::new(sure).into()).await
}

async fn second_social(ui: Ui, user: &User) -> Result<(), Failure> {
    let app = user.on_own_device()?;
    let login = user.second_login(&app).await?;
    enrol(ui, user, |draft| {
        Ok(draft.social("the other login", login).map(|_| ())?)
    })
    .await?;
    let login = user.second_login(&user.on_new_device()?).await?;
    let mut pending = social_alone(user).await?;
    pending.provide(login).await?;
    opened(ui, user, "second_social", pending).await
}

/// A wrong PIN is counted, and says how many guesses are left.
async fn wrong_pin(ui: Ui, user: &User) -> Result<(), Failure> {
    let mut pending = social_alone(user).await?;
    match ui
        .busy("guessing", pending.guess(Pin::entered(WRONG_PIN)?))
        .await
    {
        Err(error @ GuessError::Wrong { left, .. }) => {
            ui.step(
                "wrong_pin",
                json!({ "guesses_left": left, "message": error.to_string() }),
                format!("Wrong PIN      refused: {error}"),
            );
            Ok(())
        }
        Err(other) => Err(other.into()),
        Ok(_) => Err(broken("a wrong PIN opens the wallet")),
    }
}

/// A change of the account, made on the user's own device.
pub(super) async fn enrol(
    ui: Ui,
    user: &User,
    add: impl FnOnce(&mut Draft<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut account = open_on_own_device(user).await?;
    let mut draft = account.change();
    add(&mut draft)?;
    ui.busy("adding the factor", draft.commit()).await?;
    user.same_address(&account)?;
    Ok(())
}

pub(super) async fn open_on_own_device(user: &User) -> Result<Account, Failure> {
    let app = user.on_own_device()?;
    ready(user.social_login(&app).await?)
}

/// The social login on a device that never saw the account: one factor more is needed.
pub(super) async fn social_alone(user: &User) -> Result<Pending, Failure> {
    let app = user.on_new_device()?;
    match user.social_login(&app).await? {
        Opened::NeedsFactors(pending) => Ok(pending),
        _ => Err(broken("one factor opens the wallet")),
    }
}

async fn known(ui: Ui, user: &User, kind: &str, known: Known) -> Result<(), Failure> {
    let mut pending = social_alone(user).await?;
    ui.busy("guessing", pending.guess(known)).await?;
    opened(ui, user, kind, pending).await
}

/// It opens, at the same address.
pub(super) async fn opened(
    ui: Ui,
    user: &User,
    kind: &str,
    pending: Pending,
) -> Result<(), Failure> {
    let account = ready(ui.busy("opening", pending.open()).await?)?;
    let address = user.same_address(&account)?;
    ui.step(
        "factor",
        json!({ "kind": kind, "address": address }),
        format!("Factor         {address}\n               social + {kind}"),
    );
    Ok(())
}
