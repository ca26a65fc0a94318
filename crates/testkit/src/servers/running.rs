//! One server in a runtime of its own, so that stopping it stops everything it does.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::runtime::{Builder, Runtime};

use super::TestkitError;

/// A server listening on loopback. Dropping it kills it: open connections break, nothing is finished.
#[derive(Debug)]
pub(super) struct RunningServer {
    // Always there but while being dropped.
    runtime: Option<Runtime>,
}

/// Binds an ephemeral loopback port. Connections wait in it until a server is started on it.
pub(super) fn bind() -> Result<(TcpListener, SocketAddr), TestkitError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TestkitError::Listen)?;
    let address = listener.local_addr().map_err(TestkitError::Listen)?;
    Ok((listener, address))
}

/// Binds the port that an earlier server had.
pub(super) fn bind_again(address: SocketAddr) -> Result<TcpListener, TestkitError> {
    TcpListener::bind(address).map_err(TestkitError::Listen)
}

impl RunningServer {
    /// Serves what `make` builds. `make` runs inside the server's own runtime.
    pub(super) fn start(
        listener: TcpListener,
        make: impl FnOnce() -> Result<Router, TestkitError>,
    ) -> Result<Self, TestkitError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("testkit-server")
            .enable_all()
            .build()
            .map_err(TestkitError::Listen)?;
        listener
            .set_nonblocking(true)
            .map_err(TestkitError::Listen)?;
        let guard = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(TestkitError::Listen)?;
        let router = make()?;
        drop(guard);
        runtime.spawn(async move {
            let listener = listener.tap_io(|stream| {
                // As in `HttpTransport`: no waiting for acknowledgements.
                let _: io::Result<()> = stream.set_nodelay(true);
            });
            // Fails only when the listener does; whoever asks next sees a refused connection.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Kills the server and waits until it has let go of its port and files.
    pub(super) async fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let stopped = tokio::task::spawn_blocking(move || {
                runtime.shutdown_timeout(Duration::from_secs(10))
            });
            let _ = stopped.await;
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
