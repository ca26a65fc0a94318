//! One attempt at a transaction, and when to try again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::StoreError;

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How often a transaction is tried that others get in the way of.
const TRIES: u32 = 12;
/// The longest pause before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A connection with a transaction to be begun by [`Self::begin`] and ended by [`Self::end`].
pub(super) struct Transaction {
    connection: Object,
    committed: AtomicBool,
}

impl Transaction {
    pub(super) async fn on(pool: &Pool) -> Result<Self, StoreError> {
        Ok(Self {
            connection: pool.get().await?,
            committed: AtomicBool::new(false),
        })
    }

    /// Sent with whatever is joined to it, so that it costs no round trip of its own.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        Ok(self.connection.batch_execute("BEGIN").await?)
    }

    /// Commits before [`Self::end`], in the same round trip as the last statements that it is joined to. These must be
    /// [prepared](Self::prepare), so that they are sent in order, and an error of theirs must be looked at first.
    pub(super) async fn commit(&self) -> Result<(), StoreError> {
        let committed = self.connection.batch_execute("COMMIT").await;
        self.committed.store(true, Ordering::Relaxed);
        Ok(committed?)
    }

    /// Makes sure that these statements can be sent at once.
    pub(super) async fn prepare(&self, statements: &[&str]) -> Result<(), StoreError> {
        for statement in statements {
            self.connection.prepare_cached(statement).await?;
        }
        Ok(())
    }

    pub(super) async fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let statement = self.connection.prepare_cached(sql).await?;
        Ok(self.connection.query(&statement, params).await?)
    }

    pub(super) async fn row(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let statement = self.connection.prepare_cached(sql).await?;
        Ok(self.connection.query_opt(&statement, params).await?)
    }

    /// Gives how many rows were changed.
    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, StoreError> {
        let statement = self.connection.prepare_cached(sql).await?;
        Ok(self.connection.execute(&statement, params).await?)
    }

    /// Commits what succeeded, undoes what did not.
    pub(super) async fn end<T>(self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if self.committed.load(Ordering::Relaxed) {
            return result;
        }
        match result {
            Ok(value) => {
                self.connection.batch_execute("COMMIT").await?;
                Ok(value)
            }
            Err(error) => {
                if self.connection.batch_execute("ROLLBACK").await.is_err() {
                    // In whatever state it is, nobody else gets this connection.
                    drop(Object::take(self.connection));
                }
                Err(error)
            }
        }
    }
}

/// How often a transaction was tried.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Whether to run it again after this error, following a pause.
    pub(super) async fn again(&mut self, error: &StoreError) -> bool {
        if !matches!(error, StoreError::Busy) || self.0 >= TRIES {
            return false;
        }
        let longest = FIRST_PAUSE.saturating_mul(1 << self.0).min(LONGEST_PAUSE);
        self.0 += 1;
        // Every hasher of this kind has keys of its own: enough chance to keep two contenders apart.
        let chance = RandomState::new().hash_one(self.0) % 1024;
        let pause = longest.mul_f64(f64::from(u32::try_from(chance).unwrap_or_default()) / 1024.0);
        tokio::time::sleep(pause).await;
        true
    }
}

/// Runs an attempt in a transaction of its own until it is not in anybody's way.
macro_rules! transact {
    ($databases:expr, $transaction:ident => $attempt:expr) => {{
        let mut tries = $crate::postgres::transaction::Tries::default();
        loop {
            let $transaction = match $databases.transaction().await {
                Ok(transaction) => transaction,
                Err(error) => break Err(error),
            };
            let result = $attempt.await;
            match $transaction.end(result).await {
                Err(error) if tries.again(&error).await => {}
                ended => break ended,
            }
        }
    }};
}
pub(super) use transact;
