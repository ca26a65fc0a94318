//! Rate limits that all processes share: one row per bucket, one statement per draw.

use super::Databases;
use super::transaction::transact;
use crate::error::StoreError;
use crate::limit_store::{LimitDraw, LimitDrawn, drawn};
use crate::values::time;

/// Puts the time at which the bucket is full again, unless too few tokens are in it: the arithmetic of
/// [`drawn`], done under the row's lock.
const DRAW: &str = "INSERT INTO limits (subject, full_at) VALUES ($1, $2)
     ON CONFLICT (subject) DO UPDATE SET full_at = GREATEST(limits.full_at, $3) + $4
     WHERE GREATEST(limits.full_at, $3) + $4 <= $5";

pub(super) async fn draw(
    databases: &Databases,
    draw: &LimitDraw,
) -> Result<LimitDrawn, StoreError> {
    // Into an empty bucket: also says whether it can be granted at all.
    let Ok(full_at) = drawn(None, draw) else {
        return Ok(LimitDrawn::Later(u64::MAX));
    };
    let interval = u64::from(draw.interval.get());
    let cost = u64::from(draw.tokens.get()).saturating_mul(interval);
    let latest = draw
        .now
        .saturating_add(u64::from(draw.burst.get()).saturating_mul(interval));
    let subject = draw.subject.as_bytes().as_slice();
    let granted = transact!(databases, connection => connection.execute(
        DRAW,
        &[&subject, &time(full_at), &time(draw.now), &time(cost), &time(latest)],
    ))?;
    if granted == 1 {
        return Ok(LimitDrawn::Granted);
    }
    let row = transact!(databases, connection => connection.row(
        "SELECT full_at FROM limits WHERE subject = $1",
        &[&subject],
    ))?;
    let held = match row {
        Some(row) => Some(crate::values::from_sql(row.try_get(0)?)),
        None => None,
    };
    Ok(LimitDrawn::Later(
        drawn(held, draw).err().unwrap_or(interval),
    ))
}
