//! `trefoil wallet recover`: offline from a recovery kit, with every server gone.

use serde_json::json;
use trefoil::{RecoveryKit, open_kit};

use super::export::write_key;
use super::opening;
use super::setup::Setup;
use crate::args::Recover;
use crate::failure::Failure;
use crate::files;

pub(crate) fn run(setup: &Setup, arguments: &Recover) -> Result<(), Failure> {
    let kit = RecoveryKit::parse(&files::read(&arguments.kit)?)?;
    let factors = opening::bring_offline(setup, &arguments.factors, &kit)?;
    let wallet = open_kit(&kit, factors)?;
    if let Some(path) = &arguments.key_out {
        write_key(path, &wallet.wallet_key())?;
    }
    let address = wallet.ethereum_address().to_string();
    let revision = kit.record().revision;
    setup.ui.step(
        "recover",
        json!({ "address": address, "offline": true, "revision": revision, "key_file": arguments.key_out }),
        format!("Your wallet: {address}\nOpened from the recovery kit of revision {revision}, without any server."),
    );
    Ok(())
}
