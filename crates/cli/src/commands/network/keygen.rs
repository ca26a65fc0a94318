//! `trefoil network keygen`: running nodes make their network's key among themselves.

use serde_json::json;
use trefoil_client::ceremony::Outcome;
use trefoil_protocol::ceremony::VerifiedPlan;

use super::carry_out::{PlanFile, carry_out, is_for};
use super::{coordinator, members};
use crate::args::Keygen;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::ui::Ui;

pub(super) async fn run(ui: Ui, arguments: &Keygen) -> Result<(), Failure> {
    let out = &arguments.out;
    if out.exists() {
        let message = format!("{} exists already and is not overwritten", out.display());
        return Err(Failure::new(Exit::Usage, "file_exists", message));
    }
    let coordinator = coordinator(&arguments.coordinator_key)?;
    let file = PlanFile::beside(out);
    let members = members(&arguments.nodes)?;
    let same = |plan: &VerifiedPlan| {
        plan.is_key_generation() && is_for(plan, &members, arguments.threshold)
    };
    let plan = match file.resume(None, same)? {
        Some(plan) => plan,
        None => {
            let plan = coordinator.plan_key(&members, arguments.threshold).await?;
            file.write(&plan)?;
            plan
        }
    };
    let making = carry_out(ui, &coordinator, &plan, None);
    let Outcome { manifest, .. } = ui.busy("making the network's key", making).await?;
    let text = serde_json::to_string(manifest.signed())
        .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?;
    files::write(out, &text)?;
    file.done()?;
    let (nodes, threshold) = (manifest.nodes().len(), manifest.threshold());
    ui.step(
        "network",
        json!({
            "nodes": nodes,
            "threshold": threshold,
            "group_key": manifest.network(),
            "epoch": manifest.epoch(),
            "manifest": out.display().to_string(),
        }),
        format!(
            "Made a key among {nodes} nodes, {threshold} of which must answer. Nobody has seen it whole.\n\
             Group key:  {}\nManifest:   {}, for apps to carry.",
            manifest.network(),
            out.display()
        ),
    );
    Ok(())
}
