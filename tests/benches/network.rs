//! The social half of a login at 5 of 9 nodes, next to the same wires without any of the work: a small `GET` at all nine,
//! done when five have answered.
//!
//! - `network_login`: all nine on loopback.
//! - `network_login_4_at_50_ms`, `network_login_4_at_500_ms`: four wires are slow; the fifth fastest is not, and neither
//!   is the login.
//! - `network_login_5_at_50_ms`, `network_login_5_at_500_ms`: the fifth fastest is slow, and the login takes its time.
//!
//! Connections are opened ahead while the user is at the login provider, as in an app; that time is not counted.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of benches fail by panicking"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::Method;
use tokio::runtime::Runtime;
use trefoil::{HttpTransport, VerifierId};
use trefoil_client::network::{NetworkClient, SocialLogin};
use trefoil_client::{Environment, Request, Transport};
use trefoil_protocol::social::IdToken;
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::servers::{World, WorldOptions};
use url::Url;

const NODES: usize = 9;
const NEEDED: usize = 5;
/// Until connections to the slowest nodes are open.
const AT_THE_PROVIDER: Duration = Duration::from_millis(100);

struct Bench {
    runtime: Runtime,
    world: World,
    transport: Arc<HttpTransport>,
    client: NetworkClient,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = WorldOptions {
            nodes: NODES,
            threshold: 5,
            proxied: true,
            ..WorldOptions::default()
        };
        let world = runtime.block_on(World::with(options)).unwrap();
        let transport = Arc::new(HttpTransport::new().unwrap());
        let manifest = world.manifest().trust_pinned().unwrap();
        let client =
            NetworkClient::new(transport.clone(), manifest, Environment::system()).unwrap();
        Self {
            runtime,
            world,
            transport,
            client,
        }
    }

    /// The first wires of the nodes take this long there and back; the others take nothing.
    fn slow(&self, count: usize, round_trip: Duration) {
        // The first proxy is the metadata server's.
        for (node, proxy) in self.world.proxies.iter().skip(1).enumerate() {
            let latency = if node < count {
                round_trip
            } else {
                Duration::ZERO
            };
            proxy.latency(latency);
        }
    }

    async fn connected(&self, slowest: Duration) {
        let patience = AT_THE_PROVIDER + 3 * slowest;
        let _ = tokio::time::timeout(patience, self.client.connect_ahead()).await;
    }

    async fn login(&self, slowest: Duration) -> Duration {
        self.connected(slowest).await;
        let ephemeral = self.client.ephemeral_key();
        let token = self.world.id_token("alice", &ephemeral.oidc_nonce());
        let login = SocialLogin::new(
            &ephemeral,
            Tenant::new("acme").unwrap(),
            VerifierId::new("google").unwrap(),
            IdToken::new(token.unwrap()),
        );
        let begun = Instant::now();
        self.client.social_secret(&login).await.unwrap();
        begun.elapsed()
    }

    async fn bare(&self, slowest: Duration) -> Duration {
        self.connected(slowest).await;
        let urls = self.world.proxies.iter().skip(1);
        let requests: Vec<Request> = urls
            .map(|proxy| {
                let url = Url::parse(&format!("{}/healthz", proxy.base_url())).unwrap();
                Request::new(Method::GET, url)
            })
            .collect();
        let begun = Instant::now();
        let mut answers: FuturesUnordered<_> = requests
            .into_iter()
            .map(|request| self.transport.send(request))
            .collect();
        for _ in 0..NEEDED {
            answers.next().await.unwrap().unwrap();
        }
        begun.elapsed()
    }
}

fn network(criterion: &mut Criterion) {
    let bench = Bench::new();
    let cases = [
        ("network_login", 0, 0),
        ("network_login_4_at_50_ms", 4, 50),
        ("network_login_5_at_50_ms", 5, 50),
        ("network_login_4_at_500_ms", 4, 500),
        ("network_login_5_at_500_ms", 5, 500),
    ];
    for (name, count, milliseconds) in cases {
        let slowest = Duration::from_millis(milliseconds);
        bench.slow(count, slowest);
        let mut group = criterion.benchmark_group(name);
        // Of slow wires a few samples say it all.
        group
            .sample_size(10)
            .sampling_mode(SamplingMode::Flat)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        group.bench_function("trefoil", |b| {
            b.iter_custom(|times| {
                let logins = async {
                    let mut total = Duration::ZERO;
                    for _ in 0..times {
                        total += bench.login(slowest).await;
                    }
                    total
                };
                bench.runtime.block_on(logins)
            });
        });
        group.bench_function("fifth_fastest_answer", |b| {
            b.iter_custom(|times| {
                let exchanges = async {
                    let mut total = Duration::ZERO;
                    for _ in 0..times {
                        total += bench.bare(slowest).await;
                    }
                    total
                };
                bench.runtime.block_on(exchanges)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, network);
criterion_main!(benches);
