//! Changing what the user knows, and what a change leaves behind.

use trefoil::FactorKind;
use trefoil::knowledge::Cost;

use crate::user::*;

async fn with_password() -> User {
    User::with(|draft| {
        draft.password("password", &password(PASSWORD)).unwrap();
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_opens_and_the_old_one_does_not() {
    let user = with_password().await;
    let mut account = user.open().await;
    let index = index_of(&account, FactorKind::Password);
    let mut draft = account.change();
    let other = password("staple of another battery");
    draft.change_password(index, &other).unwrap();
    draft.commit().await.unwrap();
    assert_ne!(index_of(&account, FactorKind::Password), index);
    let tended = account.tend_slots().await;
    assert_eq!((tended.waiting, tended.left_over), (0, 0));

    let app = user.app();
    let mut pending = user.pending(&app).await;
    pending.guess(password(PASSWORD)).await.unwrap_err();
    pending.guess(other).await.unwrap();
    user.same(pending.open().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_factor_guesses_no_more() {
    let user = User::with(|draft| {
        draft.pin("phone PIN", &pin(PIN)).unwrap();
        draft.password("password", &password(PASSWORD)).unwrap();
    })
    .await;
    // Held since before the removal.
    let mut stale = user.pending_by_phrase(&user.app()).await;
    let mut account = user.open().await;
    let index = index_of(&account, FactorKind::RecoveryPhrase);
    let mut draft = account.change();
    draft
        .remove(index)
        .unwrap()
        .accept_one_primary_factor()
        .unwrap();
    draft.commit().await.unwrap();
    assert!(stale.guess(pin(PIN)).await.is_err());
    let mut pending = user.pending(&user.app()).await;
    pending.guess(pin(PIN)).await.unwrap();
    user.same(pending.open().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risen_default_stretches_anew_at_the_next_use() {
    let user = with_password().await;
    let risen = Cost {
        passes: 3,
        ..Cost::LEAST
    };
    let app = user.builder().stretch_cost(risen).build().unwrap();
    let mut pending = user.pending(&app).await;
    pending.guess(password(PASSWORD)).await.unwrap();
    let account = user.same(pending.open().await.unwrap());
    assert_eq!(account.revision(), 3);
    // Only once, and whoever asks for less leaves it.
    for app in [app, user.app()] {
        let mut pending = user.pending(&app).await;
        pending.guess(password(PASSWORD)).await.unwrap();
        let account = user.same(pending.open().await.unwrap());
        assert_eq!(account.revision(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_lack_a_slot_get_a_new_one_at_the_next_use() {
    let mut user = with_password().await;
    // Its disk is gone.
    user.world.nodes[2].lose_slots();
    let mut pending = user.pending(&user.app()).await;
    pending.guess(password(PASSWORD)).await.unwrap();
    let account = user.same(pending.open().await.unwrap());
    assert_eq!(account.revision(), 3);
    for place in [0, 1, 3, 4] {
        user.world.nodes[place].kill().await;
    }
    let mut pending = user.pending(&user.app()).await;
    pending.guess(password(PASSWORD)).await.unwrap();
    user.same(pending.open().await.unwrap());
}
