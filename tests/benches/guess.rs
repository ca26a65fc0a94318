//! Opening by a PIN at 5 of 9 nodes and the metadata server, less the stretching, next to the same wires without any of the
//! work: a small `GET` at all ten.
//!
//! - `pin_recovery`: all ten on loopback.
//! - `pin_recovery_4_at_50_ms`: four nodes' wires are slow.
//!
//! Functions: `guess` is done when the server and five nodes have answered, as is `server_and_fifth_fastest_answer`.
//! `guess_and_unlock` has set the counters back as well, also at the slow nodes, which are asked twice for that; its peer
//! `all_ten_answers` waits for everybody once.
//!
//! Connections are opened ahead while the user types; that time is not counted.

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
use trefoil::device::MemoryDeviceStore;
use trefoil::knowledge::{Cost, Pin, RULE, Stretched};
use trefoil::{HttpTransport, Opened, Trefoil, VerifierId};
use trefoil_client::network::SocialLogin;
use trefoil_client::slots::Guessed;
use trefoil_client::{Environment, MetadataClient, NetworkClient, Request, SlotClient, Transport};
use trefoil_protocol::account::GuessSeed;
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::guess::Slot;
use trefoil_protocol::opening::Opening;
use trefoil_protocol::social::IdToken;
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::servers::{World, WorldOptions};
use url::Url;

const NODES: usize = 9;
const NEEDED: usize = 5;
const PIN: &str = "731842";

struct Bench {
    runtime: Runtime,
    world: World,
    transport: Arc<HttpTransport>,
    client: SlotClient,
    slot: Slot,
    seed: GuessSeed,
    stretched: Stretched,
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
        runtime.block_on(enrol(&world));
        let transport = Arc::new(HttpTransport::new().unwrap());
        let manifest = world.manifest().trust_pinned().unwrap();
        let environment = Environment::system();
        let network = NetworkClient::new(transport.clone(), manifest, environment.clone()).unwrap();
        let metadata = MetadataClient::new(
            transport.clone(),
            world.metadata_url(),
            acme(),
            environment.clone(),
        )
        .unwrap();
        let opening = runtime.block_on(open_by_login(&world, &network, &metadata));
        let slot = opening.state().slots[0].clone();
        let (_, seed) = opening.guess_seeds()[0].clone();
        let input = Pin::entered(PIN).unwrap().input(RULE).unwrap();
        Self {
            client: SlotClient::new(transport.clone(), metadata, network, environment),
            stretched: input.stretch(&slot.stretch).unwrap(),
            runtime,
            world,
            transport,
            slot,
            seed,
        }
    }

    /// The first nodes' wires take this long there and back; the others take nothing.
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

    /// Time until the guess was right, and until the counters were set back.
    async fn recover(&self) -> (Duration, Duration) {
        let begun = Instant::now();
        let stretched = self.stretched.expose_secret();
        let attempt = self.client.attempt(&self.slot, &self.seed, 0, stretched);
        let mut attempt = attempt.unwrap();
        let Guessed::Right(secret) = self.client.guess(&mut attempt).await.unwrap() else {
            panic!("a wrong PIN")
        };
        let guessed = begun.elapsed();
        self.client.unlock(&attempt, &secret).await;
        (guessed, begun.elapsed())
    }

    /// Time until the server and the fifth fastest node have answered, and until all have.
    async fn bare(&self) -> (Duration, Duration) {
        let urls = self.world.proxies.iter().enumerate();
        let requests: Vec<(usize, Request)> = urls
            .map(|(place, proxy)| {
                let url = Url::parse(&format!("{}/healthz", proxy.base_url())).unwrap();
                (place, Request::new(Method::GET, url))
            })
            .collect();
        let begun = Instant::now();
        let mut answers: FuturesUnordered<_> = requests
            .into_iter()
            .map(async |(place, request)| {
                self.transport.send(request).await.unwrap();
                place
            })
            .collect();
        let (mut server, mut nodes, mut enough) = (false, 0, None);
        while let Some(place) = answers.next().await {
            if place == 0 {
                server = true;
            } else {
                nodes += 1;
            }
            if server && nodes >= NEEDED && enough.is_none() {
                enough = Some(begun.elapsed());
            }
        }
        (enough.unwrap(), begun.elapsed())
    }
}

fn acme() -> Tenant {
    Tenant::new("acme").unwrap()
}

/// Social login, recovery phrase and PIN, 2 of 3.
async fn enrol(world: &World) {
    let app = Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .device_store(Arc::new(MemoryDeviceStore::new()))
        .stretch_cost(Cost::LEAST)
        .build()
        .unwrap();
    let login = app.begin_login();
    let token = world.id_token("alice", &login.oidc_nonce()).unwrap();
    let google = VerifierId::new("google").unwrap();
    let locked = login.complete(&google, &token).await.unwrap();
    let Opened::NoAccount(new) = locked.open().await.unwrap() else {
        panic!("an account in a new world")
    };
    let Opened::Ready(mut account) = new.create().await.unwrap() else {
        panic!("not created")
    };
    let mut draft = account.enable_mfa();
    draft.recovery_phrase("paper").unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.pin("phone PIN", &Pin::entered(PIN).unwrap()).unwrap();
    draft.commit().await.unwrap();
}

async fn open_by_login(
    world: &World,
    network: &NetworkClient,
    metadata: &MetadataClient,
) -> Opening {
    let ephemeral = network.ephemeral_key();
    let token = world.id_token("alice", &ephemeral.oidc_nonce()).unwrap();
    let login = SocialLogin::new(
        &ephemeral,
        acme(),
        VerifierId::new("google").unwrap(),
        IdToken::new(token),
    );
    let social = network.social_secret(&login).await.unwrap();
    let keys = FactorKeys::derive(&acme(), &social.secret);
    let answer = metadata.login(&[keys.auth()]).await.unwrap();
    let record = answer.record.verify(&acme()).unwrap();
    Opening::begin(record, keys, &answer.envelopes[0].envelope).unwrap()
}

fn guess(criterion: &mut Criterion) {
    let bench = Bench::new();
    for (name, count, milliseconds) in [("pin_recovery", 0, 0), ("pin_recovery_4_at_50_ms", 4, 50)]
    {
        bench.slow(count, Duration::from_millis(milliseconds));
        let mut group = criterion.benchmark_group(name);
        // Of slow wires a few samples say it all.
        group
            .sample_size(10)
            .sampling_mode(SamplingMode::Flat)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        for (function, whole) in [("guess", false), ("guess_and_unlock", true)] {
            group.bench_function(function, |b| {
                b.iter_custom(|times| {
                    let recoveries = async {
                        let mut total = Duration::ZERO;
                        for _ in 0..times {
                            let (guessed, unlocked) = bench.recover().await;
                            total += if whole { unlocked } else { guessed };
                        }
                        total
                    };
                    bench.runtime.block_on(recoveries)
                });
            });
        }
        let peers = [
            ("server_and_fifth_fastest_answer", false),
            ("all_ten_answers", true),
        ];
        for (function, whole) in peers {
            group.bench_function(function, |b| {
                b.iter_custom(|times| {
                    let exchanges = async {
                        let mut total = Duration::ZERO;
                        for _ in 0..times {
                            let (enough, all) = bench.bare().await;
                            total += if whole { all } else { enough };
                        }
                        total
                    };
                    bench.runtime.block_on(exchanges)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, guess);
criterion_main!(benches);
