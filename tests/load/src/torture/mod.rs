//! Kills in the middle of concurrent work, round after round on the same data, and a look at what is left each time.

mod client;
mod ledger;
mod verify;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;

use self::client::{Client, Trouble};
use self::ledger::{Account, Timeline};
use self::verify::Findings;
use crate::backend::{Backend, Kind};
use crate::server::ServerProcess;
use crate::{Failure, fresh_rng};

/// Accounts at which several clients work at the same time, new in each round.
const SHARED: usize = 3;
/// Accounts looked at at the same time.
const LOOKS: usize = 8;

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// `kill -9` of the server.
    Server,
    /// `kill -9` of every process of PostgreSQL; the server stays.
    Database,
    /// The primary, for ever; its synchronous standby takes over, the server stays.
    FailOver,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct TortureOptions {
    /// The server's binary.
    pub server: PathBuf,
    /// How often.
    pub rounds: usize,
    /// Clients that race on shared accounts.
    pub racers: usize,
    /// Clients that make accounts.
    pub creators: usize,
    /// Work goes on for at least so long before the blow, for at most twice that.
    pub work: Duration,
}

/// What came of one back end.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub backend: Kind,
    /// Blows that were survived.
    pub rounds: usize,
    /// Creations and commits.
    pub acknowledged: usize,
    /// Of those, and of what was served as current: not there any more.
    pub lost: usize,
    /// What is half done or contradicts itself, in words.
    pub torn: Vec<String>,
}

/// Everything that clients share.
struct World {
    accounts: Mutex<Vec<Arc<Account>>>,
    faults: Mutex<Vec<String>>,
    acknowledged: AtomicUsize,
    stop: AtomicBool,
}

impl World {
    fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn announce(&self, account: Arc<Account>) {
        self.accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(account);
    }

    /// Counts, notes, waits a moment: what a client does after each step.
    async fn after(&self, step: Result<(), Trouble>) {
        match step {
            Ok(()) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(Trouble::Overtaken) => {}
            Err(Trouble::Offline) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(Trouble::Fault(what)) => self
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(what),
        }
    }
}

/// Blow by blow on one store, then a last look at every account there ever was.
///
/// # Errors
/// Where the server or the database does not come back.
pub async fn run(kind: Kind, options: &TortureOptions) -> Result<Report, Failure> {
    let mut backend = Backend::fresh(kind, None)?;
    let mut server = ServerProcess::start(&options.server, &backend).await?;
    let client = Client::new(&server.url(), Timeline::begin())?;
    let world = Arc::new(World {
        accounts: Mutex::default(),
        faults: Mutex::default(),
        acknowledged: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    });
    let mut findings = Findings::default();
    for round in 0..options.rounds {
        let blow = blow(kind, round, options.rounds);
        if blow == Blow::FailOver {
            backend.add_standby()?;
            server.restart(&backend).await?;
        }
        let begun = world.accounts().len();
        let shared = make_shared(&client.patient(), &world).await?;
        let workers = work(&client, &world, &shared, options);
        let mut rng = fresh_rng();
        let some_time = options
            .work
            .mul_f64(1.0 + f64::from(rng.next_u32()) / f64::from(u32::MAX));
        tokio::time::sleep(some_time).await;
        match blow {
            Blow::Server => {
                server.kill().await?;
                server.restart(&backend).await?;
            }
            // PostgreSQL takes a while to come back; clients go on asking.
            Blow::Database => {
                backend = blocking(backend, |backend| backend.crash_database().map(drop)).await?;
            }
            Blow::FailOver => {
                backend = blocking(backend, |backend| backend.fail_over().map(drop)).await?;
            }
        }
        // Work goes on over the blow.
        tokio::time::sleep(options.work / 2).await;
        world.stop.store(true, Ordering::SeqCst);
        for worker in workers {
            worker.await?;
        }
        world.stop.store(false, Ordering::SeqCst);
        let accounts = world.accounts();
        findings.add(look(&client, accounts.into_iter().skip(begun)).await?);
    }
    // Nothing that happened later has cost an earlier round's accounts anything.
    findings.add(look(&client, world.accounts().into_iter()).await?);
    let mut faults = world.faults.lock().unwrap_or_else(PoisonError::into_inner);
    findings.torn.append(&mut faults);
    Ok(Report {
        backend: kind,
        rounds: options.rounds,
        acknowledged: world.acknowledged.load(Ordering::Relaxed),
        lost: findings.lost,
        torn: findings.torn,
    })
}

/// PostgreSQL's own processes die in every other round; the last round is a fail-over, and so is every tenth.
fn blow(kind: Kind, round: usize, rounds: usize) -> Blow {
    match kind {
        Kind::Sqlite => Blow::Server,
        Kind::Postgres if round + 1 == rounds || round % 10 == 9 => Blow::FailOver,
        Kind::Postgres if round % 2 == 0 => Blow::Database,
        Kind::Postgres => Blow::Server,
    }
}

/// What takes PostgreSQL a while must not stop the clients.
async fn blocking(
    mut backend: Backend,
    act: impl FnOnce(&mut Backend) -> Result<(), Failure> + Send + 'static,
) -> Result<Backend, Failure> {
    tokio::task::spawn_blocking(move || {
        act(&mut backend)?;
        Ok::<_, Failure>(backend)
    })
    .await?
}

async fn make_shared(client: &Client, world: &World) -> Result<Vec<Arc<Account>>, Failure> {
    let mut shared = Vec::new();
    for _ in 0..SHARED {
        let made = client.create(|account| world.announce(account)).await;
        shared.push(made.map_err(|trouble| format!("no account could be made: {trouble:?}"))?);
        world.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    Ok(shared)
}

fn work(
    client: &Client,
    world: &Arc<World>,
    shared: &[Arc<Account>],
    options: &TortureOptions,
) -> Vec<tokio::task::JoinHandle<()>> {
    let mut workers = Vec::new();
    for _ in 0..options.creators {
        let (client, world) = (client.clone(), Arc::clone(world));
        workers.push(tokio::spawn(async move {
            while !world.stop.load(Ordering::SeqCst) {
                let made = client.create(|account| world.announce(account)).await;
                world.after(made.map(drop)).await;
            }
        }));
    }
    for _ in 0..options.racers {
        let (client, world) = (client.clone(), Arc::clone(world));
        let shared = shared.to_vec();
        workers.push(tokio::spawn(async move {
            let mut rng: ChaCha20Rng = fresh_rng();
            while !world.stop.load(Ordering::SeqCst) {
                let at = usize::try_from(rng.next_u32()).unwrap_or_default() % SHARED;
                if let Some(account) = shared.get(at) {
                    world.after(client.change(account, &mut rng).await).await;
                }
            }
        }));
    }
    workers
}

async fn look(
    client: &Client,
    accounts: impl Iterator<Item = Arc<Account>>,
) -> Result<Findings, Failure> {
    let patient = client.patient();
    let looks = accounts.map(|account| {
        let patient = patient.clone();
        async move { verify::verify(&patient, &account).await }
    });
    let all: Vec<Findings> = stream::iter(looks)
        .buffer_unordered(LOOKS)
        .try_collect()
        .await?;
    let mut findings = Findings::default();
    for one in all {
        findings.add(one);
    }
    Ok(findings)
}
