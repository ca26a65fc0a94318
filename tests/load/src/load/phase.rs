//! One operation, measured: batches of prepared requests, sent by all connections at once, each waiting for its answer.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;

use super::Operation;
use super::requests::Call;
use crate::http::Connection;
use crate::{Failure, fresh_rng};

/// What is measured.
pub(crate) trait Served {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Processor time that it has used so far.
    fn processor_time(&self) -> Result<Duration, Failure>;
}

/// Somebody who asks.
pub(crate) trait User: Send + 'static {
    /// The next request of this kind. A write moves the user on: it must be sent.
    fn next(&mut self, operation: Operation, rng: &mut ChaCha20Rng) -> Result<Call, Failure>;
}

/// Requests of each connection before the clock runs.
const WARM_UP: usize = 25;
/// A batch lasts about so long: its end, when some connections are done and others not, must not weigh.
const BATCH: Duration = Duration::from_secs(2);
/// Prepared requests of all connections at most: each holds some kilobytes.
const MOST_PREPARED: usize = 100_000;

/// What came of it.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Right answers a second.
    pub per_second: f64,
    /// Half of the right answers came within this.
    pub p50: Duration,
    /// 99 of 100.
    pub p99: Duration,
    /// Wrong answers, refusals, broken connections.
    pub errors: usize,
    /// Processor time of the server for one request.
    pub server_time: Duration,
}

/// Everybody who asks one server, over as many connections as there are shares of users.
pub(crate) struct Driver<S, U> {
    server: S,
    shares: Vec<Vec<U>>,
    connections: Vec<Connection>,
}

/// What was seen of some requests.
#[derive(Default)]
pub(crate) struct Sample {
    elapsed: Duration,
    latencies: Vec<Duration>,
    errors: usize,
    server_time: Duration,
}

impl<S: Served, U: User> Driver<S, U> {
    pub(crate) const fn new(server: S, shares: Vec<Vec<U>>) -> Self {
        Self {
            server,
            shares,
            connections: Vec::new(),
        }
    }

    /// Fresh connections: a server closes those on which nothing is said for some seconds, as while it is another's turn.
    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        self.connections.clear();
        for _ in 0..self.shares.len() {
            let connection = Connection::open(self.server.address()).await?;
            self.connections.push(connection);
        }
        Ok(())
    }

    /// As many users as the connection that has most of them has.
    pub(crate) fn longest_share(&self) -> usize {
        self.shares.iter().map(Vec::len).max().unwrap_or_default()
    }

    /// For about so long.
    pub(crate) async fn measure(
        &mut self,
        operation: Operation,
        time: Duration,
    ) -> Result<Sample, Failure> {
        self.connect().await?;
        let mut rate = self.batch(operation, WARM_UP).await?.per_second();
        let mut total = Sample::default();
        while total.elapsed < time {
            let length = BATCH.min(time - total.elapsed).as_secs_f64();
            // A rest shorter than the noise is not worth a batch.
            if length < 0.02 {
                break;
            }
            let wanted = ((rate * length) as usize).min(MOST_PREPARED);
            let each = (wanted / self.connections.len().max(1)).max(10);
            let done = self.batch(operation, each).await?;
            rate = done.per_second();
            total.add(done);
        }
        Ok(total)
    }

    /// Prepares so many requests for each connection, then sends them.
    pub(crate) async fn batch(
        &mut self,
        operation: Operation,
        each: usize,
    ) -> Result<Sample, Failure> {
        let owned = std::mem::take(&mut self.shares);
        let (owned, prepared) =
            tokio::task::spawn_blocking(move || prepare(operation, owned, each)).await??;
        self.shares = owned;
        let before = self.server.processor_time()?;
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for (mut connection, calls) in std::mem::take(&mut self.connections)
            .into_iter()
            .zip(prepared)
        {
            tasks.push(tokio::spawn(async move {
                let sent = send(&mut connection, calls).await;
                (connection, sent)
            }));
        }
        let mut all = Sample::default();
        for task in tasks {
            let (connection, (latencies, errors)) = task.await?;
            self.connections.push(connection);
            all.latencies.extend(latencies);
            all.errors += errors;
        }
        all.elapsed = begun.elapsed();
        all.server_time = self.server.processor_time()?.saturating_sub(before);
        if all.latencies.is_empty() {
            return Err(format!("not one right answer to {operation} requests").into());
        }
        Ok(all)
    }
}

