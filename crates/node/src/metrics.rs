//! What an operator can count, as OpenMetrics text. Labels are routes and codes: never a token, a user or an address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::node::Node;

/// Upper bounds of the latency's buckets, in seconds: an evaluation alone takes well below a millisecond, one that
/// waits for a provider's keys seconds.
const LATENCY: [f64; 15] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The counters of one node. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    evaluation: Histogram,
    limited: Family<LimitedLabels, Counter>,
    epoch: Gauge,
    guesses: Family<OutcomeLabels, Counter>,
    slots: Family<SlotLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitedLabels {
    kind: Limited,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limited {
    Address,
    User,
}

impl EncodeLabelValue for Limited {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Address => "address",
            Self::User => "user",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

/// Fetches of login providers' keys, of all providers together.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyFetches(Family<FetchLabels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FetchLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SlotLabels {
    event: SlotEvent,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SlotEvent {
    Enrolled,
    Destroyed,
    Deleted,
}

impl EncodeLabelValue for SlotEvent {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Enrolled => "enrolled",
            Self::Destroyed => "destroyed",
            Self::Deleted => "deleted",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl KeyFetches {
    pub(crate) fn count(&self, ok: bool) {
        let outcome = if ok { "ok" } else { "failed" };
        self.0.get_or_create(&FetchLabels { outcome }).inc();
    }
}

impl Metrics {
    /// Counters that start at 0, with the ones that the verifiers keep.
    pub(crate) fn new(fetches: &KeyFetches) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let evaluation = Histogram::new(LATENCY);
        let limited = Family::<LimitedLabels, Counter>::default();
        let epoch = Gauge::default();
        let guesses = Family::<OutcomeLabels, Counter>::default();
        let slots = Family::<SlotLabels, Counter>::default();
        // Seen from the start, so that a first increase is an increase.
        for kind in [Limited::Address, Limited::User] {
            drop(limited.get_or_create(&LimitedLabels { kind }));
        }
        for outcome in ["ok", "failed"] {
            drop(fetches.0.get_or_create(&FetchLabels { outcome }));
        }
        for outcome in ["counted", "repeated"] {
            drop(guesses.get_or_create(&OutcomeLabels { outcome }));
        }
        for event in [
            SlotEvent::Enrolled,
            SlotEvent::Destroyed,
            SlotEvent::Deleted,
        ] {
            drop(slots.get_or_create(&SlotLabels { event }));
        }
        let mut registry = Registry::with_prefix("trefoil_node");
        registry.register(
            "build",
            "The running software",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register(
            "requests",
            "Requests by route and outcome: ok, or the problem's code",
            requests.clone(),
        );
        registry.register_with_unit(
            "evaluation",
            "Time from a whole request to its answer, of evaluations that were answered",
            Unit::Seconds,
            evaluation.clone(),
        );
        registry.register(
            "key_fetches",
            "Fetches of login providers' keys by outcome",
            fetches.0.clone(),
        );
        registry.register(
            "limited_requests",
            "Requests refused because of a limit, by its kind",
            limited.clone(),
        );
        registry.register(
            "epoch",
            "The newest epoch in which the node answers, 0 without a share",
            epoch.clone(),
        );
        registry.register(
            "guesses",
            "Guesses at slots by outcome: counted, repeated, or the problem's code",
            guesses.clone(),
        );
        registry.register(
            "slots",
            "Slots by what became of them: enrolled, destroyed by the last guess, or deleted",
            slots.clone(),
        );
        Self {
            registry: Arc::new(registry),
            requests,
            evaluation,
            limited,
            epoch,
            guesses,
            slots,
        }
    }

    /// The newest epoch in which the node answers; 0 without a share.
    pub fn set_epoch(&self, epoch: u32) {
        self.epoch.set(epoch.into());
    }

    pub(crate) fn request(&self, route: &str, code: &'static str) {
        let route = route.to_owned();
        self.requests
            .get_or_create(&RequestLabels { route, code })
            .inc();
    }

    pub(crate) fn evaluated(&self, within: Duration) {
        self.evaluation.observe(within.as_secs_f64());
    }

    pub(crate) fn limited(&self, kind: Limited) {
        self.limited.get_or_create(&LimitedLabels { kind }).inc();
    }

    pub(crate) fn guess(&self, outcome: &'static str) {
        self.guesses.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn slot(&self, event: SlotEvent) {
        self.slots.get_or_create(&SlotLabels { event }).inc();
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

impl Node {
    /// The node's counters, to be served where the operator wants them.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_what_was_counted() {
        let fetches = KeyFetches::default();
        let metrics = Metrics::new(&fetches);
        metrics.request("/v1/evaluate", "ok");
        metrics.request("/v1/evaluate", "token_expired");
        metrics.request("/v1/evaluate", "token_expired");
        metrics.evaluated(Duration::from_micros(1500));
        metrics.limited(Limited::User);
        metrics.set_epoch(7);
        metrics.guess("guesses_spent");
        metrics.slot(SlotEvent::Destroyed);
        fetches.count(true);
        let text = metrics.encode();
        for line in [
            "trefoil_node_requests_total{route=\"/v1/evaluate\",code=\"ok\"} 1",
            "trefoil_node_requests_total{route=\"/v1/evaluate\",code=\"token_expired\"} 2",
            "trefoil_node_evaluation_seconds_count 1",
            "trefoil_node_evaluation_seconds_bucket{le=\"0.001\"} 0",
            "trefoil_node_evaluation_seconds_bucket{le=\"0.002\"} 1",
            "trefoil_node_limited_requests_total{kind=\"user\"} 1",
            "trefoil_node_limited_requests_total{kind=\"address\"} 0",
            "trefoil_node_key_fetches_total{outcome=\"ok\"} 1",
            "trefoil_node_key_fetches_total{outcome=\"failed\"} 0",
            "trefoil_node_epoch 7",
            "trefoil_node_guesses_total{outcome=\"counted\"} 0",
            "trefoil_node_guesses_total{outcome=\"guesses_spent\"} 1",
            "trefoil_node_slots_total{event=\"destroyed\"} 1",
            "trefoil_node_slots_total{event=\"deleted\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.contains(concat!(
            "trefoil_node_build_info{version=\"",
            env!("CARGO_PKG_VERSION")
        )));
        assert!(text.ends_with("# EOF\n"));
    }
}
