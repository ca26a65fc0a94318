//! Fewer than T nodes, malicious: nothing.

use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::social::{
    EphemeralKey, EvaluateRequest, EvaluateResponse, UserIdentity, VerifierId,
};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::faults::{Fault, answer};
use trefoil_testkit::servers::{World, WorldOptions};

use super::toolkit::{Loot, acme, social_keys};
use crate::common::{Owner, Phone, create, log_in, open, ready};

#[tokio::test]
async fn the_keys_of_t_minus_1_nodes_and_a_dump_open_nothing_and_of_t_nodes_a_one_click_wallet() {
    let options = WorldOptions {
        nodes: 5,
        threshold: 3,
        ..WorldOptions::default()
    };
    let world = World::with(options).await.unwrap();
    let account = create(&Phone::new().app(&world), &world, "alice").await;
    let loot = Loot::only(world.metadata_directory());
    let manifest = world.manifest().trust_pinned().unwrap();
    let identity =
        UserIdentity::new(acme(), VerifierId::new("google").unwrap(), "alice", 0).unwrap();
    let evaluations: Vec<_> = world
        .node_secrets()
        .iter()
        .map(|secrets| {
            let evaluation =
                secrets
                    .share()
                    .evaluate(manifest.epoch(), &identity.input(), &mut os_rng());
            manifest
                .committee()
                .verify(&identity.input(), evaluation)
                .unwrap()
        })
        .collect();

    for stolen in [
        &evaluations[..2],
        &evaluations[3..],
        &[evaluations[1].clone(), evaluations[4].clone()],
    ] {
        assert!(manifest.committee().combine(stolen).is_err());
        // One answer doubled does not make three.
        let doubled = [stolen[0].clone(), stolen[1].clone(), stolen[1].clone()];
        assert!(manifest.committee().combine(&doubled).is_err());
    }
    // A committee of the attacker's own making, in which two are enough, yields another secret.
    let real = manifest.committee().combine(&evaluations[..3]).unwrap();
    let keys = FactorKeys::derive(&acme(), &identity.factor_secret(&real, &manifest.network()));
    assert_eq!(keys.locator(), social_keys(&world, "alice").await.locator());

    // With T nodes and the dump the one-click key is gone, as the documentation says.
    let opened = loot.open(&[keys]).unwrap();
    assert_eq!(opened.public_key(), account.public_key());
}

