//! A node that does as a test tells it: holds shares of any epochs, lies in any way, hangs, dies.
//!
//! It checks no ID token: the token's text is the user.

use core::fmt;
use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use serde::Deserialize;
use trefoil_oprf::Evaluation;
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::social::{
    EvaluateRequest, EvaluateResponse, ManifestChain, NodeSecrets, SignedManifest, UserIdentity,
};

use super::TestkitError;
use super::running::{RunningServer, bind_again};
use crate::environment::os_rng;

/// How a scripted node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// As an honest node does.
    Right,
    /// The value of another user under the name of the one who asked.
    WrongValue,
    /// The right value with a proof of something else.
    WrongProof,
    /// Another user, rightly proven and named.
    OtherUser,
    /// As the node of this index, with its own share.
    OtherIndex(u16),
    /// With its share of one epoch, proven and sealed as of another.
    Mislabelled {
        /// Whose share is used. The node must hold it.
        share: u32,
        /// What the answer says.
        label: u32,
    },
    /// Status 200 and something that is no answer.
    Garbage,
    /// A body without end.
    Endless,
    /// The request is taken and never answered, as by a stopped process.
    Hang,
    /// A problem document, with `retry_after` seconds where given.
    Refuses(ProblemCode, Option<u64>),
    /// `other_epoch`, whatever was asked, naming this one.
    ClaimsEpoch(u32),
}

/// How a scripted node answers when asked for manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chain {
    /// What follows the epoch asked about, as far as the node has come.
    Right,
    /// These, whatever was asked.
    These(Vec<SignedManifest>),
    /// Status 200 and something that is no chain.
    Garbage,
    /// The request is taken and never answered.
    Hang,
}

struct Script {
    shares: BTreeMap<u32, NodeSecrets>,
    chain: Vec<SignedManifest>,
    answer: Answer,
    // Used up before `answer`.
    first: VecDeque<Answer>,
    manifests: Chain,
    asked: Vec<u32>,
    asked_for_manifests: Vec<u32>,
}

/// A node on a loopback port of its own that follows a script.
pub struct ScriptedNode {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    running: Option<RunningServer>,
}

impl ScriptedNode {
    pub(super) fn start(listener: TcpListener) -> Result<Self, TestkitError> {
        let mut node = Self {
            address: listener.local_addr().map_err(TestkitError::Listen)?,
            script: Arc::new(Mutex::new(Script {
                shares: BTreeMap::new(),
                chain: Vec::new(),
                answer: Answer::Right,
                first: VecDeque::new(),
                manifests: Chain::Right,
                asked: Vec::new(),
                asked_for_manifests: Vec::new(),
            })),
            running: None,
        };
        node.run(listener)?;
        Ok(node)
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The shares that it has from now on, and the manifests that it serves.
    pub(super) fn set(&self, shares: BTreeMap<u32, NodeSecrets>, chain: Vec<SignedManifest>) {
        let mut script = lock(&self.script);
        script.shares = shares;
        script.chain = chain;
    }

    /// How it answers from now on.
    pub fn answer(&self, answer: Answer) {
        lock(&self.script).answer = answer;
    }

    /// How it answers the next requests, one each, before it goes on as told by [`Self::answer`].
    pub fn answer_first(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.script).first = answers.into_iter().collect();
    }

    /// How it serves manifests from now on.
    pub fn manifests(&self, chain: Chain) {
        lock(&self.script).manifests = chain;
    }

    /// The epochs in which it was asked to evaluate since this was last called.
    pub fn take_asked(&self) -> Vec<u32> {
        core::mem::take(&mut lock(&self.script).asked)
    }

    /// The epochs after which it was asked for manifests since this was last called.
    pub fn take_asked_for_manifests(&self) -> Vec<u32> {
        core::mem::take(&mut lock(&self.script).asked_for_manifests)
    }

    /// Kills it: connections are refused. Harmless where it does not run.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
    }

    /// Starts it again on the same port with the same script. Harmless where it runs.
    ///
    /// # Errors
    /// [`TestkitError::Listen`].
    pub fn start_again(&mut self) -> Result<(), TestkitError> {
        if self.running.is_some() {
            return Ok(());
        }
        self.run(bind_again(self.address)?)
    }

    fn run(&mut self, listener: TcpListener) -> Result<(), TestkitError> {
        let router = Router::new()
            .route("/v1/evaluate", post(evaluate))
            .route("/v1/manifests", get(manifests))
            .with_state(Arc::clone(&self.script));
        self.running = Some(RunningServer::start(listener, move || Ok(router))?);
        Ok(())
    }
}

