//! The server's certificate: loaded, checked, and loaded again when it was renewed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;

use crate::failure::{Exit, Failure};
use crate::files;

/// Time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where certificate chain and key lie, both PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A certificate in use, which is replaced when its files change.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: TlsFiles,
    config: RustlsConfig,
}

impl TlsFiles {
    /// Reads and checks both files: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    pub(crate) fn load(&self) -> Result<Arc<ServerConfig>, Failure> {
        let text = files::read(&self.certificate)
            .map_err(|failure| failure.of_setting("tls.certificate"))?;
        let chain = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .unwrap_or_default();
        if chain.is_empty() {
            return Err(bad(
                "tls.certificate",
                &self.certificate,
                "holds no certificate in PEM form",
            ));
        }
        let text =
            files::read_private(&self.key).map_err(|failure| failure.of_setting("tls.key"))?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| bad("tls.key", &self.key, "holds no private key in PEM form"))?;
        // Named here, since a process-wide default would be chosen by whoever comes first.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| {
                let what = format!("does not go with {}: {error}", self.certificate.display());
                bad("tls.key", &self.key, &what)
            })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Changes when either file does.
    fn stamp(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.certificate, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

impl Certificates {
    pub(crate) fn load(files: TlsFiles) -> Result<Self, Failure> {
        let config = RustlsConfig::from_config(files.load()?);
        Ok(Self { files, config })
    }

    /// For the server; follows every replacement.
    pub(crate) fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// Loads the files again on SIGHUP and when they change, until dropped. While they do not fit together the
    /// certificate in use stays.
    pub(crate) async fn renew(self) {
        let mut hangup = Hangup::listen();
        let mut seen = self.files.stamp();
        loop {
            let asked = tokio::select! {
                () = hangup.wait() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let stamp = self.files.stamp();
            if !asked && stamp == seen {
                continue;
            }
            seen = stamp;
            match self.files.load() {
                Ok(config) => {
                    self.config.reload_from_config(config);
                    tracing::info!("the certificate was loaded again");
                }
                Err(failure) => {
                    let reason = failure.message();
                    tracing::error!(
                        reason,
                        "the certificate in use stays, the new one cannot be used"
                    );
                }
            }
        }
    }
}

fn bad(field: &str, path: &Path, what: &str) -> Failure {
    let message = format!("{} {what}", path.display());
    Failure::new(Exit::Usage, "bad_settings", message).of_setting(field)
}

/// SIGHUP, where there is such a thing.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
