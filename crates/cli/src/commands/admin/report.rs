//! How reports are shown.

use serde::Serialize;
use serde_json::Value;
use trefoil_metadata_server::upkeep::{AccountName, Problem};

use crate::failure::{Exit, Failure};

/// How many of a long list are shown to people; JSON has all of them.
const SHOWN: usize = 50;

/// The report's fields.
pub(super) fn json(report: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(report).map_err(|error| Failure::new(Exit::Other, "unexpected", error))
}

/// A line each, and how many there are more.
pub(super) fn problems(problems: &[Problem]) -> String {
    list(problems, |problem| {
        format!(
            "  {} {}: {}",
            problem.tenant, problem.account_id, problem.what
        )
    })
}

/// A line each, and how many there are more.
pub(super) fn names(names: &[AccountName]) -> String {
    list(names, |name| {
        format!("  {} {}", name.tenant, name.account_id)
    })
}

fn list<T>(things: &[T], line: impl Fn(&T) -> String) -> String {
    let mut lines: Vec<String> = things.iter().take(SHOWN).map(line).collect();
    if let Some(more) = things.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more; --json lists all"));
    }
    lines.join("\n")
}
