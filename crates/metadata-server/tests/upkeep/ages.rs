//! Records and nonces of different ages come back together (protocol section 7).

use trefoil_metadata_server::upkeep::RestoreError;
use trefoil_protocol::bytes::SealedNonce;
use trefoil_protocol::record::Custody;
use trefoil_store::{
    MetadataStore as _, SqliteOptions, StoreError, StoreReader as _, UpkeepStore as _,
};

use crate::support::NOW;
use crate::support::wallet::Wallet;
use crate::world::{Place, commit, create, delete, login, name, plan, restore};

const DAY: u64 = 24 * 3600;

fn guarded(base: &Wallet, nonce: &str) -> Wallet {
    let mut next = base.next();
    next.payload.custody = Custody::Guarded;
    next.nonce = Some(SealedNonce::new(nonce.as_bytes().to_vec()));
    next.payload.nonce_hash = next.nonce.as_ref().map(SealedNonce::hash);
    next
}

/// Every account of this test, at the moments that matter.
struct Accounts {
    /// Nothing happens to it.
    steady: Wallet,
    /// One-click in the old backup, self custody later.
    upgraded: (Wallet, Wallet),
    /// Guarded throughout; its nonce is replaced in between.
    guarded: (Wallet, Wallet),
    /// Deleted in between.
    deleted: Wallet,
    /// Created after the old backup.
    late: Wallet,
}

/// Two backups, "old" of six days ago and "new" of today, and the store as it is now.
async fn history(place: &Place) -> Accounts {
    let store = place.open();
    let steady = Wallet::one_click("acme", 1, 1);
    create(&store, &steady).await;
    let one_click = Wallet::one_click("acme", 2, 2);
    let of_upgraded = create(&store, &one_click).await;
    let first = Wallet::one_click("acme", 3, 3);
    let of_guarded = create(&store, &first).await;
    let spread = first.upgrade(&[(1, 3), (2, 33), (3, 34)]);
    commit(&store, &of_guarded, &first, &spread).await;
    let before = guarded(&spread, "the first nonce of the guarded account");
    commit(&store, &of_guarded, &spread, &before).await;
    let deleted = Wallet::one_click("acme", 4, 4);
    let of_deleted = create(&store, &deleted).await;
    place.back_up(&store, "old", 6 * DAY).await;

    let upgraded = one_click.upgrade(&[(1, 2), (2, 22), (3, 23)]);
    commit(&store, &of_upgraded, &one_click, &upgraded).await;
    let after = guarded(&before, "the second nonce of the guarded account");
    commit(&store, &of_guarded, &before, &after).await;
    delete(&store, &of_deleted).await;
    let late = Wallet::one_click("acme", 5, 5);
    create(&store, &late).await;
    place.back_up(&store, "new", 0).await;
    Accounts {
        steady,
        upgraded: (one_click, upgraded),
        guarded: (before, after),
        deleted,
        late,
    }
}

#[tokio::test]
async fn records_and_nonces_of_today_bring_back_today() {
    let place = Place::new();
    let accounts = history(&place).await;
    let target = Place::new();
    let store = target.to_restore();
    let all = plan(&place.file("new.records")).nonces(place.file("new.nonces"));
    let report = restore(&store, all).await.unwrap();
    assert!(report.finished);
    assert_eq!((report.accounts, report.tombstones), (4, 1));
    assert_eq!((report.nonces_named, report.nonces_loaded), (3, 3));
    assert!(report.without_nonce.is_empty() && report.problems.is_empty());
    drop(store);

    let store = target.open();
    for wallet in [&accounts.steady, &accounts.guarded.1, &accounts.late] {
        let opened = login(&store, wallet, 1).await.unwrap();
        assert_eq!(opened.record.payload, wallet.record().payload);
        assert_eq!(opened.sealed_nonce, wallet.nonce);
    }
    let opened = login(&store, &accounts.upgraded.1, 2).await.unwrap();
    assert_eq!(opened.sealed_nonce, None);
    assert!(matches!(
        login(&store, &accounts.deleted, 1).await,
        Err(StoreError::NoAccount)
    ));
}

/// The records are older than what happened since, the nonce store is the live one: whoever ended a nonce since waits for a
/// device, and is listed, exactly.
#[tokio::test]
async fn old_records_beside_live_nonces_list_who_ended_a_nonce_since() {
    let place = Place::new();
    let accounts = history(&place).await;
    place.lose(false);
    let store = place.to_restore();
    let from_live = plan(&place.file("old.records"));
    let report = restore(&store, from_live.clone()).await.unwrap();
    let mut expected = [
        name(&accounts.upgraded.0),
        name(&accounts.guarded.0),
        name(&accounts.deleted),
    ];
    expected.sort();
    assert_eq!(report.without_nonce, expected);
    assert_eq!((report.nonces_named, report.nonces_loaded), (4, 0));
    // Before anybody is served somebody has to have read that.
    assert!(!report.finished);
    drop(store);
    assert!(matches!(
        SqliteOptions::new(place.data()).open(),
        Err(StoreError::Restoring)
    ));
    let store = place.to_restore();
    assert!(store.check_ready(NOW).await.is_err());
    let report = restore(&store, from_live.accept_missing_nonces(true))
        .await
        .unwrap();
    assert!(report.finished);
    assert_eq!(report.without_nonce, expected);
    drop(store);

    let store = place.open();
    let opened = login(&store, &accounts.steady, 1).await.unwrap();
    assert_eq!(opened.sealed_nonce, accounts.steady.nonce);
    // They log in, get their records of then, and no nonce.
    for wallet in [&accounts.upgraded.0, &accounts.guarded.0, &accounts.deleted] {
        let opened = login(&store, wallet, 1).await.unwrap();
        assert_eq!(opened.record.payload, wallet.record().payload);
        assert_eq!(opened.sealed_nonce, None);
    }
    assert!(matches!(
        login(&store, &accounts.late, 1).await,
        Err(StoreError::NoAccount)
    ));
}

