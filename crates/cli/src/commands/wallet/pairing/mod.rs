//! Two devices come together: what both commands of a pairing share.

pub(super) mod approve;
pub(super) mod ask;
pub(super) mod lend;
mod qr;
pub(super) mod request;

use std::future::Future;
use std::path::Path;

use serde_json::json;
use trefoil::{Canceller, PairError, RequestCode, ShortString};

use super::setup::Setup;
use crate::failure::{Exit, Failure};
use crate::secrets::Source;
use crate::ui::Ui;

/// The request that another device shows.
async fn read_code(setup: &Setup, file: Option<&Path>) -> Result<RequestCode, Failure> {
    let (ui, source) = (setup.ui, Source::of(file, true));
    let source = source.unwrap_or(Source::Prompt);
    let text = aside(move || source.read(ui, "request of the other device")).await?;
    Ok(RequestCode::parse(&text)?)
}

/// Shows a request as text, and to people as a QR code above it.
fn show_code(ui: Ui, code: &RequestCode, what_for: &str) {
    let text = code.expose_text();
    ui.step(
        "request",
        json!({ "request": text.as_str() }),
        format_args!(
            "{}\n{what_for} Show it to nobody else. It is good for ten minutes:\n{}",
            qr::draw(&text),
            *text
        ),
    );
}

/// Waits for the other side; an interrupt tells it that this one gives up.
async fn wait<T>(
    ui: Ui,
    what: &'static str,
    canceller: Canceller,
    work: impl Future<Output = Result<T, PairError>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = ui.busy(what, work) => Ok(done?),
        _ = tokio::signal::ctrl_c() => {
            canceller.cancel().await;
            Err(Failure::new(Exit::Refused, "cancelled", "given up; the other device was told"))
        }
    }
}

/// What the user says of the digits.
enum Compared {
    Same,
    Different,
    GivenUp,
}

/// Shows the digits and who says to be on the other side, and waits for the user's word: `yes` means that they are the same,
/// anything else that they are not. Without an answer the pairing is given up.
async fn compare(ui: Ui, digits: ShortString, who: &str) -> Result<Compared, Failure> {
    // The other side chose the name, which may hold digits, too: those to compare stand on a line of their own.
    let named = if who.is_empty() {
        String::new()
    } else {
        format!("\nThe other side calls itself \u{201c}{who}\u{201d}.")
    };
    ui.step(
        "compare",
        json!({ "digits": digits.digits(), "other": who }),
        format_args!("{digits}{named}"),
    );
    ui.note("Does the other device show the same digits? Type yes, or no:");
    tokio::select! {
        said = aside(answer) => said,
        _ = tokio::signal::ctrl_c() => Ok(Compared::GivenUp),
    }
}

fn answer() -> Result<Compared, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    Ok(match (read, line.trim()) {
        (Ok(0) | Err(_), _) => Compared::GivenUp,
        (Ok(_), "yes") => Compared::Same,
        (Ok(_), _) => Compared::Different,
    })
}

fn denied() -> Failure {
    Failure::new(
        Exit::Refused,
        "denied",
        "denied: nothing was done. Digits that differ mean that somebody stands between the two devices",
    )
}

fn given_up() -> Failure {
    Failure::new(
        Exit::Refused,
        "cancelled",
        "given up; the other device was told",
    )
}

/// Reads where waiting for the user holds nothing else up.
async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?
}

/// Asks the user and goes on, denies or gives up.
macro_rules! compared {
    ($ui:expr, $comparing:ident, $who:expr) => {
        match compare($ui, $comparing.digits(), $who).await? {
            Compared::Same => {}
            Compared::Different => {
                $comparing.deny().await;
                return Err(denied());
            }
            Compared::GivenUp => {
                $comparing.cancel().await;
                return Err(given_up());
            }
        }
    };
}
use compared;
