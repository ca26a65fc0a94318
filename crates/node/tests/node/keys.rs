//! The provider's keys: fetched once, rotated, withheld, broken.

use std::time::{Duration, Instant};

use trefoil_node::FetchConfig;
use trefoil_protocol::social::EphemeralKey;
use trefoil_testkit::oidc::{Algorithm, Fault, Fetches, OpenIdProvider, ProviderOptions};

use crate::world::{World, acme, request, rng};

async fn with_fetching(fetching: FetchConfig) -> World {
    World::with(1, 1, |provider| vec![acme(provider)], fetching).await
}

#[tokio::test]
async fn one_fetch_serves_many_logins() {
    let world = World::small().await;
    assert_eq!(
        world.provider.fetches(),
        Fetches::default(),
        "nothing is fetched before the first login"
    );
    for user in 0..50 {
        let key = EphemeralKey::random(&mut rng(user));
        assert!(
            world
                .ask(&world.token(&format!("user-{user}"), &key), &key.public())
                .await
                .is_ok()
        );
    }
    assert_eq!(
        world.provider.fetches(),
        Fetches {
            discovery: 1,
            jwks: 1
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_come_at_once_share_one_fetch() {
    let world = World::small().await;
    world
        .provider
        .set_fault(Fault::Slow(Duration::from_millis(300)));
    let key = EphemeralKey::random(&mut rng(10));
    let body = request("acme", "google", &world.token("ada", &key), &key.public());
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let request = world
            .http
            .post(format!("{}/v1/evaluate", world.urls[0]))
            .json(&body);
        logins.spawn(crate::world::answer(request));
    }
    assert!(logins.join_all().await.iter().all(Result::is_ok));
    assert_eq!(
        world.provider.fetches(),
        Fetches {
            discovery: 1,
            jwks: 1
        }
    );
}

#[tokio::test]
async fn verifiers_of_one_issuer_share_its_keys() {
    let both = |provider: &OpenIdProvider| {
        let mut second = acme(provider);
        second.id = crate::world::verifier_id("second");
        second.audiences = vec!["second-app".to_owned()];
        vec![acme(provider), second]
    };
    let world = World::with(1, 1, both, FetchConfig::default()).await;
    let key = EphemeralKey::random(&mut rng(10));
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
    let token = world
        .provider
        .id_token(&world.claims("ada", &key).with("aud", "second-app"))
        .unwrap();
    assert!(
        world
            .post(0, &request("acme", "second", &token, &key.public()))
            .await
            .is_ok()
    );
    assert_eq!(
        world.provider.fetches(),
        Fetches {
            discovery: 1,
            jwks: 1
        }
    );
}

#[tokio::test]
async fn rotation_is_seen_with_the_first_token_of_a_new_key() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let old = world.token("ada", &key);
    assert!(world.ask(&old, &key.public()).await.is_ok());
    world.advance(30);
    world.provider.rotate_keys(&mut rng(20)).unwrap();
    assert!(
        world.ask(&old, &key.public()).await.is_ok(),
        "nobody has told the node yet"
    );
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
    assert_eq!(world.provider.fetches().jwks, 2);
    // The retired key is no longer published; a token that it signed is worth nothing.
    assert_eq!(world.refusal(&old, &key).await, "token_unknown_key");
    assert_eq!(world.provider.fetches().jwks, 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_within_the_hour() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
    let stolen = world.provider.forger();
    world.provider.rotate_keys(&mut rng(20)).unwrap();
    world.advance(3599);
    let forged = || {
        stolen
            .signed(&world.claims("ada", &key), Algorithm::Es256)
            .unwrap()
    };
    assert!(world.ask(&forged(), &key.public()).await.is_ok());
    world.advance(1);
    assert_eq!(world.refusal(&forged(), &key).await, "token_unknown_key");
}

#[tokio::test]
async fn unknown_key_ids_cause_one_fetch_per_cool_down() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let forged = world
        .provider
        .forger()
        .unknown_kid(&world.claims("eve", &key), Algorithm::Es256)
        .unwrap();
    for _ in 0..10 {
        assert_eq!(world.refusal(&forged, &key).await, "token_unknown_key");
    }
    assert_eq!(world.provider.fetches().jwks, 1);
    world.advance(29);
    assert_eq!(world.refusal(&forged, &key).await, "token_unknown_key");
    assert_eq!(world.provider.fetches().jwks, 1);
    world.advance(1);
    for _ in 0..10 {
        assert_eq!(world.refusal(&forged, &key).await, "token_unknown_key");
    }
    assert_eq!(world.provider.fetches().jwks, 2);
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn what_a_token_is_refused_for_before_its_key_causes_no_fetch() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let forged = world
        .provider
        .forger()
        .alg_none(&world.claims("eve", &key))
        .unwrap();
    assert_eq!(
        world.refusal(&forged, &key).await,
        "token_algorithm_refused"
    );
    assert_eq!(world.refusal("a.b.c", &key).await, "token_malformed");
    assert_eq!(world.provider.fetches(), Fetches::default());
}

#[tokio::test]
async fn an_outage_after_the_first_fetch_changes_nothing_for_a_day() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
    world.provider.set_fault(Fault::Down);
    for _ in 0..24 {
        world.advance(3600);
        assert!(
            world
                .ask(&world.token("ada", &key), &key.public())
                .await
                .is_ok()
        );
    }
    assert!(world.provider.fetches().discovery > 20, "it keeps trying");
    world.advance(1);
    let problem = world
        .ask(&world.token("ada", &key), &key.public())
        .await
        .unwrap_err();
    assert_eq!(
        (problem.code.as_str(), problem.retry_after),
        ("provider_unreachable", Some(299)),
        "the pause after so many failures is five minutes, of which one second has passed"
    );
    world.provider.set_fault(Fault::None);
    world.advance(299);
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_provider_that_stays_down_is_asked_less_and_less_often() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let token = world.token("ada", &key);
    world.provider.set_fault(Fault::Down);
    for (failures, pause) in (1..).zip([5, 10, 20, 40, 80, 160, 300, 300, 300]) {
        // However many ask, and up to the last second, there is one fetch and the wait told is what is left of it.
        for (passes, left) in [(0, pause), (0, pause), (pause - 1, 1)] {
            world.advance(passes);
            let problem = world.ask(&token, &key.public()).await.unwrap_err();
            assert_eq!(
                (problem.code.as_str(), problem.retry_after),
                ("provider_unreachable", Some(left)),
                "failure {failures}"
            );
            assert_eq!(world.provider.fetches().discovery, failures);
        }
        world.advance(1);
    }
    // One success, and the next outage begins with the short pause again.
    world.provider.set_fault(Fault::None);
    let fresh = || world.token("ada", &key);
    assert!(world.ask(&fresh(), &key.public()).await.is_ok());
    world.provider.set_fault(Fault::Down);
    world.advance(24 * 3600 + 1);
    let problem = world.ask(&fresh(), &key.public()).await.unwrap_err();
    assert_eq!(problem.retry_after, Some(5));
}

