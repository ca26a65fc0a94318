//! One keep-alive HTTP/1.1 connection, with as little as possible around it: whatever the driver costs, the server that it
//! measures lacks.

use std::net::SocketAddr;

use ::http::{Request, StatusCode};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failure;

/// More header lines than the measured servers send.
const MAX_HEADERS: usize = 64;
/// Bytes that are read at a time.
const READ: usize = 16 * 1024;

/// A connection with one request under way at most. After an error it is of no use.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A whole answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: StatusCode,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    pub(crate) async fn send(&mut self, request: &Request<Bytes>) -> Result<Answer<'_>, Failure> {
        self.exchange(&encode(request)).await
    }

    /// Sends an [encoded](encode) request.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let (status, body) = loop {
            self.read.reserve(READ);
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(head) = head(&self.read)? {
                break head;
            }
        };
        while self.read.len() < body.end {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err("the server closed the connection in its answer".into());
            }
        }
        let body = self.read.get(body).ok_or("no body")?;
        Ok(Answer { status, body })
    }
}

/// The status, and where the body lies, once all headers are there.
fn head(read: &[u8]) -> Result<Option<(StatusCode, std::ops::Range<usize>)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(begin) = response.parse(read)? else {
        return Ok(None);
    };
    let status = StatusCode::from_u16(response.code.ok_or("no status")?)?;
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .ok_or("the server does not say how long its answer is")?;
    let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
    Ok(Some((status, begin..begin + length)))
}

/// As it goes over the wire.
pub(crate) fn encode(request: &Request<Bytes>) -> Vec<u8> {
    let line = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    let mut bytes = line.into_bytes();
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    let length = format!("content-length: {}\r\n\r\n", request.body().len());
    bytes.extend_from_slice(length.as_bytes());
    bytes.extend_from_slice(request.body());
    bytes
}

impl<'a> Answer<'a> {
    /// The body of a success.
    pub(crate) fn success(self) -> Result<&'a [u8], Failure> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let body = String::from_utf8_lossy(self.body);
        Err(format!("the server answered {}: {body}", self.status).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_an_answer_are_what_http_says() {
        let request = Request::post("/v1/load/sessions").header("host", "load");
        let encoded = encode(&request.body(Bytes::from_static(b"{}")).unwrap());
        assert_eq!(
            encoded,
            b"POST /v1/load/sessions HTTP/1.1\r\nhost: load\r\ncontent-length: 2\r\n\r\n{}"
        );
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..answer.len() - 3 {
            assert!(head(&answer[..cut]).unwrap().is_none(), "{cut}");
        }
        let (status, body) = head(answer).unwrap().unwrap();
        assert_eq!((status, &answer[body]), (StatusCode::OK, &b"abc"[..]));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(head(b"no HTTP at all\r\n\r\n").is_err());
    }
}
