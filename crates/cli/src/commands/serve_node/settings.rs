//! The settings of a node: a file, the environment over it, arguments over both; then everything is checked at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use trefoil_node::{LimitsConfig, Network, Trust};
use trefoil_protocol::bytes::AuthKey;

use crate::args::ServeNode;
use crate::failure::Failure;
use crate::serving::TlsFiles;
use crate::settings::{Problems, TlsSection, is_public_url, parse};

const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 7879);
/// For which the previous epoch is answered for, unless set.
const OVERLAP: u64 = 3600;
const MAX_OVERLAP: u64 = 30 * 24 * 3600;
/// Systems often allow 1024 open files, and a node needs some others.
const MAX_CONNECTIONS: usize = 512;

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    public_url: Option<String>,
    manifest: Option<PathBuf>,
    secrets: Option<PathBuf>,
    verifiers: Option<PathBuf>,
    data: Option<PathBuf>,
    key_file: Option<PathBuf>,
    overlap: Option<u64>,
    behind_proxy: bool,
    trusted_proxies: Vec<Network>,
    max_connections: Option<usize>,
    tls: TlsSection,
    limits: LimitsConfig,
    ceremony: Option<Ceremony>,
}

/// Whose ceremonies the node takes part in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ceremony {
    /// Ed25519 key of whoever may start one.
    pub(super) coordinator: AuthKey,
    #[serde(default)]
    pub(super) trust: Trust,
}

/// Where the node keeps what it must not lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) directory: PathBuf,
    pub(super) key_file: PathBuf,
}

/// Keys that a dealer made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dealt {
    pub(super) manifest: PathBuf,
    pub(super) secrets: PathBuf,
}

/// Settings that fit together. Of the files that they name nothing was read yet.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) metrics: Option<SocketAddr>,
    /// How clients reach the node; for ceremonies.
    pub(super) public_url: Option<String>,
    pub(super) verifiers: PathBuf,
    pub(super) dealt: Option<Dealt>,
    pub(super) data: Option<Data>,
    /// For which the previous epoch is answered for after a new one has begun.
    pub(super) overlap: Duration,
    pub(super) ceremony: Option<Ceremony>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) trusted_proxies: Vec<Network>,
    pub(super) limits: LimitsConfig,
    pub(super) max_connections: usize,
}

impl Settings {
    /// Reads the file and puts environment and arguments over it.
    ///
    /// # Errors
    /// Exit 2 with every setting that is missing or does not fit, one a line: file, field, what to do.
    pub(super) fn read(arguments: ServeNode) -> Result<Self, Failure> {
        let path = arguments.config.clone();
        let file = match &path {
            None => File::default(),
            Some(path) => parse(path)?,
        };
        let mut problems = Problems::default();
        let settings = merge(arguments, file, &mut problems);
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(problems.into_failure(path.as_deref())),
        }
    }
}

fn merge(arguments: ServeNode, file: File, problems: &mut Problems) -> Option<Settings> {
    let listen = arguments
        .listen
        .or(file.listen)
        .unwrap_or_else(|| SocketAddr::from(LISTEN));
    let metrics = arguments.metrics.or(file.metrics);
    let public_url = arguments.public_url.or(file.public_url);
    let verifiers = arguments.verifiers.or(file.verifiers);
    let dealt = problems.pair(
        ("manifest", arguments.manifest.or(file.manifest)),
        ("secrets", arguments.secrets.or(file.secrets)),
    );
    let data = problems.pair(
        ("data", arguments.data.or(file.data)),
        ("key_file", arguments.key_file.or(file.key_file)),
    );
    let tls = problems.pair(
        (
            "tls.certificate",
            arguments.tls_certificate.or(file.tls.certificate),
        ),
        ("tls.key", arguments.tls_key.or(file.tls.key)),
    );
    let overlap = file.overlap.unwrap_or(OVERLAP);
    let max_connections = file.max_connections.unwrap_or(MAX_CONNECTIONS);

    if verifiers.is_none() {
        problems.add("verifiers", "is missing: name the verifiers' file");
    }
    if problems.is_empty() && dealt.is_none() && data.is_none() {
        problems.add(
            "manifest",
            "is missing: name the network's manifest and this node's secrets",
        );
    }
    if !listen.ip().is_loopback() && tls.is_none() && !file.behind_proxy {
        problems.add(
            "listen",
            format!(
                "{listen} can be reached from outside without TLS: set tls.certificate and tls.key, or behind_proxy = \
                 true where a proxy ends TLS"
            ),
        );
    }
    if file.behind_proxy && file.trusted_proxies.is_empty() && file.limits.address_per_minute > 0 {
        problems.add(
            "trusted_proxies",
            "is missing: behind a proxy all clients have its address; name the proxy's, or set \
             limits.address_per_minute = 0",
        );
    }
    if metrics.is_some_and(|metrics| metrics == listen && metrics.port() != 0) {
        problems.add("metrics", "must not be the public address");
    }
    if let Some(url) = &public_url
        && !is_public_url(url)
    {
        problems.add(
            "public_url",
            "must be https://host[:port][/path] without a slash at the end; http only on this machine",
        );
    }
    if overlap > MAX_OVERLAP {
        problems.add(
            "overlap",
            format!("must be at most {MAX_OVERLAP} seconds (30 days)"),
        );
    }
    if max_connections == 0 {
        problems.add("max_connections", "must be at least 1");
    }
    if let Err(error) = file.limits.check() {
        let field = match error.field() {
            "address_burst" => "limits.address_burst",
            _ => "limits.user_burst",
        };
        problems.add(field, error.to_string());
    }
    if file.ceremony.is_some() {
        if data.is_none() {
            problems.add("ceremony", "needs data and key_file, where its shares go");
        }
        if public_url.is_none() {
            problems.add(
                "ceremony",
                "needs public_url, by which other nodes find this one",
            );
        }
    }
    Some(Settings {
        listen,
        metrics,
        public_url,
        verifiers: verifiers?,
        dealt: dealt.map(|(manifest, secrets)| Dealt { manifest, secrets }),
        data: data.map(|(directory, key_file)| Data {
            directory,
            key_file,
        }),
        overlap: Duration::from_secs(overlap),
        ceremony: file.ceremony,
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        trusted_proxies: file.trusted_proxies,
        limits: file.limits,
        max_connections,
    })
}

#[cfg(test)]
mod tests;