#[tokio::test]
async fn unknown_key_ids_during_an_outage_wait_as_long_as_any_other_fetch() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let honest = world.token("ada", &key);
    assert!(world.ask(&honest, &key.public()).await.is_ok());
    world.provider.set_fault(Fault::Down);
    let forged = world
        .provider
        .forger()
        .unknown_kid(&world.claims("eve", &key), Algorithm::Es256)
        .unwrap();
    world.advance(30);
    let before = world.provider.fetches().discovery;
    for (failures, pause) in (1..).zip([5, 10, 20]) {
        for _ in 0..3 {
            let problem = world.ask(&forged, &key.public()).await.unwrap_err();
            assert_eq!(
                (problem.code.as_str(), problem.retry_after),
                ("provider_unreachable", Some(pause))
            );
        }
        assert_eq!(world.provider.fetches().discovery, before + failures);
        assert!(
            world.ask(&honest, &key.public()).await.is_ok(),
            "the last good copy still serves"
        );
        world.advance(pause);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_stop_the_fetching() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    world.provider.set_fault(Fault::Down);
    let token = world.token("ada", &key);
    assert_eq!(world.refusal(&token, &key).await, "provider_unreachable");
    world.provider.set_fault(Fault::None);
    world.set_back(3600);
    let token = world.token("ada", &key);
    assert!(world.ask(&token, &key.public()).await.is_ok());
}

