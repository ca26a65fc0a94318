//! `trefoil wallet drill`: shows that a factor still works, notes that down, and has the servers forget what no factor uses any
//! more.

use serde_json::json;
use trefoil::{DappShare, RecoveryPhrase};

use super::setup::Setup;
use super::{factor_list, knowledge, opening};
use crate::args::Drilled;
use crate::failure::Failure;
use crate::secrets::Source;

pub(crate) async fn run(setup: &Setup, arguments: Drilled) -> Result<(), Failure> {
    let ui = setup.ui;
    let (_, _, mut account) = opening::open(setup, &arguments.factors).await?;
    let proof = &arguments.proof;
    let mut proven = Vec::new();
    if let Some(source) = Source::of(proof.prove_phrase_file.as_deref(), proof.prove_phrase) {
        let phrase = RecoveryPhrase::parse(&source.read(ui, "recovery phrase")?)?;
        proven.push(account.drill(phrase).await?);
    }
    if let Some(source) = Source::of(proof.prove_dapp_share_file.as_deref(), false) {
        let share = DappShare::parse(&source.read(ui, "dApp share")?)?;
        proven.push(account.drill(share).await?);
    }
    for known in knowledge::bring_proof(ui, proof)? {
        proven.push(ui.busy("guessing", account.drill_known(known)).await?);
    }
    let tended = ui.busy("tidying up", account.tend_slots()).await;
    let health: Vec<_> = account
        .backup_health()
        .iter()
        .map(factor_list::health)
        .collect();
    let mut said = factor_list::health_text(&account);
    if !proven.is_empty() {
        said = format!("It works.\n{said}");
    }
    if tended.waiting > 0 {
        said.push_str("\nSome servers could not be told yet what no factor uses any more; the next drill tells them.");
    }
    ui.step(
        "drill",
        json!({
            "proven": proven,
            "health": health,
            "revision": account.revision(),
            "slots": { "ended": tended.ended, "waiting": tended.waiting, "left_over": tended.left_over },
        }),
        said,
    );
    Ok(())
}
