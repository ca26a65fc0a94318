//! TLS: handshakes, versions of HTTP, renewal.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Version;

use crate::authority::until_taken;
pub(crate) use crate::authority::{Authority, tls};
use crate::support::Server;
use crate::world::{ACME, World, port};

pub(crate) fn https(server: &Server) -> String {
    format!("https://localhost:{}", port(server, "listen"))
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_come_over_tls() {
    let world = World::new().await;
    let authority = Authority::new();
    authority.install(&world);
    let node = world.serve(&tls(&world));
    assert_eq!(node.serving["scheme"], "https");
    let base = https(&node);
    world
        .login(&authority.client(), &base, ACME, "alice")
        .await
        .unwrap();
    assert!(!Authority::new().is_taken(&base).await, "a stranger's root");
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_and_http_1_are_spoken() {
    let world = World::new().await;
    let authority = Authority::new();
    authority.install(&world);
    let node = world.serve(&tls(&world));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for (alpn, version) in [
        (vec![b"h2".to_vec(), b"http/1.1".to_vec()], Version::HTTP_2),
        (vec![b"http/1.1".to_vec()], Version::HTTP_11),
        (vec![], Version::HTTP_11),
    ] {
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .no_proxy()
            .build()
            .unwrap();
        let url = format!("{}/v1/manifest", https(&node));
        let answer = client.get(url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
    // Without TLS HTTP/2 is spoken to whoever begins with it.
    let plain = world.serve("");
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(
            rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = format!("{}/v1/manifest", crate::world::http(&plain));
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_gets_nowhere_on_a_tls_port() {
    let world = World::new().await;
    let authority = Authority::new();
    authority.install(&world);
    let node = world.serve(&tls(&world));
    let mut stream = TcpStream::connect(("127.0.0.1", port(&node, "listen"))).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    // A TLS alert at most, then the end; a reset is an end too.
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(answer.len() < 20, "{answer:?}");
    assert!(authority.is_taken(&https(&node)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_up_without_a_restart() {
    let world = World::new().await;
    let (first, second, third) = (Authority::new(), Authority::new(), Authority::new());
    first.install(&world);
    let node = world.serve(&tls(&world));
    let base = https(&node);
    assert!(first.is_taken(&base).await);

    // Asked to, with files that are no pair: the certificate in use stays.
    std::fs::write(world.path("chain.pem"), &second.chain).unwrap();
    node.signal("HUP");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(first.is_taken(&base).await);

    second.install(&world);
    let begun = Instant::now();
    node.signal("HUP");
    until_taken(&second, &base).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "at once");
    assert!(!first.is_taken(&base).await);

    // Not asked to.
    third.install(&world);
    until_taken(&third, &base).await;
    assert!(!second.is_taken(&base).await);
    node.stop();
}
