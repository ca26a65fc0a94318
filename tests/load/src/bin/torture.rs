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
use trefoil_load::torture::{TortureOptions, run};

/// Kills servers and databases under load and looks at what is left
#[derive(Debug, Parser)]
#[command(name = "cargo xtask torture")]
struct Arguments {
    /// Kills of each back end
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
    let options = TortureOptions {
        server,
        rounds: usize::try_from(arguments.rounds)?,
        racers: 6,
        creators: 2,
        work: Duration::from_millis(400),
    };
    let kinds = arguments
        .backend
        .map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
    let mut sound = true;
    for kind in kinds {
        let report = run(kind, &options).await?;
        for what in &report.torn {
            eprintln!("{kind}: {what}");
        }
        sound &= report.lost == 0 && report.torn.is_empty();
        if arguments.json {
            let line = json!({
                "backend": kind.to_string(),
                "rounds": report.rounds,
                "acknowledged": report.acknowledged,
                "lost": report.lost,
                "torn": report.torn.len(),
            });
            println!("{line}");
        } else {
            println!(
                "{kind}: {} rounds, {} acknowledged, {} lost, {} torn",
                report.rounds,
                report.acknowledged,
                report.lost,
                report.torn.len()
            );
        }
    }
    Ok(sound)
}
