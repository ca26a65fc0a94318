//! Kills in the middle of concurrent work, round after round on the same data, and a look at what is left each time.

mod client;
mod ledger;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use tempfile::TempDir;

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
    /// The server, and all of SQLite's files that the round has changed: what no server survives. It shows that losses are
    /// found.
    Loss,
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
#[derive(Default)]
struct World {
    accounts: Mutex<Vec<Arc<Account>>>,
    faults: Mutex<Vec<String>>,
    acknowledged: AtomicUsize,
    stop: AtomicBool,
}

impl World {
    fn accounts(&self) -> Vec<Arc<Account>> {
        lock(&self.accounts).clone()
    }

    fn announce(&self, account: Arc<Account>) {
        lock(&self.accounts).push(account);
    }

    /// Counts, notes, waits a moment: what a client does after each step.
    async fn after(&self, step: Result<(), Trouble>) {
        match step {
            Ok(()) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(Trouble::Overtaken) => {}
            Err(Trouble::Offline) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(Trouble::Fault(what)) => lock(&self.faults).push(what),
        }
    }
}

/// Blow by blow on one store, then a last look at every account there ever was.
///
/// # Errors
/// Where the server or the database does not come back.
pub async fn run(kind: Kind, options: &TortureOptions) -> Result<Report, Failure> {
    let mut torture = Torture::start(kind, options.clone()).await?;
    for round in 0..options.rounds {
        torture.round(blow(kind, round, options.rounds)).await?;
    }
    torture.finish().await
}

/// A store under torture.
pub struct Torture {
    options: TortureOptions,
    kind: Kind,
    // Always there but while it is handed to a thread.
    backend: Option<Backend>,
    server: ServerProcess,
    client: Client,
    world: Arc<World>,
    findings: Findings,
    rounds: usize,
}

impl Torture {
    /// A server on a fresh store.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn start(kind: Kind, options: TortureOptions) -> Result<Self, Failure> {
        let backend = Backend::fresh(kind, None)?;
        let server = ServerProcess::start(&options.server, &backend).await?;
        let client = Client::new(&server.url(), Timeline::begin())?;
        Ok(Self {
            options,
            kind,
            backend: Some(backend),
            server,
            client,
            world: Arc::default(),
            findings: Findings::default(),
            rounds: 0,
        })
    }

    /// Clients at work, the blow in the middle of it, and a look at the accounts of this round.
    ///
    /// # Errors
    /// Where the server or the database does not come back.
    pub async fn round(&mut self, blow: Blow) -> Result<(), Failure> {
        self.prepare(blow).await?;
        let begun = self.world.accounts().len();
        let shared = make_shared(&self.client.patient(), &self.world).await?;
        let saved = match blow {
            Blow::Loss => Some(copy_of(&self.backend()?.data())?),
            _ => None,
        };
        let workers = work(&self.client, &self.world, &shared, &self.options);
        let some = f64::from(fresh_rng().next_u32()) / f64::from(u32::MAX);
        tokio::time::sleep(self.options.work.mul_f64(1.0 + some)).await;
        self.strike(blow, saved).await?;
        // Work goes on over the blow.
        tokio::time::sleep(self.options.work / 2).await;
        self.world.stop.store(true, Ordering::SeqCst);
        for worker in workers {
            worker.await?;
        }
        self.world.stop.store(false, Ordering::SeqCst);
        let accounts = self.world.accounts().into_iter().skip(begun);
        self.findings.add(look(&self.client, accounts).await?);
        self.rounds += 1;
        Ok(())
    }

    /// Looks at every account once more: nothing that happened later has cost an earlier round's accounts anything.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn finish(mut self) -> Result<Report, Failure> {
        let accounts = self.world.accounts().into_iter();
        self.findings.add(look(&self.client, accounts).await?);
        let mut torn = self.findings.torn;
        torn.append(&mut lock(&self.world.faults));
        Ok(Report {
            backend: self.kind,
            rounds: self.rounds,
            acknowledged: self.world.acknowledged.load(Ordering::Relaxed),
            lost: self.findings.lost,
            torn,
        })
    }

    fn backend(&self) -> Result<&Backend, Failure> {
        Ok(self.backend.as_ref().ok_or("the store is lost")?)
    }

    async fn prepare(&mut self, blow: Blow) -> Result<(), Failure> {
        if blow == Blow::FailOver {
            self.with_backend(Backend::add_standby).await?;
            let backend = self.backend.as_ref().ok_or("the store is lost")?;
            self.server.restart(backend).await?;
        }
        Ok(())
    }

    async fn strike(&mut self, blow: Blow, saved: Option<TempDir>) -> Result<(), Failure> {
        match blow {
            Blow::Server | Blow::Loss => {
                self.server.kill().await?;
                let backend = self.backend.as_ref().ok_or("the store is lost")?;
                if let Some(saved) = saved {
                    std::fs::remove_dir_all(backend.data())?;
                    copy_files(saved.path(), &backend.data())?;
                }
                self.server.restart(backend).await
            }
            // PostgreSQL takes a while to come back; clients go on asking.
            Blow::Database => {
                self.with_backend(|backend| backend.crash_database().map(drop))
                    .await
            }
            Blow::FailOver => {
                self.with_backend(|backend| backend.fail_over().map(drop))
                    .await
            }
        }
    }

    /// What takes PostgreSQL a while must not stop the clients.
    async fn with_backend(
        &mut self,
        act: impl FnOnce(&mut Backend) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let mut backend = self.backend.take().ok_or("the store is lost")?;
        let back = tokio::task::spawn_blocking(move || {
            act(&mut backend)?;
            Ok::<_, Failure>(backend)
        });
        self.backend = Some(back.await??);
        Ok(())
    }
}

fn copy_of(directory: &Path) -> Result<TempDir, Failure> {
    let copy = TempDir::new()?;
    copy_files(directory, copy.path())?;
    Ok(copy)
}

fn copy_files(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// PostgreSQL's own processes die in every other round; the last round is a fail-over, and so is every tenth.
fn blow(kind: Kind, round: usize, rounds: usize) -> Blow {
    match kind {
        Kind::Sqlite => Blow::Server,
        Kind::Postgres if round + 1 == rounds || round % 10 == 9 => Blow::FailOver,
        Kind::Postgres if round.is_multiple_of(2) => Blow::Database,
        Kind::Postgres => Blow::Server,
    }
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
