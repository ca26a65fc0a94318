//! The readers: a few connections with their prepared statements. A read takes one, reads in place and puts it back; it never
//! waits for a writer.
//!
//! Reads are done where they are asked for and not in threads of their own: a point read is quicker than waking a thread up
//! twice, and what it reads lies in memory nearly always.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::schema::open_reader;
use crate::error::StoreError;

/// Idle connections.
pub(super) struct Readers {
    path: PathBuf,
    /// How many are kept.
    count: usize,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let count = count.max(1);
        let idle = (0..count)
            .map(|_| open_reader(path))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            path: path.to_owned(),
            count,
            idle: Mutex::new(idle),
        })
    }

    /// Runs `operation` on one consistent snapshot.
    pub(super) async fn read<T>(
        &self,
        operation: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_one(|connection| on_snapshot(connection, operation))
            .await
    }

    /// Runs an `operation` of a single statement, which sees one state by itself.
    pub(super) async fn read_one<T>(
        &self,
        operation: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let taken = self.idle().pop();
        // More readers at once than are kept: this one gets a connection for itself.
        let connection = match taken {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        let result = operation(&connection);
        let mut idle = self.idle();
        // One whose snapshot could not be let go of is closed.
        if connection.is_autocommit() && idle.len() < self.count {
            idle.push(connection);
        }
        result
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn on_snapshot<T>(
    connection: &Connection,
    operation: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = operation(connection);
    // Nothing was written; this only lets go of the snapshot.
    connection.prepare_cached("ROLLBACK")?.execute([])?;
    result
}
