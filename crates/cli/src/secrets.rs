//! Secrets come from a prompt, from standard input or from a file, never from arguments.

use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::files;
use crate::ui::Ui;

/// A line on standard input has at most this many bytes; an ID token may have 16 KiB.
const MAX_LINE: usize = 64 * 1024;

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Prompt,
    Stdin,
    File(PathBuf),
}

impl Source {
    /// A `--…-file` argument, of which `-` is standard input, or else the prompt if its flag is set.
    pub(crate) fn of(file: Option<&Path>, prompt: bool) -> Option<Self> {
        match file {
            Some(path) if path == Path::new("-") => Some(Self::Stdin),
            Some(path) => Some(Self::File(path.to_owned())),
            None => prompt.then_some(Self::Prompt),
        }
    }

    /// Reads the secret called `what`. Several secrets may come from standard input, one line each, in the order in
    /// which they are asked for.
    pub(crate) fn read(&self, ui: Ui, what: &str) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::File(path) => files::read(path),
            Self::Stdin => line(what),
            Self::Prompt if ui.interactive() => rpassword::prompt_password(format!("{what}: "))
                .map(Zeroizing::new)
                .map_err(|source| {
                    Failure::new(
                        Exit::Other,
                        "io",
                        format!("cannot ask for the {what}: {source}"),
                    )
                }),
            Self::Prompt => Err(Failure::usage(format!(
                "there is no terminal to ask for the {what} on: give a file, or - for standard input"
            ))),
        }
    }

    /// Reads several lines: of standard input those up to an empty one or its end.
    pub(crate) fn read_lines(&self, ui: Ui, what: &str) -> Result<Zeroizing<String>, Failure> {
        if !matches!(self, Self::Stdin) {
            return self.read(ui, what);
        }
        let mut all = line(what)?;
        while let Some(next) = next_line(what)?.filter(|next| !next.trim().is_empty()) {
            if all.len() + next.len() > MAX_LINE {
                return Err(bad_line(what, "it is too long"));
            }
            all.push_str(&next);
        }
        Ok(all)
    }

    /// Reads a secret that is new: who types it at a prompt types it twice.
    pub(crate) fn read_new(&self, ui: Ui, what: &str) -> Result<Zeroizing<String>, Failure> {
        let first = self.read(ui, what)?;
        if matches!(self, Self::Prompt) && self.read(ui, &format!("{what} again"))? != first {
            let message = format!("the {what} was not typed the same twice: try again");
            return Err(Failure::new(Exit::Input, "bad_input", message));
        }
        Ok(first)
    }
}

fn line(what: &str) -> Result<Zeroizing<String>, Failure> {
    next_line(what)?.ok_or_else(|| bad_line(what, "it has ended"))
}

/// The next line of standard input, if there is one.
fn next_line(what: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    // Reserved ahead, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_LINE + 1));
    let mut input = std::io::stdin().lock();
    let read = input
        .by_ref()
        .take(MAX_LINE as u64)
        .read_line(&mut text)
        .map_err(|_| bad_line(what, "it is not text"))?;
    match read {
        0 => Ok(None),
        MAX_LINE if !text.ends_with('\n') => Err(bad_line(what, "the line is too long")),
        _ => Ok(Some(text)),
    }
}

fn bad_line(what: &str, reason: &str) -> Failure {
    let message = format!("no {what} on standard input: {reason}");
    Failure::new(Exit::Input, "bad_input", message)
}
