//! A removed factor with the current record: nothing. With everything old that it saw: one old share.

use trefoil_client::metadata::LoginError;
use trefoil_protocol::envelope::{Place, open as open_envelope};
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::opening::OpeningError;
use trefoil_shares::{Commitments, ReconstructError, reconstruct};
use trefoil_testkit::servers::World;

use super::toolkit::{Loot, acme, raw_client, social_keys};
use crate::common::{Owner, index_of};

#[tokio::test]
async fn it_is_refused_and_its_old_share_fits_no_new_one() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let phrase = trefoil::RecoveryPhrase::parse(&owner.words)
        .unwrap()
        .factor_secret();
    let removed = FactorKeys::derive(&acme(), &phrase);
    // The thief of the phrase keeps whatever it opens while it is still enrolled.
    let old = Loot::only(world.metadata_directory());

    let mut account = owner.account(&world).await;
    let paper = index_of(&account, "paper");
    let mut draft = account.change();
    draft
        .remove(paper)
        .unwrap()
        .recovery_phrase("new paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();

    // The current record holds nothing for it, the server refuses it, and its envelope is erased.
    let current = Loot::only(world.metadata_directory());
    assert!(matches!(
        current.open(std::slice::from_ref(&removed)),
        Err(OpeningError::NotEnrolled)
    ));
    let error = raw_client(&world, "acme")
        .login(&[removed.auth()])
        .await
        .unwrap_err();
    assert!(matches!(error, LoginError::FactorRemoved), "{error}");
    let old_record = old.verified();
    let index = old_record.factor_at(&removed.locator()).unwrap().index;
    assert!(current.envelopes.iter().all(|held| held.index != index));

    // Its old share beside a current one: two shares, but not of one sharing.
    let share_of = |loot: &Loot, keys: &FactorKeys| {
        let record = loot.verified();
        let index = record.factor_at(&keys.locator()).unwrap().index;
        let held = loot
            .envelopes
            .iter()
            .find(|held| held.index == index)
            .unwrap();
        let place = Place {
            account_id: record.account_id,
            epoch: record.epoch,
            index,
        };
        open_envelope(&held.envelope, keys, place)
            .unwrap()
            .share
            .unwrap()
    };
    let social = social_keys(&world, "alice").await;
    let (old_share, new_share) = (share_of(&old, &removed), share_of(&current, &social));
    for loot in [&old, &current] {
        let factors = if std::ptr::eq(loot, &old) {
            &removed
        } else {
            &social
        };
        let state = loot
            .begin(std::slice::from_ref(factors))
            .unwrap()
            .state()
            .clone();
        let commitments = Commitments::from_points(state.commitments).unwrap();
        let mixed = reconstruct(&commitments, &[old_share.clone(), new_share.clone()]);
        assert!(
            matches!(mixed, Err(ReconstructError::BadShares { .. })),
            "{mixed:?}"
        );
    }
    // With one more old envelope it would be the key: that is what the documentation warns of.
    assert!(old.open(&[removed, social]).is_ok());
}
