//! How a node ends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use trefoil_protocol::social::EphemeralKey;

use crate::support::Server;
use crate::world::{ACME, World, http, port};

fn connect(node: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port(node, "listen"))).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Sends all of a login but its last bytes, and waits until the node has begun with it.
fn begin(node: &Server, body: &str) -> TcpStream {
    let mut stream = connect(node);
    write!(
        stream,
        "POST /v1/evaluate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
        .write_all(body.split_at(body.len() - 10).0.as_bytes())
        .unwrap();
    stream
}

fn login(world: &World) -> String {
    let key = EphemeralKey::random(&mut trefoil::Environment::system().rng());
    world.body(ACME, "alice", &key).to_string()
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_was_begun_and_takes_nothing_new() {
    let world = World::new().await;
    for signal in ["TERM", "INT"] {
        let mut node = world.serve("");
        let body = login(&world);
        let mut idle = connect(&node);
        let mut begun = begin(&node, &body);
        node.signal(signal);
        let stopping = node.hear();
        assert_eq!(stopping["step"], "stopping");
        assert!(stopping["connections"].as_u64().unwrap() >= 1);
        let refused_by = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(("127.0.0.1", port(&node, "listen"))).is_ok() {
            assert!(Instant::now() < refused_by, "new connections are refused");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(is_closed(&mut idle), "nothing was asked on it");
        begun
            .write_all(body.split_at(body.len() - 10).1.as_bytes())
            .unwrap();
        let mut answer = String::new();
        begun.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let stopped = node.hear();
        assert_eq!(
            (&stopped["step"], &stopped["finished"]),
            (&"stopped".into(), &true.into())
        );
        assert_eq!(node.ended(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_end_is_cut_off() {
    let world = World::new().await;
    let mut node = world.serve("");
    let mut begun = begin(&node, &login(&world));
    node.signal("TERM");
    let asked = Instant::now();
    assert_eq!(node.hear()["step"], "stopping");
    let stopped = node.hear();
    let took = asked.elapsed().as_secs();
    assert!((9..14).contains(&took), "{took} s");
    assert_eq!(stopped["finished"], false);
    assert_eq!(node.ended(), 0);
    assert!(is_closed(&mut begun));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ends_with_the_parent_that_wanted_it_so() {
    let world = World::new().await;
    let mut node = Server::start_with_stdin(world.command("").arg("--until-stdin-closes"));
    assert_eq!(crate::world::get(&http(&node), "/readyz").await.status, 200);
    node.close_stdin();
    assert_eq!(node.hear()["step"], "stopping");
    assert_eq!(node.hear()["step"], "stopped");
    assert_eq!(node.ended(), 0);
    // Without the option the end of standard input means nothing: `Server::start` gives an empty one.
    let node = world.serve("");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        crate::world::get(&http(&node), "/healthz").await.status,
        200
    );
    node.stop();
}
