//! How a server ends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::Server;
use crate::world::{Answer, World, connect, get, login_body, port};

/// Sends all of a login but so many bytes, and waits until the server has begun with it.
pub(crate) fn begin(server: &Server, body: &str, missing: usize) -> TcpStream {
    let mut stream = connect(server);
    write!(
        stream,
        "POST /v1/acme/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    let (most, _) = body.split_at(body.len() - missing);
    stream.write_all(most.as_bytes()).unwrap();
    stream
}

#[test]
fn a_stop_finishes_what_was_begun_and_takes_nothing_new() {
    let world = World::new();
    for signal in ["TERM", "INT"] {
        let mut server = world.serve("");
        let body = login_body(1);
        let mut idle = connect(&server);
        let mut begun = begin(&server, &body, 10);
        server.signal(signal);
        let stopping = server.hear();
        assert_eq!(stopping["step"], "stopping");
        assert!(stopping["connections"].as_u64().unwrap() >= 1);
        let refused_by = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(("127.0.0.1", port(&server, "listen"))).is_ok() {
            assert!(Instant::now() < refused_by, "new connections are refused");
            std::thread::sleep(Duration::from_millis(20));
        }
        let closed = match idle.read(&mut [0; 16]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        assert!(closed, "nothing was asked on it");
        let (_, rest) = body.split_at(body.len() - 10);
        begun.write_all(rest.as_bytes()).unwrap();
        let mut answer = String::new();
        begun.read_to_string(&mut answer).unwrap();
        assert_eq!(Answer::parse(&answer).status, 404, "{answer}");
        let stopped = server.hear();
        assert_eq!(stopped["step"], "stopped");
        assert_eq!(stopped["finished"], true);
        assert_eq!(server.ended(), 0);
    }
}

#[test]
fn a_server_ends_with_the_parent_that_wanted_it_so() {
    let world = World::new();
    let mut server = Server::start_with_stdin(world.command("").arg("--until-stdin-closes"));
    assert_eq!(get(&server, "/readyz").status, 200);
    server.close_stdin();
    assert_eq!(server.hear()["step"], "stopping");
    assert_eq!(server.hear()["step"], "stopped");
    assert_eq!(server.ended(), 0);
}
