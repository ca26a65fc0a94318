//! The `trefoil` command: a demo, the servers, a wallet, and the dealer of development networks.
//!
//! One file per command under `commands`; `local` is a whole network on this machine; `serving` is a server that the
//! whole internet may reach; the rest is how a command talks to its user: `args`, `ui`, `secrets`, `failure`.

mod app;
mod args;
mod commands;
mod failure;
mod files;
mod local;
mod secrets;
mod serving;
mod settings;
mod store;
mod ui;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::{ContextKind, ErrorKind};

use crate::args::Cli;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// A server allocates much for each request: the system's allocator took a seventh of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse_arguments(&error),
    };
    let ui = Ui::new(cli.json);
    match run(&ui, cli) {
        Ok(()) => Exit::Success.into(),
        Err(failure) => {
            ui.failure(&failure);
            failure.exit().into()
        }
    }
}

fn run(ui: &Ui, cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| {
            Failure::new(Exit::Other, "io", format!("cannot start threads: {source}"))
        })?;
    let done = runtime.block_on(commands::run(ui, cli.command));
    // Servers of a demo may still have connections open; nobody waits for them.
    runtime.shutdown_background();
    done
}

/// Help and version are no errors; anything else is told as every failure is.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Success.into();
    }
    // The arguments are not understood, so whether JSON is wanted is looked up by hand.
    let ui = Ui::new(std::env::args_os().any(|argument| argument == "--json"));
    if ui.json() || stray(error).is_some() {
        let message = stray(error).unwrap_or_else(|| first_line(error));
        ui.failure(&Failure::usage(message));
    } else {
        let _ = error.print();
    }
    Exit::Usage.into()
}

/// An argument where none belongs may be a secret that somebody meant to pass: it is not repeated. So may a value behind an
/// option that takes none.
fn stray(error: &clap::Error) -> Option<String> {
    let argument = error.get(ContextKind::InvalidArg)?.to_string();
    let is_stray = match error.kind() {
        ErrorKind::UnknownArgument => !argument.starts_with('-'),
        ErrorKind::TooManyValues => true,
        _ => false,
    };
    is_stray.then(|| {
        "an argument was not expected; secrets are never arguments, they are read from a prompt, standard input or a \
         file: see --help"
            .to_owned()
    })
}

fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    // The list of what is missing follows the first line.
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}
