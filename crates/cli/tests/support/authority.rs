//! Certificates for servers under test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use http::Method;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use trefoil_client::transport::{HttpTransport, Request, Transport as _};
use url::Url;

/// A certificate authority and a certificate for `localhost` by it.
pub(crate) struct Authority {
    pub(crate) root: CertificateDer<'static>,
    pub(crate) chain: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = names.signed_by(&key, &issuer).unwrap();
        Self {
            root: ca.der().clone(),
            chain: leaf.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Puts certificate and key where the settings of [`tls`] say they are.
    pub(crate) fn install(&self, directory: impl AsRef<Path>) {
        let directory = directory.as_ref();
        std::fs::write(directory.join("chain.pem"), &self.chain).unwrap();
        let key = directory.join("key.pem");
        std::fs::write(&key, &self.key).unwrap();
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A client that trusts this authority too.
    pub(crate) fn client(&self) -> HttpTransport {
        let builder = HttpTransport::builder().add_root(self.root.to_vec());
        builder.build().unwrap()
    }

    pub(crate) async fn is_taken(&self, base: &str) -> bool {
        let url = Url::parse(&format!("{base}/healthz")).unwrap();
        let answer = self.client().send(Request::new(Method::GET, url)).await;
        answer.is_ok_and(|answer| answer.status.is_success())
    }
}

/// The table of settings that names them.
pub(crate) fn tls(directory: impl AsRef<Path>) -> String {
    let path = |name| directory.as_ref().join(name).display().to_string();
    let (chain, key) = (path("chain.pem"), path("key.pem"));
    format!("[tls]\ncertificate = \"{chain}\"\nkey = \"{key}\"\n")
}

/// Waits until the server shows this authority's certificate.
pub(crate) async fn until_taken(authority: &Authority, base: &str) {
    let begun = Instant::now();
    while !authority.is_taken(base).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "not taken up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
