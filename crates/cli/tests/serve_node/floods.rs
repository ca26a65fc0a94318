//! Connections that cost an attacker nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use trefoil_client::transport::HttpTransport;

use crate::support::Server;
use crate::tls::{Authority, https, tls};
use crate::world::{ACME, World, http, port};

fn connect(node: &Server) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port(node, "listen"))).unwrap()
}

/// Whether the other side has closed it.
fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_slow_connections_do_not_stop_a_login() {
    let world = World::new().await;
    let authority = Authority::new();
    authority.install(&world);
    for over_tls in [false, true] {
        let table = if over_tls { tls(&world) } else { String::new() };
        let node = world.serve(&format!("max_connections = 100\n{table}"));
        let (base, client) = if over_tls {
            (https(&node), authority.client())
        } else {
            (http(&node), HttpTransport::new().unwrap())
        };
        let idle: Vec<TcpStream> = (0..500).map(|_| connect(&node)).collect();
        // Headers, or a TLS record, that never come to an end.
        let mut slow: Vec<TcpStream> = (0..50).map(|_| connect(&node)).collect();
        let part: &[u8] = if over_tls {
            b"\x16\x03\x01\x02\x00"
        } else {
            b"POST /v1/evaluate HTTP/1.1\r\nhost: localhost\r\n"
        };
        for stream in &mut slow {
            stream.write_all(part).unwrap();
        }
        for user in ["alice", "bob", "carol"] {
            // Some go on while somebody logs in.
            for stream in &mut slow {
                let _ = stream.write_all(b"x");
            }
            let begun = Instant::now();
            world.login(&client, &base, ACME, user).await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
        let open = idle
            .iter()
            .chain(&slow)
            .filter(|stream| is_open(stream))
            .count();
        assert!((1..=100).contains(&open), "{open} are open");
        node.kill();
    }
}

/// A byte now and then keeps nothing open.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_end_are_given_up() {
    let world = World::new().await;
    let node = world.serve("");
    let mut stream = connect(&node);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nx: ").unwrap();
    let begun = Instant::now();
    while is_open(&stream) {
        assert!(begun.elapsed() < Duration::from_secs(20), "still open");
        std::thread::sleep(Duration::from_millis(500));
        let _ = stream.write_all(b"y");
    }
    assert!(begun.elapsed() >= Duration::from_secs(8));
}
