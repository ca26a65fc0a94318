//! A whole cold login, from the ID token to the open account, next to the same two exchanges without any of the work.
//!
//! - `login`: on loopback; what remains above `bare_http_round_trips` is cryptography, databases and JSON.
//! - `login_at_50_ms`: every wire takes 50 ms there and back, so two round trips cannot take less than 100 ms. Promised:
//!   at most 130 ms.
//!
//! Connections are opened ahead while the user is at the login provider, as in an app; that time is not counted.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use criterion::{Criterion, criterion_group, criterion_main};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::Method;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trefoil::device::FileDeviceStore;
use trefoil::{HttpTransport, Opened, Trefoil, VerifierId};
use trefoil_client::{Request, Transport};
use trefoil_testkit::faults::FaultyTransport;
use trefoil_testkit::servers::{World, WorldOptions};
use url::Url;

/// The user at the login provider: long enough for connections to be open, also on the slow wires.
const AT_THE_PROVIDER: Duration = Duration::from_millis(250);
const SLOW: Duration = Duration::from_millis(50);
const NODES_NEEDED: usize = 2;

/// A user with social login, device and phrase, 2 of 3, and the bodies of one of their logins.
struct Bench {
    runtime: Runtime,
    world: World,
    phone: TempDir,
    exchanges: Vec<(Bytes, Bytes)>,
}

impl Bench {
    fn new(proxied: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = WorldOptions {
            proxied,
            ..WorldOptions::default()
        };
        let world = runtime.block_on(World::with(options)).unwrap();
        let mut bench = Self {
            runtime,
            world,
            phone: TempDir::new().unwrap(),
            exchanges: Vec::new(),
        };
        bench.runtime.block_on(bench.enrol());
        bench.exchanges = bench.runtime.block_on(bench.record());
        bench
    }

    /// A process that has just started: no connection is open.
    fn app(&self, transport: impl Transport + 'static) -> Trefoil {
        Trefoil::builder(self.world.metadata_url(), self.world.manifest().clone())
            .tenant("acme")
            .device_store(FileDeviceStore::in_directory(self.phone.path()))
            .transport(transport)
            .build()
            .unwrap()
    }

    async fn enrol(&self) {
        let app = self.app(HttpTransport::new().unwrap());
        let login = app.begin_login();
        let token = self.world.id_token("alice", &login.oidc_nonce()).unwrap();
        let locked = login
            .complete(&VerifierId::new("google").unwrap(), &token)
            .await
            .unwrap();
        let Opened::NoAccount(new) = locked.open().await.unwrap() else {
            panic!("an account in a new world")
        };
        let Opened::Ready(mut account) = new.create().await.unwrap() else {
            panic!("not created")
        };
        let mut draft = account.enable_mfa();
        draft
            .device("phone")
            .unwrap()
            .recovery_phrase("paper")
            .unwrap();
        let words = draft.recovery_phrase_words().unwrap().to_string();
        draft.prove_recovery_phrase(&words).unwrap();
        draft.commit().await.unwrap();
    }

    /// Request and answer bodies of one login: nodes first, then the metadata server.
    async fn record(&self) -> Vec<(Bytes, Bytes)> {
        let wire = FaultyTransport::new(HttpTransport::new().unwrap());
        // The answer of the last node is not waited for, but the others' are alike.
        self.login(wire.clone(), Duration::ZERO).await;
        let exchanges = wire.exchanges();
        let answer_of = |path: &str| {
            let mut found = exchanges
                .iter()
                .filter(|exchange| exchange.request.url.path().ends_with(path));
            found.find_map(|exchange| {
                let response = exchange.response.as_ref()?;
                Some((exchange.request.body.clone(), response.body.clone()))
            })
        };
        vec![
            answer_of("/v1/evaluate").unwrap(),
            answer_of("/sessions").unwrap(),
        ]
    }

