//! The network client against nodes that do everything right and everything wrong. The nodes here stand behind the
//! transport trait but compute with real key shares; the same over sockets is tested with the node crate.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_protocol::bytes::NetworkKey;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::{
    DealtNetwork, EvaluateRequest, EvaluateRequestError, EvaluateResponse, EvaluationError,
    IdToken, MAX_ID_TOKEN, ManifestChain, ManifestError, OpenEvaluationError, RefusedAnswer,
    UserIdentity, VerifierId, deal_network,
};
use trefoil_protocol::tenant::Tenant;

use super::*;
mod retries;

use crate::environment::Clock;
use crate::transport::{CountingTransport, Request, Response, RoundTrips, TransportError};

/// What a node does with a request.
#[derive(Debug, Clone, PartialEq)]
enum Manner {
    Honest,
    /// Honest after some time.
    Slow(Duration),
    Silent,
    Unreachable,
    Refuses(ProblemCode),
    /// A status without a problem document.
    Status(u16),
    /// A right proof for another user than it names.
    ForgesValue,
    /// A right proof for another user, whom it names.
    NamesAnother,
    OtherEpoch,
    Nonsense,
    /// Passes on what the node of this index would say.
    Impersonates(usize),
    /// Refuses with 503 and this `Retry-After` so many times, then is honest.
    BusyFirst(usize, u64),
    /// Cannot be reached so many times, then is honest.
    GoneFirst(usize),
}

struct Nodes {
    dealt: DealtNetwork,
    manners: Mutex<BTreeMap<usize, Manner>>,
    /// When, to which node, what.
    sent: Mutex<Vec<(tokio::time::Instant, usize, Request)>>,
    under_way: Arc<AtomicUsize>,
}

/// Counts an exchange for as long as it lives.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Nodes {
    fn of(dealt: DealtNetwork, manners: &[(usize, Manner)]) -> Self {
        Self {
            dealt,
            manners: Mutex::new(manners.iter().cloned().collect()),
            sent: Mutex::default(),
            under_way: Arc::default(),
        }
    }

    /// When each node was asked to evaluate, since the beginning of the test.
    fn asked(&self, index: usize, begun: tokio::time::Instant) -> Vec<Duration> {
        let sent = self.sent.lock().unwrap();
        sent.iter()
            .filter(|(_, to, request)| *to == index && request.method == Method::POST)
            .map(|(at, ..)| *at - begun)
            .collect()
    }

    fn answer(
        &self,
        index: usize,
        manner: &Manner,
        request: &Request,
    ) -> Result<Response, TransportError> {
        if request.method == Method::GET {
            assert_eq!(request.url.path(), "/v1/manifests");
            let news =
                (request.url.query() == Some("after=0")).then(|| self.dealt.manifest.clone());
            return Ok(response(200, ManifestChain::new(news).to_json()));
        }
        let asked = EvaluateRequest::from_json(&request.body).unwrap();
        let user = "alice";
        let (evaluated, named, epoch, by) = match manner {
            Manner::ForgesValue => ("mallory", user, 1, index),
            Manner::NamesAnother => ("mallory", "mallory", 1, index),
            Manner::OtherEpoch => (user, user, 2, index),
            Manner::Impersonates(other) => (user, user, 1, *other),
            _ => (user, user, 1, index),
        };
        let identity =
            UserIdentity::new(asked.tenant, asked.verifier, evaluated, asked.generation).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(index as u64);
        let evaluation =
            self.dealt.nodes[by - 1]
                .share()
                .evaluate(epoch, &identity.input(), &mut rng);
        let answer =
            EvaluateResponse::seal(&evaluation, named, &asked.ephemeral_key, &mut rng).unwrap();
        Ok(response(200, serde_json::to_vec(&answer).unwrap()))
    }
}

