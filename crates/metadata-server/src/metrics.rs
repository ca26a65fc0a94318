//! What an operator can count, as OpenMetrics text. Labels are routes and codes: never a tenant, an account or an address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::server::MetadataServer;

/// Upper bounds of the latency's buckets, in seconds: a read takes less than a millisecond, a write waits for the disk.
const LATENCY: [f64; 14] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// The counters of one server. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    store_faults: Counter,
    limited: Family<KindLabels, Counter>,
    limit_faults: Family<KindLabels, Counter>,
    sessions: Family<HowLabels, Counter>,
    commits: Counter,
    tombstones: Family<KindLabels, Counter>,
    ready: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HowLabels {
    by: &'static str,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    Address,
    Creation,
    Locator,
    Slot,
}

impl Limited {
    const ALL: [Self; 4] = [Self::Address, Self::Creation, Self::Locator, Self::Slot];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Creation => "creation",
            Self::Locator => "locator",
            Self::Slot => "slot",
        }
    }
}

/// By what a session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    Login,
    Creation,
}

impl Opened {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Creation => "creation",
        }
    }
}

/// Of what it is remembered for ever, or for long, that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tombstone {
    Account,
    Factor,
    Slot,
}

impl Tombstone {
    const ALL: [Self; 3] = [Self::Account, Self::Factor, Self::Slot];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Factor => "factor",
            Self::Slot => "slot",
        }
    }
}

impl Default for Metrics {
    /// Counters that start at 0.
    fn default() -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let seconds =
            Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(LATENCY));
        let (limited, limit_faults) = (Family::default(), Family::default());
        let (sessions, tombstones) = (Family::default(), Family::default());
        let (store_faults, commits, ready) =
            (Counter::default(), Counter::default(), Gauge::default());
        let mut registry = Registry::with_prefix("trefoil_metadata");
        registry.register(
            "build",
            "The running software",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register(
            "requests",
            "Requests by route, method and outcome: ok, the problem's code, or hung_up",
            requests.clone(),
        );
        registry.register_with_unit(
            "request",
            "Time from a request's headers to its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register(
            "store_faults",
            "Answers that the store failed to give",
            store_faults.clone(),
        );
        registry.register(
            "limited_requests",
            "Requests refused because of a limit, by its kind",
            Family::clone(&limited),
        );
        registry.register(
            "limit_faults",
            "Limits that could not be asked, by their kind",
            Family::clone(&limit_faults),
        );
        registry.register(
            "sessions",
            "Sessions opened, by login or by creation",
            Family::clone(&sessions),
        );
        registry.register("commits", "Records replaced", commits.clone());
        registry.register(
            "tombstones",
            "Accounts and slots deleted, commits that removed a factor",
            Family::clone(&tombstones),
        );
        registry.register(
            "ready",
            "Whether the store worked when it was last checked: 1 or 0",
            ready.clone(),
        );
        let metrics = Self {
            registry: Arc::new(registry),
            requests,
            seconds,
            store_faults,
            limited,
            limit_faults,
            sessions,
            commits,
            tombstones,
            ready,
        };
        metrics.show_zeros();
        metrics
    }
}

impl Metrics {
    /// Seen from the start, so that a first increase is an increase.
    fn show_zeros(&self) {
        for kind in Limited::ALL.map(Limited::as_str) {
            drop(self.limited.get_or_create(&KindLabels { kind }));
            drop(self.limit_faults.get_or_create(&KindLabels { kind }));
        }
        for kind in Tombstone::ALL.map(Tombstone::as_str) {
            drop(self.tombstones.get_or_create(&KindLabels { kind }));
        }
        for by in [Opened::Login, Opened::Creation].map(Opened::as_str) {
            drop(self.sessions.get_or_create(&HowLabels { by }));
        }
    }

    pub(crate) fn request(
        &self,
        route: &str,
        method: &'static str,
        code: &'static str,
        within: Duration,
    ) {
        let route = route.to_owned();
        self.seconds
            .get_or_create(&RouteLabels {
                route: route.clone(),
                method,
            })
            .observe(within.as_secs_f64());
        let labels = RequestLabels {
            route,
            method,
            code,
        };
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn store_failed(&self) {
        self.store_faults.inc();
    }

    pub(crate) fn limited(&self, kind: Limited) {
        let kind = kind.as_str();
        self.limited.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn limits_failed(&self, kind: Limited) {
        let kind = kind.as_str();
        self.limit_faults.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn session(&self, by: Opened) {
        let by = by.as_str();
        self.sessions.get_or_create(&HowLabels { by }).inc();
    }

    pub(crate) fn commit(&self) {
        self.commits.inc();
    }

    pub(crate) fn tombstone(&self, of: Tombstone) {
        let kind = of.as_str();
        self.tombstones.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// Everything, as OpenMetrics 1.0 text.
    #[must_use]
    pub fn encode(&self) -> String {
        trefoil_server_kit::encode(&self.registry)
    }

    /// `GET /metrics`: for a listener of its own, never the public one.
    pub fn router(&self) -> Router {
        trefoil_server_kit::metrics_router(Arc::clone(&self.registry))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl MetadataServer {
    /// The server's counters, to be served where the operator wants them.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }
}
