//! Figures as a table or as JSON, with what they are compared with.

use std::time::Duration;

use serde_json::{Value, json};
use trefoil_load::load::{Compared, Figures, Operation, Outcome, ROUNDS};

/// Prints what was measured of one back end.
pub(crate) fn report(outcome: &Outcome, json: bool) {
    let backend = outcome.backend.to_string();
    if !json {
        println!(
            "\n{:<10}{:<8}{:>10}{:>10}{:>10}{:>8}{:>12}",
            "backend", "", "per s", "p50 ms", "p99 ms", "errors", "server us"
        );
    }
    for measured in &outcome.measured {
        let operation = measured.operation;
        let compared = measured.compared.as_ref();
        if json {
            let mut line = as_json(&backend, operation, &measured.figures);
            if let Some(compared) = compared {
                println!("{}", as_json(INCUMBENT, operation, &compared.incumbent));
                let ratio = json!({ "times_incumbent": rounded(compared.ratio) });
                merge(&mut line, ratio);
            }
            println!("{line}");
        } else {
            let mut row = as_row(&backend, operation, &measured.figures);
            if let Some(compared) = compared {
                println!("{}", as_row(INCUMBENT, operation, &compared.incumbent));
                row += &as_words(operation, compared);
            }
            println!("{row}");
        }
    }
    if !json {
        if outcome.measured.iter().any(|one| one.compared.is_some()) {
            println!(
                "The driver had the last processor, both servers and their databases the others."
            );
        }
        let bounds = outcome.bounds;
        println!(
            "In the same run: {:.0} signature checks/s on one core, {:.0} static answers/s by the same server and client,\n\
             {:.0} flushed writes/s one after the other. `server us` is the server's processor time for one request.\n\
             The server's limits are off: all clients here have one address. Half of the logins are of one-click accounts.",
            bounds.verifications, bounds.answers, bounds.flushes
        );
    }
}

/// Puts the fields of the second object into the first.
fn merge(line: &mut Value, more: Value) {
    if let (Value::Object(line), Value::Object(more)) = (line, more) {
        line.extend(more);
    }
}

const INCUMBENT: &str = "incumbent";

fn as_json(backend: &str, operation: Operation, figures: &Figures) -> Value {
    json!({
        "backend": backend,
        "operation": operation.to_string(),
        "per_second": rounded(figures.per_second),
        "p50_ms": milliseconds(figures.p50),
        "p99_ms": milliseconds(figures.p99),
        "errors": figures.errors,
    })
}

fn as_row(backend: &str, operation: Operation, figures: &Figures) -> String {
    format!(
        "{backend:<10}{:<8}{:>10.0}{:>10.2}{:>10.2}{:>8}{:>12.1}",
        operation.to_string(),
        figures.per_second,
        milliseconds(figures.p50),
        milliseconds(figures.p99),
        figures.errors,
        figures.server_time.as_secs_f64() * 1e6,
    )
}

fn as_words(operation: Operation, compared: &Compared) -> String {
    let ratio = compared.ratio;
    let kept = match promised(operation) {
        Some(promised) if ratio >= promised => format!(", at least {promised:.0}x: kept"),
        Some(promised) => format!(", at least {promised:.0}x: NOT KEPT"),
        None => String::new(),
    };
    format!("  {ratio:.1}x the incumbent's (median of {ROUNDS}){kept}")
}

/// How many times the incumbent's rate is promised.
fn promised(operation: Operation) -> Option<f64> {
    match operation {
        Operation::Commit => Some(10.0),
        Operation::Read => Some(5.0),
        Operation::Login | Operation::Health => None,
    }
}

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3)
}

/// To three digits behind the point.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
