//! How many signed logins, reads and commits a second.
//!
//! What a request needs is made before the clock runs: this process shares the machine with the server that it measures.
//! Statements are used once each and within minutes; each answer is compared with the record that it must carry.

mod accounts;
mod apart;
mod bounds;
mod memory;
mod phase;
mod requests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use accounts::{LoadAccount, OneClick};
pub use apart::Apart;
pub use bounds::Bounds;
pub use memory::{Memory, memory};
pub use phase::Figures;
pub(crate) use phase::{Driver, Sample, Served, User};
pub use requests::Operation;
pub(crate) use requests::{Call, json};

use crate::Failure;
use crate::backend::{Backend, Kind};
use crate::incumbent::Incumbent;
use crate::server::ServerProcess;

/// What to run.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The server's binary.
    pub server: PathBuf,
    /// Where files go; none is the system's place for temporary ones.
    pub directory: Option<PathBuf>,
    /// For each operation.
    pub time: Duration,
    /// Open at the same time, each with one request under way.
    pub connections: usize,
    /// Made beforehand, 2 of 3 each; as many one-click accounts beside them.
    pub accounts: usize,
}

/// What came of one back end.
#[derive(Debug)]
pub struct Outcome {
    /// Which.
    pub backend: Kind,
    /// By operation.
    pub measured: Vec<Measured>,
    /// What the machine can do at best.
    pub bounds: Bounds,
}

/// What came of one operation.
#[derive(Debug)]
pub struct Measured {
    /// Which.
    pub operation: Operation,
    /// Trefoil's.
    pub figures: Figures,
    /// Where the incumbent has such an operation and was measured.
    pub compared: Option<Compared>,
}

/// Against the incumbent, by turns with it.
#[derive(Debug)]
pub struct Compared {
    /// Its own.
    pub incumbent: Figures,
    /// Trefoil's rate by the incumbent's: the median of [`ROUNDS`] turns.
    pub ratio: f64,
}

/// Turns of an operation that is compared: what else happens on the machine meanwhile touches both.
pub const ROUNDS: u32 = 5;

/// Runs all operations against a fresh server on a fresh store, by turns with the incumbent where there is one: then the servers
/// have processors that the driver leaves to them.
///
/// # Errors
/// Where the server does not start, or refuses what it must accept before the clock runs.
pub async fn run(
    kind: Kind,
    options: &LoadOptions,
    mut incumbent: Option<(&mut Incumbent, &Apart)>,
) -> Result<Outcome, Failure> {
    if let Some((_, apart)) = &incumbent {
        apart.as_server().await?;
    }
    let backend = Backend::fresh(kind, options.directory.as_deref())?;
    let server = ServerProcess::start(&options.server, &backend).await?;
    let mut bounds = Bounds::of_machine(backend.directory())?;
    let made = options.accounts.max(options.connections);
    let shares = accounts::create(&server, made, options.connections).await?;
    let mut driver = Driver::new(server, shares);
    if let Some((_, apart)) = &incumbent {
        apart.as_driver().await?;
    }
    let mut measured = Vec::new();
    for operation in Operation::ALL {
        let peer = incumbent.as_mut();
        let peer = peer.filter(|_| Incumbent::OPERATIONS.contains(&operation));
        measured.push(match peer {
            Some((peer, _)) => by_turns(&mut driver, peer, operation, options.time).await?,
            None => Measured {
                operation,
                figures: driver.measure(operation, options.time).await?.figures(),
                compared: None,
            },
        });
    }
    let answers = driver.measure(Operation::Health, options.time.min(BRIEF));
    bounds.answers = answers.await?.per_second();
    Ok(Outcome {
        backend: kind,
        measured,
        bounds,
    })
}

async fn by_turns(
    driver: &mut Driver<ServerProcess, LoadAccount>,
    incumbent: &mut Incumbent,
    operation: Operation,
    time: Duration,
) -> Result<Measured, Failure> {
    let (mut own, mut other) = (Sample::default(), Sample::default());
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        incumbent.prepare().await?;
        let theirs = incumbent.measure(operation, time / ROUNDS).await?;
        let ours = driver.measure(operation, time / ROUNDS).await?;
        if theirs.errors() + ours.errors() > 0 {
            return Err("an answer was wrong: what came of it compares nothing".into());
        }
        ratios.push(ours.per_second() / theirs.per_second());
        own.add(ours);
        other.add(theirs);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let ratio = ratios.get(ratios.len() / 2).copied();
    Ok(Measured {
        operation,
        figures: own.figures(),
        compared: Some(Compared {
            incumbent: other.figures(),
            ratio: ratio.unwrap_or_default(),
        }),
    })
}

/// For what is measured only for comparison.
const BRIEF: Duration = Duration::from_secs(3);

/// The place beside this program where the server's binary is built to.
///
/// # Errors
/// Where it is not there.
pub fn server_beside(program: &Path) -> Result<PathBuf, Failure> {
    let folders = program.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join("trefoil"))
        .find(|file| file.is_file());
    found.ok_or_else(|| {
        "the server was not built: `cargo build -p trefoil-cli`, or name it with --server".into()
    })
}
