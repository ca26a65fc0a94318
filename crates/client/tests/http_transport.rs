//! The HTTP transport against servers that are slow, endless, gone or not who they claim to be, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trefoil_client::{HttpTransport, Request, Transport, TransportError};
use url::Url;

/// A server that reads one request head and then does as told.
async fn server<F, Fut>(act: F) -> (Url, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            tokio::spawn(act(stream));
        }
    });
    (url, connections)
}

/// A server that writes these bytes and closes.
async fn canned(answer: impl Into<Vec<u8>>) -> Url {
    let answer = Arc::new(answer.into());
    server(move |mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            let _ = stream.write_all(&answer).await;
        }
    })
    .await
    .0
}

fn get(url: &Url) -> Request {
    Request::new(Method::GET, url.clone())
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let transport = HttpTransport::new().unwrap();
    for (limit, fits) in [(5, true), (4, false)] {
        let announced = canned("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
        let chunked = canned(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        )
        .await;
        for url in [announced, chunked] {
            match transport.send(get(&url).max_body(limit)).await {
                Ok(response) => {
                    assert!(fits && response.body == "hello" && response.status == StatusCode::OK)
                }
                Err(error) => assert!(
                    !fits && matches!(error, TransportError::TooLarge { limit: 4, .. }),
                    "{error}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    let (url, _) = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    })
    .await;
    let started = Instant::now();
    let error = HttpTransport::new()
        .unwrap()
        .send(get(&url))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::TooLarge { .. }) && error.may_have_arrived(),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_huge_announced_length_is_refused_before_reading() {
    let url = canned("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n").await;
    let error = HttpTransport::new()
        .unwrap()
        .send(get(&url))
        .await
        .unwrap_err();
    assert!(
        !matches!(error, TransportError::Unreachable { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, visits) = server(|_| async {}).await;
    let url = canned(format!(
        "HTTP/1.1 307 Go\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n"
    ))
    .await;
    let response = HttpTransport::new().unwrap().send(get(&url)).await.unwrap();
    assert_eq!(response.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn each_way_of_getting_no_answer_says_whether_the_server_may_have_acted() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap()
    };
    let transport = HttpTransport::builder()
        .total_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let error = transport.send(get(&closed)).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Unreachable { .. }) && !error.may_have_arrived(),
        "{error}"
    );

    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
    ] {
        let error = transport
            .send(get(&canned(answer).await))
            .await
            .unwrap_err();
        assert!(
            matches!(error, TransportError::Interrupted { .. }),
            "{answer:?}: {error}"
        );
        assert!(error.may_have_arrived() && error.is_transient());
    }

    let (silent, _) = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let (dripping, _) = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for url in [silent, dripping] {
        let started = Instant::now();
        let error = transport.send(get(&url)).await.unwrap_err();
        assert!(
            matches!(error, TransportError::TimedOut { .. }) && error.may_have_arrived(),
            "{error}"
        );
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn plain_http_to_another_machine_is_not_sent() {
    let url = Url::parse("http://wallet.example/v1/acme/sessions?secret").unwrap();
    let error = HttpTransport::new()
        .unwrap()
        .send(get(&url))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Insecure { .. }) && !error.may_have_arrived());
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn warming_up_saves_the_connection() {
    let (url, connections) = server(|mut stream| async move {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        loop {
            let _ = stream.write_all(answer).await;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    return;
                };
                head.push(byte);
            }
        }
    })
    .await;
    let transport = HttpTransport::new().unwrap();
    transport.warm_up(url.clone()).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    transport.send(get(&url)).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    // A dead server is no error here.
    transport
        .warm_up(Url::parse("http://127.0.0.1:1/").unwrap())
        .await;
    transport
        .warm_up(Url::parse("http://wallet.example/").unwrap())
        .await;
}

/// A TLS server for `localhost` under a test-only authority; answers one HTTP/1.1 request a connection with the protocol
/// that TLS agreed on.
fn tls_server(protocols: &[&[u8]]) -> SocketAddr {
    let chain = vec![CertificateDer::from(
        &include_bytes!("tls/test-only-localhost.der")[..],
    )];
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("tls/test-only-localhost.pk8.der")[..]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut buffer = [0; 2048];
            if tls.read(&mut buffer).is_err() {
                continue;
            }
            let agreed =
                String::from_utf8_lossy(tls.conn.alpn_protocol().unwrap_or(b"none")).into_owned();
            let started_http2 = buffer.starts_with(b"PRI * HTTP/2.0");
            assert_eq!(started_http2, agreed == "h2");
            let _ = write!(
                tls,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{agreed}",
                agreed.len()
            );
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    address
}

#[tokio::test]
async fn tls_holds_only_under_a_trusted_root_and_for_the_right_name() {
    let port = tls_server(&[b"http/1.1"]).port();
    let url = Url::parse(&format!("https://localhost:{port}/")).unwrap();
    let error = HttpTransport::new()
        .unwrap()
        .send(get(&url))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::Unreachable { .. }) && !error.may_have_arrived(),
        "{error}"
    );

    let root = include_bytes!("tls/test-only-ca.der").to_vec();
    let trusting = HttpTransport::builder().add_root(root).build().unwrap();
    assert_eq!(trusting.send(get(&url)).await.unwrap().body, "http/1.1");
    let other_name = Url::parse(&format!("https://127.0.0.1:{port}/")).unwrap();
    assert!(trusting.send(get(&other_name)).await.is_err());
    assert!(
        HttpTransport::builder()
            .add_root(vec![1, 2, 3])
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn http2_is_agreed_on_where_the_server_speaks_it() {
    let port = tls_server(&[b"h2", b"http/1.1"]).port();
    let root = include_bytes!("tls/test-only-ca.der").to_vec();
    let transport = HttpTransport::builder().add_root(root).build().unwrap();
    let url = Url::parse(&format!("https://localhost:{port}/")).unwrap();
    // The server speaks no HTTP/2 but checks that the client begins it; its answer is then no HTTP/2.
    let error = transport.send(get(&url)).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Interrupted { .. }),
        "{error}"
    );
}
