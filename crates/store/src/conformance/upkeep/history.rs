//! A year of history.

use super::super::fixture::{NOW, Owner, login};
use super::{UpkeepBackend, dumped};
use crate::model::EVENTS_KEPT;

/// About three a day.
const REFRESHES: u64 = 1000;

/// What is kept of an account after a thousand refreshes is what was kept when its log was first full.
pub async fn a_year_of_history_leaves_an_account_its_size<B: UpkeepBackend>(backend: &B, _: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let caller = first.create(&store).await;
    let factors = ["alice social", "phone", "phrase"];
    // Numbers with as many digits all the time: payloads are of one length then.
    let mut owner = first.next(&factors).without_nonce();
    owner.revision = 10_000;
    owner.epoch = 10_000;
    owner.commit_over(&first, &caller, &store).await.unwrap();
    let size = async || {
        let entries = dumped(&store).await;
        assert_eq!(entries.len(), 1);
        serde_json::to_vec(&entries).unwrap().len()
    };
    let mut full = 0;
    for refresh in 1..=REFRESHES {
        let next = owner.next(&factors);
        next.commit_over(&owner, &caller, &store).await.unwrap();
        owner = next;
        if refresh == EVENTS_KEPT {
            full = size().await;
        }
    }
    let grown = size().await.abs_diff(full);
    // The events' numbers have a digit more.
    assert!(
        grown <= usize::try_from(4 * EVENTS_KEPT).unwrap(),
        "{grown} bytes"
    );
    let (opened, _) = login(&store, "acme", &["phrase"], NOW).await.unwrap();
    assert_eq!(opened.record.payload, owner.payload());
}
