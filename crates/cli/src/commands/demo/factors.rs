//! `trefoil demo --factors all`: every further kind of factor on the same account, each of which opens it together with the
//! social login on a device that never saw it.

use serde_json::json;
use trefoil::email::{Mailer as _, UnverifiedContact};
use trefoil::knowledge::{Answers, BANK, NewQuestion, Password, Pin, SecurityQuestions};
use trefoil::{
    Account, Draft, EmailBackup, Environment, Factor, GuessError, Known, Opened, Pending,
};
use trefoil_mail::{Security, SmtpMailer, SmtpSettings};
use trefoil_testkit::passkey::SoftwareAuthenticator;
use trefoil_testkit::smtp::{MailServer, Protection};
use zeroize::Zeroizing;

use super::{User, broken, parties, ready};
use crate::failure::Failure;
use crate::ui::Ui;

/// The wallet app's domain.
const RP_ID: &str = "wallet.example";
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
    let passkey = passkey(ui, user).await?;
    let backup = email_backup(ui, user).await?;
    second_social(ui, user).await?;
    parties::other_device(ui, user).await?;
    parties::trusted_contact(ui, user).await?;
    wrong_pin(ui, user).await?;
    Ok(Kept {
        factors: vec![("passkey", passkey), ("email_backup", backup)],
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

/// On the phone's own authenticator.
async fn passkey(ui: Ui, user: &User) -> Result<Factor, Failure> {
    let phone = SoftwareAuthenticator::new();
    let mut account = open_on_own_device(user).await?;
    let mut draft = account.change();
    draft.passkey("phone", RP_ID, &phone).await?;
    ui.busy("adding the factor", draft.commit()).await?;
    let app = user.on_new_device()?;
    let used = app.passkey(RP_ID, &phone, Vec::new()).await;
    let factor = Factor::from(used.map_err(broken)?);
    let mut pending = social_alone(user).await?;
    pending.provide(factor.clone()).await?;
    opened(ui, user, "passkey", pending).await?;
    Ok(factor)
}

/// Through a mail server on this machine; nothing secret is sent before the address is known to be the user's.
async fn email_backup(ui: Ui, user: &User) -> Result<Factor, Failure> {
    let server = MailServer::start(Protection::StartTls, None)
        .await
        .map_err(broken)?;
    let mailer = SmtpMailer::new(&SmtpSettings {
        host: server.host().to_owned(),
        port: server.port(),
        security: Security::StartTls,
        from: "Demo Wallet <wallet@demo.example>".to_owned(),
        login: None,
        root_certificate: Some(server.certificate().to_owned()),
    });
    let mailer = mailer.map_err(broken)?;
    let environment = Environment::system();
    let address = format!("{}@example.com", user.subject);
    let contact = UnverifiedContact::new(&address, environment.now(), &mut environment.rng());
    let mut contact = contact.map_err(broken)?;
    mailer.send(contact.mail()).await.map_err(broken)?;
    let code = last_text(&server)?;
    let code = code
        .split_once("code is ")
        .map(|(_, after)| after.chars().take(6).collect::<String>());
    let verified = contact.verify(&code.unwrap_or_default(), environment.now());
    let verified = verified.map_err(broken)?;

    let mut account = open_on_own_device(user).await?;
    let mut draft = account.change();
    draft.email_backup("mailbox", verified)?;
    let mail = draft
        .email_backup_mail()
        .ok_or_else(|| broken("no backup was drafted"))?;
    mailer.send(mail).await.map_err(broken)?;
    // The user copies the words from the mail: the second paragraph below the headers.
    let text = last_text(&server)?;
    let (_, body) = text.split_once("\n\n").unwrap_or_default();
    let copied = body.split("\n\n").nth(1).unwrap_or_default();
    draft.prove_email_backup(copied)?;
    ui.busy("adding the factor", draft.commit()).await?;

    let factor = Factor::from(EmailBackup::parse(copied)?);
    let mut pending = social_alone(user).await?;
    pending.provide(factor.clone()).await?;
    opened(ui, user, "email_backup", pending).await?;
    Ok(factor)
}

fn last_text(server: &MailServer) -> Result<String, Failure> {
    let received = server.received();
    let last = received.last().map(|mail| mail.text.clone());
    last.ok_or_else(|| broken("no mail has arrived"))
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
    user.show(ui, kind, &account)
}
