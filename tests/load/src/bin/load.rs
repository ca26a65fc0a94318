//! `cargo xtask load` runs this.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its terminal"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use trefoil_load::Failure;
use trefoil_load::backend::Kind;
use trefoil_load::load::{LoadOptions, Operation, Outcome, memory, run, server_beside};

/// Signed logins, reads and commits a second, by a server process on this machine
#[derive(Debug, Parser)]
#[command(name = "cargo xtask load")]
struct Arguments {
    /// `sqlite` or `postgres` [default: both]
    #[arg(long, value_name = "KIND")]
    backend: Option<Kind>,
    /// For each operation
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Connections open at the same time [default: 64; 10,000 with --memory]
    #[arg(long, value_name = "C")]
    connections: Option<usize>,
    /// Accounts to make beforehand, 2 of 3 each; as many one-click accounts beside them
    #[arg(long, value_name = "A", default_value_t = 2000)]
    accounts: usize,
    /// Instead measure what open connections cost the server
    #[arg(long)]
    memory: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// The server's binary [default: the one built beside this program]
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Where files go [default: the system's place for temporary files]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match act(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn act(arguments: Arguments) -> Result<(), Failure> {
    let server = match arguments.server {
        Some(server) => server,
        None => server_beside(&std::env::current_exe()?)?,
    };
    let kinds = arguments
        .backend
        .map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
    for kind in kinds {
        if arguments.memory {
            let connections = arguments.connections.unwrap_or(10_000);
            let directory = arguments.directory.as_deref();
            let memory = memory(kind, &server, directory, connections).await?;
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            if arguments.json {
                let line = json!({
                    "backend": kind.to_string(),
                    "connections": memory.connections,
                    "resident_mb": rounded(megabytes(memory.resident)),
                });
                println!("{line}");
            } else {
                println!(
                    "{kind}: {} connections, {:.1} MB ({:.1} MB before)",
                    memory.connections,
                    megabytes(memory.resident),
                    megabytes(memory.before)
                );
            }
            continue;
        }
        let options = LoadOptions {
            server: server.clone(),
            directory: arguments.directory.clone(),
            time: Duration::from_secs(arguments.seconds),
            connections: arguments.connections.unwrap_or(64).max(1),
            accounts: arguments.accounts.max(1),
        };
        let outcome = run(kind, &options).await?;
        if arguments.json {
            print_json(&outcome);
        } else {
            print_table(&outcome);
        }
    }
    Ok(())
}

fn print_json(outcome: &Outcome) {
    for (operation, figures) in &outcome.figures {
        let line = json!({
            "backend": outcome.backend.to_string(),
            "operation": operation.to_string(),
            "per_second": rounded(figures.per_second),
            "p50_ms": milliseconds(figures.p50),
            "p99_ms": milliseconds(figures.p99),
            "errors": figures.errors,
        });
        println!("{line}");
    }
}

/// What the incumbent (Node.js, MySQL, Redis) was measured at on two cores, and how many times that is promised.
fn promised(operation: Operation) -> Option<(f64, f64)> {
    match operation {
        Operation::Commit => Some((620.0, 10.0)),
        Operation::Read => Some((7_100.0, 5.0)),
        _ => None,
    }
}

fn print_table(outcome: &Outcome) {
    println!(
        "\n{:<10}{:<8}{:>10}{:>10}{:>10}{:>8}{:>12}  of the incumbent's on two cores",
        "backend", "", "per s", "p50 ms", "p99 ms", "errors", "server us"
    );
    for (operation, figures) in &outcome.figures {
        let times = promised(*operation).map_or(String::new(), |(incumbent, times)| {
            let ratio = figures.per_second / incumbent;
            let kept = if ratio >= times { "kept" } else { "NOT KEPT" };
            format!("{ratio:.1}x, at least {times:.0}x: {kept}")
        });
        println!(
            "{:<10}{:<8}{:>10.0}{:>10.2}{:>10.2}{:>8}{:>12.1}  {times}",
            outcome.backend.to_string(),
            operation.to_string(),
            figures.per_second,
            milliseconds(figures.p50),
            milliseconds(figures.p99),
            figures.errors,
            figures.server_time.as_secs_f64() * 1e6,
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

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3)
}

/// To three digits behind the point.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
