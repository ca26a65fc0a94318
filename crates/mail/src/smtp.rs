//! SMTP (RFC 5321) through a server of the app's choice, over TLS.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use trefoil_factors::email::{Mail, MailError, MailFuture, Mailer};
use zeroize::Zeroizing;

/// Within which a server must have taken a message.
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
    let failed = |error: lettre::transport::smtp::Error| BadSettings::Tls(error.to_string());
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
            match self.transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) => Err(sort(&error)),
            }
        })
    }
}

/// By what can be done: the server's own words say the rest.
fn sort(error: &lettre::transport::smtp::Error) -> MailError {
    let said = error.to_string();
    let code = error.status().map(|code| code.to_string());
    match code.as_deref() {
        // RFC 5321 section 4.2.3: mailbox unavailable, not allowed, or not known here.
        Some("550" | "551" | "552" | "553") => MailError::Address(said),
        Some(code) if code.starts_with('4') => MailError::TryLater(said),
        Some(_) => MailError::Settings(said),
        None if error.is_tls() || error.is_client() => MailError::Settings(said),
        None if refuses_certificate(error) => MailError::Settings(said),
        None => MailError::TryLater(said),
    }
}

/// The TLS library's refusal comes as a failed connection.
fn refuses_certificate(error: &lettre::transport::smtp::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.to_string().contains("certificate") {
            return true;
        }
        source = cause.source();
    }
    false
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
