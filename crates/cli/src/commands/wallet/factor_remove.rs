//! `trefoil wallet factor remove`.

use serde_json::json;

use super::opening;
use super::setup::Setup;
use crate::args::FactorRemove;
use crate::failure::Failure;

pub(crate) async fn run(setup: &Setup, arguments: &FactorRemove) -> Result<(), Failure> {
    let ui = setup.ui;
    let (_, _, mut account) = opening::open(setup, &arguments.factors).await?;
    let mut change = account.change();
    change.remove(arguments.index)?;
    if arguments.accept_no_spare_factor {
        change.accept_no_spare_factor()?;
    }
    if arguments.accept_one_primary_factor {
        change.accept_one_primary_factor()?;
    }
    ui.busy("removing the factor", change.commit()).await?;
    ui.step(
        "factor_remove",
        json!({
            "index": arguments.index,
            "threshold": account.threshold(),
            "factors": account.factors().len(),
            "revision": account.revision(),
            "epoch": account.epoch(),
        }),
        format!(
            "Removed; all others have new shares. Any {} of your {} factors open the wallet.",
            account.threshold(),
            account.factors().len()
        ),
    );
    Ok(())
}
