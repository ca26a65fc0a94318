//! Calls of the metadata server over real sockets: connections, repeats, waits, time limits, clocks, and what errors say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use trefoil_client::metadata::{ErrorKind, LoginError};
use trefoil_client::{Environment, HttpTransport, MetadataClient, RetryPolicy};
use trefoil_protocol::bytes::RequestId;
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::statement::Statement;
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::LoginRequest;

/// What the server does with one request.
enum Act {
    Answer {
        status: u16,
        headers: String,
        body: Vec<u8>,
    },
    /// Closes the connection without a word.
    Cut,
    /// Keeps it open without a word.
    Hang,
}

fn refuse(problem: &Problem) -> Act {
    Act::Answer {
        status: problem.status,
        headers: String::new(),
        body: serde_json::to_vec(problem).unwrap(),
    }
}

fn no_account() -> Act {
    refuse(&Problem::from(ProblemCode::NoAccount))
}

/// A keep-alive HTTP/1.1 server whose answers a function decides by the number of the request, from 0, and its body.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    async fn start(decide: impl Fn(usize, &[u8]) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            connections: Arc::default(),
            bodies: Arc::default(),
        };
        let (connections, bodies) = (Arc::clone(&server.connections), Arc::clone(&server.bodies));
        let decide = Arc::new(decide);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (bodies, decide) = (Arc::clone(&bodies), Arc::clone(&decide));
                tokio::spawn(async move { talk(stream, &bodies, &*decide).await });
            }
        });
        server
    }

    fn client(&self, retry: RetryPolicy) -> MetadataClient {
        client(&self.url, retry)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn statements(&self) -> Vec<Statement> {
        let bodies = self.bodies.lock().unwrap();
        let said = |body: &Vec<u8>| {
            let login: LoginRequest = serde_json::from_slice(body).unwrap();
            serde_json::from_slice(login.statements[0].statement.as_bytes()).unwrap()
        };
        bodies.iter().map(said).collect()
    }
}

async fn talk(
    stream: TcpStream,
    bodies: &Mutex<Vec<Vec<u8>>>,
    decide: &(dyn Fn(usize, &[u8]) -> Act + Send + Sync),
) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut first, mut line) = (0, String::new(), String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let act = if first.starts_with("GET /healthz") {
            Act::Answer {
                status: 200,
                headers: String::new(),
                body: b"ok".to_vec(),
            }
        } else {
            let number = {
                let mut bodies = bodies.lock().unwrap();
                bodies.push(body.clone());
                bodies.len() - 1
            };
            decide(number, &body)
        };
        match act {
            Act::Answer {
                status,
                headers,
                body,
            } => {
                let head = format!(
                    "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&body).await.unwrap();
            }
            Act::Cut => return,
            Act::Hang => std::future::pending().await,
        }
    }
}

fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

fn client(url: &str, retry: RetryPolicy) -> MetadataClient {
    let transport = Arc::new(HttpTransport::new().unwrap());
    MetadataClient::new(transport, url, tenant(), Environment::system())
        .unwrap()
        .with_retry(retry)
}

async fn log_in(client: &MetadataClient) -> LoginError {
    let factor = FactorKeys::derive(&tenant(), &FactorSecret::from_bytes([5; 32]));
    client.login(&[factor.auth()]).await.unwrap_err()
}

fn quick() -> RetryPolicy {
    RetryPolicy {
        first_delay: Duration::from_millis(5),
        longest_delay: Duration::from_millis(5),
        ..RetryPolicy::default()
    }
}

