//! The drill: new words go to their keeper and come back from there before anything is committed.

use std::io::Write as _;

use serde_json::json;
use zeroize::Zeroizing;

use super::setup::Setup;
use crate::args::Drill;
use crate::failure::Failure;
use crate::files;
use crate::secrets::Source;

/// Shows or writes the new words called `what`, and reads them back.
pub(super) fn drill(
    setup: &Setup,
    how: &Drill,
    what: &str,
    words: &str,
) -> Result<Zeroizing<String>, Failure> {
    let ui = setup.ui;
    match &how.words_out {
        Some(path) => {
            files::write_new_private(path, words)?;
            let shown = path.display().to_string();
            let human = format!("The {what} is in {shown}. Put it where it will be kept.");
            ui.step(
                "words_written",
                json!({ "what": what, "file": shown }),
                human,
            );
        }
        None if ui.interactive() => show(what, words),
        None => {
            return Err(Failure::usage(format!(
                "there is no terminal to show the {what} on: name a new file for it (--words-out) and where to read it \
                 back from (--proof-file)"
            )));
        }
    }
    match Source::of(how.proof_file.as_deref(), true) {
        Some(source) => source.read(ui, &format!("{what}, from where it is kept")),
        None => Ok(Zeroizing::default()),
    }
}

/// On the terminal only, and gone from the screen before it is asked for.
fn show(what: &str, words: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(
        out,
        "Your {what}. Write it down, in this order, and show it to nobody:\n"
    );
    for (index, word) in words.split(' ').enumerate() {
        let end = if index % 4 == 3 { "\n" } else { "" };
        let _ = write!(out, "{:>4}. {word:<10}{end}", index + 1);
    }
    let _ = write!(
        out,
        "\nPress Enter when you have written it down; the screen is then cleared. "
    );
    let _ = out.flush();
    let _ = std::io::stdin().read_line(&mut String::new());
    // Clears the screen and the lines scrolled out of it (ECMA-48, xterm).
    let _ = write!(out, "\x1b[H\x1b[2J\x1b[3J");
    let _ = out.flush();
}
