//! `trefoil wallet device request` and `trefoil wallet contact offer`.

use serde_json::json;

use super::{Compared, compare, compared, denied, given_up, show_code, wait};
use crate::args::Request;
use crate::commands::wallet::setup::Setup;
use crate::failure::Failure;

pub(in crate::commands::wallet) async fn run(
    setup: &Setup,
    arguments: &Request,
    as_contact: bool,
) -> Result<(), Failure> {
    let ui = setup.ui;
    let trefoil = setup.trefoil(&setup.app()?)?;
    let (request, what_for) = if as_contact {
        (
            trefoil.offer_contact(&arguments.label)?,
            "Whoever wants you as a contact runs `trefoil wallet contact enrol` and gives it this.",
        )
    } else {
        (
            trefoil.request_device(&arguments.label)?,
            "On the device that has the wallet, run `trefoil wallet device approve` and give it this.",
        )
    };
    show_code(ui, request.code(), what_for);
    let canceller = request.canceller();
    let comparing = wait(
        ui,
        "waiting for the other device",
        canceller,
        request.wait(),
    )
    .await?;
    compared!(ui, comparing, comparing.whose());
    let (canceller, whose) = (comparing.canceller(), comparing.whose().to_owned());
    let joined = wait(
        ui,
        "waiting for the other device's user",
        canceller,
        comparing.confirm(),
    )
    .await?;
    let human = if as_contact {
        format!(
            "You are a trusted contact now. {whose} can ask you for help; `trefoil wallet contact lend` answers."
        )
    } else {
        "This device is a factor of the wallet now: it opens it together with another one."
            .to_owned()
    };
    ui.step(
        if as_contact {
            "contact_offer"
        } else {
            "device_request"
        },
        json!({ "account": joined.account_id, "revision": joined.revision, "owner": whose }),
        human,
    );
    Ok(())
}