impl Transport for Nodes {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let host = request.url.host_str().unwrap().to_owned();
        let index: usize = host
            .trim_start_matches("node-")
            .trim_end_matches(".example")
            .parse()
            .unwrap();
        let now = tokio::time::Instant::now();
        self.sent
            .lock()
            .unwrap()
            .push((now, index, request.clone()));
        let times = self.asked(index, now - Duration::from_secs(1)).len();
        let under_way = UnderWay::new(&self.under_way);
        let manner = self
            .manners
            .lock()
            .unwrap()
            .get(&index)
            .cloned()
            .unwrap_or(Manner::Honest);
        Box::pin(async move {
            let _under_way = under_way;
            match &manner {
                Manner::Silent => core::future::pending().await,
                Manner::Slow(time) => tokio::time::sleep(*time).await,
                _ => {}
            }
            match &manner {
                Manner::Unreachable => Err(TransportError::Unreachable {
                    host,
                    source: "refused".into(),
                }),
                Manner::Refuses(code) => {
                    let mut problem = Problem::from(*code);
                    problem.retry_after = (*code == ProblemCode::TooManyRequests).then_some(7);
                    Ok(response(
                        code.status(),
                        serde_json::to_vec(&problem).unwrap(),
                    ))
                }
                Manner::BusyFirst(failures, seconds) if times <= *failures => {
                    let mut problem = Problem::from(ProblemCode::Unavailable);
                    problem.retry_after = Some(*seconds);
                    Ok(response(503, serde_json::to_vec(&problem).unwrap()))
                }
                Manner::GoneFirst(failures) if times <= *failures => {
                    Err(TransportError::Interrupted {
                        host,
                        source: "reset".into(),
                    })
                }
                Manner::Status(status) => Ok(response(*status, Vec::new())),
                Manner::Nonsense => Ok(response(200, b"{\"version\":1}".to_vec())),
                _ => self.answer(index, &manner, &request),
            }
        })
    }
}

fn response(status: u16, body: Vec<u8>) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from(body),
    }
}

struct Epoch;

impl Clock for Epoch {
    fn unix_time(&self) -> u64 {
        0
    }
}

struct World {
    nodes: Arc<Nodes>,
    trips: RoundTrips,
    client: NetworkClient,
    ephemeral: EphemeralKey,
}

fn dealt(threshold: u16, count: usize, seed: u64) -> DealtNetwork {
    let urls: Vec<String> = (1..=count)
        .map(|i| format!("https://node-{i}.example"))
        .collect();
    deal_network(&urls, threshold, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
}

/// `threshold` of `count` nodes, some with manners of their own.
fn world(threshold: u16, count: usize, manners: &[(usize, Manner)]) -> World {
    let dealt = dealt(threshold, count, 1);
    let manifest = dealt.manifest.trust_pinned().unwrap();
    let nodes = Arc::new(Nodes::of(dealt, manners));
    let trips = RoundTrips::new();
    let transport = Arc::new(CountingTransport::new(Arc::clone(&nodes), trips.clone()));
    let environment = Environment::new(Epoch, ChaCha20Rng::seed_from_u64(3));
    let client = NetworkClient::new(transport, manifest, environment).unwrap();
    let ephemeral = client.ephemeral_key();
    World {
        nodes,
        trips,
        client,
        ephemeral,
    }
}

impl World {
    fn login(&self) -> SocialLogin<'_> {
        let (tenant, verifier) = (
            Tenant::new("acme").unwrap(),
            VerifierId::new("google").unwrap(),
        );
        SocialLogin::new(
            &self.ephemeral,
            tenant,
            verifier,
            IdToken::new("a.b.c".into()),
        )
    }

    async fn secret(&self) -> Result<SocialSecret, SocialError> {
        self.client.social_secret(&self.login()).await
    }
}

/// Who is reported, with the fault's first words.
fn named(reports: &[NodeReport]) -> Vec<(u16, String)> {
    reports
        .iter()
        .map(|report| (report.index.get(), report.fault.to_string()))
        .collect()
}

fn fault(error: &SocialError, index: u16) -> &NodeFault {
    &error
        .reports()
        .iter()
        .find(|report| report.index.get() == index)
        .unwrap()
        .fault
}

