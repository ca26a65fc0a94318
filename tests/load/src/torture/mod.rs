//! Kills in the middle of concurrent work, round after round on the same data, and a look at what is left each time.

mod client;
mod erasure;
mod files;
mod ledger;
mod verify;
mod work;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_core::Rng as _;
use tempfile::TempDir;

use self::client::{Client, Trouble};
use self::erasure::Erasures;
use self::files::{copy_files, copy_of};
use self::ledger::{Account, Timeline};
use self::verify::Findings;
use self::work::{look, make_shared, work};
use crate::backend::{Backend, Kind, Part};
use crate::server::ServerProcess;
use crate::{Failure, fresh_rng};

/// Servers on one PostgreSQL.
const PROCESSES: usize = 2;

/// Whom the rounds of one run strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `kill -9` of one of the server's processes, by chance.
    Server,
    /// `kill -9` of PostgreSQL: that of the records, that of the nonces, both at once, in turn.
    Database,
    /// A primary of PostgreSQL, for ever: that of the records and that of the nonces in turn.
    FailOver,
}

impl Target {
    /// What there is to strike.
    #[must_use]
    pub const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Sqlite => &[Self::Server],
            Kind::Postgres => &[Self::Server, Self::Database, Self::FailOver],
        }
    }

    const fn blow(self, round: usize) -> Blow {
        match (self, round % 2, round % 3) {
            (Self::Server, _, _) => Blow::Server,
            (Self::Database, _, 0) => Blow::Database(Part::Records),
            (Self::Database, _, 1) => Blow::Database(Part::Nonces),
            (Self::Database, _, _) => Blow::Database(Part::Both),
            (Self::FailOver, 0, _) => Blow::FailOver(Part::Records),
            (Self::FailOver, _, _) => Blow::FailOver(Part::Nonces),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Database => "database",
            Self::FailOver => "fail-over",
        })
    }
}

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// `kill -9` of one server, by chance.
    Server,
    /// `kill -9` of every process of PostgreSQL; the servers stay.
    Database(Part),
    /// The primary, for ever; its synchronous standby takes over, the servers stay.
    FailOver(Part),
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
    /// Within which a nonce that was ended must be gone while servers and databases are up.
    pub grace: Duration,
}

/// What came of one back end.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub backend: Kind,
    /// Whom the blows struck.
    pub target: Target,
    /// Blows that were survived.
    pub rounds: usize,
    /// Creations, commits and deletions.
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
pub async fn run(kind: Kind, target: Target, options: &TortureOptions) -> Result<Report, Failure> {
    let mut torture = Torture::start(kind, options.clone()).await?;
    for round in 0..options.rounds {
        torture.round(target.blow(round)).await?;
    }
    torture.finish(target).await
}

/// A store under torture.
pub struct Torture {
    options: TortureOptions,
    kind: Kind,
    // Always there but while it is handed to a thread.
    backend: Option<Backend>,
    servers: Vec<ServerProcess>,
    client: Client,
    world: Arc<World>,
    findings: Findings,
    erasures: Erasures,
    rounds: usize,
}

