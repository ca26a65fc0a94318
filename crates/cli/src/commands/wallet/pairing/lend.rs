//! `trefoil wallet contact lend`: a trusted contact lends its share.

use serde_json::json;

use super::{Compared, compare, compared, denied, given_up, read_code, wait};
use crate::args::Lend;
use crate::commands::wallet::setup::Setup;
use crate::failure::Failure;

pub(in crate::commands::wallet) async fn run(
    setup: &Setup,
    arguments: &Lend,
) -> Result<(), Failure> {
    let ui = setup.ui;
    let trefoil = setup.trefoil(&setup.app()?)?;
    let code = read_code(setup, arguments.request_file.as_deref()).await?;
    let help = ui
        .busy("answering", trefoil.help(&code, &arguments.label))
        .await?;
    let owner = help.whose().to_owned();
    ui.note(format_args!(
        "Somebody asks for help with the wallet of \u{201c}{owner}\u{201d}. Make sure, in person or on the phone, that it is them: \
         with your help and one more factor it opens."
    ));
    compared!(ui, help, help.who());
    let canceller = help.canceller();
    wait(
        ui,
        "waiting for the other device's user",
        canceller,
        help.confirm(),
    )
    .await?;
    ui.step(
        "contact_lend",
        json!({ "owner": owner }),
        "Your share was lent for this one opening. Your own secret stayed on this device.",
    );
    Ok(())
}
