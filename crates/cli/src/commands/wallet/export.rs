//! `trefoil wallet export`: the recovery kit and the private key, to files.

use std::path::Path;

use k256::SecretKey;
use serde_json::json;
use zeroize::Zeroizing;

use super::opening;
use super::setup::Setup;
use crate::args::Export;
use crate::failure::{Exit, Failure};
use crate::files;

pub(crate) async fn run(setup: &Setup, arguments: Export) -> Result<(), Failure> {
    let (kit_out, key_out) = (arguments.what.kit_out, arguments.what.key_out);
    // Nobody should open a wallet only to learn that the file is there already.
    for path in [&kit_out, &key_out].into_iter().flatten() {
        files::refuse_existing(path)?;
    }
    let ui = setup.ui;
    let (_, _, account) = opening::open(setup, &arguments.factors).await?;
    if let Some(path) = &kit_out {
        let kit = ui
            .busy("fetching the recovery kit", account.recovery_kit())
            .await?;
        files::write_new_private(path, kit.to_text().trim_end())?;
    }
    if let Some(path) = &key_out {
        write_key(path, &account.wallet_key())?;
    }
    let mut human = Vec::new();
    if let Some(path) = &kit_out {
        human.push(format!(
            "Recovery kit in {}: the one full copy of what the server holds. {} factors open it, without any server.",
            path.display(),
            account.threshold()
        ));
    }
    if let Some(path) = &key_out {
        human.push(format!(
            "Private key in {}: whoever reads it has the wallet.",
            path.display()
        ));
    }
    ui.step(
        "export",
        json!({
            "address": account.ethereum_address().to_string(),
            "revision": account.revision(),
            "kit_file": kit_out,
            "key_file": key_out,
        }),
        human.join("\n"),
    );
    Ok(())
}

/// 64 hexadecimal digits in a new file that only its owner may read.
pub(super) fn write_key(path: &Path, key: &SecretKey) -> Result<(), Failure> {
    let bytes = Zeroizing::new(<[u8; 32]>::from(key.to_bytes()));
    let mut digits = Zeroizing::new([0; 64]);
    let written = hex::encode_to_slice(bytes.as_slice(), digits.as_mut_slice()).ok();
    let text = written.and_then(|()| core::str::from_utf8(digits.as_slice()).ok());
    let text =
        text.ok_or_else(|| Failure::new(Exit::Other, "unexpected", "the key cannot be written"))?;
    files::write_new_private(path, text)
}