type Shared = State<Arc<Mutex<Script>>>;

async fn evaluate(State(script): Shared, body: Bytes) -> Response {
    let Ok(request) = EvaluateRequest::from_json(&body) else {
        return refuse(&ProblemCode::MalformedRequest.into());
    };
    let (answer, shares) = {
        let mut script = lock(&script);
        script.asked.push(request.epoch);
        let answer = script.first.pop_front();
        (
            answer.unwrap_or_else(|| script.answer.clone()),
            script.shares.clone(),
        )
    };
    match answer {
        Answer::Garbage => (StatusCode::OK, r#"{"version":1}"#).into_response(),
        Answer::Endless => {
            let chunk = Ok::<_, core::convert::Infallible>(Bytes::from_static(&[b' '; 1024]));
            Body::from_stream(futures::stream::repeat(chunk)).into_response()
        }
        Answer::Hang => core::future::pending().await,
        Answer::Refuses(code, retry_after) => {
            let mut problem = Problem::from(code);
            problem.retry_after = retry_after;
            refuse(&problem)
        }
        Answer::ClaimsEpoch(epoch) => other_epoch(epoch),
        made => match make(&made, &shares, &request) {
            Some(answer) => json(serde_json::to_vec(&answer).unwrap_or_default()),
            None => match shares.keys().last() {
                Some(newest) => other_epoch(*newest),
                None => refuse(&ProblemCode::NoShare.into()),
            },
        },
    }
}

/// An answer with real key shares. `None` where the share that it takes is not there.
fn make(
    answer: &Answer,
    shares: &BTreeMap<u32, NodeSecrets>,
    request: &EvaluateRequest,
) -> Option<EvaluateResponse> {
    let user = request.id_token.expose_secret();
    let (share, label) = match answer {
        Answer::Mislabelled { share, label } => (*share, *label),
        _ => (request.epoch, request.epoch),
    };
    let (evaluated, named) = match answer {
        Answer::WrongValue => ("mallory", user),
        Answer::OtherUser => ("mallory", "mallory"),
        _ => (user, user),
    };
    let share = shares.get(&share)?.share();
    let input = |user: &str| {
        let (tenant, verifier) = (request.tenant.clone(), request.verifier.clone());
        let identity = UserIdentity::new(tenant, verifier, user, request.generation).ok();
        identity.map(|identity| identity.input())
    };
    let mut rng = os_rng();
    let mut evaluation = share.evaluate(label, &input(evaluated)?, &mut rng);
    if *answer == Answer::WrongProof {
        let other = share.evaluate(label, &input("mallory")?, &mut rng);
        let proof = other.proof().to_bytes();
        let value = evaluation.expose_secret();
        evaluation = Evaluation::from_parts(evaluation.index(), label, value, &proof).ok()?;
    }
    let mut sealed =
        EvaluateResponse::seal(&evaluation, named, &request.ephemeral_key, &mut rng).ok()?;
    if let Answer::OtherIndex(index) = answer {
        sealed.index = *index;
    }
    Some(sealed)
}

#[derive(Deserialize)]
struct After {
    after: u32,
}

async fn manifests(State(script): Shared, Query(After { after }): Query<After>) -> Response {
    let (chain, manner) = {
        let mut script = lock(&script);
        script.asked_for_manifests.push(after);
        (script.chain.clone(), script.manifests.clone())
    };
    let chain = match manner {
        Chain::Right => chain,
        Chain::These(these) => return json(ManifestChain::new(these).to_json()),
        Chain::Garbage => return (StatusCode::OK, "[]").into_response(),
        Chain::Hang => core::future::pending().await,
    };
    let later = chain.into_iter().filter(|signed| {
        let manifest = signed.trust_pinned();
        manifest.is_ok_and(|manifest| manifest.epoch() > after)
    });
    json(ManifestChain::new(later).to_json())
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn refuse(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        json(serde_json::to_vec(problem).unwrap_or_default()),
    )
        .into_response()
}

fn other_epoch(newest: u32) -> Response {
    let mut problem = Problem::from(ProblemCode::OtherEpoch);
    problem.epoch = Some(newest);
    refuse(&problem)
}

// A test that panicked while telling a node what to do has failed already.
fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for ScriptedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedNode")
            .field("address", &self.address)
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}
