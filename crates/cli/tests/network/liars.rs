//! Nodes that lie: they sit in this process at the port of a node that was killed, with what was stolen from it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use http::{StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use trefoil::{Environment, HttpTransport, Tenant, Transport, VerifierId};
use trefoil_client::{Request, TransportError};
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::{
    EvaluateRequest, EvaluateResponse, Evaluation, KeyShare, NodeIndex, NodeKey, UserIdentity,
    deal_network,
};
use trefoil_store::SqliteNodeStore;

use crate::world::World;

/// How a liar answers a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// With the share of a network of the liars' own: together they would make a wrong secret.
    WrongValue,
    /// With the true value, and the proof of another.
    WrongProof,
    /// With the true value, proven for the epoch to come.
    OtherEpoch,
    /// With a true answer of another epoch, under the label of this one.
    RelabelledEpoch,
    /// That it has moved on to an epoch that there is not.
    ClaimsEpoch,
    /// With bytes.
    Garbage,
    /// With a body that goes on for ever.
    EndlessBody,
    /// With a body that begins, and does not go on.
    UnfinishedBody,
    /// Not at all.
    Hang,
}

impl Lie {
    /// Whether an answer comes that the client can judge.
    pub(crate) fn is_heard(self) -> bool {
        !matches!(self, Self::UnfinishedBody | Self::Hang)
    }
}

/// Serves lies until dropped.
pub(crate) struct Liar(JoinHandle<()>);

impl Drop for Liar {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Loot {
    lie: Lie,
    true_share: KeyShare,
    own_share: KeyShare,
}

impl Liar {
    /// Kills the node and takes its place. The store and the key file lie where it was.
    pub(crate) async fn replace(world: &mut World, place: usize, lie: Lie) -> Self {
        world.kill([place]);
        let true_share = stolen_share(world, place);
        let loot = Arc::new(Loot {
            lie,
            own_share: own_share(true_share.index()),
            true_share,
        });
        let address = ("127.0.0.1", world.nodes[place].port);
        let listener = TcpListener::bind(address).await.unwrap();
        let router = Router::new().fallback(answer).with_state(loot);
        Self(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }))
    }
}

/// Of the first epoch that the node holds.
fn stolen_share(world: &World, place: usize) -> KeyShare {
    let key = std::fs::read(world.path(&format!("node-{place}.key"))).unwrap();
    let key = NodeKey::from_json(key.trim_ascii()).unwrap();
    let stored = SqliteNodeStore::read(world.path(&format!("node-{place}")));
    let opened = key.open(&stored.unwrap().unwrap().sealed).unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&opened).unwrap();
    let held = &mut state["epochs"][0];
    let index = NodeIndex::new(held["index"].as_u64().unwrap().try_into().unwrap());
    let share: Blob = serde_json::from_value(held["share"].take()).unwrap();
    KeyShare::from_bytes(index.unwrap(), share.as_bytes().try_into().unwrap()).unwrap()
}

/// The same network for all liars.
fn own_share(index: NodeIndex) -> KeyShare {
    use rand_core::SeedableRng as _;
    let urls: Vec<String> = (1..=9)
        .map(|node| format!("https://n{node}.example"))
        .collect();
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(9);
    let dealt = deal_network(&urls, 5, &mut rng).unwrap();
    dealt.nodes[usize::from(index.get()) - 1].share().clone()
}

async fn answer(State(loot): State<Arc<Loot>>, uri: Uri, body: Bytes) -> Response {
    match loot.lie {
        Lie::Hang => std::future::pending().await,
        Lie::Garbage => vec![0xff_u8; 500].into_response(),
        Lie::EndlessBody => {
            let chunk = Bytes::from_static(&[b'{'; 4096]);
            let forever = stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
            Body::from_stream(forever).into_response()
        }
        Lie::UnfinishedBody => {
            let begun = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"{")) });
            Body::from_stream(begun.chain(stream::pending())).into_response()
        }
        _ if uri.path() != "/v1/evaluate" => StatusCode::NOT_FOUND.into_response(),
        Lie::ClaimsEpoch => {
            let mut problem = Problem::new(ProblemCode::OtherEpoch, "it is later than you think");
            problem.epoch = Some(99);
            let body = serde_json::to_vec(&problem).unwrap();
            (StatusCode::from_u16(problem.status).unwrap(), body).into_response()
        }
        lie => serde_json::to_vec(&loot.evaluate(lie, &body))
            .unwrap()
            .into_response(),
    }
}

impl Loot {
    fn evaluate(&self, lie: Lie, body: &[u8]) -> EvaluateResponse {
        let request = EvaluateRequest::from_json(body).unwrap();
        let of = |user| {
            let google = VerifierId::new("google").unwrap();
            UserIdentity::new(Tenant::new("acme").unwrap(), google, user, 0).unwrap()
        };
        let (alice, epoch) = (of("alice").input(), request.epoch);
        let mut rng = Environment::system().rng();
        let evaluation = match lie {
            Lie::WrongValue => self.own_share.evaluate(epoch, &alice, &mut rng),
            Lie::WrongProof => {
                let right = self.true_share.evaluate(epoch, &alice, &mut rng);
                let other = self
                    .true_share
                    .evaluate(epoch, &of("bob").input(), &mut rng);
                let (value, proof) = (right.expose_secret(), other.proof().to_bytes());
                Evaluation::from_parts(right.index(), epoch, value, &proof).unwrap()
            }
            _ => self.true_share.evaluate(epoch + 1, &alice, &mut rng),
        };
        let key = &request.ephemeral_key;
        let mut response = EvaluateResponse::seal(&evaluation, "alice", key, &mut rng).unwrap();
        if lie == Lie::RelabelledEpoch {
            response.epoch = epoch;
        }
        response
    }
}

/// Lets no honest answer through before so many of the liars' have been judged: liars are fast.
pub(crate) struct LiarsFirst {
    inner: HttpTransport,
    liars: Vec<String>,
    awaited: usize,
    judged: AtomicUsize,
    all_judged: Notify,
}

impl LiarsFirst {
    /// `heard` of these base URLs will answer.
    pub(crate) fn new(liars: Vec<String>, heard: usize) -> Self {
        Self {
            inner: HttpTransport::new().unwrap(),
            liars,
            awaited: heard,
            judged: AtomicUsize::new(0),
            all_judged: Notify::new(),
        }
    }
}

impl Transport for LiarsFirst {
    fn send(
        &self,
        request: Request,
    ) -> BoxFuture<'_, Result<trefoil_client::Response, TransportError>> {
        let is_login = request.url.path() == "/v1/evaluate";
        let url = request.url.as_str();
        let lies = self
            .liars
            .iter()
            .any(|liar| url.starts_with(&format!("{liar}/")));
        Box::pin(async move {
            let answer = self.inner.send(request).await;
            if is_login && lies {
                self.judged.fetch_add(1, Ordering::SeqCst);
                self.all_judged.notify_waiters();
            } else if is_login {
                loop {
                    let notified = self.all_judged.notified();
                    if self.judged.load(Ordering::SeqCst) >= self.awaited {
                        break;
                    }
                    notified.await;
                }
            }
            answer
        })
    }
}
