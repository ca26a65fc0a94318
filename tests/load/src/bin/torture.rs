//! `cargo xtask torture` runs this.

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
use trefoil_load::load::server_beside;
use trefoil_load::torture::{Report, Target, TortureOptions, run};

/// Each begins with a copy of the whole primary.
const MOST_FAIL_OVERS: usize = 10;

/// Kills servers and databases under load and looks at what is left
#[derive(Debug, Parser)]
#[command(name = "cargo xtask torture")]
struct Arguments {
    /// Kills of the server on each back end, and as many of PostgreSQL; fail-overs too, but 10 at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// `sqlite` or `postgres` [default: both]
    #[arg(long, value_name = "KIND")]
    backend: Option<Kind>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// The server's binary [default: the one built beside this program]
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match act(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn act(arguments: Arguments) -> Result<bool, Failure> {
    let server = match arguments.server {
        Some(server) => server,
        None => server_beside(&std::env::current_exe()?)?,
    };
    let rounds = usize::try_from(arguments.rounds)?;
    let kinds = arguments
        .backend
        .map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
    let mut sound = true;
    for kind in kinds {
        for target in Target::of(kind) {
            let options = TortureOptions {
                server: server.clone(),
                rounds: match target {
                    Target::FailOver => rounds.min(MOST_FAIL_OVERS),
                    _ => rounds,
                },
                racers: 6,
                creators: 2,
                work: Duration::from_millis(400),
                grace: Duration::from_secs(30),
            };
            let report = run(kind, *target, &options).await?;
            for what in &report.torn {
                eprintln!("{kind}, {target}: {what}");
            }
            sound &= report.lost == 0 && report.torn.is_empty();
            print(&report, arguments.json);
        }
    }
    Ok(sound)
}

fn print(report: &Report, json: bool) {
    let Report {
        backend,
        target,
        rounds,
        acknowledged,
        lost,
        torn,
    } = report;
    let torn = torn.len();
    if json {
        let line = json!({
            "backend": backend.to_string(),
            "kind": target.to_string(),
            "rounds": rounds,
            "acknowledged": acknowledged,
            "lost": lost,
            "torn": torn,
        });
        println!("{line}");
    } else {
        println!(
            "{backend}, {target}: {rounds} rounds, {acknowledged} acknowledged, {lost} lost, {torn} torn"
        );
    }
}
