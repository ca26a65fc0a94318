//! Tokens that this process took from the shared buckets ahead of need, so that not every request costs a round trip.
//!
//! Several tokens are drawn at once and spent here. Those that nobody wants are forgotten after the time in which the bucket
//! earns as many, so an address gets at most one lease per process more than its bucket holds. A refusal is remembered until
//! the bucket has a token again: others can only make that later.
//!
//! Of one subject's requests one asks the bucket at a time and the others wait for what it brings: each with a lease of its own,
//! a handful would hold the whole burst.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use trefoil_store::{LimitDraw, LimitDrawn, LimitStore, LimitSubject, StoreError};

use super::config::Rate;

/// Leases held at most, below 10 MB; whoever finds no room draws one token at a time.
const CAPACITY: usize = 1 << 16;
/// A lease is this part of the burst.
const PART: u32 = 8;

#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    leases: HashMap<LimitSubject, Lease>,
    /// Of whom a bucket is being asked, and how many requests hold that turn or wait for it.
    turns: HashMap<LimitSubject, (Arc<Turn>, usize)>,
    /// When old leases were last looked for, milliseconds.
    tidied: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Lease {
    tokens: u32,
    /// Until when the tokens are good.
    good_until: u64,
    /// Before this the bucket has no token.
    empty_until: u64,
    /// Before this the bucket does not have a whole lease.
    low_until: u64,
}

impl Lease {
    fn is_over(&self, now: u64) -> bool {
        let spent = self.tokens == 0 || self.good_until <= now;
        spent && self.empty_until <= now && self.low_until <= now
    }
}

/// When the bucket last could not be asked, and why: whoever waited since then need not try the same.
type Turn = tokio::sync::Mutex<Option<(Instant, StoreError)>>;

/// A place in the queue of those who want to ask a subject's bucket.
struct Place<'a> {
    leases: &'a Leases,
    subject: LimitSubject,
    turn: Arc<Turn>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut table = self.leases.table();
        if let Some((_, waiting)) = table.turns.get_mut(&self.subject) {
            *waiting -= 1;
            if *waiting == 0 {
                table.turns.remove(&self.subject);
            }
        }
    }
}

enum Local {
    Spent,
    Empty(u64),
    /// Ask the bucket for that many.
    Draw(NonZeroU32),
}

impl Leases {
    /// Spends a token of the subject's.
    pub(super) async fn spend(
        &self,
        store: &dyn LimitStore,
        subject: LimitSubject,
        rate: Rate,
        now: u64,
    ) -> Result<LimitDrawn, StoreError> {
        let whole = NonZeroU32::new(rate.burst.get() / PART).unwrap_or(NonZeroU32::MIN);
        match self.spend_here(subject, whole, now) {
            Local::Draw(_) => {}
            Local::Spent => return Ok(LimitDrawn::Granted),
            Local::Empty(later) => return Ok(LimitDrawn::Later(later)),
        }
        let arrived = Instant::now();
        let place = self.queue(subject);
        let mut failed = place.turn.lock().await;
        if let Some((at, error)) = &*failed
            && *at >= arrived
        {
            return Err(error.clone());
        }
        // Whoever was before may have left some.
        let tokens = match self.spend_here(subject, whole, now) {
            Local::Draw(tokens) => tokens,
            Local::Spent => return Ok(LimitDrawn::Granted),
            Local::Empty(later) => return Ok(LimitDrawn::Later(later)),
        };
        let drawn = self.draw(store, subject, rate, tokens, now).await;
        if let Err(error) = &drawn {
            *failed = Some((Instant::now(), error.clone()));
        }
        drawn
    }

    /// Asks the bucket for so many tokens, or for one where it has not as many.
    async fn draw(
        &self,
        store: &dyn LimitStore,
        subject: LimitSubject,
        rate: Rate,
        mut tokens: NonZeroU32,
        now: u64,
    ) -> Result<LimitDrawn, StoreError> {
        let draw = |tokens| LimitDraw {
            subject,
            tokens,
            burst: rate.burst,
            interval: rate.interval,
            now,
        };
        let mut drawn = store.draw(draw(tokens)).await?;
        if let LimitDrawn::Later(later) = drawn
            && tokens > NonZeroU32::MIN
        {
            self.change(subject, now, |lease| {
                lease.low_until = now.saturating_add(later)
            });
            tokens = NonZeroU32::MIN;
            drawn = store.draw(draw(tokens)).await?;
        }
        self.change(subject, now, |lease| match drawn {
            LimitDrawn::Granted => {
                // None was left, or what was left is no longer good.
                lease.tokens = tokens.get() - 1;
                let earned = u64::from(tokens.get()) * u64::from(rate.interval.get());
                lease.good_until = now.saturating_add(earned);
            }
            LimitDrawn::Later(later) => lease.empty_until = now.saturating_add(later),
        });
        Ok(drawn)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, subject: LimitSubject) -> Place<'_> {
        let mut table = self.table();
        let (turn, waiting) = table.turns.entry(subject).or_default();
        *waiting += 1;
        Place {
            leases: self,
            subject,
            turn: Arc::clone(turn),
        }
    }

    fn spend_here(&self, subject: LimitSubject, whole: NonZeroU32, now: u64) -> Local {
        let mut table = self.table();
        let Some(lease) = table.leases.get_mut(&subject) else {
            // What is drawn ahead must find a place.
            let room = table.leases.len() < CAPACITY;
            return Local::Draw(if room { whole } else { NonZeroU32::MIN });
        };
        if lease.tokens > 0 && lease.good_until > now {
            lease.tokens -= 1;
            Local::Spent
        } else if lease.empty_until > now {
            Local::Empty(lease.empty_until - now)
        } else if lease.low_until > now {
            Local::Draw(NonZeroU32::MIN)
        } else {
            Local::Draw(whole)
        }
    }

    fn change(&self, subject: LimitSubject, now: u64, change: impl FnOnce(&mut Lease)) {
        let mut table = self.table();
        // Every second at most, and where there is room every minute.
        let pause = if table.leases.len() < CAPACITY {
            60_000
        } else {
            1_000
        };
        if now.saturating_sub(table.tidied) >= pause {
            table.tidied = now;
            table.leases.retain(|_, lease| !lease.is_over(now));
            table.leases.shrink_to(CAPACITY / 8);
        }
        if table.leases.len() < CAPACITY || table.leases.contains_key(&subject) {
            change(table.leases.entry(subject).or_default());
        }
    }
}

#[cfg(test)]
mod tests;
