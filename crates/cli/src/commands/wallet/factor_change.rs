//! `trefoil wallet factor change`: another password, PIN or other questions in place of those that are there.

use serde_json::json;

use super::opening;
use super::setup::Setup;
use super::{factor_list, knowledge};
use crate::args::FactorChange;
use crate::failure::{Exit, Failure};

pub(crate) async fn run(setup: &Setup, arguments: FactorChange) -> Result<(), Failure> {
    let ui = setup.ui;
    let (_, _, mut account) = opening::open(setup, &arguments.factors).await?;
    let note = account
        .factors()
        .iter()
        .find(|note| note.index == arguments.index);
    let Some((kind, label)) = note.map(|note| (note.kind, note.label.clone())) else {
        let message = format!("the wallet has no factor {}", arguments.index);
        return Err(Failure::new(Exit::Refused, "unknown_factor", message));
    };
    let known: Vec<u32> = account.factors().iter().map(|note| note.index).collect();
    let mut change = account.change();
    let replaces = Some(arguments.index);
    knowledge::draft(setup, &mut change, kind, &arguments.new, (&label, replaces))?;
    ui.busy("changing the factor", change.commit()).await?;
    let added = account
        .factors()
        .iter()
        .find(|note| !known.contains(&note.index));
    ui.step(
        "factor_change",
        json!({
            "index": arguments.index,
            "factor": added.map(factor_list::shown),
            "revision": account.revision(),
            "epoch": account.epoch(),
        }),
        format!("Changed: the old {kind} opens nothing any more."),
    );
    Ok(())
}
