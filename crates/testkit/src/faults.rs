//! A transport that fails, delays and lies on demand, around one that works.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use trefoil_client::{Request, Response, Transport, TransportError};
use url::Url;

/// What happens to a request.
#[derive(Clone)]
#[non_exhaustive]
pub enum Fault {
    /// The connection breaks before the server has seen the request.
    CutBefore,
    /// The server acts on the request, its answer is lost.
    CutAfter,
    /// The connection breaks, and yet the request arrives, after this wait; its answer is lost.
    Late(Duration),
    /// The request waits this long before it is sent.
    Delay(Duration),
    /// The server never answers.
    Hang,
    /// The answer is changed on its way.
    Alter(Alteration),
    /// The request does not reach the server; this answer comes back.
    Answer(StatusCode, Bytes),
}

/// Changes an answer, knowing the request it belongs to.
pub type Alteration = Arc<dyn Fn(&Request, Response) -> Response + Send + Sync>;

/// Chooses requests.
pub type Choice = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutBefore => f.write_str("CutBefore"),
            Self::CutAfter => f.write_str("CutAfter"),
            Self::Late(wait) => write!(f, "Late({wait:?})"),
            Self::Delay(wait) => write!(f, "Delay({wait:?})"),
            Self::Hang => f.write_str("Hang"),
            Self::Alter(_) => f.write_str("Alter(..)"),
            Self::Answer(status, _) => write!(f, "Answer({status})"),
        }
    }
}

/// One exchange, in the order of sending.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was to be sent.
    pub request: Request,
    /// What the server answered, before any alteration; none where nothing was sent or no answer came.
    pub response: Option<Response>,
}

#[derive(Default)]
struct Plan {
    // Requests sent since the last reset.
    sent: u64,
    numbered: Vec<(u64, Fault)>,
    chosen: Vec<(Choice, Fault)>,
    // The process "dies" at this request: (number, whether the server still acts on it).
    death: Option<(u64, bool)>,
    latency: Duration,
    exchanges: Vec<Exchange>,
}

/// Wraps a transport and injects [`Fault`]s. Clones share one plan, so a test keeps one and hands one on.
///
/// Requests of [the background](Request::background) meet chosen faults, latency and death like all others, but are
/// neither numbered nor kept: when they are sent is up to the scheduler.
pub struct FaultyTransport<T> {
    inner: Arc<T>,
    plan: Arc<Mutex<Plan>>,
}

impl<T> Clone for FaultyTransport<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            plan: Arc::clone(&self.plan),
        }
    }
}

impl<T> fmt::Debug for FaultyTransport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTransport")
            .field("sent", &self.plan().sent)
            .finish_non_exhaustive()
    }
}

impl<T> FaultyTransport<T> {
    /// Everything passes until something is planned.
    pub fn new(inner: T) -> Self {
        Self {
            inner: Arc::new(inner),
            plan: Arc::default(),
        }
    }

    /// Plans a fault for the request with this number, counted from 1 since the last [`reset`](Self::reset).
    pub fn at(&self, number: u64, fault: Fault) {
        self.plan().numbered.push((number, fault));
    }

    /// Plans a fault for every request that `choice` takes.
    pub fn when(&self, choice: impl Fn(&Request) -> bool + Send + Sync + 'static, fault: Fault) {
        self.plan().chosen.push((Arc::new(choice), fault));
    }

    /// Changes every answer to the requests that `choice` takes: a lying server.
    pub fn alter(
        &self,
        choice: impl Fn(&Request) -> bool + Send + Sync + 'static,
        change: impl Fn(&Request, Response) -> Response + Send + Sync + 'static,
    ) {
        self.when(choice, Fault::Alter(Arc::new(change)));
    }

    /// The process dies just before request `number` is sent: neither it nor any later one reaches a server.
    pub fn die_before(&self, number: u64) {
        self.plan().death = Some((number, false));
    }

    /// The process dies just after request `number` was sent: the server acts on it, its answer and everything
    /// later is lost.
    pub fn die_after(&self, number: u64) {
        self.plan().death = Some((number, true));
    }

    /// Every request waits this long before it is sent: one injected round-trip time.
    pub fn latency(&self, round_trip: Duration) {
        self.plan().latency = round_trip;
    }

    /// Requests sent since the last reset, cut ones included.
    pub fn sent(&self) -> u64 {
        self.plan().sent
    }