#[tokio::test]
async fn nodes_that_lie_are_outvoted_and_cannot_give_a_user_another_wallet() {
    let options = WorldOptions {
        nodes: 5,
        threshold: 3,
        ..WorldOptions::default()
    };
    let world = World::with(options).await.unwrap();
    let phone = Phone::new();
    let address = create(&phone.app(&world), &world, "alice")
        .await
        .ethereum_address();
    let liars: Vec<String> = world.nodes[..2]
        .iter()
        .map(trefoil_testkit::servers::NodeProcess::url)
        .collect();
    let is_liar = move |request: &trefoil_client::Request| {
        request.url.path() == "/v1/evaluate"
            && liars
                .iter()
                .any(|url| request.url.as_str().starts_with(url))
    };

    // They answer nonsense.
    phone.wire.alter(is_liar.clone(), |_, _| {
        answer(http::StatusCode::OK, r#"{"version":1}"#)
    });
    assert_eq!(
        ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
        address
    );
    // They change bits of what they sealed.
    phone.wire.reset();
    phone.wire.alter(is_liar.clone(), |_, honest| {
        let mut body = honest.body.to_vec();
        let at = body.len() - 20;
        body[at] ^= 1;
        answer(honest.status, body)
    });
    assert_eq!(
        ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
        address
    );
    // They say that the token is bad, or nothing at all.
    phone.wire.reset();
    phone.wire.when(
        is_liar.clone(),
        Fault::Answer(http::StatusCode::UNAUTHORIZED, "{}".into()),
    );
    assert_eq!(
        ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
        address
    );
    phone.wire.reset();
    phone.wire.when(is_liar, Fault::Hang);
    assert_eq!(
        ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
        address
    );
}

#[tokio::test]
async fn a_node_that_answers_for_another_user_is_found_out_by_its_proof() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    let address = create(&phone.app(&world), &world, "alice")
        .await
        .ethereum_address();
    // Node 1 knows its real key and evaluates another user, and says so honestly; with T = 2 nobody joins it.
    let secrets = world.node_secrets()[0].clone();
    let manifest = world.manifest().trust_pinned().unwrap();
    let url = world.nodes[0].url();
    let lie = |user_in_answer: &'static str| {
        let (secrets, epoch) = (secrets.clone(), manifest.epoch());
        move |request: &trefoil_client::Request, honest: trefoil_client::Response| {
            let asked = EvaluateRequest::from_json(&request.body).unwrap();
            let other = UserIdentity::new(acme(), asked.verifier.clone(), "mallory", 0).unwrap();
            let evaluation = secrets
                .share()
                .evaluate(epoch, &other.input(), &mut os_rng());
            let sealed = EvaluateResponse::seal(
                &evaluation,
                user_in_answer,
                &asked.ephemeral_key,
                &mut os_rng(),
            )
            .unwrap();
            answer(honest.status, serde_json::to_vec(&sealed).unwrap())
        }
    };
    for user in ["alice", "mallory"] {
        phone.wire.reset();
        let url = url.clone();
        phone.wire.alter(
            move |request| {
                request.url.path() == "/v1/evaluate" && request.url.as_str().starts_with(&url)
            },
            lie(user),
        );
        assert_eq!(
            ready(open(&phone.app(&world), &world, "alice").await).ethereum_address(),
            address
        );
    }
}

#[tokio::test]
async fn a_node_cannot_use_the_id_token_that_it_was_shown() {
    let world = World::start().await.unwrap();
    let phone = Phone::new();
    create(&phone.app(&world), &world, "alice").await;
    phone.wire.reset();
    log_in(&phone.app(&world), &world, "alice").await.unwrap();
    let shown = phone
        .wire
        .exchanges()
        .into_iter()
        .find(|exchange| {
            exchange.request.url.path() == "/v1/evaluate" && exchange.response.is_some()
        })
        .unwrap();
    let request = EvaluateRequest::from_json(&shown.request.body).unwrap();
    super::id_token::assert_useless(
        &world,
        request.id_token.expose_secret(),
        request.ephemeral_key,
    )
    .await;
    // Nor can the one node's sealed answer be opened by anyone but the client.
    let sealed = EvaluateResponse::from_json(&shown.response.unwrap().body).unwrap();
    assert!(sealed.open(&EphemeralKey::random(&mut os_rng())).is_err());
}

#[tokio::test]
async fn all_nodes_together_are_one_factor_once_mfa_is_on() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let manifest = world.manifest().trust_pinned().unwrap();
    let identity =
        UserIdentity::new(acme(), VerifierId::new("google").unwrap(), "alice", 0).unwrap();
    let evaluations: Vec<_> = world.node_secrets()[..2]
        .iter()
        .map(|secrets| {
            let evaluation =
                secrets
                    .share()
                    .evaluate(manifest.epoch(), &identity.input(), &mut os_rng());
            manifest
                .committee()
                .verify(&identity.input(), evaluation)
                .unwrap()
        })
        .collect();
    let output = manifest.committee().combine(&evaluations).unwrap();
    let keys = FactorKeys::derive(
        &acme(),
        &identity.factor_secret(&output, &manifest.network()),
    );
    let loot = Loot::only(world.metadata_directory());
    assert_eq!(
        loot.begin(std::slice::from_ref(&keys)).unwrap().missing(),
        1
    );
    assert!(matches!(loot.open(&[keys]), Err(OpeningError::Shares(_))));
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}
