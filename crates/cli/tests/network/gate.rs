//! Stands before a node's public port, and kills somebody at a chosen moment of a ceremony.

use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use trefoil::{HttpTransport, Transport as _};
use trefoil_client::Request;
use url::Url;

use crate::world::Node;

/// When a process dies, as the node behind the gate sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The step has not reached the node.
    Before(&'static str),
    /// The node has taken the step, and nobody has heard of it.
    After(&'static str),
}

pub(crate) struct Gate {
    state: Arc<Inner>,
    server: JoinHandle<()>,
}

struct Inner {
    listen: u16,
    transport: HttpTransport,
    /// Whom to kill and when; once.
    armed: Mutex<Option<(Moment, u32)>>,
}

impl Gate {
    pub(crate) async fn before(node: &Node) -> Self {
        let state = Arc::new(Inner {
            listen: node.listen,
            transport: HttpTransport::new().unwrap(),
            armed: Mutex::new(None),
        });
        let listener = TcpListener::bind(("127.0.0.1", node.port)).await.unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { state, server }
    }

    /// Kills the process that `start` gives at this moment; nothing passes before it is known.
    pub(crate) fn arm(&self, moment: Moment, start: impl FnOnce() -> u32) {
        let mut armed = self.state.armed();
        *armed = Some((moment, start()));
    }

    /// Whether the moment has come.
    pub(crate) fn has_killed(&self) -> bool {
        self.state.armed().is_none()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inner {
    fn armed(&self) -> MutexGuard<'_, Option<(Moment, u32)>> {
        self.armed.lock().unwrap()
    }

    /// Whether somebody was killed.
    fn kill_at(&self, now: Moment) -> bool {
        let mut armed = self.armed();
        let due = armed.take_if(|(moment, _)| *moment == now);
        if let Some((_, id)) = due {
            kill(id);
        }
        due.is_some()
    }
}

pub(crate) fn kill(id: u32) {
    let id = id.to_string();
    let killed = Command::new("kill").args(["-s", "KILL", &id]).status();
    assert!(killed.unwrap().success());
}

const STEPS: [&str; 6] = ["plan", "deal", "hold", "sign", "activate", "finish"];

async fn pass(
    State(gate): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let step = uri.path().strip_prefix("/v1/ceremony/");
    let step = step.and_then(|step| STEPS.into_iter().find(|known| *known == step));
    if step.is_some_and(|step| gate.kill_at(Moment::Before(step))) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let url = format!("http://127.0.0.1:{}{uri}", gate.listen);
    let mut request = Request::new(method, Url::parse(&url).unwrap()).max_body(1 << 20);
    request.body = body;
    if let Some(sort) = headers.get(http::header::CONTENT_TYPE) {
        request
            .headers
            .insert(http::header::CONTENT_TYPE, sort.clone());
    }
    let answer = gate.transport.send(request).await;
    if step.is_some_and(|step| gate.kill_at(Moment::After(step))) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    match answer {
        Ok(answer) => (answer.status, answer.headers, answer.body).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