#[tokio::test]
async fn a_key_made_during_an_outage_is_not_called_unknown() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
    world.advance(30);
    world.provider.set_fault(Fault::Down);
    let old = world.token("ada", &key);
    world.provider.rotate_keys(&mut rng(20)).unwrap();
    assert_eq!(
        world.refusal(&world.token("ada", &key), &key).await,
        "provider_unreachable"
    );
    assert!(
        world.ask(&old, &key.public()).await.is_ok(),
        "the last good copy still serves"
    );
}

#[tokio::test]
async fn faults_of_the_first_fetch_are_temporary() {
    let faults = [
        Fault::Down,
        Fault::NotJson,
        Fault::NoKeys,
        Fault::Redirect,
        Fault::Oversized(300 * 1024),
        Fault::OtherIssuer("https://accounts.example.com".to_owned()),
        Fault::OtherJwksUri("http://keys.example.com/jwks".to_owned()),
        Fault::OtherJwksUri("not a url".to_owned()),
        Fault::Slow(Duration::from_secs(3)),
    ];
    for fault in faults {
        let world = with_fetching(FetchConfig {
            time_limit: 1,
            ..FetchConfig::default()
        })
        .await;
        let key = EphemeralKey::random(&mut rng(10));
        let token = world.token("ada", &key);
        world.provider.set_fault(fault.clone());
        let begun = Instant::now();
        let problem = world.ask(&token, &key.public()).await.unwrap_err();
        assert_eq!(
            (problem.code.as_str(), problem.retry_after),
            ("provider_unreachable", Some(5)),
            "{fault:?}"
        );
        assert!(
            begun.elapsed() < Duration::from_millis(2500),
            "{fault:?} is cut off at the time limit"
        );

        // Nobody asks again before the pause is over, and nothing wrong was kept.
        world.provider.set_fault(Fault::None);
        let fetches = world.provider.fetches();
        assert_eq!(
            world.refusal(&token, &key).await,
            "provider_unreachable",
            "{fault:?}"
        );
        assert_eq!(world.provider.fetches(), fetches, "{fault:?}");
        world.advance(5);
        assert!(world.ask(&token, &key.public()).await.is_ok(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cancel_the_fetch() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    world
        .provider
        .set_fault(Fault::Slow(Duration::from_millis(400)));
    let token = world.token("ada", &key);
    let public = key.public();
    let impatient = tokio::time::timeout(Duration::from_millis(200), world.ask(&token, &public));
    assert!(impatient.await.is_err());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        world.provider.fetches(),
        Fetches {
            discovery: 1,
            jwks: 1
        }
    );
    world.provider.set_fault(Fault::Down);
    assert!(world.ask(&token, &key.public()).await.is_ok());
}

#[tokio::test]
async fn a_stopped_provider_is_an_outage_like_any_other() {
    let mut world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let token = world.token("ada", &key);
    assert!(world.ask(&token, &key.public()).await.is_ok());
    let fresh = OpenIdProvider::start(
        ProviderOptions::new("other", std::sync::Arc::new(|| 0)),
        &mut rng(30),
    )
    .await;
    drop(std::mem::replace(&mut world.provider, fresh.unwrap()));
    assert!(world.ask(&token, &key.public()).await.is_ok());
}
