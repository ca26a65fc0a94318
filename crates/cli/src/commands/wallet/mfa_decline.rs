//! `trefoil wallet mfa decline`: do not offer it on this device again.

use serde_json::json;

use super::opening;
use super::setup::Setup;
use crate::args::Opening;
use crate::failure::Failure;

pub(crate) async fn run(setup: &Setup, arguments: &Opening) -> Result<(), Failure> {
    let (_, _, mut account) = opening::open(setup, &arguments.factors).await?;
    account.dont_ask_again()?;
    setup.ui.step(
        "mfa_decline",
        json!({ "account": account.id() }),
        "You will not be asked on this device again. `trefoil wallet mfa enable` turns it on any time.",
    );
    Ok(())
}
