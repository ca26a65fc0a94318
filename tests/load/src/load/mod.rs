//! How many signed logins, reads and commits a second.
//!
//! What a request needs is made before the clock runs: this process shares the machine with the server that it measures.
//! Statements are used once each and within minutes; each answer is compared with the record that it must carry.

mod accounts;
mod bounds;
mod memory;
mod phase;
mod requests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use accounts::{LoadAccount, OneClick};
pub use bounds::Bounds;
pub use memory::{Memory, memory};
pub use phase::Figures;
pub use requests::Operation;

use crate::Failure;
use crate::backend::{Backend, Kind};
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
    pub figures: Vec<(Operation, Figures)>,
    /// What the machine can do at best.
    pub bounds: Bounds,
}

/// Runs all operations against a fresh server on a fresh store.
///
/// # Errors
/// Where the server does not start, or refuses what it must accept before the clock runs.
pub async fn run(kind: Kind, options: &LoadOptions) -> Result<Outcome, Failure> {
    let backend = Backend::fresh(kind, options.directory.as_deref())?;
    let server = ServerProcess::start(&options.server, &backend).await?;
    let mut bounds = Bounds::of_machine(backend.directory())?;
    let made = options.accounts.max(options.connections);
    let mut shares = accounts::create(&server, made, options.connections).await?;
    let mut figures = Vec::new();
    for operation in Operation::ALL {
        let measured = phase::run(&server, operation, &mut shares, options.time).await?;
        figures.push((operation, measured));
    }
    bounds.answers = phase::run(
        &server,
        Operation::Health,
        &mut shares,
        options.time.min(BRIEF),
    )
    .await?
    .per_second;
    Ok(Outcome {
        backend: kind,
        figures,
        bounds,
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
