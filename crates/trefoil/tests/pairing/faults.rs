//! Lost answers, and devices that die half way.

use trefoil::PairError;
use trefoil::device::DeviceStore as _;
use trefoil_client::Request;
use trefoil_testkit::faults::Fault;
use trefoil_testkit::servers::World;

use crate::support::{Device, pair, scanned, waiting};

fn at_mailbox(request: &Request) -> bool {
    request.url.path().contains("/mailboxes/")
}

#[tokio::test]
async fn every_lost_answer_is_made_up_for() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    // Every second request of both sides arrives and its answer is lost; every fifth does not arrive.
    for device in [&laptop, &phone] {
        device.faults.reset();
        for number in 1..200 {
            match number % 5 {
                0 => device.faults.at(number, Fault::CutBefore),
                1 | 3 => device.faults.at(number, Fault::CutAfter),
                _ => {}
            }
        }
    }
    let request = phone.app.request_device("phone").unwrap();
    let (enrolled, joined) = pair(&mut account, request, false).await;
    assert_eq!(enrolled.unwrap().index, 4);
    joined.unwrap();
    phone.faults.reset();
    phone.open(&world, "alice").await;
}

#[tokio::test]
async fn a_device_that_never_hears_the_outcome_has_its_factor_all_the_same() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = waiting(request);
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    let comparing = new.await.unwrap().unwrap();
    // The new device dies when its answer is on its way.
    phone.faults.reset();
    phone.faults.die_after(1);
    let new = tokio::spawn(comparing.confirm());
    approval.confirm().await.unwrap();
    new.abort();
    phone.faults.reset();
    let state = phone.store.read().unwrap();
    let secret = state.secrets(phone.app.tenant()).next().unwrap();
    assert!(secret.pending_since().is_some());
    // It opens with the social login and its own, which by then is known to be enrolled.
    phone.open(&world, "alice").await;
    let state = phone.store.read().unwrap();
    let secret = state.secrets(phone.app.tenant()).next().unwrap();
    assert_eq!(secret.pending_since(), None);
}

#[tokio::test]
async fn an_approver_that_dies_leaves_the_old_or_the_new() {
    let world = World::start().await.unwrap();
    let laptop = Device::new(&world);
    let mut account = laptop.two_of_three(&world, "alice").await;
    let address = account.ethereum_address();
    // What an approval sends from the comparison on: reading the mailbox, the commit, reading it again, the outcome.
    for (dies_before, lands) in [(1, false), (2, false), (3, true), (4, true)] {
        let phone = Device::new(&world);
        let factors = account.factors().len();
        let request = phone.app.request_device("phone").unwrap();
        let code = scanned(request.code());
        let new = waiting(request);
        let approval = account.approve_device(&code, "Alice").await.unwrap();
        let comparing = new.await.unwrap().unwrap();
        let mut new = tokio::spawn(comparing.confirm());
        // The answer is there before the approver goes on, so that its requests are always the same.
        loop {
            let answered = phone.faults.exchanges().iter().any(|exchange| {
                exchange.request.url.path().ends_with("/new/2") && exchange.response.is_some()
            });
            if answered {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        laptop.faults.reset();
        laptop.faults.die_before(dies_before);
        let old = tokio::time::timeout(std::time::Duration::from_secs(3), approval.confirm());
        let approved = old.await;
        assert!(
            !matches!(approved, Ok(Ok(_))) || dies_before == 4,
            "request {dies_before}"
        );
        laptop.faults.reset();
        let heard = tokio::time::timeout(std::time::Duration::from_millis(100), &mut new).await;
        assert!(heard.is_err(), "nobody has told it anything");
        new.abort();
        account = laptop.open(&world, "alice").await;
        assert_eq!(account.ethereum_address(), address);
        assert_eq!(
            account.factors().len(),
            factors + usize::from(lands),
            "request {dies_before}"
        );
        if lands {
            let opened = phone.open(&world, "alice").await;
            assert_eq!(opened.ethereum_address(), address);
        } else {
            phone.needs_factors(&world, "alice").await;
        }
    }
}

#[tokio::test]
async fn an_account_that_moved_on_is_told() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let mut elsewhere = laptop.open(&world, "alice").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = waiting(request);
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    let comparing = new.await.unwrap().unwrap();
    elsewhere
        .change()
        .label(1, "renamed")
        .unwrap()
        .commit()
        .await
        .unwrap();
    let new = tokio::spawn(comparing.confirm());
    let refused = approval.confirm().await.unwrap_err();
    assert!(matches!(refused, PairError::Commit(_)), "{refused}");
    let told = new.await.unwrap().unwrap_err();
    assert!(told.to_string().contains("could not finish"), "{told}");
    // The next login sees a later record without it: the secret is erased.
    phone.needs_factors(&world, "alice").await;
    let state = phone.store.read().unwrap();
    assert_eq!(state.secrets(phone.app.tenant()).count(), 0);
}

#[tokio::test]
async fn nothing_is_sent_before_the_secret_is_stored() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = waiting(request);
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    let comparing = new.await.unwrap().unwrap();
    // Whatever is put at the mailbox from here on finds the secret in the store.
    let store = std::sync::Arc::clone(&phone.store);
    let tenant = phone.app.tenant().clone();
    phone.faults.when(
        move |request| {
            if at_mailbox(request) && request.method == "PUT" {
                assert_eq!(store.read().unwrap().secrets(&tenant).count(), 1);
            }
            false
        },
        Fault::CutBefore,
    );
    let new = tokio::spawn(comparing.confirm());
    approval.confirm().await.unwrap();
    new.await.unwrap().unwrap();
}