type Prepared<U> = (Vec<Vec<U>>, Vec<Vec<Call>>);

/// On as many threads as there are processors: the server has nothing to do meanwhile.
fn prepare<U: User>(
    operation: Operation,
    mut shares: Vec<Vec<U>>,
    each: usize,
) -> Result<Prepared<U>, Failure> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let size = shares.len().div_ceil(threads).max(1);
    let prepared = thread::scope(|scope| {
        let parts: Vec<_> = shares
            .chunks_mut(size)
            .map(|part| {
                scope.spawn(move || {
                    let mut rng = fresh_rng();
                    let mut calls = Vec::new();
                    for users in part {
                        // Everybody in turn.
                        let mut own = Vec::with_capacity(each);
                        let held = users.len().max(1);
                        for turn in 0..each {
                            let user = users.get_mut(turn % held).ok_or("no users")?;
                            own.push(user.next(operation, &mut rng)?);
                        }
                        calls.push(own);
                    }
                    Ok::<_, Failure>(calls)
                })
            })
            .collect();
        let mut all = Vec::new();
        for part in parts {
            let calls = part.join().map_err(|_| "preparing requests failed")??;
            all.extend(calls);
        }
        Ok::<_, Failure>(all)
    })?;
    Ok((shares, prepared))
}

async fn send(connection: &mut Connection, calls: Vec<Call>) -> (Vec<Duration>, usize) {
    let (mut latencies, mut errors) = (Vec::with_capacity(calls.len()), 0);
    for call in calls {
        let begun = Instant::now();
        if call.run(connection).await {
            latencies.push(begun.elapsed());
        } else {
            errors += 1;
        }
    }
    (latencies, errors)
}

impl Sample {
    /// Right answers a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64().max(1e-3)
    }

    pub(crate) const fn errors(&self) -> usize {
        self.errors
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.latencies.extend(other.latencies);
        self.errors += other.errors;
        self.server_time += other.server_time;
    }

    pub(crate) fn figures(mut self) -> Figures {
        self.latencies.sort_unstable();
        let count = self.latencies.len();
        let at = |share: f64| {
            let place = (count as f64 * share).ceil() as usize;
            let latency = self.latencies.get(place.saturating_sub(1));
            latency.copied().unwrap_or_default()
        };
        Figures {
            per_second: self.per_second(),
            p50: at(0.5),
            p99: at(0.99),
            errors: self.errors,
            server_time: self.server_time / u32::try_from(count.max(1)).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut sample = Sample {
            elapsed: Duration::from_secs(1),
            latencies: (101..=200).rev().map(Duration::from_millis).collect(),
            errors: 1,
            server_time: Duration::from_millis(400),
        };
        sample.add(Sample {
            elapsed: Duration::from_secs(1),
            latencies: (1..=100).map(Duration::from_millis).collect(),
            errors: 2,
            server_time: Duration::from_millis(600),
        });
        let figures = sample.figures();
        assert_eq!(figures.p50, Duration::from_millis(100));
        assert_eq!(figures.p99, Duration::from_millis(198));
        assert!((figures.per_second - 100.0).abs() < 1e-9);
        assert_eq!(figures.server_time, Duration::from_millis(5));
        assert_eq!(figures.errors, 3);
        let none = Sample::default().figures();
        assert_eq!((none.p50, none.errors), (Duration::ZERO, 0));
    }
}
