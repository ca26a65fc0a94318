//! TLS: handshakes, versions of HTTP, renewal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Version;

use crate::authority::until_taken;
pub(crate) use crate::authority::{Authority, tls};
use crate::world::{World, port};

#[tokio::test(flavor = "multi_thread")]
async fn http_2_and_http_1_are_spoken_over_tls() {
    let world = World::new();
    let authority = Authority::new();
    authority.install(&world);
    let server = world.serve(&tls(&world));
    assert_eq!(server.serving["scheme"], "https");
    let base = format!("https://localhost:{}", port(&server, "listen"));
    assert!(!Authority::new().is_taken(&base).await, "a stranger's root");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for (alpn, version) in [
        (vec![b"h2".to_vec(), b"http/1.1".to_vec()], Version::HTTP_2),
        (vec![b"http/1.1".to_vec()], Version::HTTP_11),
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
        let url = format!("{base}/v1/permit_key");
        let answer = client.get(url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_up_without_a_restart() {
    let world = World::new();
    let (first, second) = (Authority::new(), Authority::new());
    first.install(&world);
    let server = world.serve(&tls(&world));
    let base = format!("https://localhost:{}", port(&server, "listen"));
    assert!(first.is_taken(&base).await);
    // Files that are no pair: the certificate in use stays.
    std::fs::write(world.path("chain.pem"), &second.chain).unwrap();
    server.signal("HUP");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(first.is_taken(&base).await);
    second.install(&world);
    let begun = Instant::now();
    server.signal("HUP");
    until_taken(&second, &base).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "at once");
    assert!(!first.is_taken(&base).await);
    server.stop();
}
