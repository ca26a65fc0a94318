//! `cargo xtask book`: keeps the book and the README true.

use std::fs;
use std::path::{Path, PathBuf};

use crate::commands::{Block, Link, anchors, blocks, links};
use crate::process::{command, run as sh};
use crate::report::Tally;
use crate::{Failure, repo::Repo, tools};

/// Commands that run the tests; running them from a test would never end. That they work is shown by this very run.
const SELF: [&str; 2] = ["cargo xtask test", ".ci/run"];

/// Builds the book, checks links, runs commands.
pub(crate) fn run(repo: &Repo) -> Result<(), Failure> {
    let tally = check(repo)?;
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        Err("the book does not hold".into())
    } else {
        Ok(())
    }
}

/// One test each: the build, every page's links, every `sh` block. (Rust blocks are doctests of `docs/`.)
pub(crate) fn check(repo: &Repo) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut count = |what: String, result: Result<(), Failure>| {
        match &result {
            Ok(()) => eprintln!("ok: {what}"),
            Err(failure) => eprintln!("FAILED: {what}: {failure}"),
        }
        tally.add(Tally::one(result.is_ok()));
    };

    count("the book builds".to_owned(), build(repo));
    let pages = pages(repo)?;
    for page in &pages {
        count(format!("links of {}", shown(repo, page)), check_links(page));
    }
    let binaries = build_binaries(repo);
    let built = binaries.is_ok();
    count(
        "the binary that the commands call builds".to_owned(),
        binaries,
    );
    if !built {
        return Ok(tally);
    }
    let tools = repo.target().join("debug");
    for page in &pages {
        for block in blocks(page)? {
            count(
                format!("commands at {}:{}", shown(repo, &block.file), block.line),
                run_block(repo, &tools, &block),
            );
        }
    }
    Ok(tally)
}

fn build(repo: &Repo) -> Result<(), Failure> {
    let mdbook = tools::MDBOOK.find(repo)?;
    let mut build = command(&mdbook.to_string_lossy());
    sh(build
        .current_dir(repo.root())
        .args(["build", "docs", "--dest-dir"])
        .arg(repo.target().join("book")))
}

/// The README and every Markdown file under `docs/`, in a stable order.
fn pages(repo: &Repo) -> Result<Vec<PathBuf>, Failure> {
    let mut found = vec![repo.path("README.md")];
    let mut folders = vec![repo.path("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("docs/book") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn check_links(page: &Path) -> Result<(), Failure> {
    let folder = page.parent().unwrap_or(Path::new("."));
    let mut broken = Vec::new();
    for Link { path, anchor } in links(&fs::read_to_string(page)?) {
        let target = if path.is_empty() {
            page.to_path_buf()
        } else {
            folder.join(&path)
        };
        let holds = target.exists()
            && (anchor.is_empty() || anchors(&fs::read_to_string(&target)?).contains(&anchor));
        if !holds {
            broken.push(format!("{path}#{anchor}"));
        }
    }
    if broken.is_empty() {
        Ok(())
    } else {
        Err(format!("leads nowhere: {}", broken.join(", ")).into())
    }
}

/// With the features of every other test artifact, so that nothing is compiled twice.
fn build_binaries(repo: &Repo) -> Result<(), Failure> {
    sh(&mut repo.cargo(["build", "--workspace", "--all-features", "--bins"]))
}

/// Runs a block as it stands, line by line and stopping at the first failure, in the checkout. `HOME`-like folders
/// are fresh, so that a reader's own wallet is never touched.
fn run_block(repo: &Repo, tools: &Path, block: &Block) -> Result<(), Failure> {
    let script: String = block
        .script
        .lines()
        .filter(|line| !SELF.contains(&line.trim()))
        .map(|line| format!("{line}\n"))
        .collect();
    if script.trim().is_empty() {
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let mut shell = command("sh");
    shell
        .current_dir(repo.root())
        .args(["-eu", "-c", &script])
        .env("PATH", tools::path_with(&tools.join("trefoil"))?)
        .env("CARGO_TARGET_DIR", repo.target())
        .env("XDG_DATA_HOME", scratch.path())
        .env("XDG_CONFIG_HOME", scratch.path())
        .env("TMPDIR", scratch.path());
    sh(&mut shell)
}

fn shown(repo: &Repo, path: &Path) -> String {
    path.strip_prefix(repo.root())
        .unwrap_or(path)
        .display()
        .to_string()
}
