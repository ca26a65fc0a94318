//! The habits of this repository as commands, so that nobody has to remember flags.
//!
//! `cargo xtask help` lists them. Every command works on a fresh clone; what a command needs and does not find
//! it installs (Debian packages, pinned wheels) or names together with the way to get it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its terminal"
)]

mod bench;
mod book;
mod commands;
mod doc;
mod fuzz;
mod incumbent;
mod keychain;
mod lint;
mod load;
mod no_std;
mod oidc_provider;
mod postgres;
mod process;
mod repo;
mod report;
mod schemathesis;
mod test;
mod tools;

use std::process::ExitCode;

use repo::Repo;

/// What a command gives back when it could not do its work. The text says what to do next.
type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: cargo xtask <command>

  test                 every test: workspace, doctests, keychain, fuzz targets, book and README
  oidc-provider        what the tests of the login in the browser need, for running them alone
  schemathesis         requests made up from the metadata server's API document, against a running one
  lint                 formatting, clippy with warnings denied, licences and duplicate crates
  doc                  API documentation with warnings denied
  no-std               the ground-floor crates against a sysroot without std
  fuzz [--seconds N] [TARGET]
                       every fuzz target (or one) for N seconds each (default 10) from its committed seeds
  bench [--quick] [FILTER]
                       benchmarks, then the ratios that the design promises
  load [--backend sqlite|postgres] [--seconds N] [--incumbent] [--json] [--memory]
                       signed logins, reads and commits a second by a server process, and what bounds them;
                       with --incumbent also how many times those of Node.js with MariaDB and Redis
  torture --rounds N [--backend sqlite|postgres] [--json]
                       kills the server and the database under load, round after round, and looks at what is left
  book                 builds the book, checks its links, runs every command in it and in the README
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match run(&command, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {command}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, args: &[String]) -> Result<(), Failure> {
    if matches!(command, "" | "help" | "--help" | "-h") {
        print!("{USAGE}");
        return Ok(());
    }
    let repo = Repo::find()?;
    if !args.is_empty() && !matches!(command, "fuzz" | "bench" | "load" | "torture") {
        return Err(format!("takes no arguments, got `{}`\n\n{USAGE}", args.join(" ")).into());
    }
    match command {
        "test" => test::run(&repo),
        "schemathesis" => schemathesis::check(&repo),
        "oidc-provider" => oidc_provider::prepare(&repo).map(drop),
        "lint" => lint::run(&repo),
        "doc" => doc::run(&repo),
        "no-std" => no_std::run(&repo),
        "fuzz" => fuzz::run(&repo, args),
        "bench" => bench::run(&repo, args),
        "load" => load::load(&repo, args),
        "torture" => load::torture(&repo, args),
        "book" => book::run(&repo),
        _ => Err(format!("no such command\n\n{USAGE}").into()),
    }
}
