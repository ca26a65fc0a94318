//! How many connections may be open, and for how long a silent one.
//!
//! A connection costs an attacker nothing, so refusing new ones at a limit would shut everybody out. Instead the one that
//! has been silent for longest makes room: whoever is in the middle of a login has just said something.

use std::collections::{BTreeSet, HashMap};
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// A connection on which nothing is read or written for so long is closed.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// The open connections. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    start: Instant,
    limit: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    /// Every connection by an instant since which it may have been active, and its id. It is put right when it comes to be the
    /// first: reads and writes need not take the lock.
    by_activity: BTreeSet<(u64, u64)>,
}

impl Open {
    fn insert(&mut self, connection: Arc<Connection>) -> u64 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let filed = connection.active.load(Ordering::SeqCst);
        connection.filed.store(filed, Ordering::SeqCst);
        self.by_activity.insert((filed, id));
        self.connections.insert(id, connection);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Connection>> {
        let connection = self.connections.remove(&id)?;
        let filed = connection.filed.load(Ordering::SeqCst);
        self.by_activity.remove(&(filed, id));
        Some(connection)
    }

    /// Takes off the connection that has been silent for longest. Each that is passed over was active since it was last filed,
    /// so what this costs was paid for by reading or writing.
    fn remove_quietest(&mut self) -> Option<Arc<Connection>> {
        while let Some((filed, id)) = self.by_activity.first().copied() {
            let Some(connection) = self.connections.get(&id) else {
                self.by_activity.remove(&(filed, id));
                continue;
            };
            let active = connection.active.load(Ordering::SeqCst);
            if active <= filed {
                return self.remove(id);
            }
            self.by_activity.remove(&(filed, id));
            self.by_activity.insert((active, id));
            connection.filed.store(active, Ordering::SeqCst);
        }
        None
    }
}

#[derive(Debug, Default)]
struct Connection {
    /// Milliseconds from the start to the last byte that was read or written.
    active: AtomicU64,
    /// Under which of these it stands among the others.
    filed: AtomicU64,
    /// Whether any byte was read.
    spoke: AtomicBool,
    ended: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Connection {
    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Connections {
    /// At most `limit` at a time, at least 1.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            start: Instant::now(),
            limit: limit.max(1),
            open: Mutex::default(),
        }))
    }

    pub(super) fn count(&self) -> usize {
        self.open(|open| open.connections.len())
    }

    /// Ends the connections on which the client has not said a word.
    pub(super) fn end_silent(&self) {
        self.open(|open| {
            let silent = |connection: &&Arc<Connection>| !connection.spoke.load(Ordering::SeqCst);
            let connections = open.connections.values();
            connections
                .filter(silent)
                .for_each(|connection| connection.end());
        });
    }

    fn open<T>(&self, with: impl FnOnce(&mut Open) -> T) -> T {
        with(&mut self.0.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Makes room where there is none, and guards the stream.
    fn admit<S>(&self, stream: S) -> Guarded<S> {
        let connection = Arc::new(Connection::default());
        connection.active.store(self.now(), Ordering::SeqCst);
        let id = self.open(|open| {
            while open.connections.len() >= self.0.limit {
                let Some(victim) = open.remove_quietest() else {
                    break;
                };
                victim.end();
            }
            open.insert(Arc::clone(&connection))
        });
        Guarded {
            stream,
            connections: self.clone(),
            connection,
            id,
            alarm: Box::pin(tokio::time::sleep(SILENCE_LIMIT)),
        }
    }
}

/// Puts the guard around each accepted connection.
#[derive(Debug, Clone)]
pub(super) struct Guard(Connections);

impl Guard {
    pub(super) const fn new(connections: Connections) -> Self {
        Self(connections)
    }
}

impl<S> Accept<TcpStream, S> for Guard {
    type Stream = Guarded<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // Answers are small and whole: waiting for acknowledgements would only add time.
        let _ = stream.set_nodelay(true);
        ready(Ok((self.0.admit(stream), service)))
    }
}

