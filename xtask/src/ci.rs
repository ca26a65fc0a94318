//! `cargo xtask ci`: what must pass before anything lands.

use std::time::Instant;

use crate::{Failure, doc, lint, no_std, repo::Repo, test};

/// Cheapest first; stops at the first step that fails, prints how long each took.
pub(crate) fn run(repo: &Repo) -> Result<(), Failure> {
    type Step = (&'static str, fn(&Repo) -> Result<(), Failure>);
    const STEPS: [Step; 4] = [
        ("lint", lint::run),
        ("doc", doc::run),
        ("no-std", no_std::run),
        ("test", test::run),
    ];
    let mut times = Vec::new();
    for (name, step) in STEPS {
        let start = Instant::now();
        let result = step(repo);
        times.push(format!("{name} {:.0} s", start.elapsed().as_secs_f64()));
        eprintln!("ci: {}", times.join(", "));
        result?;
    }
    Ok(())
}