/// With the nonce backup of then each account is what it was then: one-click again, guarded by the nonce of then.
#[tokio::test]
async fn a_kept_nonce_backup_makes_old_records_open() {
    let place = Place::new();
    let accounts = history(&place).await;
    place.lose(false);
    let store = place.to_restore();
    let both = plan(&place.file("old.records"))
        .nonces(place.file("new.nonces"))
        .nonces(place.file("old.nonces"));
    let report = restore(&store, both).await.unwrap();
    assert!(report.finished);
    assert_eq!(report.without_nonce, []);
    // That of the steady account was there.
    assert_eq!((report.nonces_named, report.nonces_loaded), (4, 3));
    drop(store);
    let store = place.open();
    for wallet in [
        &accounts.steady,
        &accounts.upgraded.0,
        &accounts.guarded.0,
        &accounts.deleted,
    ] {
        let opened = login(&store, wallet, 1).await.unwrap();
        assert_eq!(opened.sealed_nonce, wallet.nonce);
    }
    // Nonces of now that no record of then names: kept for whoever looks for them, gone when the operator says so.
    let nonces = store.stats().await.unwrap().nonces;
    assert_eq!(nonces, 6);
    assert_eq!(store.prune(NOW).await.unwrap().nonces, 2);
}

/// The nonces are older than the records.
#[tokio::test]
async fn new_records_with_old_nonces_list_who_got_a_nonce_since() {
    let place = Place::new();
    let accounts = history(&place).await;
    let target = Place::new();
    let store = target.to_restore();
    let mixed = plan(&place.file("new.records")).nonces(place.file("old.nonces"));
    let report = restore(&store, mixed.clone()).await.unwrap();
    let mut expected = [name(&accounts.guarded.1), name(&accounts.late)];
    expected.sort();
    assert_eq!(report.without_nonce, expected);
    assert!(!report.finished);
    // The ended ones stay out: neither the upgraded nor the deleted account gets its nonce back.
    assert_eq!(report.nonces_loaded, 1);
    assert_eq!(store.stats().await.unwrap().nonces, 1);
    // Another backup turns up, and the same restore goes on.
    let report = restore(&store, mixed.nonces(place.file("new.nonces")))
        .await
        .unwrap();
    assert!(report.finished && report.without_nonce.is_empty());
}

#[tokio::test]
async fn nonces_beyond_the_horizon_are_refused() {
    let place = Place::new();
    let accounts = history(&place).await;
    let store = place.open();
    place.back_up(&store, "ancient", 8 * DAY).await;
    drop(store);
    let target = Place::new();
    let store = target.to_restore();
    let ancient = plan(&place.file("new.records")).nonces(place.file("ancient.nonces"));
    let error = restore(&store, ancient.clone()).await.unwrap_err();
    assert!(
        matches!(&error, RestoreError::OldNonces { days: 8, path } if *path == place.file("ancient.nonces")),
        "{error}"
    );
    // Nothing was begun.
    assert_eq!(store.stats().await.unwrap().accounts, 0);
    store.check_ready(NOW).await.unwrap();
    let error = restore(&store, ancient.clone().horizon(7 * DAY + 100)).await;
    assert!(matches!(error, Err(RestoreError::OldNonces { .. })));
    assert!(
        restore(&store, ancient.clone().allow_old_nonces(true))
            .await
            .unwrap()
            .finished
    );
    let opened = login(&store, &accounts.late, 1).await.unwrap();
    assert_eq!(opened.sealed_nonce, accounts.late.nonce);

    // And go by themselves, if somebody asks for it; nothing else does.
    let erased =
        trefoil_metadata_server::upkeep::erase_old_nonces(place.directory.path(), NOW - 7 * DAY)
            .unwrap();
    assert_eq!(erased, [place.file("ancient.nonces")]);
    for kept in ["old.nonces", "new.nonces", "ancient.records", "old.records"] {
        assert!(place.file(kept).exists(), "{kept}");
    }
}

#[tokio::test]
async fn a_store_in_use_and_another_backup_are_refused() {
    let place = Place::new();
    history(&place).await;
    let store = place.open();
    let error = restore(&store, plan(&place.file("old.records"))).await;
    assert!(matches!(
        error,
        Err(RestoreError::Store(StoreError::NotEmpty))
    ));
    store.check_ready(NOW).await.unwrap();

    let target = Place::new();
    let half = target.to_restore();
    let old = plan(&place.file("old.records"));
    assert!(!restore(&half, old).await.unwrap().finished);
    let new = plan(&place.file("new.records"));
    assert!(matches!(
        restore(&half, new).await,
        Err(RestoreError::Store(StoreError::OtherRestore))
    ));
}
