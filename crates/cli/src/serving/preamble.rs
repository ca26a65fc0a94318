//! Tells HTTP/1 from HTTP/2 by a connection's first bytes, and hands all of them on in one piece.
//!
//! The HTTP library looks at the first 24 bytes itself. Those come back to its HTTP/1 reader as a read of their own, for which that
//! doubles its buffer: 8 KB for each connection that is kept open, without use. So they are looked at here, and to a connection that
//! does not begin as HTTP/2 does (RFC 9113 section 3.4) the library's look finds nothing, which it takes for HTTP/1.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum_server::accept::Accept;
use futures::TryFutureExt as _;
use futures::future::MapOk;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Looks at what the inner acceptor's streams begin with.
#[derive(Debug, Clone)]
pub(super) struct Preambles<A>(A);

impl<A> Preambles<A> {
    pub(super) const fn new(inner: A) -> Self {
        Self(inner)
    }
}

impl<I, S, A: Accept<I, S>> Accept<I, S> for Preambles<A> {
    type Stream = Begun<A::Stream>;
    type Service = A::Service;
    type Future = MapOk<A::Future, fn((A::Stream, A::Service)) -> (Begun<A::Stream>, A::Service)>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        self.0
            .accept(stream, service)
            .map_ok(|(stream, service)| (Begun::new(stream), service))
    }
}

/// A stream whose first bytes were looked at.
#[derive(Debug)]
pub(super) struct Begun<S> {
    stream: S,
    held: [u8; 24],
    /// How many of them were read.
    filled: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Looking,
    /// What was read is still to be handed on.
    Holding,
    Through,
}

impl<S> Begun<S> {
    const fn new(stream: S) -> Self {
        Self {
            stream,
            held: [0; 24],
            filled: 0,
            state: State::Looking,
        }
    }

    fn held(&self) -> &[u8] {
        self.held.get(..self.filled).unwrap_or_default()
    }
}

impl<S: AsyncRead + Unpin> Begun<S> {
    /// Reads until it is known whether this is HTTP/2.
    fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.filled < PREFACE.len() {
            let mut rest = ReadBuf::new(self.held.get_mut(self.filled..).unwrap_or_default());
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut rest))?;
            let read = rest.filled().len();
            self.filled += read;
            if read == 0 || !PREFACE.starts_with(self.held()) {
                return Poll::Ready(Ok(false));
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state == State::Looking {
            let is_http2 = ready!(this.poll_is_http2(cx))?;
            this.state = State::Holding;
            if !is_http2 {
                return Poll::Ready(Ok(()));
            }
        }
        if this.state == State::Holding && this.filled <= buffer.remaining() {
            this.state = State::Through;
            let held = this.held();
            buffer.put_slice(held);
            if !held.is_empty() && buffer.remaining() > 0 {
                // What has come meanwhile; where there is nothing, or an error, the next read says so.
                let _ = Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            if !buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        if this.state == State::Holding {
            let fits = buffer.remaining();
            let held = this.held.get(..fits).unwrap_or_default();
            buffer.put_slice(held);
            this.held.copy_within(fits..this.filled, 0);
            this.filled -= fits;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// The reads of a server from a client that says these pieces and goes.
    async fn reads(pieces: &[&[u8]], size: usize) -> Vec<Vec<u8>> {
        let (mut client, server) = duplex(4096);
        let mut begun = Begun::new(server);
        let mut found = Vec::new();
        for piece in pieces {
            client.write_all(piece).await.unwrap();
        }
        drop(client);
        loop {
            let mut buffer = vec![0; size];
            let read = begun.read(&mut buffer).await.unwrap();
            found.push(buffer[..read].to_vec());
            if read == 0 && found.len() > 1 {
                return found;
            }
        }
    }

    #[tokio::test]
    async fn http_1_is_an_empty_look_and_then_one_piece() {
        for request in [
            &b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"[..],
            b"POST /v1/acme/sessions HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\nmore",
            b"P",
        ] {
            assert_eq!(
                reads(&[request], 512).await,
                [b"".to_vec(), request.to_vec(), b"".to_vec()]
            );
        }
        assert_eq!(reads(&[], 512).await, [b"", b""]);
    }

    #[tokio::test]
    async fn http_2_is_handed_on_from_its_first_byte() {
        let whole = [&PREFACE[..], b"frames"].concat();
        assert_eq!(reads(&[&whole], 512).await, [whole.clone(), b"".to_vec()]);
        // As the library reads: 24 bytes at first.
        let found = reads(&[&whole], 24).await;
        assert_eq!(found, [PREFACE.to_vec(), b"frames".to_vec(), b"".to_vec()]);
    }

    #[tokio::test]
    async fn nothing_is_lost_in_small_buffers() {
        let request = b"GET /a-path HTTP/1.1\r\nhost: localhost\r\n\r\n";
        for size in [1, 7, 23, 25] {
            assert_eq!(reads(&[request], size).await.concat(), request, "{size}");
        }
    }

    #[tokio::test]
    async fn a_preface_may_come_byte_by_byte() {
        let (mut client, server) = duplex(4096);
        let reading = tokio::spawn(async move {
            let mut begun = Begun::new(server);
            let mut buffer = [0; 24];
            let read = begun.read(&mut buffer).await.unwrap();
            buffer[..read].to_vec()
        });
        for byte in PREFACE {
            client.write_u8(*byte).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(reading.await.unwrap(), PREFACE);
    }
}
