//! Connections that cost an attacker nothing: silent, slow, endless.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::authority::{Authority, tls};
use crate::stopping::begin;
use crate::world::{Answer, World, connect, get, login, login_body, port};

/// How many idle connections; a run by hand may ask for 10,000 where enough files may be open.
fn crowd() -> usize {
    let asked = std::env::var("TREFOIL_IDLE_CONNECTIONS").ok();
    asked.map_or(400, |count| count.parse().unwrap())
}

/// Whether the other side has closed it.
fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let open = match stream.read(&mut [0; 64]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).unwrap();
    open
}

/// A request on a connection that stays open afterwards.
fn ask(stream: &mut TcpStream) -> u16 {
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(answer.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let mut body = [0; 2];
    answer.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"ok");
    Answer::parse(&head).status
}

/// Kilobytes of memory that the process uses.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// Clients keep their connections between calls: all of them stay, and nobody else waits for them.
#[test]
fn many_idle_clients_keep_their_connections_and_do_not_stop_others() {
    let world = World::new();
    let count = crowd();
    // Room for those who come later.
    let server = world.serve(&format!("max_connections = {}\n", count + 100));
    let begun = Instant::now();
    let mut idle: Vec<TcpStream> = (0..count).map(|_| connect(&server)).collect();
    for stream in &mut idle {
        assert_eq!(ask(stream), 200);
    }
    let megabytes = memory(server.id()) / 1024;
    println!("{count} idle connections: {megabytes} MB");
    if count >= 10_000 {
        assert!(megabytes < 200, "{megabytes} MB");
    }
    for factor in 1..4 {
        let asked = Instant::now();
        assert_eq!(login(&server, factor, &[]).status, 404);
        assert!(asked.elapsed() < Duration::from_secs(5));
    }
    // Those that said nothing for half a minute may be closed by now, where making so many takes as long.
    if begun.elapsed() < Duration::from_secs(25) {
        assert_eq!(idle.iter().filter(|stream| is_open(stream)).count(), count);
        assert_eq!(ask(&mut idle[0]), 200);
    }
    server.stop();
}

#[test]
fn with_more_connections_than_allowed_the_quietest_make_room() {
    let world = World::new();
    Authority::new().install(&world);
    for over_tls in [false, true] {
        let table = if over_tls { tls(&world) } else { String::new() };
        let server = world.serve(&format!("max_connections = 100\n{table}"));
        let idle: Vec<TcpStream> = (0..300).map(|_| connect(&server)).collect();
        // Headers, or a TLS record, that never come to an end.
        let mut slow: Vec<TcpStream> = (0..50).map(|_| connect(&server)).collect();
        let part: &[u8] = if over_tls {
            b"\x16\x03\x01\x02\x00"
        } else {
            b"POST /v1/acme/sessions HTTP/1.1\r\nhost: localhost\r\n"
        };
        for stream in &mut slow {
            stream.write_all(part).unwrap();
        }
        // The system has taken connections that the server has not seen yet. It takes them in in any order: whoever logs in
        // among so many newcomers may be one of those that make room.
        let begun = Instant::now();
        let open = |slow: &[TcpStream]| {
            let all = idle.iter().chain(slow);
            all.filter(|stream| is_open(stream)).count()
        };
        while open(&slow) > 100 {
            assert!(begun.elapsed() < Duration::from_secs(10), "more are open");
            std::thread::sleep(Duration::from_millis(50));
        }
        for factor in 1..4 {
            for stream in &mut slow {
                let _ = stream.write_all(b"x");
            }
            if !over_tls {
                assert_eq!(login(&server, factor, &[]).status, 404);
            }
        }
        assert!((1..=100).contains(&open(&slow)));
        server.kill();
    }
}

/// A byte now and then keeps nothing open: neither headers nor a body.
#[test]
fn headers_and_bodies_that_do_not_end_are_given_up() {
    let world = World::new();
    let server = world.serve("");
    let mut headers = connect(&server);
    headers.write_all(b"GET /healthz HTTP/1.1\r\nx: ").unwrap();
    let padded = format!("{}{}", login_body(1), " ".repeat(1000));
    let mut body = begin(&server, &padded, 500);
    let begun = Instant::now();
    let mut answer = Vec::new();
    body.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    while is_open(&headers) || answer.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "still open");
        let _ = headers.write_all(b"y");
        let _ = body.write_all(b" ");
        let mut part = [0; 4096];
        if let Ok(read) = body.read(&mut part) {
            answer.extend_from_slice(&part[..read]);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(begun.elapsed() >= Duration::from_secs(8));
    let answer = Answer::parse(&String::from_utf8(answer).unwrap());
    assert_eq!(
        (answer.status, answer.problem().code.as_str()),
        (408, "request_timeout")
    );
    assert_eq!(get(&server, "/healthz").status, 200);
    server.stop();
}

/// A body without end, with and without a stated length, at a call that takes one and at one that does not.
#[test]
fn endless_bodies_are_cut_off() {
    let world = World::new();
    let server = world.serve("");
    for (method, path, status) in [
        ("POST", "/v1/acme/sessions", "413"),
        ("GET", "/v1/permit_key", "200"),
        ("POST", "/nowhere", "404"),
    ] {
        for length in ["content-length: 99999999999", "transfer-encoding: chunked"] {
            let mut stream = connect(&server);
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let chunk = if length.starts_with("transfer") {
                format!("10000\r\n{}\r\n", " ".repeat(0x10000))
            } else {
                " ".repeat(0x10000)
            };
            let mut sent = 0_usize;
            while stream.write_all(chunk.as_bytes()).is_ok() {
                sent += chunk.len();
                assert!(
                    sent < 64 << 20,
                    "{method} {path} {length}: all of it is read"
                );
            }
            // What was answered can be lost to the reset that follows; where it is there it is this.
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            if !answer.is_empty() {
                let text = String::from_utf8_lossy(&answer);
                assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
            }
        }
    }
    assert_eq!(get(&server, "/healthz").status, 200);
    assert!(port(&server, "listen") > 0);
    server.stop();
}