#[tokio::test(start_paused = true)]
async fn one_round_trip_and_the_same_secret_from_whichever_nodes_answer() {
    let all = world(2, 3, &[]);
    let expected = all.secret().await.unwrap();
    assert_eq!(expected.identity.user(), "alice");
    assert_eq!(all.trips.count(), 1);
    assert_eq!(all.nodes.sent.lock().unwrap().len(), 3);
    for (_, _, request) in all.nodes.sent.lock().unwrap().iter() {
        assert_eq!(
            (request.method.as_str(), request.url.path()),
            ("POST", "/v1/evaluate")
        );
    }
    for gone in 1..=3 {
        let world = world(2, 3, &[(gone, Manner::Unreachable)]);
        let found = world.secret().await.unwrap();
        assert_eq!(found.secret, expected.secret);
        assert_eq!(found.reports[0].index.get() as usize, gone);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_nodes_are_not_waited_for() {
    let slow = Manner::Slow(Duration::from_secs(9));
    let world = world(2, 5, &[(1, slow.clone()), (2, Manner::Silent), (5, slow)]);
    let start = tokio::time::Instant::now();
    let found = world.secret().await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(1));
    let not_waited_for = "was not waited for".to_owned();
    assert_eq!(
        named(&found.reports),
        [
            (1, not_waited_for.clone()),
            (2, not_waited_for.clone()),
            (5, not_waited_for)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_liar_is_named_and_changes_nothing() {
    let expected = world(3, 9, &[]).secret().await.unwrap().secret;
    let slow = Manner::Slow(Duration::from_secs(1));
    let world = world(
        3,
        9,
        &[
            (1, Manner::ForgesValue),
            (2, Manner::NamesAnother),
            (3, Manner::OtherEpoch),
            (4, Manner::Nonsense),
            (5, Manner::Impersonates(7)),
            (6, Manner::NamesAnother),
            (7, slow.clone()),
            (8, slow.clone()),
            (9, slow),
        ],
    );
    let found = world.secret().await.unwrap();
    assert_eq!(found.secret, expected);
    let fault = |index: usize| &found.reports[index - 1].fault;
    assert_eq!(found.reports.len(), 6);
    assert!(matches!(
        fault(1),
        NodeFault::WrongAnswer(RefusedAnswer::Evaluation(EvaluationError::Refuted(_)))
    ));
    assert!(matches!(fault(2), NodeFault::OtherUser));
    assert!(matches!(
        fault(3),
        NodeFault::WrongAnswer(RefusedAnswer::Evaluation(EvaluationError::Epoch { .. }))
    ));
    assert!(matches!(
        fault(4),
        NodeFault::WrongAnswer(RefusedAnswer::Open(OpenEvaluationError::Malformed))
    ));
    assert!(matches!(
        fault(5),
        NodeFault::WrongAnswer(RefusedAnswer::WrongIndex { .. })
    ));
    assert!(matches!(fault(6), NodeFault::OtherUser));
}

#[tokio::test(start_paused = true)]
async fn errors_say_what_to_do_next() {
    use Manner::{NamesAnother, OtherEpoch, Refuses, Silent, Status, Unreachable};
    let error =
        async |manners: &[(usize, Manner)]| world(3, 5, manners).secret().await.unwrap_err();

    // Too few can be reached: later.
    let down = error(&[(1, Unreachable), (2, Unreachable), (3, Status(502))]).await;
    assert!(
        matches!(
            down,
            SocialError::Offline {
                retry_after: None,
                ..
            }
        ),
        "{down}"
    );
    assert!(matches!(fault(&down, 3), NodeFault::Busy { .. }));
    let busy = Refuses(ProblemCode::TooManyRequests);
    let busy = error(&[(1, busy.clone()), (2, busy.clone()), (3, busy)]).await;
    assert!(
        matches!(busy, SocialError::Offline { retry_after: Some(wait), .. } if wait == Duration::from_secs(7)),
        "{busy}"
    );
    let provider = Refuses(ProblemCode::ProviderUnreachable);
    let provider = error(&[(1, provider.clone()), (2, provider.clone()), (3, provider)]).await;
    assert!(
        matches!(provider, SocialError::Offline { .. }),
        "{provider}"
    );

    // The token: back to the provider. One node that is gone does not hide that.
    let expired = Refuses(ProblemCode::TokenExpired);
    let relogin = error(&[
        (1, expired.clone()),
        (2, expired.clone()),
        (3, expired.clone()),
    ])
    .await;
    assert_eq!(relogin.code(), Some(ProblemCode::TokenExpired));
    assert!(matches!(relogin, SocialError::Relogin { .. }), "{relogin}");
    let wrong = Refuses(ProblemCode::TokenWrongAudience);
    let mixed = [
        (1, wrong.clone()),
        (2, wrong.clone()),
        (3, expired.clone()),
        (4, wrong.clone()),
        (5, Unreachable),
    ];
    let mixed = error(&mixed).await;
    assert!(matches!(mixed, SocialError::Relogin { .. }), "{mixed}");
    assert_eq!(mixed.code(), Some(ProblemCode::TokenWrongAudience));

    // Fewer refusals than nodes that may lie, the rest gone: that may pass.
    let unsure = error(&[(1, expired.clone()), (2, expired), (3, Unreachable)]).await;
    assert!(matches!(unsure, SocialError::Offline { .. }), "{unsure}");

    // One node gone does not make a refused token look like a bad connection: the rest is heard.
    let expired = Refuses(ProblemCode::TokenExpired);
    let late = [
        (1, Unreachable),
        (2, expired.clone()),
        (3, expired.clone()),
        (4, expired),
        (5, Manner::Slow(Duration::from_secs(1))),
    ];
    let late = error(&late).await;
    assert!(matches!(late, SocialError::Relogin { .. }), "{late}");

    // The app's settings.
    let unknown = Refuses(ProblemCode::UnknownVerifier);
    let unknown = error(&[(1, unknown.clone()), (2, unknown.clone()), (3, unknown)]).await;
    assert!(matches!(unknown, SocialError::Refused { .. }), "{unknown}");

    // Another epoch.
    let moved = error(&[
        (1, OtherEpoch),
        (2, OtherEpoch),
        (3, OtherEpoch),
        (4, OtherEpoch),
    ])
    .await;
    assert!(
        matches!(moved, SocialError::ManifestOutdated { .. }),
        "{moved}"
    );

    // Liars.
    let lying = error(&[(1, NamesAnother), (2, NamesAnother), (3, Status(404))]).await;
    assert!(
        matches!(
            lying,
            SocialError::TooFewHonest {
                needed: 3,
                good: 2,
                ..
            }
        ),
        "{lying}"
    );
    assert!(matches!(fault(&lying, 3), NodeFault::Misbehaved { .. }));

    // Silence ends with the time limit.
    let start = tokio::time::Instant::now();
    let silent = error(&[(1, Silent), (2, Silent), (3, Silent)]).await;
    assert!(matches!(silent, SocialError::Offline { .. }), "{silent}");
    assert_eq!(start.elapsed(), DEFAULT_TIME_LIMIT);
    assert!(matches!(fault(&silent, 2), NodeFault::TooSlow));
}

/// With `N - T + 1` nodes refusing, the rest is not waited for.
#[tokio::test(start_paused = true)]
async fn failure_is_known_as_soon_as_too_few_are_left() {
    let expired = Manner::Refuses(ProblemCode::TokenExpired);
    let world = world(
        3,
        5,
        &[
            (1, expired.clone()),
            (2, expired.clone()),
            (3, expired),
            (4, Manner::Silent),
        ],
    );
    let start = tokio::time::Instant::now();
    assert!(matches!(
        world.secret().await,
        Err(SocialError::Relogin { .. })
    ));
    assert!(start.elapsed() < Duration::from_millis(1));
}

/// Fewer than `T` nodes under one hand: neither another user's secret nor a wrong one can be made to come out.
#[tokio::test(start_paused = true)]
async fn fewer_than_threshold_colluding_nodes_cannot_change_the_secret() {
    let expected = world(3, 5, &[]).secret().await.unwrap().secret;
    for a in 1..=5 {
        for b in 1..=5 {
            for manner in [
                Manner::NamesAnother,
                Manner::ForgesValue,
                Manner::Impersonates(1),
            ] {
                let world = world(3, 5, &[(a, manner.clone()), (b, manner)]);
                assert_eq!(world.secret().await.unwrap().secret, expected);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_every_node_would_refuse() {
    let world = world(2, 3, &[]);
    let generation = world
        .client
        .social_secret(&world.login().in_generation(16))
        .await
        .unwrap_err();
    assert!(matches!(
        generation,
        SocialError::Unusable(EvaluateRequestError::GenerationOutOfRange)
    ));
    let mut login = world.login();
    login.id_token = IdToken::new("a".repeat(MAX_ID_TOKEN + 1));
    let large = world.client.social_secret(&login).await.unwrap_err();
    assert_eq!(large.code(), Some(ProblemCode::TokenTooLarge));
    assert!(world.nodes.sent.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn generations_give_different_secrets() {
    let world = world(2, 3, &[]);
    let first = world.secret().await.unwrap().secret;
    let second = world
        .client
        .social_secret(&world.login().in_generation(1))
        .await
        .unwrap()
        .secret;
    assert_ne!(first, second);
}

#[tokio::test(start_paused = true)]
async fn connecting_ahead_reaches_every_node_and_costs_no_round_trip() {
    let world = world(2, 3, &[]);
    world.client.connect_ahead().await;
    let sent: Vec<_> = world.nodes.sent.lock().unwrap().drain(..).collect();
    assert_eq!(sent.len(), 3);
    for (_, _, request) in sent {
        assert_eq!(request.url.query(), Some("after=1"));
        assert!(request.background);
    }
    assert_eq!(world.trips.count(), 0);
    world.secret().await.unwrap();
    assert_eq!(world.trips.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn first_manifest_is_fetched_by_the_network_key() {
    let world = world(2, 3, &[]);
    let (node, pinned) = (
        Url::parse("https://node-2.example").unwrap(),
        world.client.manifest().network(),
    );
    let fetched = fetch_first_manifest(&*world.nodes, &node, &pinned)
        .await
        .unwrap();
    assert_eq!(fetched, *world.client.manifest());
    let other = NetworkKey::from_bytes([7; 32]);
    assert!(matches!(
        fetch_first_manifest(&*world.nodes, &node, &other).await,
        Err(ManifestUpdateError::Manifest(ManifestError::WrongNetwork))
    ));
    let update = world.client.refresh_manifest().await.unwrap();
    assert!(!update.changed && update.coming.is_none() && update.reports.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_update_needs_one_honest_node_and_takes_no_forgery() {
    let world = world(
        2,
        3,
        &[
            (1, Manner::Unreachable),
            (2, Manner::Silent),
            (3, Manner::Status(500)),
        ],
    );
    assert!(
        matches!(world.client.refresh_manifest().await, Err(ManifestUpdateError::Offline { reports }) if reports.len() == 3)
    );

    // The nodes of another network, behind the addresses of this one.
    let foreign = Arc::new(Nodes::of(dealt(2, 3, 2), &[]));
    let pinned = world.client.manifest().network();
    let node = Url::parse("https://node-2.example").unwrap();
    assert!(matches!(
        fetch_first_manifest(&*foreign, &node, &pinned).await,
        Err(ManifestUpdateError::Manifest(ManifestError::WrongNetwork))
    ));
}

#[tokio::test(start_paused = true)]
async fn nothing_secret_is_printed() {
    let world = world(2, 3, &[]);
    let found = world.secret().await.unwrap();
    let text = format!("{:?} {:?} {:?}", world.client, world.login(), found);
    for secret in ["a.b.c", "alice"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("FactorSecret(redacted)"), "{text}");
}
