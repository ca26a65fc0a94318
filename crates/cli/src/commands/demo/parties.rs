//! Factors that another device makes: the user's own second one, and a friend's.

use trefoil::device::FileDeviceStore;
use trefoil::{EnrolRequest, RequestCode};

use super::factors::{open_on_own_device, opened, social_alone};
use super::{User, broken, ready};
use crate::failure::Failure;
use crate::ui::Ui;

/// A second device asks, the first one approves, both show the same six digits.
pub(super) async fn other_device(ui: Ui, user: &User) -> Result<(), Failure> {
    let tablet = user.app(FileDeviceStore::in_directory(&user.place("tablet")))?;
    let request = tablet.request_device("tablet")?;
    enrol(ui, user, request, false).await?;
    // Its own factor joins the login by itself.
    let account = ready(ui.busy("opening", user.social_login(&tablet)).await?)?;
    user.show(ui, "other_device", &account)
}

/// A friend's device keeps a factor, and later lends its share without ever showing the secret.
pub(super) async fn trusted_contact(ui: Ui, user: &User) -> Result<(), Failure> {
    let friends = user.app(FileDeviceStore::in_directory(&user.place("friend")))?;
    let offer = friends.offer_contact("Bob")?;
    enrol(ui, user, offer, true).await?;

    let mut pending = social_alone(user).await?;
    let request = pending.ask_contact("a new phone")?;
    let code = scanned(request.code())?;
    let (asking, help) = tokio::join!(request.wait(), friends.help(&code, "Bob"));
    let (asking, help) = (asking?, help?);
    same_digits(&asking.digits(), &help.digits())?;
    let (share, lent) = tokio::join!(asking.confirm(), help.confirm());
    lent?;
    pending.accept(share?)?;
    opened(ui, user, "trusted_contact", pending).await
}

async fn enrol(ui: Ui, user: &User, request: EnrolRequest, contact: bool) -> Result<(), Failure> {
    let mut account = open_on_own_device(user).await?;
    let code = scanned(request.code())?;
    let answering = async {
        if contact {
            account.enrol_contact(&code, "Alice").await
        } else {
            account.approve_device(&code, "Alice").await
        }
    };
    let (new, approval) = ui
        .busy("pairing", async { tokio::join!(request.wait(), answering) })
        .await;
    let (new, approval) = (new?, approval?);
    same_digits(&new.digits(), &approval.digits())?;
    let (joined, enrolled) = tokio::join!(new.confirm(), approval.confirm());
    joined?;
    enrolled?;
    Ok(())
}

/// The code as it gets from one screen to the other's camera.
fn scanned(code: &RequestCode) -> Result<RequestCode, Failure> {
    RequestCode::parse(&code.expose_text()).map_err(broken)
}

/// What the two users compare.
fn same_digits(one: &impl ToString, other: &impl ToString) -> Result<(), Failure> {
    if one.to_string() == other.to_string() {
        Ok(())
    } else {
        Err(broken("the two devices show different digits"))
    }
}
