//! How commands talk: results on stdout, for people or as one JSON object a line; everything else on stderr.

use std::fmt::Display;
use std::future::Future;
use std::io::{IsTerminal as _, Write as _};
use std::pin::pin;
use std::time::Duration;

use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Work that takes longer than this shows that it is going on.
const PATIENCE: Duration = Duration::from_millis(700);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    json: bool,
}

impl Ui {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn json(self) -> bool {
        self.json
    }

    /// Whether somebody is there to answer questions.
    pub(crate) fn interactive(self) -> bool {
        !self.json && std::io::stdin().is_terminal()
    }

    /// One result: `fields` is an object, which gets `step` as its first field.
    pub(crate) fn step(self, step: &str, fields: Value, human: impl Display) {
        if self.json {
            print_object(step, fields);
        } else {
            print(&human);
        }
    }

    /// A whole document and nothing else.
    pub(crate) fn document(self, text: &str) {
        print(&text);
    }

    /// Something for people only.
    pub(crate) fn note(self, text: impl Display) {
        if !self.json {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let mut fields = json!({
                "error": failure.code(),
                "message": failure.message(),
                "exit_code": failure.exit() as u8,
            });
            if let (Some(left), Some(fields)) = (failure.guesses_left(), fields.as_object_mut()) {
                fields.insert("guesses_left".to_owned(), left.into());
            }
            print_object("error", fields);
        } else {
            let _ = writeln!(std::io::stderr(), "error: {}", failure.message());
            for hint in failure.hints() {
                let _ = writeln!(std::io::stderr(), "  {hint}");
            }
        }
    }

    /// Does the work; a spinner shows up on a terminal when it takes long.
    pub(crate) async fn busy<T>(self, what: &'static str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(PATIENCE), if !self.json => {}
        }
        let spinner = ProgressBar::new_spinner().with_message(what);
        spinner.enable_steady_tick(Duration::from_millis(100));
        let done = work.await;
        spinner.finish_and_clear();
        done
    }
}

fn print_object(step: &str, fields: Value) {
    #[derive(Serialize)]
    struct Line<'a> {
        step: &'a str,
        #[serde(flatten)]
        fields: Value,
    }
    // Strings, numbers and lists only: serialising them cannot fail.
    let line = serde_json::to_string(&Line { step, fields }).unwrap_or_default();
    print(&line);
}

fn print(line: &dyn Display) {
    // A reader that has seen enough and closed the pipe is no error.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
