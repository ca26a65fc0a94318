//! `cargo xtask test`: every test there is.

use crate::keychain::Session;
use crate::process::watch;
use crate::report::{Report, Tally};
use crate::{Failure, book, fuzz, oidc_provider, postgres, repo::Repo, schemathesis, tools};

/// Installs what is missing, runs everything even where something fails, and closes with `N passed, N failed`.
pub(crate) fn run(repo: &Repo) -> Result<(), Failure> {
    let nextest = tools::NEXTEST.find(repo)?;
    postgres::prepare()?;
    let session = Session::prepare()?;
    let provider = oidc_provider::prepare(repo)?;
    let made_up = schemathesis::prepare(repo)?;
    let mut report = Report::default();

    report.part("workspace and keychain", || {
        // One feature set for clippy, tests and docs: dependencies are compiled once. The keychain tests are part of
        // the run, which is why it happens inside the session.
        let mut cargo = repo.cargo(["nextest", "run", "--workspace", "--all-features", "--no-fail-fast"]);
        cargo.env("PATH", tools::path_with(&nextest)?);
        cargo.env(oidc_provider::VARIABLE, &provider);
        cargo.env(schemathesis::VARIABLE, &made_up);
        let mut wrapped = match &session {
            Some(session) => session.wrap(&cargo),
            None => {
                eprintln!("no Secret Service on this system: the keychain tests report what they could not reach");
                cargo
            }
        };
        counted(&mut wrapped)
    });
    report.part("doctests", || {
        counted(&mut repo.cargo([
            "test",
            "--doc",
            "--workspace",
            "--all-features",
            "--no-fail-fast",
        ]))
    });
    report.part("fuzz targets", || {
        fuzz::all(repo, fuzz::DEFAULT_SECONDS, None)
    });
    report.part("book and README", || book::check(repo));
    report.close()
}

/// Runs and adds up the closing lines; a runner that fails without naming a failed test counts as one failure.
fn counted(command: &mut std::process::Command) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let success = watch(command, |line| {
        if let Some(seen) = Tally::read(line) {
            tally.add(seen);
        }
    })?;
    if !success && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}
