//! One attempt at a transaction, and when to try again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::StoreError;

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How often a transaction is tried that others get in the way of.
const TRIES: u32 = 12;
/// After which it is not tried again: whoever asked may.
const LONGEST: Duration = Duration::from_secs(4);
/// The longest pause before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A connection. Each statement is a transaction of its own, until [`Self::begin`]; whatever comes then is one transaction until
/// [`Self::end`].
pub(super) struct Transaction {
    connection: Option<Object>,
    state: AtomicU8,
}

/// Nothing was begun.
const IDLE: u8 = 0;
/// Something is open: a connection that is given up in this state is nobody's any more.
const OPEN: u8 = 1;
/// It was committed already.
const COMMITTED: u8 = 2;

impl Transaction {
    pub(super) async fn on(pool: &Pool) -> Result<Self, StoreError> {
        Ok(Self {
            connection: Some(pool.get().await?),
            state: AtomicU8::new(IDLE),
        })
    }

    fn connection(&self) -> Result<&Object, StoreError> {
        self.connection.as_ref().ok_or(StoreError::Closed)
    }

    /// Sent with whatever is joined to it, so that it costs no round trip of its own.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        self.state.store(OPEN, Ordering::Relaxed);
        Ok(self.connection()?.batch_execute("BEGIN").await?)
    }

    /// Begins a transaction that may take its time, as an operator's does.
    pub(super) async fn begin_unhurried(&self) -> Result<(), StoreError> {
        self.state.store(OPEN, Ordering::Relaxed);
        let begin = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
        Ok(self.connection()?.batch_execute(begin).await?)
    }

    /// Commits before [`Self::end`], in the same round trip as the last statements that it is joined to. These must be
    /// [prepared](Self::prepare), so that they are sent in order, and an error of theirs must be looked at first.
    pub(super) async fn commit(&self) -> Result<(), StoreError> {
        let committed = self.connection()?.batch_execute("COMMIT").await;
        if committed.is_ok() {
            self.state.store(COMMITTED, Ordering::Relaxed);
        }
        Ok(committed?)
    }

    /// Makes sure that these statements can be sent at once.
    pub(super) async fn prepare(&self, statements: &[&str]) -> Result<(), StoreError> {
        for statement in statements {
            self.connection()?.prepare_cached(statement).await?;
        }
        Ok(())
    }

    pub(super) async fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection()?;
        let statement = connection.prepare_cached(sql).await?;
        Ok(connection.query(&statement, params).await?)
    }

    pub(super) async fn row(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let connection = self.connection()?;
        let statement = connection.prepare_cached(sql).await?;
        Ok(connection.query_opt(&statement, params).await?)
    }

    /// Gives how many rows were changed.
    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, StoreError> {
        let connection = self.connection()?;
        let statement = connection.prepare_cached(sql).await?;
        Ok(connection.execute(&statement, params).await?)
    }

    /// Commits what succeeded, undoes what did not.
    pub(super) async fn end<T>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let open = self.state.load(Ordering::Relaxed) == OPEN;
        let ended = match (&result, open) {
            (_, false) => Ok(()),
            (Ok(_), true) => self.connection()?.batch_execute("COMMIT").await,
            (Err(_), true) => self.connection()?.batch_execute("ROLLBACK").await,
        };
        if ended.is_ok() {
            self.state.store(IDLE, Ordering::Relaxed);
        }
        if matches!(result, Err(StoreError::ReadOnly)) {
            // The server behind it is no primary any more.
            self.discard();
        }
        match (result, ended) {
            (Ok(_), Err(error)) => Err(error.into()),
            (result, _) => result,
        }
    }

    fn discard(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // In whatever state it is, nobody else gets this connection.
        if self.state.load(Ordering::Relaxed) == OPEN {
            self.discard();
        }
    }
}

/// How often a transaction was tried, and since when.
#[derive(Debug)]
pub(super) struct Tries {
    count: u32,
    began: Instant,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            count: 0,
            began: Instant::now(),
        }
    }
}

impl Tries {
    /// Whether to run it again after this error, following a pause.
    pub(super) async fn again(&mut self, error: &StoreError) -> bool {
        let over = self.count >= TRIES || self.began.elapsed() > LONGEST;
        if !matches!(error, StoreError::Busy) || over {
            return false;
        }
        let longest = FIRST_PAUSE
            .saturating_mul(1 << self.count)
            .min(LONGEST_PAUSE);
        self.count += 1;
        // Every hasher of this kind has keys of its own: enough chance to keep two contenders apart.
        let chance = RandomState::new().hash_one(self.count) % 1024;
        let pause = longest.mul_f64(f64::from(u32::try_from(chance).unwrap_or_default()) / 1024.0);
        tokio::time::sleep(pause).await;
        true
    }
}

/// Runs an attempt on a connection until it is in nobody's way.
macro_rules! transact {
    ($databases:expr, $transaction:ident => $attempt:expr) => {
        $crate::postgres::transaction::transact! { on $databases.records, $transaction => $attempt }
    };
    (on $pool:expr, $transaction:ident => $attempt:expr) => {{
        let mut tries = $crate::postgres::transaction::Tries::default();
        loop {
            let $transaction = match $crate::postgres::transaction::Transaction::on(&$pool).await {
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
