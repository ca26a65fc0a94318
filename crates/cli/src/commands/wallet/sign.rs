//! `trefoil wallet sign`.

use serde_json::json;

use super::setup::Setup;
use super::{ethereum, opening};
use crate::args::Sign;
use crate::failure::Failure;
use crate::files;

pub(crate) async fn run(setup: &Setup, arguments: Sign) -> Result<(), Failure> {
    let message = match (arguments.message, &arguments.message_file) {
        (Some(message), _) => message,
        (None, Some(path)) => files::read(path)?.to_string(),
        (None, None) => return Err(Failure::usage("what is to be signed?")),
    };
    let (_, _, account) = opening::open(setup, &arguments.factors).await?;
    let signed = ethereum::sign(&account, message.as_bytes())?;
    let address = account.ethereum_address().to_string();
    setup.ui.step(
        "sign",
        json!({
            "message": message,
            "signature": signed.signature,
            "address": address,
            "recovered_address": signed.recovered_address,
        }),
        format!("{}\nsigned by {address}", signed.signature),
    );
    Ok(())
}
