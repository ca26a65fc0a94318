//! Sockets: what serves a router and how it stops.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::serve::ListenerExt as _;
use rand_core::Rng as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use trefoil::Environment;

use crate::failure::{Exit, Failure};

/// A server in a task of its own, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    /// Ends it and waits until its port is free.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        // Its end by cancellation is what was asked for.
        let _ = (&mut self.0).await;
    }
}

/// Takes a port; connections wait in it until a router is served.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|source| {
        let message =
            format!("cannot listen on {address}: {source}; is this server running already?");
        Failure::new(Exit::Other, "listen", message)
    })
}

/// Takes a loopback port that can be taken again after a restart: outside the ranges from which systems give ports to
/// clients, if one is free.
pub(super) async fn bind_lasting() -> Result<TcpListener, Failure> {
    const PORTS: std::ops::Range<u32> = 20_000..32_000;
    const TRIES: usize = 50;
    let mut rng = Environment::system().rng();
    for _ in 0..TRIES {
        let port = PORTS.start + rng.next_u32() % (PORTS.end - PORTS.start);
        let address =
            SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap_or_default()));
        if let Ok(listener) = TcpListener::bind(address).await {
            return Ok(listener);
        }
    }
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
}

/// Serves a router until dropped.
pub(crate) fn serve(listener: TcpListener, router: Router) -> Running {
    let listener = listener.tap_io(|stream| {
        // Answers are small and whole: waiting for acknowledgements would only add time.
        let _ = stream.set_nodelay(true);
    });
    Running(tokio::spawn(async move {
        // Fails only when the listener does; whoever asks next sees a refused connection.
        let _ = axum::serve(listener, router).await;
    }))
}

/// That the user or the system asks the process to end. Made before a server says that it serves, so that whoever
/// has read that can already ask it to end.
#[derive(Debug)]
pub(crate) struct StopSignal {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|source| {
                Failure::new(
                    Exit::Other,
                    "io",
                    format!("cannot listen to signals: {source}"),
                )
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(unix)]
    pub(crate) async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn wait(self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
