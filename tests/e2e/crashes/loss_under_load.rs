//! A metadata server set back to an older backup while clients are at work: each of them is warned, restores with a commit
//! of its own, and nobody is locked out; no removed factor returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use trefoil::{Account, RecoveryPhrase, RollbackError};
use trefoil_testkit::servers::World;

use crate::common::{Owner, Phone, index_of, needs_factors, open, ready, rolled_back};

const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What one client knows when its work was cut off.
struct Work {
    /// The newest label that the server acknowledged.
    acknowledged: String,
    revision: u64,
    /// The one that it did not: nobody knows whether it was kept.
    attempted: String,
}

/// Removes the phrase that the backup knows and enrols another; returns its words.
async fn replace_phrase(account: &mut Account) -> String {
    let paper = index_of(account, "paper");
    let mut draft = account.change();
    draft
        .remove(paper)
        .unwrap()
        .recovery_phrase("new paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();
    words
}

/// Commits label after label, as fast as it goes, until the server does not go along any more.
async fn work(mut account: Account, commits: Arc<AtomicUsize>) -> Work {
    let mut acknowledged = String::new();
    for number in 0.. {
        let attempted = format!("label {number}");
        let mut draft = account.change();
        draft.label(1, attempted.clone()).unwrap();
        if draft.commit().await.is_err() {
            return Work {
                acknowledged,
                revision: account.revision(),
                attempted,
            };
        }
        acknowledged = attempted;
        commits.fetch_add(1, Ordering::SeqCst);
    }
    unreachable!("the server takes commits for ever")
}

/// The owner's phone refuses the past by name, and brings back what it saw.
async fn warned_and_restored(world: &World, owner: &Owner, work: &Work) {
    let rolled_back = rolled_back(open(&owner.phone.app(world), world, owner.name).await);
    assert!(matches!(
        rolled_back.reason(),
        Some(RollbackError::Older { served, seen }) if served < seen && seen >= work.revision
    ));
    assert_eq!(rolled_back.missing().unwrap(), 0);
    let restored = ready(rolled_back.restore_after_warning().await.unwrap());
    assert_eq!(restored.ethereum_address(), owner.address);
    assert!(restored.revision() > work.revision);
    let label = &restored.factors()[0].label;
    assert!(
        [&work.acknowledged, &work.attempted].contains(&label),
        "{label}"
    );
    assert!(restored.factors().iter().all(|note| note.label != "paper"));
}

/// The factor that was enrolled after the backup opens the account on a new phone; the one that was removed does not.
async fn nobody_is_locked_out(world: &World, owner: &Owner, words: &str) {
    let mut pending = needs_factors(open(&Phone::new().app(world), world, owner.name).await);
    let phrase = RecoveryPhrase::parse(words).unwrap();
    pending.provide(phrase).await.unwrap();
    let opened = ready(pending.open().await.unwrap());
    assert_eq!(opened.ethereum_address(), owner.address);

    let mut pending = needs_factors(open(&Phone::new().app(world), world, owner.name).await);
    assert!(pending.provide(owner.phrase()).await.is_err());
    // The phone itself goes on as before.
    let again = owner.account(world).await;
    assert_eq!(again.ethereum_address(), owner.address);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_at_work_are_warned_and_bring_back_everything() {
    let mut world = World::start().await.unwrap();
    let owners = join_all(OWNERS.map(|name| Owner::new(&world, name))).await;
    let backup = world.backup().await.unwrap();

    let mut words = Vec::new();
    let mut accounts = Vec::new();
    for owner in &owners {
        let mut account = owner.account(&world).await;
        words.push(replace_phrase(&mut account).await);
        accounts.push(account);
    }
    let mut workers = Vec::new();
    let mut counts = Vec::new();
    for account in accounts {
        let commits = Arc::new(AtomicUsize::new(0));
        counts.push(Arc::clone(&commits));
        workers.push(tokio::spawn(work(account, commits)));
    }
    // Each of them is in the middle of it.
    while counts.iter().any(|count| count.load(Ordering::SeqCst) < 3) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.restore(&backup).await.unwrap();
    // None of them goes on as if nothing had happened.
    let worked: Vec<Work> = join_all(workers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();

    // All at once, as clients come back after an outage.
    let world = &world;
    let restores = owners.iter().zip(&worked);
    join_all(restores.map(|(owner, work)| warned_and_restored(world, owner, work))).await;
    for (owner, words) in owners.iter().zip(&words) {
        nobody_is_locked_out(world, owner, words).await;
    }
}
