//! `trefoil wallet open`: with any factors, or after a server was set back.

use serde_json::json;
use trefoil::{Opened, RestoreError};

use super::opening::{self, Outcome};
use super::setup::Setup;
use crate::args::Open;
use crate::failure::{Exit, Failure};

pub(crate) async fn run(setup: &Setup, arguments: Open) -> Result<(), Failure> {
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
