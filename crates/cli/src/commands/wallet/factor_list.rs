//! `trefoil wallet factor list`.

use serde_json::{Value, json};
use trefoil::{Account, Consequence, FactorHealth, FactorNote};

use super::opening;
use super::setup::Setup;
use crate::args::Opening;
use crate::failure::Failure;

pub(crate) async fn run(setup: &Setup, arguments: &Opening) -> Result<(), Failure> {
    let (_, _, account) = opening::open(setup, &arguments.factors).await?;
    let factors: Vec<Value> = account.factors().iter().map(shown).collect();
    let follows: Vec<Value> = account
        .consequences()
        .into_iter()
        .map(consequence)
        .collect();
    setup.ui.step(
        "factor_list",
        json!({ "threshold": account.threshold(), "factors": factors, "consequences": follows }),
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

fn consequence(consequence: Consequence) -> Value {
    json!({
        "kind": consequence.as_str(),
        "factors": consequence.factors(),
        "text": consequence.to_string(),
    })
}

pub(super) fn health(factor: &FactorHealth) -> Value {
    json!({
        "index": factor.index,
        "kind": factor.kind.as_str(),
        "label": factor.label,
        "proven": factor.proven,
        "due": factor.due,
        "overdue": factor.overdue,
        "use_by": factor.use_by,
    })
}

/// One line for each factor.
pub(super) fn health_text(account: &Account) -> String {
    let lines = account.backup_health().into_iter().map(|factor| {
        let state = match (factor.due, factor.overdue) {
            (None, _) => "proves itself at every login",
            (Some(_), false) => "proven lately",
            (Some(_), true) => "should be proven again",
        };
        format!(
            "{:>4}  {:<18} {:<24} {state}",
            factor.index,
            factor.kind.as_str(),
            factor.label
        )
    });
    lines.collect::<Vec<_>>().join("\n")
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
    let follows = account.consequences().into_iter();
    let follows = follows.map(|consequence| format!("Mind: {consequence}."));
    lines
        .chain([closing])
        .chain(follows)
        .collect::<Vec<_>>()
        .join("\n")
}
