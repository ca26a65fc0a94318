//! Each wrong claim is refused with its own code.

use std::collections::BTreeSet;

use trefoil_protocol::social::EphemeralKey;
use trefoil_testkit::oidc::Claims;

use crate::world::{START, World, rng};

/// One wrong thing done to honest claims.
type Change = Box<dyn Fn(Claims) -> Claims>;

#[tokio::test]
async fn each_wrong_claim_has_a_code_of_its_own() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let other_nonce = EphemeralKey::random(&mut rng(11)).oidc_nonce();
    let change: Vec<(&str, Change)> = vec![
        (
            "token_wrong_issuer",
            Box::new(|claims| claims.with("iss", "https://accounts.example.com")),
        ),
        (
            "token_wrong_audience",
            Box::new(|claims| claims.with("aud", "another-app")),
        ),
        (
            "token_wrong_party",
            Box::new(|claims| claims.authorized_party("another-app")),
        ),
        (
            "token_expired",
            Box::new(|claims| claims.with("exp", START - 61)),
        ),
        (
            "token_not_yet_valid",
            Box::new(|claims| claims.with("nbf", START + 61)),
        ),
        (
            "token_issued_in_future",
            Box::new(|claims| claims.with("iat", START + 61)),
        ),
        (
            "token_too_old",
            Box::new(|claims| claims.with("iat", START - 661)),
        ),
        (
            "token_wrong_nonce",
            Box::new(move |claims| claims.nonce(&other_nonce)),
        ),
        (
            "token_missing_claim",
            Box::new(|claims| claims.without("sub")),
        ),
        (
            "token_bad_user",
            Box::new(|claims| claims.with("sub", "a\nb")),
        ),
        (
            "token_malformed",
            Box::new(|claims| claims.with("exp", "tomorrow")),
        ),
    ];
    let mut codes = BTreeSet::new();
    for (code, change) in &change {
        let token = world
            .provider
            .id_token(&change(world.claims("ada", &key)))
            .unwrap();
        assert_eq!(world.refusal(&token, &key).await, *code);
        assert!(codes.insert(code), "{code} is given for two reasons");
    }
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn every_claim_is_required() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    for name in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
        let token = world
            .provider
            .id_token(&world.claims("ada", &key).without(name))
            .unwrap();
        let problem = world.ask(&token, &key.public()).await.unwrap_err();
        assert_eq!(problem.code.as_str(), "token_missing_claim");
        assert!(problem.detail.contains(name), "{}", problem.detail);
    }
}

#[tokio::test]
async fn a_token_for_several_apps_must_be_for_ours_alone() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let claims = world.claims("ada", &key);
    for claims in [
        claims.clone().audiences(&["acme-app", "another-app"]),
        claims
            .clone()
            .audiences(&["another-app", "acme-app"])
            .authorized_party("acme-app"),
        claims.clone().audiences(&[]),
    ] {
        let token = world.provider.id_token(&claims).unwrap();
        assert_eq!(
            world.refusal(&token, &key).await,
            "token_wrong_audience",
            "{claims:?}"
        );
    }
    let token = world
        .provider
        .id_token(&claims.clone().audiences(&["acme-app"]))
        .unwrap();
    assert!(world.ask(&token, &key.public()).await.is_ok());
}

#[tokio::test]
async fn time_passes() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let token = world.token("ada", &key);
    world.advance(300 + 59);
    assert!(world.ask(&token, &key.public()).await.is_ok());
    world.advance(1);
    assert_eq!(world.refusal(&token, &key).await, "token_expired");
}

#[tokio::test]
async fn claims_that_are_not_an_object_or_stand_there_twice() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let forger = world.provider.forger();
    let algorithm = trefoil_testkit::oidc::Algorithm::Es256;
    let issuer = world.provider.issuer();
    let honest = format!(
        r#""iss":"{issuer}","aud":"acme-app","exp":{},"iat":{START},"nonce":"{}""#,
        START + 300,
        key.oidc_nonce()
    );
    // Two readers that disagree on which `sub` counts would disagree on who logs in.
    for payload in [
        format!(r#"{{{honest},"sub":"eve","sub":"ada"}}"#),
        format!(r#"{{{honest},"sub":"ada","iss":"{issuer}"}}"#),
        format!(r#"{{{honest},"sub":"ada"}} "#) + "x",
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
    ] {
        let token = forger
            .with_payload_bytes(payload.as_bytes(), algorithm)
            .unwrap();
        assert_eq!(
            world.refusal(&token, &key).await,
            "token_malformed",
            "{payload}"
        );
    }
    let mut broken = format!(r#"{{{honest},"sub":"ada"}}"#).into_bytes();
    let end = broken.len() - 3;
    broken[end] = 0xff;
    let token = forger.with_payload_bytes(&broken, algorithm).unwrap();
    assert_eq!(world.refusal(&token, &key).await, "token_malformed");

    let token = forger
        .with_payload_bytes(format!(r#"{{{honest},"sub":"ada"}}"#).as_bytes(), algorithm)
        .unwrap();
    assert!(world.ask(&token, &key.public()).await.is_ok());
}
