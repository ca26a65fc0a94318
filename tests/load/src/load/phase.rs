//! One operation, measured: batches of prepared requests, sent by all connections at once, each waiting for its answer.

use std::thread;
use std::time::{Duration, Instant};

use super::requests::{Call, next};
use super::{LoadAccount, Operation};
use crate::http::Connection;
use crate::server::ServerProcess;
use crate::{Failure, fresh_rng};

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

#[derive(Default)]
struct Batch {
    elapsed: Duration,
    latencies: Vec<Duration>,
    errors: usize,
}

pub(super) async fn run(
    server: &ServerProcess,
    operation: Operation,
    shares: &mut Vec<Vec<LoadAccount>>,
    time: Duration,
) -> Result<Figures, Failure> {
    let mut connections = Vec::new();
    for _ in 0..shares.len() {
        connections.push(Connection::open(server.address()).await?);
    }
    let warm_up = batch(operation, shares, &mut connections, WARM_UP).await?;
    let mut rate = warm_up.latencies.len() as f64 / warm_up.elapsed.as_secs_f64().max(1e-3);
    let mut total = Batch::default();
    let mut server_time = Duration::ZERO;
    while total.elapsed < time {
        let length = BATCH.min(time - total.elapsed).as_secs_f64();
        // A rest shorter than the noise is not worth a batch.
        if length < 0.02 {
            break;
        }
        let wanted = ((rate * length) as usize).min(MOST_PREPARED);
        let each = (wanted / connections.len().max(1)).max(10);
        let before = server.processor_time()?;
        let done = batch(operation, shares, &mut connections, each).await?;
        server_time += server.processor_time()?.saturating_sub(before);
        rate = done.latencies.len().max(1) as f64 / done.elapsed.as_secs_f64();
        total.elapsed += done.elapsed;
        total.latencies.extend(done.latencies);
        total.errors += done.errors;
    }
    Ok(total.figures(server_time))
}

/// Prepares so many requests for each connection, then sends them.
async fn batch(
    operation: Operation,
    shares: &mut Vec<Vec<LoadAccount>>,
    connections: &mut Vec<Connection>,
    each: usize,
) -> Result<Batch, Failure> {
    let owned = std::mem::take(shares);
    let (owned, prepared) =
        tokio::task::spawn_blocking(move || prepare(operation, owned, each)).await??;
    *shares = owned;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for (mut connection, calls) in std::mem::take(connections).into_iter().zip(prepared) {
        tasks.push(tokio::spawn(async move {
            let sent = send(&mut connection, calls).await;
            (connection, sent)
        }));
    }
    let mut all = Batch::default();
    for task in tasks {
        let (connection, (latencies, errors)) = task.await?;
        connections.push(connection);
        all.latencies.extend(latencies);
        all.errors += errors;
    }
    all.elapsed = begun.elapsed();
    Ok(all)
}

type Prepared = (Vec<Vec<LoadAccount>>, Vec<Vec<Call>>);

/// On as many threads as there are processors: the server has nothing to do meanwhile.
fn prepare(
    operation: Operation,
    mut shares: Vec<Vec<LoadAccount>>,
    each: usize,
) -> Result<Prepared, Failure> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let size = shares.len().div_ceil(threads).max(1);
    let prepared = thread::scope(|scope| {
        let parts: Vec<_> = shares
            .chunks_mut(size)
            .map(|part| {
                scope.spawn(move || {
                    let mut rng = fresh_rng();
                    let mut calls = Vec::new();
                    for accounts in part {
                        // Every account in turn.
                        let mut own = Vec::with_capacity(each);
                        let held = accounts.len().max(1);
                        for turn in 0..each {
                            let account = accounts.get_mut(turn % held).ok_or("no accounts")?;
                            own.push(next(operation, account, &mut rng)?);
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
        let (request, begins) = call.split();
        let begun = Instant::now();
        match connection.send(request).await {
            Ok(answer) if Call::accepts(&begins, &answer) => latencies.push(begun.elapsed()),
            _ => errors += 1,
        }
    }
    (latencies, errors)
}

impl Batch {
    fn figures(mut self, server_time: Duration) -> Figures {
        self.latencies.sort_unstable();
        let count = self.latencies.len();
        let at = |share: f64| {
            let place = (count as f64 * share).ceil() as usize;
            let latency = self.latencies.get(place.saturating_sub(1));
            latency.copied().unwrap_or_default()
        };
        Figures {
            per_second: count as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
            p50: at(0.5),
            p99: at(0.99),
            errors: self.errors,
            server_time: server_time / u32::try_from(count.max(1)).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let batch = Batch {
            elapsed: Duration::from_secs(2),
            latencies: (1..=200).rev().map(Duration::from_millis).collect(),
            errors: 3,
        };
        let figures = batch.figures(Duration::from_secs(1));
        assert_eq!(figures.p50, Duration::from_millis(100));
        assert_eq!(figures.p99, Duration::from_millis(198));
        assert!((figures.per_second - 100.0).abs() < 1e-9);
        assert_eq!(figures.server_time, Duration::from_millis(5));
        assert_eq!(figures.errors, 3);
        let none = Batch::default().figures(Duration::ZERO);
        assert_eq!((none.p50, none.errors), (Duration::ZERO, 0));
    }
}
