//! Another device and a trusted contact are enrolled.

use trefoil::device::DeviceStore as _;
use trefoil::{FactorKind, Opened, PairError};
use trefoil_testkit::servers::World;

use crate::support::{Device, pair, scanned};

#[tokio::test]
async fn another_device_opens_with_the_social_login() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let address = account.ethereum_address();
    phone.needs_factors(&world, "alice").await;

    let request = phone.app.request_device("phone").unwrap();
    let (enrolled, joined) = pair(&mut account, request, false).await;
    let (enrolled, joined) = (enrolled.unwrap(), joined.unwrap());
    assert_eq!(
        (enrolled.index, enrolled.kind, enrolled.label.as_str()),
        (4, FactorKind::OtherDevice, "phone")
    );
    assert_eq!(
        (joined.account_id, joined.revision),
        (account.id(), account.revision())
    );
    // Its own factor joins by itself.
    let opened = phone.open(&world, "alice").await;
    assert_eq!(opened.ethereum_address(), address);
    assert_eq!(opened.factors().len(), 4);
    let state = phone.store.read().unwrap();
    let secrets: Vec<_> = state.secrets(phone.app.tenant()).collect();
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].pending_since(), None);

    // And alone it is found, and is not enough.
    let locked = phone.app.log_in_with_device(&account.id()).await.unwrap();
    assert!(matches!(
        locked.open().await.unwrap(),
        Opened::NeedsFactors(_)
    ));

    // The new device takes in a third one.
    let mut opened = opened;
    let tablet = Device::new(&world);
    let request = tablet.app.request_device("tablet").unwrap();
    let (enrolled, joined) = pair(&mut opened, request, false).await;
    assert_eq!(enrolled.unwrap().index, 5);
    joined.unwrap();
    assert_eq!(
        tablet.open(&world, "alice").await.ethereum_address(),
        address
    );

    // Removed, it opens nothing any more.
    opened.change().remove(4).unwrap().commit().await.unwrap();
    let refused = phone.app.log_in_with_device(&account.id()).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_name_that_the_owner_gives() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = crate::support::waiting(request);
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    assert_eq!(approval.who(), "phone");
    let approval = approval.label("Alice's phone");
    let new = tokio::spawn(new.await.unwrap().unwrap().confirm());
    let enrolled = approval.confirm().await.unwrap();
    new.await.unwrap().unwrap();
    assert_eq!(enrolled.label, "Alice's phone");
    let note = account.factors().iter().find(|note| note.index == 4);
    assert_eq!(note.unwrap().label, "Alice's phone");
    for bad in ["x".repeat(65), "a\nb".to_owned()] {
        assert!(matches!(
            phone.app.request_device(bad.clone()),
            Err(PairError::Pairing(_))
        ));
        let request = phone.app.request_device("phone").unwrap();
        let refused = account.approve_device(request.code(), bad).await;
        assert!(matches!(refused, Err(PairError::Pairing(_))));
    }
}

#[tokio::test]
async fn a_contact_keeps_its_secret_apart_from_its_own_accounts() {
    let world = World::start().await.unwrap();
    let (laptop, bobs) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let own = bobs.two_of_three(&world, "bob").await;

    let offer = bobs.app.offer_contact("Bob").unwrap();
    let (enrolled, joined) = pair(&mut account, offer, true).await;
    assert_eq!(enrolled.unwrap().kind, FactorKind::TrustedContact);
    joined.unwrap();

    let contacts = bobs.app.contact_of().unwrap();
    assert_eq!(contacts.len(), 1);
    assert_eq!(
        (contacts[0].whose.as_str(), contacts[0].pending),
        ("Alice", false)
    );
    assert_eq!(contacts[0].account_id, account.id());
    // Alice's account is none of Bob's, and his device factor none of hers.
    assert_eq!(bobs.app.known_accounts().unwrap(), [own.id()]);
    assert!(bobs.app.log_in_with_device(&account.id()).await.is_err());
    // Where Alice logs in on Bob's device, his share does not join by itself.
    let pending = bobs.needs_factors(&world, "alice").await;
    assert_eq!(pending.missing(), 1);
}

#[tokio::test]
async fn codes_are_taken_for_what_they_are_only() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut one_click = laptop.one_click(&world, "alice").await;
    let device = phone.app.request_device("phone").unwrap();
    let contact = phone.app.offer_contact("Bob").unwrap();
    let refused = one_click.approve_device(device.code(), "Alice").await;
    assert!(matches!(refused, Err(PairError::MfaOff)));
    drop(refused);

    let mut account = phone.two_of_three(&world, "bob").await;
    let refused = account.approve_device(contact.code(), "Bob").await;
    assert!(matches!(refused, Err(PairError::WrongPurpose(_))));
    drop(refused);
    let refused = account.enrol_contact(device.code(), "Bob").await;
    assert!(matches!(refused, Err(PairError::WrongPurpose(_))));
    drop(refused);
    let refused = laptop.app.help(device.code(), "x").await;
    assert!(matches!(refused, Err(PairError::WrongPurpose(_))));
}
