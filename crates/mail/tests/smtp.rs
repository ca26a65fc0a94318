//! Mail over real SMTP on loopback, and a whole enrolment of a mailed backup.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use trefoil::email::{CodeError, MailError, Mailer as _, UnverifiedContact};
use trefoil::{
    Account, CommitError, DraftError, EmailBackup, FactorKind, Opened, Trefoil, VerifierId,
};
use trefoil_mail::{BadSettings, Security, SmtpMailer, SmtpSettings};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::servers::World;
use trefoil_testkit::smtp::{MailServer, Protection};
use zeroize::Zeroizing;

const ALICE: &str = "alice@example.com";
const NOW: u64 = 1_800_000_000;

fn settings(server: &MailServer, security: Security) -> SmtpSettings {
    SmtpSettings {
        host: server.host().to_owned(),
        port: server.port(),
        security,
        from: "Acme Wallet <wallet@acme.example>".to_owned(),
        login: Some(("acme".to_owned(), Zeroizing::new("secret".to_owned()))),
        root_certificate: Some(server.certificate().to_owned()),
    }
}

/// The six digits in the newest message.
fn code(server: &MailServer) -> String {
    let received = server.received();
    let text = &received.last().unwrap().text;
    let (_, after) = text.split_once("code is ").unwrap();
    after.chars().take(6).collect()
}

/// The second paragraph of the newest message's text.
fn words(server: &MailServer) -> String {
    let received = server.received();
    let (_, body) = received.last().unwrap().text.split_once("\n\n").unwrap();
    body.split("\n\n").nth(1).unwrap().to_owned()
}

async fn log_in(world: &World) -> Opened {
    let app = Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .build()
        .unwrap();
    let login = app.begin_login();
    let token = world.id_token("alice", &login.oidc_nonce()).unwrap();
    let google = VerifierId::new("google").unwrap();
    let locked = login.complete(&google, &token).await.unwrap();
    locked.open().await.unwrap()
}

fn ready(opened: Opened) -> Account {
    match opened {
        Opened::Ready(account) => account,
        other => panic!("not open: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checked_contact_gets_the_words_and_they_open() {
    let world = World::start().await.unwrap();
    let server = MailServer::start(Protection::StartTls, None).await.unwrap();
    let mailer = SmtpMailer::new(&settings(&server, Security::StartTls)).unwrap();
    let Opened::NoAccount(new) = log_in(&world).await else {
        panic!("there is an account already");
    };
    let mut account = ready(new.create().await.unwrap());
    let address = account.ethereum_address();

    let mut contact = UnverifiedContact::new(ALICE, NOW, &mut os_rng()).unwrap();
    mailer.send(contact.mail()).await.unwrap();
    assert!(matches!(
        contact.verify("not it", NOW),
        Err(CodeError::Wrong { left: 4 })
    ));
    let contact = contact.verify(&code(&server), NOW).unwrap();

    let mut draft = account.enable_mfa();
    draft.device("laptop").unwrap();
    draft.email_backup("mailbox", contact).unwrap();
    assert_eq!(server.received().len(), 1, "nothing but the code so far");
    mailer
        .send(draft.email_backup_mail().unwrap())
        .await
        .unwrap();
    assert!(matches!(
        draft.commit().await.unwrap_err(),
        CommitError::NotProven(FactorKind::EmailBackup)
    ));
    let copied = words(&server);
    assert!(matches!(
        draft.prove_email_backup("abandon").unwrap_err(),
        DraftError::Drill(_)
    ));
    draft.prove_email_backup(&copied).unwrap();
    draft.commit().await.unwrap();
    let mut notes = account.factors().iter();
    let note = notes
        .find(|note| note.kind == FactorKind::EmailBackup)
        .unwrap();
    assert_eq!(note.hints.get("address").unwrap(), "a\u{2026}@example.com");

    let Opened::NeedsFactors(mut pending) = log_in(&world).await else {
        panic!("one factor is enough");
    };
    let backup = EmailBackup::parse(&copied).unwrap();
    pending.provide(backup).await.unwrap();
    let opened = ready(pending.open().await.unwrap());
    assert_eq!(opened.ethereum_address(), address);
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert!(
        received
            .iter()
            .all(|mail| mail.encrypted && mail.to == [ALICE])
    );
}

fn a_mail() -> trefoil::email::Mail {
    let contact = UnverifiedContact::new(ALICE, NOW, &mut os_rng());
    contact.unwrap().mail()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_without_the_tls_that_was_asked_for() {
    let server = MailServer::start(Protection::Tls, None).await.unwrap();
    let mailer = SmtpMailer::new(&settings(&server, Security::Tls)).unwrap();
    mailer.send(a_mail()).await.unwrap();
    assert!(server.received().iter().all(|mail| mail.encrypted));

    // A certificate that nobody vouches for.
    let untrusted = SmtpSettings {
        root_certificate: None,
        ..settings(&server, Security::Tls)
    };
    let error = SmtpMailer::new(&untrusted).unwrap().send(a_mail()).await;
    assert!(matches!(error, Err(MailError::Settings(_))), "{error:?}");
    assert_eq!(server.received().len(), 1);

    // A server, or somebody before it, that offers no STARTTLS.
    let plain = MailServer::start(Protection::None, None).await.unwrap();
    let mailer = SmtpMailer::new(&settings(&plain, Security::StartTls)).unwrap();
    let error = mailer.send(a_mail()).await;
    assert!(matches!(error, Err(MailError::Settings(_))), "{error:?}");
    assert!(plain.received().is_empty());

    let elsewhere = settings(&plain, Security::LoopbackOnly);
    assert_eq!(
        SmtpMailer::new(&elsewhere).unwrap_err(),
        BadSettings::Insecure
    );
    let relay = SmtpSettings {
        host: "127.0.0.1".to_owned(),
        ..elsewhere
    };
    SmtpMailer::new(&relay)
        .unwrap()
        .send(a_mail())
        .await
        .unwrap();
    assert_eq!(plain.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_can_be_done() {
    let server = MailServer::start(Protection::StartTls, Some(ALICE))
        .await
        .unwrap();
    let working = settings(&server, Security::StartTls);
    let error = SmtpMailer::new(&working).unwrap().send(a_mail()).await;
    assert!(matches!(error, Err(MailError::Address(_))), "{error:?}");
    let gone = SmtpSettings {
        port: 1,
        ..working.clone()
    };
    let error = SmtpMailer::new(&gone).unwrap().send(a_mail()).await;
    assert!(matches!(error, Err(MailError::TryLater(_))), "{error:?}");
    let from = SmtpSettings {
        from: "nobody".to_owned(),
        ..working.clone()
    };
    assert_eq!(SmtpMailer::new(&from).unwrap_err(), BadSettings::From);
    assert!(!format!("{working:?}").contains("secret"));
}
