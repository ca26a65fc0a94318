//! A server that the whole internet may reach: TLS, bounded connections, an end that finishes what was begun.

mod connections;
mod preamble;
mod stdin;
mod tls;

pub(crate) use tls::{Certificates, TlsFiles};

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use serde_json::json;

use self::connections::{Connections, Guard};
use self::preamble::Preambles;
use self::stdin::StdinClosed;
use crate::failure::{Exit, Failure};
use crate::local::StopSignal;
use crate::ui::Ui;

/// For which requests under way are waited for at the end.
const GRACE: Duration = Duration::from_secs(10);
/// Within which the TLS handshake, and each request's headers, must be complete.
const HEADER_TIME_LIMIT: Duration = Duration::from_secs(10);
/// Bytes that a request's line and headers may have over HTTP/1.1; tokens travel in bodies.
const MAX_HEADERS: usize = 32 * 1024;
/// Requests at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 32;

/// A server under way.
#[derive(Debug)]
pub(crate) struct PublicServer {
    handle: Handle<SocketAddr>,
    connections: Connections,
    task: JoinHandle<io::Result<()>>,
}

impl PublicServer {
    /// Serves the router, with TLS where there is a certificate. With more than `max_connections` open the one that has
    /// been silent for longest is closed.
    pub(crate) fn start(
        listener: TcpListener,
        router: Router,
        tls: Option<RustlsConfig>,
        max_connections: usize,
    ) -> Result<Self, Failure> {
        let connections = Connections::new(max_connections);
        let guard = Guard::new(connections.clone());
        let handle = Handle::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = listener
            .into_std()
            .and_then(axum_server::from_tcp)
            .map_err(|source| {
                let message = format!("cannot serve on the socket: {source}");
                Failure::new(Exit::Other, "listen", message)
            })?
            .handle(handle.clone());
        let task = match tls {
            None => {
                let mut server = server.acceptor(Preambles::new(guard));
                tune(server.http_builder());
                tokio::spawn(server.serve(service))
            }
            Some(config) => {
                let acceptor = RustlsAcceptor::new(config)
                    .handshake_timeout(HEADER_TIME_LIMIT)
                    .acceptor(guard);
                let mut server = server.acceptor(Preambles::new(acceptor));
                tune(server.http_builder());
                tokio::spawn(server.serve(service))
            }
        };
        Ok(Self {
            handle,
            connections,
            task,
        })
    }

    /// Serves until the process is asked to end, or its standard input ends where that is wanted, and finishes what it took.
    pub(crate) async fn run_until_stopped(
        self,
        ui: Ui,
        stop: StopSignal,
        until_stdin_closes: bool,
    ) {
        if until_stdin_closes {
            let stdin = StdinClosed::watch();
            tokio::select! {
                () = stop.wait() => {}
                () = stdin.wait() => {}
            }
        } else {
            stop.wait().await;
        }
        let open = self.open();
        tracing::info!(
            open,
            "stopping: no new connections, requests under way are finished"
        );
        ui.step(
            "stopping",
            json!({ "connections": open, "at_most_seconds": GRACE.as_secs() }),
            format!("Stopping: finishing what {open} open connections have asked."),
        );
        let finished = self.stop(GRACE).await;
        ui.step(
            "stopped",
            json!({ "finished": finished }),
            if finished {
                "Stopped."
            } else {
                "Stopped; requests that took too long were cut off."
            },
        );
    }

    /// Connections that are open now.
    fn open(&self) -> usize {
        self.connections.count()
    }

    /// Takes nothing new and waits for the requests under way, for `grace` at most. Says whether all were finished.
    async fn stop(self, grace: Duration) -> bool {
        self.handle.graceful_shutdown(None);
        self.connections.end_silent();
        let mut task = self.task;
        let finished = tokio::time::timeout(grace, &mut task).await.is_ok();
        if !finished {
            self.handle.shutdown();
            task.abort();
        }
        finished
    }
}

fn tune(builder: &mut Builder<TokioExecutor>) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_LIMIT)
        .max_buf_size(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS);
}

/// Servers log to standard error, at the level of `TREFOIL_LOG` (`info` unless set).
pub(crate) fn log(ui: Ui) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TREFOIL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log that cannot be written, since its disk is full, must not end requests.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // Fails only where a subscriber is set already.
    let _ = if ui.json() {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}
