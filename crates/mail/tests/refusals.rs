//! Mail servers that refuse, lie, repeat what they hear, break off or say nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use trefoil::EmailBackup;
use trefoil::email::{Mail, MailError, Mailer as _, UnverifiedContact};
use trefoil_mail::{Security, SmtpMailer, SmtpSettings};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::smtp::{MailServer, Protection};
use zeroize::Zeroizing;

const PASSWORD: &str = "hunter2hunter2";

/// What a server says to each command, by its first four letters; `END.` is the end of the message. An empty text breaks
/// the connection off, `mute` says nothing for ever.
type Script = BTreeMap<&'static str, String>;

fn polite() -> Script {
    [
        ("GREE", "220 here"),
        ("EHLO", "250-here\r\n250 AUTH PLAIN"),
        ("AUTH", "235 welcome"),
        ("MAIL", "250 ok"),
        ("RCPT", "250 ok"),
        ("DATA", "354 go ahead"),
        ("END.", "250 taken"),
        ("QUIT", "221 bye"),
    ]
    .map(|(verb, reply)| (verb, reply.to_owned()))
    .into()
}

/// A server that follows the script; with `echo` it repeats the message or the password in its refusals.
async fn serve(script: Script, echo: bool) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let script = script.clone();
            tokio::spawn(async move {
                let _ = talk(BufReader::new(stream), &script, echo).await;
            });
        }
    });
    port
}

async fn talk(
    mut stream: BufReader<TcpStream>,
    script: &Script,
    echo: bool,
) -> std::io::Result<()> {
    let (mut verb, mut heard) = ("GREE".to_owned(), String::new());
    loop {
        let reply = script.get(verb.as_str()).map_or("502 what", String::as_str);
        match reply {
            "" => return Ok(()),
            "mute" => core::future::pending().await,
            reply => {
                let heard: String = heard.lines().collect::<Vec<_>>().join(" ");
                let heard = if echo { heard.as_str() } else { "" };
                let said = format!("{reply} {heard}");
                stream.write_all(said.trim_end().as_bytes()).await?;
                stream.write_all(b"\r\n").await?;
            }
        }
        let in_message = verb == "DATA" && reply.starts_with('3');
        heard.clear();
        loop {
            let before = heard.len();
            if stream.read_line(&mut heard).await? == 0 {
                return Ok(());
            }
            if !in_message || heard.get(before..) == Some(".\r\n") {
                break;
            }
        }
        verb = if in_message {
            "END.".to_owned()
        } else {
            heard.chars().take(4).collect()
        };
    }
}

fn mailer(port: u16) -> SmtpMailer {
    SmtpMailer::new(&SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::LoopbackOnly,
        from: "wallet@acme.example".to_owned(),
        login: Some(("acme".to_owned(), Zeroizing::new(PASSWORD.to_owned()))),
        root_certificate: None,
    })
    .unwrap()
}

/// A mail with the words of a backup.
fn words() -> Mail {
    let mut contact = UnverifiedContact::new("alice@example.com", 0, &mut os_rng()).unwrap();
    let code: String = contact
        .mail()
        .body
        .split_once("code is ")
        .unwrap()
        .1
        .chars()
        .take(6)
        .collect();
    let contact = contact.verify(&code, 0).unwrap();
    EmailBackup::generate(&mut os_rng()).mail(&contact)
}

