//! A TCP proxy between a client and a server, for what a transport wrapper cannot show: real sockets that are slow,
//! cut or dead, also for another process.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    one_way: Duration,
    // Raised to close all open connections.
    cuts: u64,
    refusing: bool,
}

/// Listens on a loopback port of its own and passes bytes to a server and back.
///
/// The server's public address has to be the proxy's, since statements name it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `server` on an ephemeral port.
    ///
    /// # Errors
    /// Whatever binding the port says.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        Self::serve(
            TcpListener::bind((core::net::Ipv4Addr::LOCALHOST, 0)).await?,
            server,
        )
    }

    /// Starts a proxy to `server` on a port that is bound already, so that its address can be told to the server
    /// before the server starts.
    ///
    /// # Errors
    /// Whatever the socket says of its address.
    pub fn serve(listener: TcpListener, server: SocketAddr) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let weather = Arc::new(watch::Sender::new(Weather::default()));
        let changes = Arc::clone(&weather);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if changes.borrow().refusing {
                    continue;
                }
                tokio::spawn(connection(client, server, changes.subscribe()));
            }
        });
        Ok(Self {
            address,
            weather,
            accepting,
        })
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the proxy listens, as the base URL of an HTTP server.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Bytes take half of `round_trip` in each direction from now on, and new connections a whole one to open.
    pub fn latency(&self, round_trip: Duration) {
        self.weather
            .send_modify(|weather| weather.one_way = round_trip / 2);
    }

    /// Closes all connections that are open now.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    /// Closes all connections and every new one until [`restore`](Self::restore).
    pub fn down(&self) {
        self.weather.send_modify(|weather| {
            weather.cuts += 1;
            weather.refusing = true;
        });
    }

    /// Takes connections again.
    pub fn restore(&self) {
        self.weather.send_modify(|weather| weather.refusing = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connection(client: TcpStream, server: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let cuts = weather.borrow().cuts;
    let seen = weather.clone();
    let pass = async {
        // A new connection costs a round trip of its own before the first byte gets through.
        let handshake = 2 * seen.borrow().one_way;
        tokio::time::sleep(handshake).await;
        let server = TcpStream::connect(server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // An end of one direction ends both: HTTP clients and servers do not half-close.
        tokio::select! {
            ended = one_way(from_client, to_server, seen.clone()) => ended,
            ended = one_way(from_server, to_client, seen.clone()) => ended,
        }
    };
    tokio::select! {
        _ = pass => {}
        _ = weather.wait_for(|now| now.cuts != cuts) => {}
    }
}

/// Passes bytes on, each after the one-way time since it came in. Bytes that come in while others wait are not held
/// up any longer than those, as on a long wire.
async fn one_way(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (queue, mut wire) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(64);
    let reading = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await?;
            let due = Instant::now() + weather.borrow().one_way;
            let bytes = buffer.get(..read).unwrap_or_default().to_vec();
            if read == 0 || queue.send((due, bytes)).await.is_err() {
                return Ok::<(), io::Error>(());
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = wire.recv().await {
            tokio::time::sleep_until(due).await;
            to.write_all(&bytes).await?;
            to.flush().await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_client::{HttpTransport, Request, Transport};
    use url::Url;

    async fn http_server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new().route("/", axum::routing::get(|| async { "here" }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    async fn ask(
        transport: &HttpTransport,
        proxy: &Proxy,
    ) -> Result<(), trefoil_client::TransportError> {
        let url = Url::parse(&proxy.base_url()).unwrap();
        transport
            .send(Request::new(http::Method::GET, url))
            .await
            .map(|answer| assert_eq!(answer.body, "here"))
    }

    #[tokio::test]
    async fn delays_cuts_and_refuses() {
        let proxy = Proxy::start(http_server().await).await.unwrap();
        let transport = HttpTransport::new().unwrap();
        ask(&transport, &proxy).await.unwrap();
        proxy.latency(Duration::from_millis(60));
        let started = Instant::now();
        ask(&transport, &proxy).await.unwrap();
        assert!(
            started.elapsed() >= Duration::from_millis(60),
            "{:?}",
            started.elapsed()
        );
        proxy.latency(Duration::from_secs(60));
        let (answer, ()) = tokio::join!(ask(&transport, &proxy), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            proxy.cut();
        });
        assert!(answer.unwrap_err().may_have_arrived());
        proxy.latency(Duration::ZERO);
        proxy.down();
        assert!(ask(&transport, &proxy).await.unwrap_err().is_transient());
        proxy.restore();
        ask(&transport, &proxy).await.unwrap();
    }
}
