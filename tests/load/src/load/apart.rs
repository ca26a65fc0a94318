//! Processors that the servers have for themselves: what the driver costs is as much for a quick server as for a slow one.

use std::thread;

use tokio::process::Command;

use crate::Failure;

/// The driver on the last processor, what it compares on the others.
#[derive(Debug)]
pub struct Apart {
    servers: String,
    driver: String,
}

impl Apart {
    /// On this machine.
    ///
    /// # Errors
    /// Where there is only one processor.
    pub fn of_machine() -> Result<Self, Failure> {
        let last = thread::available_parallelism()?.get() - 1;
        if last == 0 {
            return Err("servers and driver need two processors".into());
        }
        Ok(Self {
            servers: format!("0-{}", last - 1),
            driver: last.to_string(),
        })
    }

    /// What is started from now on stays on the servers' processors, as does this process for so long.
    ///
    /// # Errors
    /// Where `taskset` is missing or refuses.
    pub async fn as_server(&self) -> Result<(), Failure> {
        move_to(&self.servers).await
    }

    /// Leaves them to what was started.
    ///
    /// # Errors
    /// As [`Self::as_server`].
    pub async fn as_driver(&self) -> Result<(), Failure> {
        move_to(&self.driver).await
    }
}

/// All threads of this process.
async fn move_to(processors: &str) -> Result<(), Failure> {
    let output = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", processors])
        .arg(std::process::id().to_string())
        .output()
        .await
        .map_err(|error| format!("taskset does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into())
}