/// Sends to a server that answers one command like this.
async fn answered(verb: &'static str, reply: &str) -> Result<(), MailError> {
    let mut script = polite();
    script.insert(verb, reply.to_owned());
    let port = serve(script, false).await;
    mailer(port).send(words()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_can_be_done() {
    assert_eq!(answered("QUIT", "221 bye").await, Ok(()));
    type Kind = fn(String) -> MailError;
    let cases: [(&str, &str, Kind, &str); 14] = [
        ("RCPT", "550 no such user", MailError::Address, "550"),
        (
            "RCPT",
            "550 5.1.1 no such user",
            MailError::Address,
            "550 5.1.1",
        ),
        ("RCPT", "552 5.2.2 full", MailError::Address, "552 5.2.2"),
        (
            "RCPT",
            "553 5.1.3 bad syntax",
            MailError::Address,
            "553 5.1.3",
        ),
        (
            "RCPT",
            "550 5.7.1 relaying denied",
            MailError::Settings,
            "550 5.7.1",
        ),
        (
            "MAIL",
            "550 5.1.8 sender's domain",
            MailError::Settings,
            "550 5.1.8",
        ),
        ("MAIL", "530 log in first", MailError::Settings, "530"),
        (
            "AUTH",
            "535 5.7.8 wrong password",
            MailError::Settings,
            "535 5.7.8",
        ),
        (
            "RCPT",
            "450 4.7.1 grey list",
            MailError::TryLater,
            "450 4.7.1",
        ),
        (
            "GREE",
            "421 4.3.2 going down",
            MailError::TryLater,
            "421 4.3.2",
        ),
        (
            "END.",
            "452 4.3.1 no space",
            MailError::TryLater,
            "452 4.3.1",
        ),
        (
            "END.",
            "554 5.6.0 looks bad",
            MailError::Settings,
            "554 5.6.0",
        ),
        // What is no enhanced code is none.
        ("RCPT", "550 5.1.1.1 odd", MailError::Address, "550"),
        ("RCPT", "550 5.99999.1 odd", MailError::Address, "550"),
    ];
    for (verb, reply, kind, codes) in cases {
        let expected = kind(format!("it answered {codes}"));
        assert_eq!(answered(verb, reply).await, Err(expected), "{verb} {reply}");
    }
    // It breaks off, or is something else than a mail server.
    for (verb, reply) in [
        ("GREE", ""),
        ("EHLO", ""),
        ("DATA", ""),
        ("END.", ""),
        ("GREE", "HTTP/1.1 400 Bad Request"),
    ] {
        let error = answered(verb, reply).await;
        assert!(matches!(error, Err(MailError::TryLater(_))), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_repeats_what_it_hears_gets_no_secret_into_the_error() {
    for (verb, reply) in [
        ("END.", "554 refused:"),
        ("END.", "450"),
        ("AUTH", "535 5.7.8 who is"),
    ] {
        let mut script = polite();
        script.insert(verb, reply.to_owned());
        let port = serve(script, true).await;
        let mail = words();
        let secret: Vec<String> = mail
            .body
            .split("\n\n")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let error = mailer(port).send(mail).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        let told = shown.split(|c: char| !c.is_ascii_alphabetic());
        let told: Vec<&str> = told.collect();
        // Some words of the list are in any sentence; a row of them is not.
        for row in secret.windows(2) {
            assert!(!told.windows(2).any(|pair| pair == row), "{shown}");
        }
        // \0acme\0password, as AUTH PLAIN sends it, ends in this.
        assert!(
            !shown.contains(PASSWORD) && !shown.contains("dW50ZXIy"),
            "{shown}"
        );
        assert!(shown.contains("it answered"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mute_server_is_not_waited_for_without_end() {
    for verb in ["GREE", "EHLO", "END."] {
        let mut script = polite();
        script.insert(verb, "mute".to_owned());
        let port = serve(script, false).await;
        let started = tokio::time::Instant::now();
        let error = mailer(port).send(words()).await;
        assert!(matches!(error, Err(MailError::TryLater(_))), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(60), "{verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_right_tls_gets_nothing() {
    let send = async |server: &MailServer, security, host: &str| {
        let settings = SmtpSettings {
            host: host.to_owned(),
            port: server.port(),
            security,
            from: "wallet@acme.example".to_owned(),
            login: None,
            root_certificate: Some(server.certificate().to_owned()),
        };
        SmtpMailer::new(&settings).unwrap().send(words()).await
    };
    // The certificate is for another name.
    let server = MailServer::start(Protection::Tls, None).await.unwrap();
    let error = send(&server, Security::Tls, "127.0.0.1").await;
    assert!(matches!(error, Err(MailError::Settings(_))), "{error:?}");
    let starttls = MailServer::start(Protection::StartTls, None).await.unwrap();
    let error = send(&starttls, Security::StartTls, "127.0.0.1").await;
    assert!(matches!(error, Err(MailError::Settings(_))), "{error:?}");
    // TLS from the first byte with a server that begins without.
    let error = send(&starttls, Security::Tls, "localhost").await;
    assert!(matches!(error, Err(MailError::Settings(_))), "{error:?}");
    assert!(server.received().is_empty() && starttls.received().is_empty());
}