/// A stream that fails when it was silent for too long or has to make room.
pub(super) struct Guarded<S> {
    stream: S,
    connections: Connections,
    connection: Arc<Connection>,
    id: u64,
    alarm: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    fn check(&self) -> io::Result<()> {
        if self.connection.ended.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn active(&self) {
        let now = self.connections.now();
        self.connection.active.store(now, Ordering::SeqCst);
    }

    /// Nothing can be done on the stream now: wakes the task when the silence is too long or the end is asked for.
    fn wait(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        *self
            .connection
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        // The end may have been asked for just before there was a waker.
        self.check()?;
        while self.alarm.as_mut().poll(cx).is_ready() {
            let active = Duration::from_millis(self.connection.active.load(Ordering::SeqCst));
            let until = self.connections.0.start + active + SILENCE_LIMIT;
            if until <= Instant::now() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(until);
        }
        Ok(())
    }

    /// What a read or write came to; `moved` where bytes were.
    fn after<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        moved: impl FnOnce(&T) -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending => match self.wait(cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            Poll::Ready(Ok(value)) => {
                if moved(&value) {
                    self.active();
                }
                Poll::Ready(Ok(value))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check()?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() > before;
        if read {
            this.connection.spoke.store(true, Ordering::SeqCst);
        }
        this.after(polled, |()| read, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.after(polled, |written| *written > 0, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.after(polled, |written| *written > 0, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.after(polled, |()| false, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.after(polled, |()| false, cx)
    }
}

impl<S> Drop for Guarded<S> {
    fn drop(&mut self) {
        self.connections.open(|open| open.remove(self.id));
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    fn pair(connections: &Connections) -> (DuplexStream, Guarded<DuplexStream>) {
        let (client, server) = duplex(64);
        (client, connections.admit(server))
    }

    fn is_ended(guarded: &Guarded<DuplexStream>) -> bool {
        guarded.check().is_err()
    }

    /// Time is turned by the runtime.
    #[tokio::test(start_paused = true)]
    async fn the_quietest_makes_room() {
        let connections = Connections::new(2);
        let (mut first_client, mut first) = pair(&connections);
        tokio::time::advance(Duration::from_secs(1)).await;
        let (_second_client, second) = pair(&connections);
        tokio::time::advance(Duration::from_secs(1)).await;
        first_client.write_all(b"x").await.unwrap();
        first.read_u8().await.unwrap();
        let (_third_client, third) = pair(&connections);
        assert_eq!(
            (is_ended(&first), is_ended(&second), is_ended(&third)),
            (false, true, false)
        );
        assert_eq!(connections.count(), 2);
        drop(second);
        assert_eq!(connections.count(), 2, "it was taken off before");
        drop((first, third));
        assert_eq!(connections.count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn order_follows_activity_and_nothing_is_left_behind() {
        let connections = Connections::new(4);
        let mut pairs: Vec<_> = (0..4).map(|_| pair(&connections)).collect();
        let speak = async |(client, guarded): &mut (DuplexStream, Guarded<DuplexStream>)| {
            tokio::time::advance(Duration::from_secs(1)).await;
            client.write_all(b"x").await.unwrap();
            guarded.read_u8().await.unwrap();
        };
        for speaker in [2, 0, 3, 1] {
            speak(&mut pairs[speaker]).await;
        }
        drop(pairs.remove(2));
        let mut late = vec![pair(&connections)];
        speak(&mut pairs[0]).await;
        let ended = |pairs: &[(DuplexStream, Guarded<DuplexStream>)]| -> Vec<bool> {
            pairs.iter().map(|(_, guarded)| is_ended(guarded)).collect()
        };
        // Left are 0, 1 and 3, of which 3 spoke first and 0 last.
        let mut seen = vec![ended(&pairs)];
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(1)).await;
            late.push(pair(&connections));
            seen.push(ended(&pairs));
        }
        assert_eq!(
            seen,
            [
                [false, false, false],
                [false, false, true],
                [false, true, true],
                [false, true, true]
            ]
        );
        assert!(is_ended(&late[0].1), "silent since before 0 spoke last");
        drop((pairs, late));
        connections.open(|open| {
            assert!(open.connections.is_empty());
            assert!(open.by_activity.is_empty());
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_waits_learns_that_it_must_make_room() {
        let connections = Connections::new(1);
        let (_client, mut guarded) = pair(&connections);
        let reading = tokio::spawn(async move { guarded.read_u8().await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _second = pair(&connections);
        let error = reading.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_and_activity_prolongs() {
        let connections = Connections::new(1);
        let (mut client, mut guarded) = pair(&connections);
        let begun = Instant::now();
        let reading = tokio::spawn(async move {
            guarded.read_u8().await.unwrap();
            (guarded.read_u8().await.unwrap_err(), guarded)
        });
        tokio::time::sleep(Duration::from_secs(20)).await;
        client.write_all(b"x").await.unwrap();
        let (error, mut guarded) = reading.await.unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 20 + SILENCE_LIMIT.as_secs());
        // A client that does not read what it asked for is silent too.
        let error = guarded.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn only_those_that_never_spoke_end_at_the_stop() {
        let connections = Connections::new(8);
        let (mut client, mut spoke) = pair(&connections);
        let (_other, silent) = pair(&connections);
        client.write_all(b"x").await.unwrap();
        spoke.read_u8().await.unwrap();
        connections.end_silent();
        assert_eq!((is_ended(&spoke), is_ended(&silent)), (false, true));
    }
}