    /// What was sent since the last reset.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.plan().exchanges.clone()
    }

    /// Forgets all faults and counts from 1 again.
    pub fn reset(&self) {
        *self.plan() = Plan::default();
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the request and says what is planned for it.
    fn begin(&self, request: &Request) -> (Option<usize>, Duration, Vec<Fault>) {
        let mut plan = self.plan();
        let mut faults = Vec::new();
        let chosen = |plan: &Plan| -> Vec<Fault> {
            let chosen = plan.chosen.iter().filter(|(choice, _)| choice(request));
            chosen.map(|(_, fault)| fault.clone()).collect()
        };
        if request.background {
            if plan.death.is_some_and(|(at, _)| plan.sent >= at) {
                faults.push(Fault::CutBefore);
            }
            faults.extend(chosen(&plan));
            return (None, plan.latency, faults);
        }
        plan.sent += 1;
        let number = plan.sent;
        plan.exchanges.push(Exchange {
            request: request.clone(),
            response: None,
        });
        match plan.death {
            Some((at, true)) if number == at => faults.push(Fault::CutAfter),
            Some((at, _)) if number >= at => faults.push(Fault::CutBefore),
            _ => {}
        }
        faults.extend(
            plan.numbered
                .iter()
                .filter(|(at, _)| *at == number)
                .map(|(_, fault)| fault.clone()),
        );
        faults.extend(chosen(&plan));
        (Some(plan.exchanges.len() - 1), plan.latency, faults)
    }

    fn ended(&self, entry: Option<usize>, response: &Response) {
        let mut plan = self.plan();
        // A reset in between has forgotten the entry.
        if let Some(exchange) = entry.and_then(|entry| plan.exchanges.get_mut(entry)) {
            exchange.response = Some(response.clone());
        }
    }
}

impl<T: Transport + 'static> Transport for FaultyTransport<T> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let (entry, latency, faults) = self.begin(&request);
        Box::pin(async move {
            let host = trefoil_client::transport::host_of(&request.url);
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            let mut alterations = Vec::new();
            let mut lost = false;
            for fault in faults {
                match fault {
                    Fault::CutBefore => return Err(unreachable(host)),
                    Fault::CutAfter => lost = true,
                    Fault::Late(wait) => {
                        let inner = Arc::clone(&self.inner);
                        tokio::spawn(async move {
                            tokio::time::sleep(wait).await;
                            let _ = inner.send(request).await;
                        });
                        return Err(interrupted(host));
                    }
                    Fault::Delay(wait) => tokio::time::sleep(wait).await,
                    Fault::Hang => core::future::pending().await,
                    Fault::Alter(change) => alterations.push(change),
                    Fault::Answer(status, body) => return Ok(answer(status, body)),
                }
            }
            let sent = request.clone();
            let mut response = self.inner.send(request).await?;
            self.ended(entry, &response);
            if lost {
                return Err(interrupted(host));
            }
            for change in alterations {
                response = change(&sent, response);
            }
            Ok(response)
        })
    }

    fn warm_up(&self, url: Url) -> BoxFuture<'_, ()> {
        self.inner.warm_up(url)
    }
}

/// An answer with a JSON body.
#[must_use]
pub fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Response {
        status,
        headers,
        body: body.into(),
    }
}

fn unreachable(host: String) -> TransportError {
    TransportError::Unreachable {
        host,
        source: "cut before sending".into(),
    }
}

fn interrupted(host: String) -> TransportError {
    TransportError::Interrupted {
        host,
        source: "cut before the answer".into(),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use core::sync::atomic::{AtomicU64, Ordering};

    /// Counts what reaches the "server".
    #[derive(Default)]
    struct Server(AtomicU64);

    impl Transport for Server {
        fn send(&self, _: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(core::future::ready(Ok(answer(StatusCode::OK, "true"))))
        }
    }

    fn request() -> Request {
        Request::new(
            Method::GET,
            Url::parse("https://server.example/v1/x").unwrap(),
        )
    }

    #[tokio::test]
    async fn death_before_and_after_differ_by_one_request_at_the_server() {
        for (after, reached) in [(false, 1), (true, 2)] {
            let server = Arc::new(Server::default());
            let transport = FaultyTransport::new(Arc::clone(&server));
            if after {
                transport.die_after(2)
            } else {
                transport.die_before(2)
            }
            transport.send(request()).await.unwrap();
            let error = transport.send(request()).await.unwrap_err();
            assert_eq!(error.may_have_arrived(), after);
            assert!(
                !transport
                    .send(request())
                    .await
                    .unwrap_err()
                    .may_have_arrived()
            );
            assert_eq!(server.0.load(Ordering::SeqCst), reached);
            assert_eq!(transport.sent(), 3);
        }
    }

    #[tokio::test]
    async fn the_background_is_not_numbered_but_dies_with_the_rest() {
        let server = Arc::new(Server::default());
        let transport = FaultyTransport::new(Arc::clone(&server));
        transport.die_before(2);
        transport.send(request().in_background()).await.unwrap();
        transport.send(request()).await.unwrap();
        assert_eq!((transport.sent(), transport.exchanges().len()), (1, 1));
        assert!(transport.send(request()).await.is_err());
        assert!(transport.send(request().in_background()).await.is_err());
        assert_eq!(server.0.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn answers_can_be_altered_and_invented() {
        let transport = FaultyTransport::new(Arc::new(Server::default()));
        transport.alter(
            |request| request.url.path() == "/v1/x",
            |_, _| answer(StatusCode::OK, "false"),
        );
        transport.at(
            2,
            Fault::Answer(StatusCode::TOO_MANY_REQUESTS, Bytes::new()),
        );
        assert_eq!(transport.send(request()).await.unwrap().body, "false");
        assert_eq!(
            transport.send(request()).await.unwrap().status,
            StatusCode::TOO_MANY_REQUESTS
        );
        transport.reset();
        assert_eq!(transport.send(request()).await.unwrap().body, "true");
        assert_eq!(
            transport.exchanges()[0].response.as_ref().unwrap().body,
            "true"
        );
    }
}
