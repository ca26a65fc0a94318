//! Clients that do the same thing at the same moment.

use futures::future::join_all;
use trefoil::CommitError;
use trefoil::device::{DeviceStore, FileDeviceStore};
use trefoil_client::metadata;
use trefoil_testkit::servers::World;

use crate::attackers::acme;
use crate::common::{Owner, Phone, create, no_account, open, ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_that_create_at_once_end_up_with_one_wallet() {
    let world = World::start().await.unwrap();
    let phones: Vec<Phone> = (0..6).map(|_| Phone::new()).collect();
    // All have been told that there is no account before the first one creates it.
    let mut new = Vec::new();
    for phone in &phones {
        new.push(no_account(open(&phone.app(&world), &world, "alice").await));
    }
    let created = join_all(new.into_iter().map(|new| new.create())).await;
    let addresses: Vec<_> = created
        .into_iter()
        .map(|opened| ready(opened.unwrap()).ethereum_address())
        .collect();
    assert!(
        addresses.iter().all(|address| *address == addresses[0]),
        "{addresses:?}"
    );
    for phone in &phones {
        assert_eq!(
            ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
            addresses[0]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_commits_one_wins_and_the_other_is_told_and_goes_on() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    for round in 0..3 {
        let (mut here, mut there) = (
            owner.account(&world).await,
            owner.account_elsewhere(&world).await,
        );
        let before = here.revision();
        let (first, second) = (format!("here {round}"), format!("there {round}"));
        let (mut one, mut other) = (here.change(), there.change());
        one.label(1, &first).unwrap();
        other.label(1, &second).unwrap();
        let (one, other) = tokio::join!(one.commit(), other.commit());
        let (won, lost) = if one.is_ok() {
            (first, other)
        } else {
            (second, one)
        };
        assert!(
            matches!(
                lost,
                Err(CommitError::Metadata(metadata::CommitError::Stale { .. }))
            ),
            "round {round}: {lost:?}"
        );
        let mut after = owner.account(&world).await;
        assert_eq!(
            (after.revision(), after.factors()[0].label.as_str()),
            (before + 1, won.as_str())
        );
        // The loser opens again and repeats its change.
        after
            .change()
            .label(1, "repeated")
            .unwrap()
            .commit()
            .await
            .unwrap();
        assert_eq!(after.revision(), before + 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upgrading_on_two_phones_at_once_leaves_one_upgrade() {
    let world = World::start().await.unwrap();
    let (phone, tablet) = (Phone::new(), Phone::new());
    let mut on_phone = create(&phone.app(&world), &world, "alice").await;
    let mut on_tablet = ready(open(&tablet.app(&world), &world, "alice").await);
    let address = on_phone.ethereum_address();
    let upgrade = async |account: &mut trefoil::Account| {
        let mut draft = account.enable_mfa();
        draft
            .device("own")
            .unwrap()
            .recovery_phrase("paper")
            .unwrap();
        let words = draft.recovery_phrase_words().unwrap().to_string();
        draft.prove_recovery_phrase(&words).unwrap();
        draft.commit().await
    };
    let (one, other) = tokio::join!(upgrade(&mut on_phone), upgrade(&mut on_tablet));
    assert_eq!(
        usize::from(one.is_ok()) + usize::from(other.is_ok()),
        1,
        "{one:?} {other:?}"
    );
    let winner = if one.is_ok() { &phone } else { &tablet };
    let loser = if one.is_ok() { &tablet } else { &phone };
    let account = ready(open(&winner.app(&world), &world, "alice").await);
    assert_eq!(
        (account.ethereum_address(), account.factors().len()),
        (address, 3)
    );
    // The loser's pending device secret is not in the record and does not count.
    match open(&loser.app(&world), &world, "alice").await {
        trefoil::Opened::NeedsFactors(pending) => assert_eq!(pending.missing(), 1),
        other => panic!("{other:?}"),
    }
    // Having seen a later record without its locator, the loser erases that secret.
    let kept = |phone: &Phone| {
        FileDeviceStore::in_directory(phone.directory())
            .read()
            .unwrap()
            .secrets(&acme())
            .count()
    };
    assert_eq!((kept(winner), kept(loser)), (1, 0));
}
