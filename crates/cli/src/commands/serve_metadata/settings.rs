//! The settings of a metadata server: a file, the environment over it, arguments over both; then everything is checked at
//! once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use trefoil::Tenant;
use trefoil_metadata_server::{
    Config, LimitsConfig, MIN_SESSION_SECONDS, Network, Origin, SESSION_SECONDS, TenantConfig,
    TenantLimits, TenantPolicy, Tenants,
};

use crate::args::ServeMetadata;
use crate::failure::Failure;
use crate::local::permit;
use crate::serving::TlsFiles;
use crate::settings::{Problems, TlsSection, parse};
use crate::store::{DatabaseSection, Location, Store, StoreSettings};

const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 7878);
/// Clients keep connections open between their calls; the system must allow as many open files.
const MAX_CONNECTIONS: usize = 10_000;

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    public_url: Option<String>,
    data: Option<PathBuf>,
    permit_key_file: Option<PathBuf>,
    sealing_keys_file: Option<PathBuf>,
    behind_proxy: bool,
    trusted_proxies: Vec<Network>,
    max_connections: Option<usize>,
    tenants: Vec<Tenant>,
    database: DatabaseSection,
    tls: TlsSection,
    limits: LimitsConfig,
    tenant: Vec<TenantSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantSection {
    name: Tenant,
    #[serde(default)]
    origins: Vec<Origin>,
    #[serde(default)]
    policy: TenantPolicy,
    #[serde(default)]
    limits: TenantLimits,
}

/// Settings that fit together. Of the files that they name nothing was read yet.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) metrics: Option<SocketAddr>,
    /// None only on loopback: the address that was taken.
    pub(super) public_url: Option<String>,
    pub(super) store: Store,
    pub(super) permit_key_file: PathBuf,
    pub(super) tls: Option<TlsFiles>,
    pub(super) trusted_proxies: Vec<Network>,
    pub(super) max_connections: usize,
    pub(super) limits: LimitsConfig,
    pub(super) tenants: Tenants,
}

impl Settings {
    /// Reads the file and puts environment and arguments over it.
    ///
    /// # Errors
    /// Exit 2 with every setting that is missing or does not fit, one a line: file, field, what to do.
    pub(super) fn read(arguments: ServeMetadata) -> Result<Self, Failure> {
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

fn merge(arguments: ServeMetadata, file: File, problems: &mut Problems) -> Option<Settings> {
    let listen = arguments
        .listen
        .or(file.listen)
        .unwrap_or_else(|| SocketAddr::from(LISTEN));
    let metrics = arguments.metrics.or(file.metrics);
    let public_url = arguments.public_url.or(file.public_url);
    let store = StoreSettings {
        data: arguments.data.or(file.data),
        database: file.database,
        sealing_keys_file: arguments.sealing_keys_file.or(file.sealing_keys_file),
    }
    .resolve(problems);
    let permit_key_file = arguments.permit_key_file.or(file.permit_key_file);
    let permit_key_file = match (permit_key_file, store.as_ref().map(|store| &store.location)) {
        (Some(path), _) => Some(path),
        (None, Some(Location::Directory(data))) => Some(permit::path(data)),
        (None, Some(Location::Database(_))) => {
            problems.add(
                "permit_key_file",
                "is missing: with a database every process needs a copy of the same key",
            );
            None
        }
        (None, None) => None,
    };
    let tls = problems.pair(
        (
            "tls.certificate",
            arguments.tls_certificate.or(file.tls.certificate),
        ),
        ("tls.key", arguments.tls_key.or(file.tls.key)),
    );
    let max_connections = file.max_connections.unwrap_or(MAX_CONNECTIONS);

    if !listen.ip().is_loopback() && tls.is_none() && !file.behind_proxy {
        problems.add(
            "listen",
            format!(
                "{listen} can be reached from outside without TLS: set tls.certificate and tls.key, or behind_proxy = \
                 true where a proxy ends TLS"
            ),
        );
    }
    match &public_url {
        Some(url) => {
            if let Err(error) = Config::new(url, Tenants::Any) {
                problems.add("public_url", error.to_string());
            }
        }
        None if listen.ip().is_loopback() && tls.is_none() => {}
        None => problems.add(
            "public_url",
            "is missing: say how clients reach this server",
        ),
    }
    if metrics.is_some_and(|metrics| metrics == listen && metrics.port() != 0) {
        problems.add("metrics", "must not be the public address");
    }
    let counts_addresses = file.limits.address_per_minute > 0
        || file.limits.creations_per_minute > 0
        || file.tenant.iter().any(|tenant| {
            tenant
                .limits
                .creations_per_minute
                .is_some_and(|rate| rate > 0)
        });
    if file.behind_proxy && file.trusted_proxies.is_empty() && counts_addresses {
        problems.add(
            "trusted_proxies",
            "is missing: behind a proxy all clients have its address; name the proxy's, or set \
             limits.address_per_minute = 0 and limits.creations_per_minute = 0",
        );
    }
    if max_connections == 0 {
        problems.add("max_connections", "must be at least 1");
    }
    for error in file.limits.errors() {
        problems.add(format!("limits.{}", error.field()), error.to_string());
    }
    let tenants = if arguments.any_tenant {
        Tenants::Any
    } else {
        let asked = arguments.tenants;
        let listed = if asked.is_empty() {
            file.tenants
        } else {
            asked.clone()
        };
        let mut tenants = tenants(listed, file.tenant, &file.limits, problems);
        // Arguments say which; the tables of the file say only what those decide.
        tenants.retain(|name, _| asked.is_empty() || asked.contains(name));
        Tenants::Configured(tenants)
    };
    Some(Settings {
        listen,
        metrics,
        public_url,
        store: store?,
        permit_key_file: permit_key_file?,
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        trusted_proxies: file.trusted_proxies,
        max_connections,
        limits: file.limits,
        tenants,
    })
}

/// The tenants by name, and what the tables say of each.
fn tenants(
    listed: Vec<Tenant>,
    sections: Vec<TenantSection>,
    limits: &LimitsConfig,
    problems: &mut Problems,
) -> BTreeMap<Tenant, TenantConfig> {
    let default = |name| (name, TenantConfig::default());
    let mut tenants: BTreeMap<Tenant, TenantConfig> = listed.into_iter().map(default).collect();
    let mut seen = Vec::new();
    for section in sections {
        let name = section.name;
        let field = |rest: &str| format!("tenant.{}{rest}", name.as_str());
        if seen.contains(&name) {
            problems.add(field(""), "stands twice");
        }
        let seconds = section.policy.session_seconds;
        if !(MIN_SESSION_SECONDS..=SESSION_SECONDS).contains(&seconds) {
            problems.add(
                field(".policy.session_seconds"),
                format!("must be {MIN_SESSION_SECONDS} to {SESSION_SECONDS}"),
            );
        }
        // What is wrong with the server's own limits is said once.
        let inherited = limits.errors();
        for error in limits.with(&section.limits).errors() {
            if !inherited.contains(&error) {
                problems.add(
                    field(&format!(".limits.{}", error.field())),
                    error.to_string(),
                );
            }
        }
        let config = TenantConfig {
            origins: section.origins,
            policy: section.policy,
            limits: section.limits,
        };
        seen.push(name.clone());
        tenants.insert(name, config);
    }
    if tenants.is_empty() {
        problems.add(
            "tenants",
            "is missing: name the tenants to serve with tenants = [\"…\"], [[tenant]] or --tenant, or use --any-tenant",
        );
    }
    tenants
}

#[cfg(test)]
mod tests;
