//! Commits, logins and reads through the whole router with a durable store, many clients at once, next to the bare cost of
//! a durable row update in groups of the same size. One iteration is one request.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use support::http::Call;
use support::wallet::{Session, Wallet, factor, statement_at};
use support::{AUDIENCE, NOW};
use tokio::runtime::Runtime;
use tower::ServiceExt;
use trefoil_metadata_server::{Config, MetadataServer, Tenants};
use trefoil_protocol::statement::StatementBody;
use trefoil_protocol::wire::{CreateRequest, LoginRequest, LoginResponse};
use trefoil_store::SqliteOptions;

/// Requests in flight, which is also the size of the bare groups.
const CLIENTS: usize = 64;

struct Bench {
    runtime: Runtime,
    router: Router,
    /// One account per client, upgraded to 2 of 3.
    wallets: Vec<(Wallet, Session)>,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteOptions::new(directory.path()).open().unwrap());
        let config = Config::new(AUDIENCE, Tenants::Any).unwrap();
        let router =
            MetadataServer::new(config, store, || NOW, ChaCha20Rng::seed_from_u64(1)).into_router();
        let mut bench = Self {
            runtime,
            router,
            wallets: Vec::new(),
            _directory: directory,
        };
        bench.wallets = (0..CLIENTS)
            .map(|number| bench.account(u8::try_from(number).unwrap()))
            .collect();
        bench
    }

    fn account(&self, seed: u8) -> (Wallet, Session) {
        let first = Wallet::one_click("acme", seed, seed);
        let body = StatementBody::Create {
            payload_hash: first.record().hash(),
        };
        let request = CreateRequest {
            statement: statement_at(first.tenant(), body, first.factors[&1].auth(), NOW),
            record: first.record(),
            envelopes: first.indexed(),
            sealed_nonce: first.nonce.clone(),
        };
        let answer =
            self.runtime
                .block_on(send(self.router.clone(), &first.create_call(&request), 201));
        let session = Session::of(&serde_json::from_slice::<LoginResponse>(&answer).unwrap());
        let second = first.upgrade(&[(1, seed), (2, seed + 64), (3, seed + 128)]);
        self.runtime.block_on(send(
            self.router.clone(),
            &second.commit_call(&first, &session),
            200,
        ));
        (second, session)
    }

    /// Sends every client's calls one after the other, all clients at once.
    fn run(&self, calls: Vec<Vec<Call>>) -> Duration {
        let started = Instant::now();
        self.runtime.block_on(async {
            let clients: Vec<_> = calls
                .into_iter()
                .map(|calls| {
                    let router = self.router.clone();
                    tokio::spawn(async move {
                        for call in calls {
                            send(router.clone(), &call, 200).await;
                        }
                    })
                })
                .collect();
            for client in clients {
                client.await.unwrap();
            }
        });
        started.elapsed()
    }
}

async fn send(router: Router, call: &Call, expected: u16) -> Vec<u8> {
    let mut request = Request::builder()
        .method(call.method.as_str())
        .uri(&call.path);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    let response = router
        .oneshot(request.body(Body::from(call.body.clone())).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
    body.to_vec()
}

/// How many of `total` requests this client sends.
fn part(total: u64, client: usize) -> usize {
    let total = usize::try_from(total).unwrap();
    total / CLIENTS + usize::from(client < total % CLIENTS)
}

fn record_commit(criterion: &mut Criterion) {
    let mut bench = Bench::new();
    let mut group = criterion.benchmark_group("record_commit");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(8));
    group.throughput(criterion::Throughput::Elements(1));
    group.bench_function("trefoil", |bencher| {
        bencher.iter_custom(|total| {
            let mut calls = Vec::new();
            for (client, (wallet, session)) in bench.wallets.iter_mut().enumerate() {
                let mut own = Vec::new();
                for number in 0..part(total, client) {
                    let next = wallet.update(u8::try_from(number % 256).unwrap());
                    own.push(next.commit_call(wallet, session));
                    *wallet = next;
                }
                calls.push(own);
            }
            bench.run(calls)
        });
    });

    let size = bench.wallets[0].0.record().payload.as_bytes().len();
    let directory = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(directory.path().join("bare.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE rows (id INTEGER PRIMARY KEY, payload BLOB NOT NULL);",
        )
        .unwrap();
    for id in 0..CLIENTS {
        connection
            .execute(
                "INSERT INTO rows VALUES (?1, zeroblob(?2))",
                (id as i64, size as i64),
            )
            .unwrap();
    }
    group.bench_function("bare_sqlite", |bencher| {
        bencher.iter_custom(|total| {
            let started = Instant::now();
            let mut left = total;
            while left > 0 {
                let transaction = connection.unchecked_transaction().unwrap();
                for id in 0..left.min(CLIENTS as u64) {
                    transaction
                        .prepare_cached("UPDATE rows SET payload = ?2 WHERE id = ?1")
                        .unwrap()
                        .execute((id as i64, vec![left as u8; size]))
                        .unwrap();
                }
                transaction.commit().unwrap();
                left -= left.min(CLIENTS as u64);
            }
            started.elapsed()
        });
    });
    group.finish();
}

fn login(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("server_login");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(8));
    group.throughput(criterion::Throughput::Elements(1));
    group.bench_function("trefoil", |bencher| {
        bencher.iter_custom(|total| {
            let calls = bench
                .wallets
                .iter()
                .enumerate()
                .map(|(client, (wallet, _))| {
                    let keys = factor("acme", u8::try_from(client).unwrap());
                    let call = |_| {
                        let statement = statement_at(
                            wallet.tenant(),
                            StatementBody::Login {},
                            keys.auth(),
                            NOW,
                        );
                        wallet.login_call(&LoginRequest {
                            statements: vec![statement],
                        })
                    };
                    (0..part(total, client)).map(call).collect()
                });
            let calls = calls.collect();
            bench.run(calls)
        });
    });
    group.finish();
}

fn record_read(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("record_read");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(8));
    group.throughput(criterion::Throughput::Elements(1));
    group.bench_function("trefoil", |bencher| {
        bencher.iter_custom(|total| {
            let calls = bench
                .wallets
                .iter()
                .enumerate()
                .map(|(client, (wallet, session))| {
                    vec![wallet.session_call("GET", "/record", session); part(total, client)]
                });
            let calls = calls.collect();
            bench.run(calls)
        });
    });
    group.finish();
}

criterion_group!(benches, record_commit, login, record_read);
criterion_main!(benches);
