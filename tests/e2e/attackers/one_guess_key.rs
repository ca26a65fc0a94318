//! A thief of one factor, and whoever listens to the owner: their own guesses, and nothing of anybody else's.

use std::sync::Arc;
use std::time::Duration;

use trefoil_protocol::bytes::{AuthKey, Signature};
use trefoil_protocol::guess::{
    Count, Guess, GuessAnswer, GuessList, GuessRequest, ListAnswer, ListRequest, Signed,
    SlotDeleteRequest, SlotDeletion, Unlock, UnlockRequest, UnlockTag, VERSION,
};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::WINDOW;
use trefoil_testkit::environment::FixedClock;
use trefoil_testkit::servers::{World, WorldOptions};

use super::guess_tools::*;
use super::toolkit::{Loot, acme, social_keys};
use crate::common::keeper::*;
use crate::common::{Phone, needs_factors, ready};

/// Every evaluator of a slot: its name and where it takes a call.
fn everywhere(world: &World, target: &Target, call: &str) -> Vec<(u16, String)> {
    let nodes = (0..target.slot.nodes.len()).map(|place| node_url(world, place, call));
    let server = core::iter::once(server_url(world, &target.slot, call));
    (0..).zip(server.chain(nodes)).collect()
}

fn name_of(world: &World, target: &Target, index: u16) -> trefoil_protocol::guess::EvaluatorName {
    match index {
        0 => server_name(world),
        place => node_name(target, usize::from(place) - 1),
    }
}

async fn target_of(world: &World, user: &str) -> Target {
    let loot = Loot::only(world.metadata_directory());
    Target::of(&loot, &social_keys(world, user).await)
}

/// The guess keys in force, which lie in every evaluator's files.
fn listed_keys(world: &World, target: &Target) -> Vec<AuthKey> {
    let record = stored_record(world, target);
    let list: Signed<GuessList> = serde_json::from_value(record["list"].clone()).unwrap();
    let admin: AuthKey = serde_json::from_value(record["admin_key"].clone()).unwrap();
    list.verify(&admin).unwrap().keys
}

fn stored_record(world: &World, target: &Target) -> serde_json::Value {
    let file = world.metadata_directory().join("records.db");
    let bytes: Vec<u8> = rusqlite::Connection::open(file)
        .unwrap()
        .query_row(
            "SELECT record FROM slots WHERE slot_id = ?1",
            [target.slot.id.as_bytes()],
            |row| row.get(0),
        )
        .unwrap();
    serde_json::from_slice(&bytes[32..]).unwrap()
}

