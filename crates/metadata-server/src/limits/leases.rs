//! Tokens that this process took from the shared buckets ahead of need, so that not every request costs a round trip.
//!
//! Several tokens are drawn at once and spent here. Those that nobody wants are forgotten after the time in which the bucket
//! earns as many, so an address gets at most one lease per process more than its bucket holds. A refusal is remembered until
//! the bucket has a token again: others can only make that later.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

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
        let draw = |tokens| LimitDraw {
            subject,
            tokens,
            burst: rate.burst,
            interval: rate.interval,
            now,
        };
        let mut tokens = match self.spend_here(subject, whole, now) {
            Local::Spent => return Ok(LimitDrawn::Granted),
            Local::Empty(later) => return Ok(LimitDrawn::Later(later)),
            Local::Draw(tokens) => tokens,
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
                if lease.good_until <= now {
                    lease.tokens = 0;
                }
                lease.tokens = lease.tokens.saturating_add(tokens.get() - 1);
                let earned = u64::from(tokens.get()) * u64::from(rate.interval.get());
                lease.good_until = now.saturating_add(earned);
            }
            LimitDrawn::Later(later) => lease.empty_until = now.saturating_add(later),
        });
        Ok(drawn)
    }

    fn spend_here(&self, subject: LimitSubject, whole: NonZeroU32, now: u64) -> Local {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
