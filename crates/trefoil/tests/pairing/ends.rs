//! Denied, cancelled, expired, used once.

use trefoil::{PairError, PairingError};
use trefoil_client::metadata::MailboxError;
use trefoil_protocol::pairing::MAILBOX_SECONDS;
use trefoil_testkit::environment::FixedClock;
use trefoil_testkit::servers::{World, WorldOptions};

use crate::support::{Device, scanned, waiting};

fn ended<T>(result: Result<T, PairError>) -> PairingError {
    match result {
        Err(PairError::Pairing(error)) => error,
        Err(other) => panic!("another end: {other}"),
        Ok(_) => panic!("no end"),
    }
}

fn at_the_mailbox<T>(result: Result<T, PairError>) -> MailboxError {
    match result {
        Err(PairError::Mailbox(error)) => error,
        Err(other) => panic!("another end: {other}"),
        Ok(_) => panic!("no end"),
    }
}

#[tokio::test]
async fn either_side_denies_or_cancels() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let revision = account.revision();
    for (by_old, deny) in [(true, true), (true, false), (false, true), (false, false)] {
        let request = phone.app.request_device("phone").unwrap();
        let code = scanned(request.code());
        let new = waiting(request);
        let approval = account.approve_device(&code, "Alice").await.unwrap();
        let comparing = new.await.unwrap().unwrap();
        let expected = if deny {
            PairingError::Denied
        } else {
            PairingError::Cancelled
        };
        // The other side has agreed already: that counts for nothing.
        let told = if by_old {
            let new = tokio::spawn(comparing.confirm());
            match deny {
                true => approval.deny().await,
                false => approval.cancel().await,
            }
            ended(new.await.unwrap())
        } else {
            match deny {
                true => comparing.deny().await,
                false => comparing.cancel().await,
            }
            ended(approval.confirm().await)
        };
        assert_eq!(told, expected, "by the old side: {by_old}");
        // Told once; then nothing is left there, and nobody takes it up again.
        let again = account.approve_device(&code, "Alice").await;
        assert!(matches!(
            again,
            Err(PairError::Mailbox(MailboxError::Closed))
        ));
        drop(again);
    }
    assert_eq!(account.revision(), revision);
    let opened = laptop.open(&world, "alice").await;
    assert_eq!((opened.revision(), opened.factors().len()), (revision, 3));
}

#[tokio::test]
async fn a_code_is_used_once() {
    let world = World::start().await.unwrap();
    let (laptop, phone) = (Device::new(&world), Device::new(&world));
    let mut account = laptop.two_of_three(&world, "alice").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let (enrolled, joined) = crate::support::pair(&mut account, request, false).await;
    enrolled.unwrap();
    joined.unwrap();
    let again = at_the_mailbox(account.approve_device(&code, "Alice").await);
    assert!(matches!(again, MailboxError::Closed), "{again}");
}

#[tokio::test]
async fn of_two_approvers_one_is_told() {
    let world = World::start().await.unwrap();
    let (laptop, other, phone) = (
        Device::new(&world),
        Device::new(&world),
        Device::new(&world),
    );
    let mut account = laptop.two_of_three(&world, "alice").await;
    let mut bobs = other.two_of_three(&world, "bob").await;
    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = waiting(request);
    // Also another session of the same account is another approver.
    let mut same = laptop.open(&world, "alice").await;
    let (first, second, third) = tokio::join!(
        account.approve_device(&code, "Alice"),
        bobs.approve_device(&code, "Bob"),
        same.approve_device(&code, "Alice too"),
    );
    let comparing = new.await.unwrap().unwrap();
    let mut good = Vec::new();
    for approval in [first, second, third] {
        match approval {
            Ok(approval) => good.push(approval),
            Err(PairError::Mailbox(MailboxError::Taken)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(good.len(), 1);
    let approval = good.remove(0);
    assert_eq!(approval.digits(), comparing.digits());
    let new = tokio::spawn(comparing.confirm());
    approval.confirm().await.unwrap();
    new.await.unwrap().unwrap();
}

#[tokio::test]
async fn after_ten_minutes_it_is_over() {
    let clock = FixedClock::default();
    let world = World::with(WorldOptions {
        clock: std::sync::Arc::new(clock.clone()),
        ..WorldOptions::default()
    })
    .await
    .unwrap();
    let laptop = Device::at(&world, clock.clone(), 1);
    let phone = Device::at(&world, clock.clone(), 2);
    let mut account = laptop.two_of_three(&world, "alice").await;
    let revision = account.revision();

    let request = phone.app.request_device("phone").unwrap();
    let code = scanned(request.code());
    let new = waiting(request);
    let approval = account.approve_device(&code, "Alice").await.unwrap();
    let comparing = new.await.unwrap().unwrap();
    clock.advance(MAILBOX_SECONDS + 1);
    let new = at_the_mailbox(comparing.confirm().await);
    assert!(matches!(new, MailboxError::Expired), "{new}");
    let old = at_the_mailbox(approval.confirm().await);
    assert!(matches!(old, MailboxError::Expired), "{old}");
    let again = at_the_mailbox(account.approve_device(&code, "Alice").await);
    assert!(matches!(again, MailboxError::Expired), "{again}");
    assert_eq!(account.revision(), revision);

    // Sixteen minutes later the session is over too, and is renewed.
    clock.advance(16 * 60);
    let request = phone.app.request_device("phone").unwrap();
    let (enrolled, joined) = crate::support::pair(&mut account, request, false).await;
    enrolled.unwrap();
    joined.unwrap();
    phone.open(&world, "alice").await;
}