impl Torture {
    /// A server on a fresh store, two where the store can be shared.
    ///
    /// # Errors
    /// Where one does not start.
    pub async fn start(kind: Kind, options: TortureOptions) -> Result<Self, Failure> {
        let backend = tokio::task::spawn_blocking(move || Backend::fresh(kind, None)).await??;
        let processes = if backend.is_shared() { PROCESSES } else { 1 };
        let mut servers = Vec::new();
        for _ in 0..processes {
            servers.push(ServerProcess::start(&options.server, &backend).await?);
        }
        let urls: Vec<String> = servers.iter().map(ServerProcess::url).collect();
        let client = Client::new(&urls, Timeline::begin())?;
        let erasures = Erasures::within(options.grace);
        Ok(Self {
            options,
            kind,
            backend: Some(backend),
            servers,
            client,
            world: Arc::default(),
            findings: Findings::default(),
            erasures,
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
        let accounts: Vec<_> = self.world.accounts().into_iter().skip(begun).collect();
        self.look(&accounts).await?;
        self.rounds += 1;
        self.check_erasures(false).await
    }

    /// Looks at every account once more: nothing that happened later has cost an earlier round's accounts anything, and no
    /// nonce that was ended is held.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn finish(mut self, target: Target) -> Result<Report, Failure> {
        let accounts = self.world.accounts();
        self.look(&accounts).await?;
        self.check_erasures(true).await?;
        let mut torn = self.findings.torn;
        torn.append(&mut lock(&self.world.faults));
        Ok(Report {
            backend: self.kind,
            target,
            rounds: self.rounds,
            acknowledged: self.world.acknowledged.load(Ordering::Relaxed),
            lost: self.findings.lost,
            torn,
        })
    }

    /// Puts a nonce back that an acknowledged request had ended. It shows that nonces which stay are found.
    ///
    /// # Errors
    /// Where none was ended, or on PostgreSQL.
    pub fn forge_nonce(&self) -> Result<(), Failure> {
        let ended = self.erasures.any().ok_or("no nonce was ended")?;
        self.backend()?.forge_nonce(ended)
    }

    async fn look(&mut self, accounts: &[Arc<Account>]) -> Result<(), Failure> {
        let found = look(&self.client, accounts.iter().cloned()).await?;
        self.findings.add(found);
        self.erasures
            .expect(accounts.iter().flat_map(|account| account.ended()));
        Ok(())
    }

    /// Whether what was ended is gone. Waits for it where it has had its time, and in the end.
    async fn check_erasures(&mut self, to_the_end: bool) -> Result<(), Failure> {
        loop {
            let held = self.with_backend(|backend| backend.nonces_held()).await?;
            let left = self.erasures.left(&held, to_the_end);
            if left.is_empty() || !(to_the_end || self.erasures.are_late()) {
                return Ok(());
            }
            let ready = self.are_ready().await;
            if self.erasures.are_over(ready)? {
                let left = left.into_iter().map(|(account, _)| {
                    format!("account {account}: a nonce that was ended is still held")
                });
                self.findings.torn.extend(left);
                self.erasures.forget();
                return Ok(());
            }
            // Servers clear away after logins that succeed.
            let accounts = self.world.accounts();
            if let Some(account) = accounts.iter().rev().find(|account| account.is_there()) {
                for _ in 0..self.client.count() {
                    let keys = std::slice::from_ref(&account.social);
                    if let Err(Trouble::Fault(what)) =
                        self.client.patient().log_in(account, keys).await
                    {
                        self.findings.torn.push(what);
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn are_ready(&self) -> bool {
        let mut ready = true;
        for server in &self.servers {
            ready &= server.is_ready().await;
        }
        ready
    }

    fn backend(&self) -> Result<&Backend, Failure> {
        Ok(self.backend.as_ref().ok_or("the store is lost")?)
    }

    async fn prepare(&mut self, blow: Blow) -> Result<(), Failure> {
        if let Blow::FailOver(part) = blow {
            self.with_backend(move |backend| backend.add_standby(part))
                .await?;
            let backend = self.backend.as_ref().ok_or("the store is lost")?;
            for server in &mut self.servers {
                server.restart(backend).await?;
            }
        }
        Ok(())
    }

    async fn strike(&mut self, blow: Blow, saved: Option<TempDir>) -> Result<(), Failure> {
        match blow {
            Blow::Server | Blow::Loss => {
                let count = u32::try_from(self.servers.len())?.max(1);
                let one = usize::try_from(fresh_rng().next_u32() % count)?;
                let server = self.servers.get_mut(one).ok_or("there is no server")?;
                server.kill().await?;
                let backend = self.backend.as_ref().ok_or("the store is lost")?;
                if let Some(saved) = saved {
                    std::fs::remove_dir_all(backend.data())?;
                    copy_files(saved.path(), &backend.data())?;
                }
                server.restart(backend).await
            }
            // PostgreSQL takes a while to come back; clients go on asking.
            Blow::Database(part) => {
                self.with_backend(move |backend| backend.crash_database(part))
                    .await
            }
            Blow::FailOver(part) => {
                self.with_backend(move |backend| backend.fail_over(part))
                    .await
            }
        }
    }

    /// What takes PostgreSQL a while must not stop the clients.
    async fn with_backend<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut Backend) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut backend = self.backend.take().ok_or("the store is lost")?;
        let back = tokio::task::spawn_blocking(move || {
            let result = act(&mut backend)?;
            Ok::<_, Failure>((backend, result))
        });
        let (backend, result) = back.await??;
        self.backend = Some(backend);
        Ok(result)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
