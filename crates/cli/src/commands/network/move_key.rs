//! `trefoil network move`: the network's key goes to other nodes, another threshold, or both; the key stays.

use serde_json::json;
use trefoil_protocol::ceremony::VerifiedPlan;

use super::carry_out::{PlanFile, carry_out, is_for, report};
use super::{coordinator, members, read_manifest};
use crate::args::MoveKey;
use crate::failure::Failure;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: &MoveKey) -> Result<(), Failure> {
    let known = read_manifest(&arguments.manifest)?;
    let coordinator = coordinator(&arguments.coordinator_key)?;
    let file = PlanFile::beside(&arguments.manifest);
    let urls: Vec<String> = known.nodes().iter().map(|node| node.url.clone()).collect();
    let chain = coordinator.chain(&urls, &known.network()).await?;
    let members = members(&arguments.nodes)?;
    let same = |plan: &VerifiedPlan| {
        !plan.is_key_generation() && is_for(plan, &members, arguments.threshold)
    };
    let plan = match file.resume(Some(&chain), same)? {
        Some(plan) => plan,
        None => {
            let plan = coordinator
                .plan_move(chain.newest(), &members, arguments.threshold)
                .await?;
            file.write(&plan)?;
            plan
        }
    };
    if arguments.plan_only {
        let path = file.path().display().to_string();
        ui.step(
            "plan",
            json!({ "plan": path, "ceremony": plan.verify().map(|plan| plan.ceremony()).ok() }),
            format!(
                "Plan:  {path}\nHave the operators of the old nodes look at it and approve it (`trefoil network approve`), \
                 then run this command again without --plan-only."
            ),
        );
        return Ok(());
    }
    let moving = carry_out(ui, &coordinator, &plan, Some(&chain));
    let outcome = ui.busy("moving the key", moving).await?;
    report(ui, "moved", &outcome, &arguments.manifest).await?;
    if outcome.waiting_for.is_empty() {
        file.done()?;
    }
    Ok(())
}
