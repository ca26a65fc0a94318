//! `trefoil wallet contact ask`: a user who lacks factors opens the wallet with a contact's help.

use trefoil::{Account, Opened, Pending};

use super::{Compared, compare, compared, denied, given_up, show_code, wait};
use crate::args::Ask;
use crate::commands::wallet::opening;
use crate::commands::wallet::setup::Setup;
use crate::failure::{Exit, Failure};

pub(in crate::commands::wallet) async fn run(setup: &Setup, arguments: Ask) -> Result<(), Failure> {
    let ui = setup.ui;
    let (_, _, opened, brought) = opening::begin(setup, &arguments.factors).await?;
    let mut account = match opened {
        Opened::NeedsFactors(pending) => {
            let pending = opening::give(ui, pending, brought).await?;
            open_with_help(setup, pending, &arguments.label).await?
        }
        Opened::Ready(account) => {
            ui.note("No help is needed: the factors at hand open the wallet.");
            account
        }
        Opened::NoAccount(_) => return Err(opening::no_account()),
        Opened::RolledBack(old) => return Err(opening::rolled_back(&old)),
        _ => return Err(unexpected()),
    };
    if let Some(label) = arguments.add_device {
        let mut change = account.change();
        change.device(label)?;
        ui.busy("adding this device", change.commit()).await?;
    }
    ui.step(
        "contact_ask",
        opening::shown(&account),
        format!("Your wallet: {}", account.ethereum_address()),
    );
    Ok(())
}

/// One contact after the other, until enough shares are there.
async fn open_with_help(
    setup: &Setup,
    mut pending: Pending,
    label: &str,
) -> Result<Account, Failure> {
    let ui = setup.ui;
    while pending.missing() > 0 {
        let request = pending.ask_contact(label)?;
        show_code(
            ui,
            request.code(),
            "Your contact runs `trefoil wallet contact lend` and gives it this.",
        );
        let canceller = request.canceller();
        let comparing = wait(ui, "waiting for the contact", canceller, request.wait()).await?;
        compared!(ui, comparing, comparing.who());
        let canceller = comparing.canceller();
        let share = wait(
            ui,
            "waiting for the contact to agree",
            canceller,
            comparing.confirm(),
        )
        .await?;
        pending.accept(share)?;
    }
    match ui.busy("opening", pending.open()).await? {
        Opened::Ready(account) => Ok(account),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Failure {
    Failure::new(
        Exit::Other,
        "unexpected",
        "the wallet is in a state that this version does not know",
    )
}