#[tokio::test]
async fn one_connection_serves_the_warm_up_and_all_calls_that_follow() {
    let server = Server::start(|_, _| no_account()).await;
    let client = server.client(quick());
    client.warm_up().await;
    for _ in 0..20 {
        assert!(matches!(log_in(&client).await, LoginError::NoAccount));
        assert!(matches!(
            log_in(&client.clone()).await,
            LoginError::NoAccount
        ));
    }
    assert_eq!(server.statements().len(), 40);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn calls_at_the_same_time_reuse_each_others_connections_later() {
    let server = Server::start(|_, _| no_account()).await;
    let client = server.client(quick());
    for _ in 0..5 {
        futures::future::join_all((0..8).map(|_| log_in(&client))).await;
    }
    assert_eq!(server.statements().len(), 40);
    assert!(server.connections() <= 8, "{}", server.connections());
}

#[tokio::test]
async fn a_call_cut_off_is_made_again_on_a_new_connection_with_a_new_request_id() {
    let server = Server::start(|number, _| if number < 2 { Act::Cut } else { no_account() }).await;
    let error = log_in(&server.client(quick())).await;
    assert!(matches!(error, LoginError::NoAccount), "{error}");
    let ids: BTreeSet<RequestId> = server
        .statements()
        .into_iter()
        .map(|said| said.request_id)
        .collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let server = Server::start(|_, _| refuse(&Problem::from(ProblemCode::WrongAudience))).await;
    let error = log_in(&server.client(quick())).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(server.statements().len(), 1);
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let server = Server::start(|number, _| match number {
        0 => Act::Answer {
            status: 429,
            headers: "retry-after: 1\r\n".into(),
            body: serde_json::to_vec(&Problem::from(ProblemCode::TooManyRequests)).unwrap(),
        },
        _ => no_account(),
    })
    .await;
    let started = Instant::now();
    let error = log_in(&server.client(quick())).await;
    assert!(matches!(error, LoginError::NoAccount), "{error}");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_silent_server_takes_no_longer_than_the_call_may() {
    let server = Server::start(|_, _| Act::Hang).await;
    let error = log_in(&server.client(RetryPolicy {
        total: Duration::from_millis(300),
        ..quick()
    }))
    .await;
    // Without a limit this test would hang until the transport's 15 s are over, and then be tried again.
    assert_eq!(error.kind(), ErrorKind::Offline);
    let LoginError::Offline(offline) = error else {
        panic!("{error}");
    };
    assert!(offline.may_have_arrived);
    assert_eq!(server.statements().len(), 1);
}

#[tokio::test]
async fn a_wrong_clock_costs_one_refusal_and_no_more() {
    let ahead = Environment::system().now() + 5000;
    let server = Server::start(move |_, body| {
        let login: LoginRequest = serde_json::from_slice(body).unwrap();
        let said: Statement =
            serde_json::from_slice(login.statements[0].statement.as_bytes()).unwrap();
        if said.time.abs_diff(ahead) > 120 {
            return refuse(&Problem {
                server_time: Some(ahead),
                ..Problem::from(ProblemCode::StatementExpired)
            });
        }
        no_account()
    })
    .await;
    let client = server.client(quick());
    for calls in 2..5 {
        let error = log_in(&client.clone()).await;
        assert!(matches!(error, LoginError::NoAccount), "{error}");
        assert_eq!(server.statements().len(), calls);
    }
    assert!(client.server_time().abs_diff(ahead) < 120);
}

#[tokio::test]
async fn errors_tell_offline_busy_refused_stale_and_gone_apart() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let error = log_in(&client(&closed, quick())).await;
    assert_eq!(error.kind(), ErrorKind::Offline);
    assert!(error.kind().may_pass());
    assert!(
        matches!(&error, LoginError::Offline(offline) if !offline.may_have_arrived),
        "{error}"
    );
    let offline_text = error.to_string();

    let busy = |seconds: Option<u64>| ErrorKind::Busy {
        retry_after: seconds.map(Duration::from_secs),
    };
    let waits = Problem {
        retry_after: Some(3600),
        ..Problem::from(ProblemCode::Unavailable)
    };
    for (problem, kind) in [
        (waits, busy(Some(3600))),
        (Problem::from(ProblemCode::Internal), busy(None)),
        (Problem::from(ProblemCode::TooManyRequests), busy(None)),
        (
            Problem::from(ProblemCode::FactorRemoved),
            ErrorKind::Refused,
        ),
        (Problem::from(ProblemCode::StaleRevision), ErrorKind::Stale),
        (Problem::from(ProblemCode::AccountDeleted), ErrorKind::Gone),
        (Problem::from(ProblemCode::MailboxClosed), ErrorKind::Gone),
        (
            Problem::from(ProblemCode::StatementExpired),
            ErrorKind::ClockWrong,
        ),
    ] {
        let answer = problem.clone();
        let server = Server::start(move |_, _| refuse(&answer)).await;
        let error = log_in(&server.client(quick())).await;
        assert_eq!(error.kind(), kind, "{}", problem.code);
        assert_ne!(error.to_string(), offline_text);
    }
    let server = Server::start(|_, _| Act::Answer {
        status: 200,
        headers: String::new(),
        body: b"<html>".to_vec(),
    })
    .await;
    let error = log_in(&server.client(quick())).await;
    assert_eq!(error.kind(), ErrorKind::Misbehaved);
}
