//! `trefoil wallet open`: with any factors, offline from a kit, or after a server was set back.

use std::path::Path;

use serde_json::json;
use trefoil::{Opened, RecoveryKit, RestoreError, open_kit};

use super::export::write_key;
use super::opening::{self, Outcome};
use super::setup::Setup;
use crate::args::Open;
use crate::failure::{Exit, Failure};
use crate::files;

pub(crate) async fn run(setup: &Setup, arguments: Open) -> Result<(), Failure> {
    if let Some(kit) = &arguments.kit {
        return offline(setup, &arguments, kit);
    }
    let ui = setup.ui;
    let (account, restored) = match opening::log_in(setup, &arguments.factors).await? {
        (_, _, Outcome::Open(account)) => (*account, false),
        (_, _, Outcome::New(_)) => return Err(opening::no_account()),
        (_, _, Outcome::RolledBack(old, _)) if !arguments.restore => {
            return Err(opening::rolled_back(&old));
        }
        (_, _, Outcome::RolledBack(mut old, factors)) => {
            for factor in factors {
                if old.missing()? == 0 {
                    break;
                }
                old.provide(factor).await?;
            }
            let missing = old.missing()?;
            if missing > 0 {
                return Err(RestoreError::NeedsFactors { missing }.into());
            }
            match ui.busy("restoring", old.restore_after_warning()).await? {
                Opened::Ready(account) => (account, true),
                _ => {
                    return Err(Failure::new(
                        Exit::Other,
                        "unexpected",
                        "the wallet was restored but does not open",
                    ));
                }
            }
        }
    };
    let mut fields = opening::shown(&account);
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("restored".to_owned(), json!(restored));
    }
    let how = if restored {
        "Restored from this device's newer record. "
    } else {
        ""
    };
    ui.step(
        "open",
        fields,
        format!("{how}Your wallet: {}", account.ethereum_address()),
    );
    Ok(())
}

/// No server is asked.
fn offline(setup: &Setup, arguments: &Open, kit: &Path) -> Result<(), Failure> {
    let kit = RecoveryKit::parse(&files::read(kit)?)?;
    let factors = opening::bring_offline(setup, &arguments.factors, &kit)?;
    let wallet = open_kit(&kit, factors)?;
    if let Some(path) = &arguments.key_out {
        write_key(path, &wallet.wallet_key())?;
    }
    let address = wallet.ethereum_address().to_string();
    setup.ui.step(
        "open",
        json!({ "address": address, "offline": true, "revision": kit.record().revision, "key_file": arguments.key_out }),
        format!("Your wallet: {address}\nOpened from the recovery kit of revision {}, without any server.", kit.record().revision),
    );
    Ok(())
}
