//! `trefoil network refresh`: new shares for the same nodes; the key stays, old shares become worthless.

use trefoil_protocol::ceremony::VerifiedPlan;

use super::carry_out::{PlanFile, carry_out, report};
use super::{coordinator, read_manifest};
use crate::args::Refresh;
use crate::failure::Failure;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: &Refresh) -> Result<(), Failure> {
    let known = read_manifest(&arguments.manifest)?;
    let coordinator = coordinator(&arguments.coordinator_key)?;
    let file = PlanFile::beside(&arguments.manifest);
    let urls: Vec<String> = known.nodes().iter().map(|node| node.url.clone()).collect();
    let chain = coordinator.chain(&urls, &known.network()).await?;
    let is_refresh = |plan: &VerifiedPlan| {
        let reached = chain.newest().ceremony() == Some(plan.ceremony());
        let before = reached.then(|| chain.before_newest()).flatten();
        plan.is_refresh_of(before.as_ref().unwrap_or(chain.newest()))
    };
    let plan = match file.resume(Some(&chain), is_refresh)? {
        Some(plan) => plan,
        None => {
            let plan = coordinator.plan_refresh(chain.newest()).await?;
            file.write(&plan)?;
            plan
        }
    };
    let refreshing = carry_out(ui, &coordinator, &plan, Some(&chain));
    let outcome = ui.busy("refreshing the shares", refreshing).await?;
    report(ui, "refreshed", &outcome, &arguments.manifest).await?;
    if outcome.waiting_for.is_empty() {
        file.done()?;
    }
    Ok(())
}
