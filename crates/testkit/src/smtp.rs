//! A mail server on loopback that keeps what it is given: SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS from the start.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// How it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS is offered.
    StartTls,
    /// None is offered.
    None,
}

/// A message as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and text, lines joined by `\n`.
    pub text: String,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

/// The server. Dropped, it stops.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    certificate: String,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
#[error("the mail server does not start: {0}")]
pub struct MailServerError(String);

#[derive(Clone)]
struct Session {
    acceptor: TlsAcceptor,
    protection: Protection,
    refused: Option<String>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl MailServer {
    /// Starts one with a certificate of its own for `localhost`. Mail to `refused` is answered 550.
    ///
    /// # Errors
    /// [`MailServerError`].
    pub async fn start(
        protection: Protection,
        refused: Option<&str>,
    ) -> Result<Self, MailServerError> {
        let failed = |error: &dyn core::fmt::Display| MailServerError(error.to_string());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .map_err(|error| failed(&error))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(|error| failed(&error))?;
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| failed(&error))?;
        let port = listener
            .local_addr()
            .map_err(|error| failed(&error))?
            .port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let session = Session {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            protection,
            refused: refused.map(str::to_owned),
            received: Arc::clone(&received),
        };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = session.clone();
                tokio::spawn(async move { session.serve(stream).await });
            }
        });
        Ok(Self {
            port,
            certificate: made.cert.pem(),
            received,
            task,
        })
    }

    /// Its host name.
    #[must_use]
    pub const fn host(&self) -> &'static str {
        "localhost"
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that it shows, PEM: its own root.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What has arrived so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What ended a conversation.
enum End {
    Quit,
    StartTls,
}

impl Session {
    async fn serve(&self, stream: TcpStream) {
        // A conversation that breaks off is the client's business.
        let _ = match self.protection {
            Protection::Tls => match self.acceptor.accept(stream).await {
                Ok(stream) => self
                    .talk(&mut BufReader::new(stream), true, true)
                    .await
                    .map(|_| ()),
                Err(error) => Err(error),
            },
            _ => self.plain(stream).await,
        };
    }

    async fn plain(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        if let End::StartTls = self.talk(&mut stream, false, true).await? {
            let stream = self.acceptor.accept(stream.into_inner()).await?;
            self.talk(&mut BufReader::new(stream), true, false).await?;
        }
        Ok(())
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        encrypted: bool,
        greet: bool,
    ) -> std::io::Result<End> {
        if greet {
            say(stream, "220 localhost").await?;
        }
        let mut to = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(End::Quit);
            }
            let line = line.trim_end();
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" if self.protection == Protection::StartTls && !encrypted => {
                    say(stream, "250-localhost").await?;
                    say(stream, "250 STARTTLS").await?;
                }
                "EHLO" => {
                    say(stream, "250-localhost").await?;
                    say(stream, "250 AUTH PLAIN LOGIN").await?;
                }
                "STAR" if self.protection == Protection::StartTls && !encrypted => {
                    say(stream, "220 go ahead").await?;
                    return Ok(End::StartTls);
                }
                "AUTH" => say(stream, "235 welcome").await?,
                "MAIL" => say(stream, "250 sender ok").await?,
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    if self.refused.as_ref() == Some(&address) {
                        say(stream, "550 no such mailbox").await?;
                    } else {
                        to.push(address);
                        say(stream, "250 recipient ok").await?;
                    }
                }
                "DATA" => {
                    say(stream, "354 go ahead").await?;
                    let text = data(stream).await?;
                    let message = Received {
                        to: core::mem::take(&mut to),
                        text,
                        encrypted,
                    };
                    self.received
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(message);
                    say(stream, "250 taken").await?;
                }
                "RSET" | "NOOP" => say(stream, "250 ok").await?,
                "QUIT" => {
                    say(stream, "221 bye").await?;
                    return Ok(End::Quit);
                }
                _ => say(stream, "502 not here").await?,
            }
        }
    }
}

/// Up to the lone dot; a dot that was doubled is one (RFC 5321 section 4.5.2).
async fn data<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(line));
        text.push('\n');
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    line: &str,
) -> std::io::Result<()> {
    stream.write_all(line.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await
}
