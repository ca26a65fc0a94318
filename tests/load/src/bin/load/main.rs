//! `cargo xtask load` runs this.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its terminal"
)]

mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use trefoil_load::Failure;
use trefoil_load::backend::Kind;
use trefoil_load::incumbent::Incumbent;
use trefoil_load::load::{Apart, LoadOptions, memory, run, server_beside};

use report::{report, rounded};

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
    /// Also measure, in the same run, what Trefoil is compared with; this folder holds its `server.js` and packages
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    incumbent: Option<PathBuf>,
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

#[tokio::main(flavor = "current_thread")]
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
    let options = LoadOptions {
        server: server.clone(),
        directory: arguments.directory.clone(),
        time: Duration::from_secs(arguments.seconds),
        connections: arguments.connections.unwrap_or(64).max(1),
        accounts: arguments.accounts.max(1),
    };
    let mut incumbent = match &arguments.incumbent {
        Some(folder) => {
            let apart = Apart::of_machine()?;
            apart.as_server().await?;
            Some((Incumbent::start(folder, &options).await?, apart))
        }
        None => None,
    };
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
        let peer = incumbent.as_mut().map(|(peer, apart)| (peer, &*apart));
        let outcome = run(kind, &options, peer).await?;
        report(&outcome, arguments.json);
    }
    Ok(())
}
