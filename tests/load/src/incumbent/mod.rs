//! What Trefoil's metadata server is compared with: the incumbent's work for one signed write and one read, in Node.js with
//! MariaDB and Redis, on the same machine, asked by the same driver over as many connections.

mod processes;
mod users;

use std::path::Path;
use std::time::Duration;

use processes::Processes;
use users::Wallet;

use crate::load::{Driver, LoadOptions, Operation, Sample};
use crate::{Failure, fresh_rng};

/// It, running.
pub struct Incumbent(Driver<Processes, Wallet>);

impl Incumbent {
    /// What is measured: it has no sessions.
    pub(crate) const OPERATIONS: [Operation; 2] = [Operation::Read, Operation::Commit];

    /// Starts it on a fresh store from this folder, which holds `server.js` and the packages that it needs.
    ///
    /// # Errors
    /// Where a program is missing or does not start.
    pub async fn start(folder: &Path, options: &LoadOptions) -> Result<Self, Failure> {
        let server = Processes::start(folder, options.directory.as_deref()).await?;
        let mut rng = fresh_rng();
        let mut shares = Vec::new();
        for connection in 0..options.connections {
            let rest = usize::from(connection < options.accounts % options.connections);
            let share = (options.accounts / options.connections + rest).max(1);
            let wallets = (0..share).map(|_| Wallet::random(&mut rng));
            shares.push(wallets.collect::<Result<_, _>>()?);
        }
        Ok(Self(Driver::new(server, shares)))
    }

    /// Has every wallet store a value, so that what is read next lies in its cache.
    pub(crate) async fn prepare(&mut self) -> Result<(), Failure> {
        self.0.connect().await?;
        let each = self.0.longest_share();
        let stored = self.0.batch(Operation::Commit, each).await?;
        if stored.errors() > 0 {
            return Err("the incumbent refuses what it must accept".into());
        }
        Ok(())
    }

    pub(crate) async fn measure(
        &mut self,
        operation: Operation,
        time: Duration,
    ) -> Result<Sample, Failure> {
        self.0.measure(operation, time).await
    }
}

impl std::fmt::Debug for Incumbent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incumbent").finish_non_exhaustive()
    }
}
