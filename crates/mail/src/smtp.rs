//! SMTP (RFC 5321) through a server of the app's choice, over TLS.

use core::error::Error as _;
use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use trefoil_factors::email::{Mail, MailError, MailFuture, Mailer};
use zeroize::Zeroizing;

/// Within which a server must have taken a message, from the first packet to its last word. The library limits only the
/// connecting: a mute server would be waited for without end.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte, as on port 465 (RFC 8314).
    Tls,
    /// STARTTLS, without which nothing is sent, as on port 587.
    StartTls,
    /// None, to this machine only: for a relay beside the app.
    LoopbackOnly,
}

/// The mail server.
#[derive(Clone)]
pub struct SmtpSettings {
    /// Its host name, or with [`Security::LoopbackOnly`] a loopback address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// From whom mails come.
    pub from: String,
    /// User name and password, where it asks for them.
    pub login: Option<(String, Zeroizing<String>)>,
    /// A further root certificate, PEM, for a server of the app's own.
    pub root_certificate: Option<String>,
}

/// Sends mail by SMTP.
#[derive(Clone)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Settings that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSettings {
    /// Secrets would travel in the clear.
    #[error("mail without TLS goes to this machine only: 127.0.0.1 or ::1")]
    Insecure,
    /// The sender is no address.
    #[error("the sender is no e-mail address")]
    From,
    /// The certificate is none, or TLS cannot be set up for the host.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl SmtpMailer {
    /// Sets it up. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BadSettings`].
    pub fn new(settings: &SmtpSettings) -> Result<Self, BadSettings> {
        let tls = match settings.security {
            Security::Tls => Tls::Wrapper(parameters(settings)?),
            Security::StartTls => Tls::Required(parameters(settings)?),
            Security::LoopbackOnly => {
                let address: Option<IpAddr> = settings.host.parse().ok();
                if !address.is_some_and(|address| address.is_loopback()) {
                    return Err(BadSettings::Insecure);
                }
                Tls::None
            }
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .timeout(Some(TIME_LIMIT))
            .tls(tls);
        if let Some((user, password)) = &settings.login {
            let password = password.as_str().to_owned();
            transport = transport.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self {
            transport: transport.build(),
            from: settings.from.parse().map_err(|_| BadSettings::From)?,
        })
    }
}

fn parameters(settings: &SmtpSettings) -> Result<TlsParameters, BadSettings> {
    let failed = |error: Error| BadSettings::Tls(error.to_string());
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = &settings.root_certificate {
        builder =
            builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(failed)?);
    }
    builder.build_rustls().map_err(failed)
}

impl Mailer for SmtpMailer {
    fn send(&self, mail: Mail) -> MailFuture<'_> {
        Box::pin(async move {
            let to: Mailbox = mail
                .to
                .parse()
                .map_err(|_| MailError::Address("it is no address".to_owned()))?;
            let message = Message::builder()
                .from(self.from.clone())
                .to(to)
                .subject(mail.subject.clone())
                .header(ContentType::TEXT_PLAIN)
                .body(mail.body.as_str().to_owned())
                .map_err(|error| MailError::Settings(error.to_string()))?;
            match tokio::time::timeout(TIME_LIMIT, self.transport.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(sort(&error)),
                Err(_) => Err(MailError::TryLater(format!(
                    "it took longer than {} seconds",
                    TIME_LIMIT.as_secs()
                ))),
            }
        })
    }
}

/// By what can be done. A server's refusal may repeat what it was sent, words or password: of its text only the codes are
/// told.
fn sort(error: &Error) -> MailError {
    let Some(code) = error.status() else {
        return unanswered(error);
    };
    let code = code.to_string();
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let detail = enhanced(&text);
    let said = match detail {
        Some((class, subject, detail)) => format!("it answered {code} {class}.{subject}.{detail}"),
        None => format!("it answered {code}"),
    };
    match (code.as_str(), detail) {
        (code, _) if code.starts_with('4') => MailError::TryLater(said),
        // RFC 3463: addressing is the subject 1, but of the sender's with 1.7 and 1.8; the mailbox is the subject 2.
        (_, Some((_, 1, 7 | 8))) => MailError::Settings(said),
        (_, Some((_, 1 | 2, _))) => MailError::Address(said),
        (_, Some(_)) => MailError::Settings(said),
        // RFC 5321 section 4.2.3: mailbox unavailable, not local, too full, or not allowed.
        ("550" | "551" | "552" | "553", None) => MailError::Address(said),
        (_, None) => MailError::Settings(said),
    }
}

/// The enhanced status code (RFC 3463) that a reply's text begins with, such as `5.1.1`.
fn enhanced(text: &str) -> Option<(u16, u16, u16)> {
    let code = text.split_ascii_whitespace().next()?;
    let number = |part: &str| {
        let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let mut parts = code.split('.').map(number);
    let code = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(code)
}

/// No reply at all, or none of SMTP's.
fn unanswered(error: &Error) -> MailError {
    if let Some(refused) = tls_refusal(error) {
        MailError::Settings(format!("no TLS with it: {refused}"))
    } else if error.is_tls() || error.is_client() {
        // The library's own words: no STARTTLS, or no way to log in that it knows.
        MailError::Settings(error.to_string())
    } else if error.is_response() {
        MailError::TryLater("it broke off, or does not speak SMTP".to_owned())
    } else {
        MailError::TryLater(error.to_string())
    }
}

/// What the TLS library has against the server: it comes inside a failed connection.
fn tls_refusal(error: &Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        let refused = io.and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(refused) = refused {
            return Some(refused.to_string());
        }
        cause = inner.source();
    }
    None
}

impl fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("from", &self.from)
            .field("login", &self.login.as_ref().map(|_| "redacted"))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer")
            .field("from", &self.from.to_string())
            .finish_non_exhaustive()
    }
}
