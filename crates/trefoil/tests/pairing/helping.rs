//! A trusted contact lends its share.

use trefoil::device::DeviceStore as _;
use trefoil::{Account, HelpRequest, OpenError, Opened, PairError, Pending};
use trefoil_protocol::opening::OpeningError;
use trefoil_testkit::servers::World;

use crate::support::{Device, pair, scanned};

/// Alice's account with Bob as its contact.
async fn with_contact(world: &World, laptop: &Device, bobs: &Device) -> Account {
    let mut account = laptop.two_of_three(world, "alice").await;
    let offer = bobs.app.offer_contact("Bob").unwrap();
    let (enrolled, joined) = pair(&mut account, offer, true).await;
    enrolled.unwrap();
    joined.unwrap();
    account
}

/// Both compare and agree.
async fn helped(bobs: &Device, request: HelpRequest) -> trefoil::ContactShare {
    let code = scanned(request.code());
    let asking = tokio::spawn(request.wait());
    let help = bobs.app.help(&code, "Bob").await.unwrap();
    let asking = asking.await.unwrap().unwrap();
    assert_eq!(help.digits(), asking.digits());
    assert_eq!(
        (help.whose(), help.who(), asking.who()),
        ("Alice", "Alice here", "Bob")
    );
    let asking = tokio::spawn(asking.confirm());
    help.confirm().await.unwrap();
    asking.await.unwrap().unwrap()
}

fn ask(pending: &Pending) -> HelpRequest {
    pending.ask_contact("Alice here").unwrap()
}

#[tokio::test]
async fn social_login_and_a_contact_open() {
    let world = World::start().await.unwrap();
    let (laptop, bobs) = (Device::new(&world), Device::new(&world));
    let account = with_contact(&world, &laptop, &bobs).await;
    let address = account.ethereum_address();

    let new_phone = Device::new(&world);
    let mut pending = new_phone.needs_factors(&world, "alice").await;
    bobs.faults.reset();
    let share = helped(&bobs, ask(&pending)).await;
    assert_eq!((pending.missing(), pending.available().count()), (1, 3));
    pending.accept(share).unwrap();
    assert_eq!((pending.missing(), pending.available().count()), (0, 2));
    let Opened::Ready(mut opened) = pending.open().await.unwrap() else {
        panic!("enough was given");
    };
    assert_eq!(opened.ethereum_address(), address);

    // What was lost is replaced at once.
    opened
        .change()
        .device("new phone")
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert_eq!(
        new_phone.open(&world, "alice").await.ethereum_address(),
        address
    );

    // Bob's secret was in nothing that his device sent, nor did it get anywhere else.
    let state = bobs.store.read().unwrap();
    let kept = state
        .secrets(bobs.app.tenant())
        .find(|kept| kept.contact_of().is_some())
        .unwrap();
    let secret = *kept.factor_secret().expose_secret();
    let text = serde_json::to_string(&trefoil_protocol::bytes::Blob::new(secret.to_vec())).unwrap();
    let text = text.trim_matches('"').to_owned();
    let exchanges = bobs.faults.exchanges();
    assert!(exchanges.len() > 4);
    for exchange in exchanges {
        let body = exchange.request.body;
        assert!(!body.windows(32).any(|window| window == secret));
        assert!(!String::from_utf8_lossy(&body).contains(&text));
    }
    let theirs = new_phone.store.read().unwrap();
    assert!(
        theirs
            .secrets(new_phone.app.tenant())
            .all(|kept| *kept.factor_secret().expose_secret() != secret)
    );
}

#[tokio::test]
async fn a_share_is_good_for_its_epoch_and_once() {
    let world = World::start().await.unwrap();
    let (laptop, bobs) = (Device::new(&world), Device::new(&world));
    let mut account = with_contact(&world, &laptop, &bobs).await;
    let new_phone = Device::new(&world);
    let mut pending = new_phone.needs_factors(&world, "alice").await;
    let first = helped(&bobs, ask(&pending)).await;
    let second = helped(&bobs, ask(&pending)).await;
    pending.accept(first).unwrap();
    assert!(matches!(
        pending.accept(second),
        Err(OpenError::Opening(OpeningError::AlreadyGiven))
    ));
    assert_eq!(pending.missing(), 0);

    // Between asking and answering the account moves on.
    let mut earlier = Device::new(&world).needs_factors(&world, "alice").await;
    account.change().refresh().unwrap().commit().await.unwrap();
    let newer = helped(&bobs, ask(&earlier)).await;
    assert!(matches!(
        earlier.accept(newer),
        Err(OpenError::Opening(OpeningError::StaleShare { .. }))
    ));

    // A contact that was removed cannot help, and its app says so.
    account.change().remove(4).unwrap().commit().await.unwrap();
    let now = Device::new(&world).needs_factors(&world, "alice").await;
    let request = ask(&now);
    let refused = bobs.app.help(request.code(), "Bob").await.unwrap_err();
    assert!(refused.to_string().contains("removed"), "{refused}");
}

#[tokio::test]
async fn whoever_is_no_contact_cannot_help() {
    let world = World::start().await.unwrap();
    let (laptop, bobs, carols) = (
        Device::new(&world),
        Device::new(&world),
        Device::new(&world),
    );
    with_contact(&world, &laptop, &bobs).await;
    let pending = Device::new(&world).needs_factors(&world, "alice").await;
    let request = ask(&pending);
    for device in [&carols, &laptop] {
        let refused = device.app.help(request.code(), "Carol").await;
        assert!(matches!(refused, Err(PairError::NotAContact)));
    }
}

#[tokio::test]
async fn a_contact_that_declines_lends_nothing() {
    let world = World::start().await.unwrap();
    let (laptop, bobs) = (Device::new(&world), Device::new(&world));
    with_contact(&world, &laptop, &bobs).await;
    let pending = Device::new(&world).needs_factors(&world, "alice").await;
    let request = ask(&pending);
    let code = scanned(request.code());
    let asking = tokio::spawn(request.wait());
    let help = bobs.app.help(&code, "Bob").await.unwrap();
    let asking = tokio::spawn(asking.await.unwrap().unwrap().confirm());
    help.deny().await;
    let refused = asking.await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("denied"), "{refused}");
}
