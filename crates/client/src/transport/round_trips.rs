//! Counting the round trips that a user waits for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use url::Url;

use super::{Request, Response, Transport, TransportError};

/// How many round trips lie one after another.
///
/// Requests under way at the same time count once: a request's depth is one more than that of the deepest request
/// finished before it was sent, and the count is the greatest depth of a finished request. Asking nine nodes in
/// parallel and then the metadata server gives two.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips(Arc<Mutex<u64>>);

impl RoundTrips {
    /// A counter at zero. Clones share one count.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sequential round trips since the start or the last [`reset`](Self::reset).
    pub fn count(&self) -> u64 {
        *self.lock()
    }

    /// Sets the count back to zero and returns what it was.
    pub fn reset(&self) -> u64 {
        core::mem::take(&mut *self.lock())
    }

    fn finished(&self, depth: u64) {
        let mut deepest = self.lock();
        *deepest = (*deepest).max(depth);
    }

    // A panic elsewhere cannot leave a half-written integer behind.
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transport that counts what passes through it.
///
/// Every request that was sent and ended, well or badly, counts. Opening connections ahead and requests that were given
/// up do not, nor do those of [the background](Request::background), which no user waits for.
#[derive(Debug)]
pub struct CountingTransport<T> {
    inner: T,
    trips: RoundTrips,
}

impl<T: Transport> CountingTransport<T> {
    /// Counts the requests to `inner` in `trips`.
    pub fn new(inner: T, trips: RoundTrips) -> Self {
        Self { inner, trips }
    }

    /// The counter.
    pub fn round_trips(&self) -> &RoundTrips {
        &self.trips
    }
}

impl<T: Transport> Transport for CountingTransport<T> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        if request.background {
            return self.inner.send(request);
        }
        // Taken when the request is made, not when it is first polled, so that a fan-out made in one go is one wave
        // however its futures are scheduled.
        let depth = self.trips.count() + 1;
        let answer = self.inner.send(request);
        Box::pin(async move {
            let answer = answer.await;
            self.trips.finished(depth);
            answer
        })
    }

    fn warm_up(&self, url: Url) -> BoxFuture<'_, ()> {
        self.inner.warm_up(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::future::{join, join_all};
    use http::{HeaderMap, Method, StatusCode};

    /// Answers after as many yields as the path says.
    struct Yielding;

    impl Transport for Yielding {
        fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
            let turns: u32 = request.url.path().trim_matches('/').parse().unwrap();
            Box::pin(async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                Ok(Response {
                    status: StatusCode::OK,
                    headers: HeaderMap::new(),
                    body: Bytes::new(),
                })
            })
        }
    }

    fn request(turns: u32) -> Request {
        Request::new(
            Method::GET,
            Url::parse(&format!("https://node.example/{turns}")).unwrap(),
        )
    }

    #[tokio::test]
    async fn parallel_requests_count_once() {
        let transport = CountingTransport::new(Yielding, RoundTrips::new());
        for answer in join_all((0..9).map(|turns| transport.send(request(turns)))).await {
            answer.unwrap();
        }
        assert_eq!(transport.round_trips().count(), 1);
        transport.send(request(1)).await.unwrap();
        assert_eq!(transport.round_trips().count(), 2);
        assert_eq!(transport.round_trips().reset(), 2);
        assert_eq!(transport.round_trips().count(), 0);
    }

    #[tokio::test]
    async fn a_chain_beside_a_slow_request_counts_its_links() {
        let transport = CountingTransport::new(Yielding, RoundTrips::new());
        let chain = async {
            for _ in 0..3 {
                transport.send(request(1)).await.unwrap();
            }
        };
        let (slow, ()) = join(transport.send(request(50)), chain).await;
        slow.unwrap();
        assert_eq!(transport.round_trips().count(), 3);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_does_not_count() {
        let transport = CountingTransport::new(Yielding, RoundTrips::new());
        for turns in 0..3 {
            let request = request(turns).in_background();
            transport.send(request).await.unwrap();
        }
        assert_eq!(transport.round_trips().count(), 0);
        // Nor does one that ends in the middle of a request that counts make that one deeper.
        let background = transport.send(request(1).in_background());
        let (counted, background) = join(transport.send(request(9)), background).await;
        counted.unwrap();
        background.unwrap();
        assert_eq!(transport.round_trips().count(), 1);
    }

    #[tokio::test]
    async fn given_up_requests_do_not_count() {
        let transport = CountingTransport::new(Yielding, RoundTrips::new());
        drop(transport.send(request(1)));
        assert_eq!(transport.round_trips().count(), 0);
    }
}
