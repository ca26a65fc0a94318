//! The readers: a few threads, each with a connection of its own and its prepared statements. A read never waits for a
//! writer, and the async runtime never waits for the disk.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::schema::open_reader;
use crate::error::StoreError;

/// Reads that may wait before the store answers [`StoreError::Busy`].
const QUEUE: usize = 4096;

type Job = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// The way to the reader threads. Dropping it finishes the queued reads.
pub(super) struct Readers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: &Path, count: usize) -> Result<Self, StoreError> {
        let mut readers = Self {
            shared: Arc::default(),
            threads: Vec::with_capacity(count),
        };
        for number in 0..count.max(1) {
            let connection = open_reader(path)?;
            let shared = Arc::clone(&readers.shared);
            let thread = std::thread::Builder::new()
                .name(format!("trefoil-store-reader-{number}"))
                .spawn(move || serve(&connection, &shared))
                .map_err(StoreError::backend)?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs `operation` on one consistent snapshot.
    pub(super) fn submit<T, F>(
        &self,
        operation: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if !sender.is_closed() {
                let _ = sender.send(on_snapshot(connection, operation));
            }
        });
        let queued = self.push(job);
        async move {
            queued?;
            receiver.await.unwrap_or(Err(StoreError::Closed))
        }
    }

    fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut queue = self
            .shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if queue.closed {
            return Err(StoreError::Closed);
        }
        if queue.jobs.len() >= QUEUE {
            return Err(StoreError::Busy);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.arrived.notify_one();
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.shared.arrived.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, shared: &Shared) {
    loop {
        let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let job = loop {
            if let Some(job) = queue.jobs.pop_front() {
                break job;
            }
            if queue.closed {
                return;
            }
            queue = shared
                .arrived
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(queue);
        job(connection);
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
