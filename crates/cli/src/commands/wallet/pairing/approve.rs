//! `trefoil wallet device approve` and `trefoil wallet contact enrol`.

use serde_json::json;

use super::{Compared, compare, compared, denied, given_up, read_code, wait};
use crate::args::Approval;
use crate::commands::wallet::setup::Setup;
use crate::commands::wallet::{factor_list, opening};
use crate::failure::Failure;

pub(in crate::commands::wallet) async fn run(
    setup: &Setup,
    arguments: &Approval,
    as_contact: bool,
) -> Result<(), Failure> {
    let ui = setup.ui;
    let code = read_code(setup, arguments.request_file.as_deref()).await?;
    let (_, _, mut account) = opening::open(setup, &arguments.opening.factors).await?;
    let owner = arguments.owner.as_str();
    let approval = if as_contact {
        ui.busy("answering", account.enrol_contact(&code, owner))
            .await?
    } else {
        ui.busy("answering", account.approve_device(&code, owner))
            .await?
    };
    compared!(ui, approval, approval.who());
    let approval = match &arguments.label {
        Some(label) => approval.label(label),
        None => approval,
    };
    let canceller = approval.canceller();
    let enrolled = wait(
        ui,
        "waiting for the other device's user",
        canceller,
        approval.confirm(),
    )
    .await?;
    let mut notes = account.factors().iter();
    let added = notes.find(|note| note.index == enrolled.index);
    ui.step(
        if as_contact {
            "contact_enrol"
        } else {
            "device_approve"
        },
        json!({
            "factor": added.map(factor_list::shown),
            "threshold": account.threshold(),
            "factors": account.factors().len(),
            "revision": account.revision(),
            "epoch": account.epoch(),
        }),
        format!(
            "Added \u{201c}{}\u{201d}. Any {} of your {} factors open the wallet.",
            enrolled.label,
            account.threshold(),
            account.factors().len()
        ),
    );
    Ok(())
}
