//! `trefoil network approve`: the operator of a node agrees to one plan.

use serde_json::json;

use super::carry_out::read_plan;
use crate::args::Approve;
use crate::commands::serve_node::Approvals;
use crate::failure::Failure;
use crate::ui::Ui;

pub(super) fn run(ui: Ui, arguments: &Approve) -> Result<(), Failure> {
    let (_, plan) = read_plan(&arguments.plan)?;
    let nodes: Vec<String> = plan
        .nodes()
        .iter()
        .map(|node| format!("{} {} {}", node.index, node.url, node.identity_key))
        .collect();
    Approvals::in_directory(&arguments.data).add(&plan.ceremony())?;
    ui.step(
        "approved",
        json!({
            "ceremony": plan.ceremony(),
            "network": plan.network(),
            "epoch": plan.epoch(),
            "threshold": plan.threshold(),
            "nodes": nodes,
        }),
        format!(
            "Approved for this node: epoch {}, {} of these nodes will be able to answer as the network:\n  {}",
            plan.epoch(),
            plan.threshold(),
            nodes.join("\n  ")
        ),
    );
    Ok(())
}
