//! `trefoil wallet factor list`.

use serde_json::{Value, json};
use trefoil::{Account, FactorNote};

use super::opening;
use super::setup::Setup;
use crate::args::Opening;
use crate::failure::Failure;

pub(crate) async fn run(setup: &Setup, arguments: &Opening) -> Result<(), Failure> {
    let (_, _, account) = opening::open(setup, &arguments.factors).await?;
    let factors: Vec<Value> = account.factors().iter().map(shown).collect();
    setup.ui.step(
        "factor_list",
        json!({ "threshold": account.threshold(), "factors": factors }),
        human(&account),
    );
    Ok(())
}

pub(super) fn shown(note: &FactorNote) -> Value {
    json!({
        "index": note.index,
        "kind": note.kind.as_str(),
        "label": note.label,
        "hints": note.hints,
        "created": note.created,
        "proven": note.proven,
    })
}

fn human(account: &Account) -> String {
    let lines = account.factors().iter().map(|note| {
        format!(
            "{:>4}  {:<16} {}",
            note.index,
            note.kind.as_str(),
            note.label
        )
    });
    let closing = format!("Any {} of them open the wallet.", account.threshold());
    lines.chain([closing]).collect::<Vec<_>>().join("\n")
}
