//! When factors should be proven again, and proving them.
use std::sync::Arc;

use trefoil::knowledge::{Cost, Pin};
use trefoil::{
    DrillError, Environment, FactorKind, GuessError, Opened, RecoveryPhrase, Trefoil, VerifierId,
    WordCount,
};
use trefoil_testkit::environment::{FixedClock, os_rng};
use trefoil_testkit::servers::{World, WorldOptions};

const DAY: u64 = 24 * 60 * 60;

#[tokio::test(flavor = "multi_thread")]
async fn factors_are_due_after_their_interval_and_proven_on_demand() {
    let clock = FixedClock::at(1_800_000_000);
    let options = WorldOptions {
        clock: Arc::new(clock.clone()),
        ..WorldOptions::default()
    };
    let world = World::with(options).await.unwrap();
    let app = Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .environment(Environment::new(clock.clone(), os_rng()))
        .stretch_cost(Cost::LEAST)
        .build()
        .unwrap();
    let login = app.begin_login();
    let token = world.id_token("alice", &login.oidc_nonce()).unwrap();
    let google = VerifierId::new("google").unwrap();
    let locked = login.complete(&google, &token).await.unwrap();
    let Opened::NoAccount(new) = locked.open().await.unwrap() else {
        panic!("there is an account already");
    };
    let Opened::Ready(mut account) = new.create().await.unwrap() else {
        panic!("not open");
    };
    let mut draft = account.enable_mfa();
    draft.recovery_phrase("paper").unwrap();
    let words = draft.recovery_phrase_words().unwrap();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.pin("PIN", &Pin::entered("731842").unwrap()).unwrap();
    draft.commit().await.unwrap();

    let begun = 1_800_000_000;
    let health = account.backup_health();
    let due: Vec<_> = health
        .iter()
        .map(|factor| (factor.kind, factor.due))
        .collect();
    assert_eq!(
        due,
        [
            (FactorKind::Social, None),
            (FactorKind::RecoveryPhrase, Some(begun + 90 * DAY)),
            (FactorKind::Pin, Some(begun + 90 * DAY)),
        ]
    );
    let use_by: Vec<_> = health.iter().map(|factor| factor.use_by).collect();
    assert_eq!(use_by, [None, None, Some(begun + 400 * DAY)]);
    assert!(account.due_for_proof().is_empty());

    clock.set(begun + 90 * DAY);
    assert_eq!(account.due_for_proof().len(), 2);
    let wrong = RecoveryPhrase::generate(&mut os_rng(), WordCount::TwentyFour);
    assert!(matches!(
        account.drill(wrong).await.unwrap_err(),
        DrillError::NotEnrolled
    ));
    let phrase = RecoveryPhrase::parse(&words).unwrap();
    assert_eq!(account.drill(phrase).await.unwrap(), 2);
    assert!(matches!(
        account
            .drill_known(Pin::entered("731843").unwrap())
            .await
            .unwrap_err(),
        DrillError::Guess(GuessError::Wrong { left: 9, .. })
    ));
    let pin = Pin::entered("731842").unwrap();
    assert_eq!(account.drill_known(pin).await.unwrap(), 3);
    assert!(account.due_for_proof().is_empty());

    // Another interval, which the account keeps.
    let mut draft = account.change();
    draft.remind_every(30).unwrap();
    draft.commit().await.unwrap();
    clock.set(begun + 121 * DAY);
    assert_eq!(account.due_for_proof().len(), 2);
}
