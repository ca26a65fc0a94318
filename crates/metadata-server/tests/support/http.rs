//! HTTP/1.1 by hand, so that tests can also send what no client library would.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trefoil_protocol::problem::{CONTENT_TYPE, Problem, ProblemCode};

use super::Server;

/// A request in the making.
#[derive(Clone)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub fn call(method: &str, path: &str) -> Call {
    Call {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(held, _)| held != name);
        self
    }

    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).unwrap();
        self.header("content-type", "application/json").raw(bytes)
    }

    pub fn raw(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    pub async fn send(&self, server: &Server) -> Reply {
        let head = self.head();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may answer, and close, before it has read everything.
        let (mut reading, mut writing) = stream.split();
        let mut received = Vec::new();
        let (_, read) = tokio::join!(
            writing.write_all(&self.body),
            reading.read_to_end(&mut received)
        );
        if received.is_empty() {
            read.unwrap();
        }
        let reply = Reply::parse(&received);
        super::openapi::check(self, &reply);
        reply
    }

    /// Sends it whole; nobody will read the answer. The connection lives as long as what is returned.
    pub async fn send_unheard(&self, server: &Server) -> TcpStream {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(self.head().as_bytes()).await.unwrap();
        stream.write_all(&self.body).await.unwrap();
        stream
    }

    fn head(&self) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let is_chunked = self
            .headers
            .iter()
            .any(|(name, _)| name == "transfer-encoding");
        if !is_chunked
            && !self
                .headers
                .iter()
                .any(|(name, _)| name == "content-length")
        {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("an HTTP response");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body of a success.
    pub fn ok<T: DeserializeOwned>(&self) -> T {
        assert!(
            (200..300).contains(&self.status),
            "{}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem document of a refusal, checked for its form.
    pub fn problem(&self) -> Problem {
        assert_eq!(
            self.header("content-type"),
            Some(CONTENT_TYPE),
            "status {}",
            self.status
        );
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        assert_eq!(problem.status, problem.code.status());
        assert_eq!(
            problem.kind,
            format!("urn:trefoil:problem:{}", problem.code)
        );
        if self.status == 401 {
            assert!(self.header("www-authenticate").is_some());
        }
        problem
    }

    pub fn code(&self) -> ProblemCode {
        self.problem().code
    }
}