    /// One cold login of a new process; returns what it took from the ID token to the open account.
    async fn login(&self, transport: impl Transport + 'static, pause: Duration) -> Duration {
        let app = self.app(transport);
        let login = app.begin_login();
        let token = self.world.id_token("alice", &login.oidc_nonce()).unwrap();
        tokio::time::sleep(pause).await;
        let started = Instant::now();
        let locked = login
            .complete(&VerifierId::new("google").unwrap(), &token)
            .await
            .unwrap();
        let opened = locked.open().await.unwrap();
        let took = started.elapsed();
        assert!(matches!(opened, Opened::Ready(_)));
        assert_eq!(app.round_trips().count(), 2);
        took
    }

    fn logins(&self, count: u64) -> Duration {
        let transport = || HttpTransport::new().unwrap();
        self.runtime.block_on(async {
            let mut total = Duration::ZERO;
            for _ in 0..count {
                total += self.login(transport(), AT_THE_PROVIDER).await;
            }
            total
        })
    }
}

/// Servers that answer the recorded bodies at once.
struct Bare {
    nodes: Vec<Url>,
    metadata: Url,
    exchanges: Vec<(Bytes, Bytes)>,
}

impl Bare {
    async fn start(exchanges: &[(Bytes, Bytes)]) -> Self {
        let mut urls = Vec::new();
        for answer in [0, 0, 0, 1] {
            let body = exchanges[answer].1.clone();
            urls.push(serve(body).await);
        }
        let metadata = urls.pop().unwrap();
        Self {
            nodes: urls,
            metadata,
            exchanges: exchanges.to_vec(),
        }
    }

    async fn exchange(&self, transport: &HttpTransport) -> Duration {
        futures::future::join_all(
            self.nodes
                .iter()
                .chain([&self.metadata])
                .map(|url| transport.warm_up(url.clone())),
        )
        .await;
        let request = |url: &Url, exchange: usize| {
            Request::new(Method::POST, url.clone()).json(self.exchanges[exchange].0.clone())
        };
        let started = Instant::now();
        let mut answers: FuturesUnordered<_> = self
            .nodes
            .iter()
            .map(|url| transport.send(request(url, 0)))
            .collect();
        for _ in 0..NODES_NEEDED {
            answers.next().await.unwrap().unwrap();
        }
        drop(answers);
        transport.send(request(&self.metadata, 1)).await.unwrap();
        started.elapsed()
    }
}

async fn serve(body: Bytes) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", post(move |_: Bytes| core::future::ready(body.clone())))
        .route("/healthz", get(|| async {}));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&format!("http://{address}/")).unwrap()
}

fn on_loopback(criterion: &mut Criterion) {
    let bench = Bench::new(false);
    let bare = Arc::new(bench.runtime.block_on(Bare::start(&bench.exchanges)));
    let mut group = criterion.benchmark_group("login");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(10));
    group.bench_function("trefoil", |bencher| {
        bencher.iter_custom(|count| bench.logins(count))
    });
    group.bench_function("bare_http_round_trips", |bencher| {
        bencher.iter_custom(|count| {
            bench.runtime.block_on(async {
                let mut total = Duration::ZERO;
                for _ in 0..count {
                    total += bare.exchange(&HttpTransport::new().unwrap()).await;
                }
                total
            })
        });
    });
    group.finish();
}

fn at_50_ms(criterion: &mut Criterion) {
    let bench = Bench::new(true);
    bench.world.latency(SLOW);
    let mut group = criterion.benchmark_group("login_at_50_ms");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(10));
    group.bench_function("trefoil", |bencher| {
        bencher.iter_custom(|count| bench.logins(count))
    });
    group.bench_function("two_round_trips", |bencher| {
        bencher.iter_custom(|count| {
            let started = Instant::now();
            for _ in 0..count {
                std::thread::sleep(2 * SLOW);
            }
            started.elapsed()
        });
    });
    group.finish();
}

criterion_group!(benches, on_loopback, at_50_ms);
criterion_main!(benches);