/// Social login stolen; the phrase's guesses are the owner's.
async fn assert_phrase_has_all_guesses(keeper: &Keeper<'_>) {
    let app = app(&Phone::new(), keeper.world);
    let locked = app.log_in_with([keeper.phrase()]).await.unwrap();
    let mut pending = needs_factors(locked.open().await.unwrap());
    match pending.guess(pin(WRONG)).await.unwrap_err() {
        trefoil::GuessError::Wrong { left, .. } => assert_eq!(left, 9),
        other => panic!("{other}"),
    }
    pending.guess(pin(OLD)).await.unwrap();
    keeper.same(ready(pending.open().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_of_one_factor_spends_its_own_guesses_and_no_others() {
    let world = World::start().await.unwrap();
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let target = target_of(&world, "alice").await;
    let own = target.seed.guess_key(&target.slot.id);
    let others: Vec<AuthKey> = listed_keys(&world, &target)
        .into_iter()
        .filter(|key| *key != own.auth_key())
        .collect();
    assert_eq!(others.len(), 1, "the phrase's");

    for (index, url) in everywhere(&world, &target, "guess") {
        // In the name of another factor's key, signed by its own, by none, and by one that is nobody's.
        let round = target.round(&[7; 32]);
        let honest = round.request(name_of(&world, &target, index), now());
        let forged = GuessRequest {
            key: others[0],
            ..honest.clone()
        };
        let problem = post::<GuessAnswer>(&url, &forged).await.unwrap_err();
        assert_eq!(problem.code, ProblemCode::BadSignature, "{index}");
        let mut unsigned = serde_json::to_value(&forged).unwrap();
        let nothing = Signature::try_from([0; 64].as_slice()).unwrap();
        unsigned["guess"]["signature"] = serde_json::to_value(nothing).unwrap();
        let problem = post::<GuessAnswer>(&url, &unsigned).await.unwrap_err();
        assert_eq!(problem.code, ProblemCode::BadSignature, "{index}");
        let stranger = AuthPrivateKey::from_seed(&[9; 32]);
        let guess: Guess = honest.guess.verify(&honest.key).unwrap();
        let strangers = GuessRequest {
            slot: target.slot.id,
            key: stranger.auth_key(),
            guess: Signed::sign(&guess, &stranger),
        };
        let problem = post::<GuessAnswer>(&url, &strangers).await.unwrap_err();
        assert_eq!(problem.code, ProblemCode::UnknownGuessKey, "{index}");
        // All of its own.
        for used in 1..=10 {
            let round = target.round(&[used; 32]);
            let request = round.request(name_of(&world, &target, index), now());
            let answer: GuessAnswer = post(&url, &request).await.unwrap();
            assert_eq!(answer.count.used, used);
            assert!(answer.count.live);
        }
        let request = target
            .round(&[11; 32])
            .request(name_of(&world, &target, index), now());
        let problem = post::<GuessAnswer>(&url, &request).await.unwrap_err();
        assert_eq!(problem.code, ProblemCode::GuessesSpent, "{index}");
    }
    assert_phrase_has_all_guesses(&keeper).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_of_one_factor_cannot_unlock_change_lists_or_delete() {
    let world = World::start().await.unwrap();
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let target = target_of(&world, "alice").await;
    let (slot, own) = (target.slot.id, target.seed.guess_key(&target.slot.id));
    let kept = stored_record(&world, &target);
    let kept_hash: UnlockTag = serde_json::from_value(kept["unlock_hash"].clone()).unwrap();

    for (index, url) in everywhere(&world, &target, "guess") {
        let name = name_of(&world, &target, index);
        let round = target.round(&[7; 32]);
        let request = round.request(name.clone(), now());
        let attempt = request.guess.verify(&request.key).unwrap().attempt;
        post::<GuessAnswer>(&url, &request).await.unwrap();

        // Tags of its own making, and what the server's files have of the right one.
        let unlock_url = url.replace("/guess", "/unlock");
        for tag in [UnlockTag::from_bytes([0; 32]), kept_hash.clone()] {
            let unlock = Unlock {
                version: VERSION,
                slot,
                evaluator: name.clone(),
                attempt,
                tag,
                time: now(),
            };
            let request = UnlockRequest {
                slot,
                key: own.auth_key(),
                unlock: Signed::sign(&unlock, &own),
            };
            let problem = post::<Count>(&unlock_url, &request).await.unwrap_err();
            assert_eq!(problem.code, ProblemCode::WrongUnlock, "{index}");
        }

        // A list with its own key alone, and the end of the slot, signed by the only key that it has.
        let list = GuessList {
            version: VERSION,
            slot,
            number: u64::MAX,
            keys: vec![own.auth_key()],
        };
        let request = ListRequest {
            slot,
            list: Signed::sign(&list, &own),
        };
        let list_url = url.replace("/guess", "/list");
        let problem = post::<ListAnswer>(&list_url, &request).await.unwrap_err();
        assert_eq!(problem.code, ProblemCode::BadSignature, "{index}");
        let deletion = SlotDeletion {
            version: VERSION,
            slot,
        };
        let request = SlotDeleteRequest {
            slot,
            deletion: Signed::sign(&deletion, &own),
        };
        let delete_url = url.replace("/guess", "/delete");
        let problem = post::<serde_json::Value>(&delete_url, &request).await;
        assert_eq!(
            problem.unwrap_err().code,
            ProblemCode::BadSignature,
            "{index}"
        );
    }
    // One guess was counted everywhere, and nothing else was done.
    assert_eq!(keeper.left_after_a_wrong_one().await, 8);
    assert_phrase_has_all_guesses(&keeper).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_statements_give_nothing_and_count_nothing_wherever_and_whenever_they_are_replayed()
 {
    let clock = FixedClock::at(now());
    let options = WorldOptions {
        clock: Arc::new(clock.clone()),
        ..WorldOptions::default()
    };
    let world = World::with(options).await.unwrap();
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    // Everything that the owner sends to guess right.
    let phone = Phone::new();
    let mut pending = keeper.pending(&phone).await;
    phone.wire.reset();
    pending.guess(pin(OLD)).await.unwrap();
    let captured: Vec<_> = phone
        .wire
        .exchanges()
        .into_iter()
        .map(|exchange| exchange.request)
        .filter(|request| {
            let path = request.url.path();
            path.ends_with("/guess") || path.ends_with("/unlock")
        })
        .collect();
    assert!(captured.len() >= 4 + 4, "{}", captured.len());
    // The thief has used three of the social login's guesses; a replayed unlock would give them back.
    for _ in 0..3 {
        keeper.open_by(WRONG).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let target = target_of(&world, "alice").await;
    for late in [false, true] {
        if late {
            clock.advance(2 * WINDOW);
        }
        for request in &captured {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let call = request.url.path().rsplit('/').next().unwrap();
            for (_, url) in everywhere(&world, &target, call) {
                let same = url == request.url.as_str();
                let answer = post::<serde_json::Value>(&url, &body).await;
                match answer {
                    // The attempt that unlocked is answered from store, and is unlocked no second time.
                    Ok(_) => assert!(same && !late, "{url}"),
                    Err(problem) if !same => {
                        assert_eq!(problem.code, ProblemCode::WrongEvaluator, "{url}");
                    }
                    Err(problem) if late => {
                        assert_eq!(problem.code, ProblemCode::StatementExpired, "{url}");
                    }
                    Err(problem) => panic!("{url}: {problem}"),
                }
            }
        }
    }
    assert_eq!(keeper.left_after_a_wrong_one().await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_factors_guesses_are_over() {
    let world = World::start().await.unwrap();
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    // What a thief of the phrase has kept from before its removal.
    let phrase = trefoil::RecoveryPhrase::parse(keeper.words()).unwrap();
    let keys = trefoil_protocol::factor::FactorKeys::derive(&acme(), &phrase.factor_secret());
    let stolen = Target::of(&Loot::only(world.metadata_directory()), &keys);
    let request = |index| {
        let round = stolen.round(&[7; 32]);
        round.request(name_of(&world, &stolen, index), now())
    };
    for (index, url) in everywhere(&world, &stolen, "guess") {
        post::<GuessAnswer>(&url, &request(index)).await.unwrap();
    }

    let mut account = keeper.open(&keeper.phone).await;
    let paper = crate::common::index_of(&account, "paper");
    let mut draft = account.change();
    draft
        .remove(paper)
        .unwrap()
        .recovery_phrase("new paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();

    for (index, url) in everywhere(&world, &stolen, "guess") {
        let answer = post::<GuessAnswer>(&url, &request(index)).await;
        let problem = answer.unwrap_err();
        assert_eq!(problem.code, ProblemCode::UnknownGuessKey, "{index}");
    }
    keeper.open_by(OLD).await.unwrap();
    assert_eq!(keeper.left_after_a_wrong_one().await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_finds_no_slot() {
    let world = World::start().await.unwrap();
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let target = target_of(&world, "alice").await;
    for call in ["guess", "unlock", "list", "delete"] {
        let url = server_url(&world, &target.slot, call).replace("/acme/", "/other/");
        let round = target.round(&[7; 32]);
        let body = match call {
            "guess" => serde_json::to_value(round.request(server_name(&world), now())),
            "unlock" => {
                let secret = trefoil_protocol::factor::FactorSecret::from_bytes([1; 32]);
                let unlock = round.unlock(&secret, server_name(&world), 0, now());
                serde_json::to_value(unlock)
            }
            "list" => {
                let record = stored_record(&world, &target);
                serde_json::to_value(ListRequest {
                    slot: target.slot.id,
                    list: serde_json::from_value(record["list"].clone()).unwrap(),
                })
            }
            _ => {
                let deletion = SlotDeletion {
                    version: VERSION,
                    slot: target.slot.id,
                };
                let own = target.seed.guess_key(&target.slot.id);
                serde_json::to_value(SlotDeleteRequest {
                    slot: target.slot.id,
                    deletion: Signed::sign(&deletion, &own),
                })
            }
        };
        let answer = post::<serde_json::Value>(&url, &body.unwrap()).await;
        assert_eq!(answer.unwrap_err().code, ProblemCode::NoSlot, "{call}");
    }
    // The same user's login with the other app's verifier opens no state of this account, so it has no guess key at all.
    let secret = super::toolkit::social_secret(&world, "other", "google", "alice").await;
    let keys = trefoil_protocol::factor::FactorKeys::derive(&acme(), &secret);
    assert!(
        Loot::only(world.metadata_directory())
            .begin(&[keys])
            .is_err()
    );
    assert_eq!(keeper.left_after_a_wrong_one().await, 9);
}
