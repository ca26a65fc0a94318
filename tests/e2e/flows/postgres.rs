//! A whole life on PostgreSQL: one-click, MFA, recovery, another device, a PIN.

use trefoil::RequestCode;
use trefoil_testkit::postgres::{Durability, PostgresCluster};
use trefoil_testkit::servers::{MetadataStorage, World, WorldOptions};

use crate::common::keeper::{OLD, WRONG, app, pin};
use crate::common::{Phone, create, needs_factors, open, ready, upgrade};

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_lives_on_postgres() {
    let cluster = PostgresCluster::start(Durability::Fast).unwrap();
    let storage = MetadataStorage::Postgres {
        records: cluster.create_database("records").unwrap(),
        nonces: cluster.create_database("nonces").unwrap(),
    };
    let options = WorldOptions {
        storage,
        ..WorldOptions::default()
    };
    let mut world = World::with(options).await.unwrap();
    let nonces = || cluster.execute("nonces", "SELECT count(*) FROM nonces");

    let phone = Phone::new();
    let created = create(&phone.app(&world), &world, "alice").await;
    let address = created.ethereum_address();
    assert_eq!(nonces().unwrap().trim(), "1");
    let mut account = ready(open(&Phone::new().app(&world), &world, "alice").await);
    assert_eq!(account.ethereum_address(), address);
    drop(account);

    account = ready(open(&phone.app(&world), &world, "alice").await);
    let words = upgrade(&mut account).await;
    assert_eq!(nonces().unwrap().trim(), "0");

    // Another process on the same database.
    world.metadata.kill().await;
    world.metadata.start_again().unwrap();

    // On a new phone, with what was written down.
    let replacement = Phone::new();
    let mut pending = needs_factors(open(&app(&replacement, &world), &world, "alice").await);
    let phrase = trefoil::RecoveryPhrase::parse(&words).unwrap();
    pending.provide(phrase).await.unwrap();
    let mut account = ready(pending.open().await.unwrap());
    assert_eq!(account.ethereum_address(), address);

    // It takes in a tablet, through a mailbox.
    let tablet = Phone::new();
    let request = app(&tablet, &world).request_device("tablet").unwrap();
    let code = RequestCode::parse(&request.code().expose_text()).unwrap();
    let waiting = tokio::spawn(request.wait());
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    let comparing = waiting.await.unwrap().unwrap();
    assert_eq!(approval.digits(), comparing.digits());
    let joining = tokio::spawn(comparing.confirm());
    assert_eq!(approval.confirm().await.unwrap().label, "tablet");
    joining.await.unwrap().unwrap();
    let opened = ready(open(&app(&tablet, &world), &world, "alice").await);
    assert_eq!(opened.ethereum_address(), address);

    // And a PIN, of which the server counts the guesses.
    let mut account = opened;
    let mut change = account.change();
    change.pin("phone PIN", &pin(OLD)).unwrap();
    change.commit().await.unwrap();
    let stranger = Phone::new();
    let mut pending = needs_factors(open(&app(&stranger, &world), &world, "alice").await);
    let wrong = pending.guess(pin(WRONG)).await.unwrap_err();
    assert!(
        matches!(wrong, trefoil::GuessError::Wrong { left: 9, .. }),
        "{wrong}"
    );
    pending.guess(pin(OLD)).await.unwrap();
    let opened = ready(pending.open().await.unwrap());
    assert_eq!(opened.ethereum_address(), address);
    assert_eq!(opened.events().await.unwrap().len(), 4);
    let slots = cluster.execute("records", "SELECT count(*) FROM slots");
    assert_eq!(slots.unwrap().trim(), "1");
}
