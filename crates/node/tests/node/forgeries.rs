//! Tokens that the provider never signed, or not so.

use serde_json::json;
use trefoil_protocol::social::{EphemeralKey, MAX_ID_TOKEN};
use trefoil_testkit::oidc::Algorithm;

use crate::world::{World, rng};

#[tokio::test]
async fn none_and_hmac_are_never_taken() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let (forger, claims) = (world.provider.forger(), world.claims("ada", &key));
    assert_eq!(
        world
            .refusal(&forger.alg_none(&claims).unwrap(), &key)
            .await,
        "token_algorithm_refused"
    );
    for algorithm in Algorithm::ALL {
        let token = forger.hs256_with_public_key(&claims, algorithm).unwrap();
        assert_eq!(
            world.refusal(&token, &key).await,
            "token_algorithm_refused",
            "{algorithm:?}"
        );
    }
    // An honest token whose signature was cut off.
    let token = world.token("ada", &key);
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(
        world.refusal(&format!("{signed}."), &key).await,
        "token_bad_signature"
    );
    assert_eq!(world.refusal(signed, &key).await, "token_malformed");
}

#[tokio::test]
async fn the_key_decides_the_algorithm() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let (forger, claims) = (world.provider.forger(), world.claims("ada", &key));
    for signed_with in Algorithm::ALL {
        for claimed in Algorithm::ALL {
            let token = forger
                .swapped_algorithm(&claims, signed_with, claimed)
                .unwrap();
            if signed_with == claimed {
                assert!(world.ask(&token, &key.public()).await.is_ok());
            } else {
                assert_eq!(
                    world.refusal(&token, &key).await,
                    "token_wrong_key_type",
                    "{signed_with:?} as {claimed:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn signatures_of_other_keys_and_other_claims() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let (forger, claims) = (world.provider.forger(), world.claims("ada", &key));
    let eve = world.claims("eve", &key);
    for algorithm in Algorithm::ALL {
        for token in [
            forger.foreign_key(&claims, algorithm).unwrap(),
            forger.embedded_key(&claims, algorithm).unwrap(),
            forger.changed_claims(&eve, &claims, algorithm).unwrap(),
        ] {
            assert_eq!(
                world.refusal(&token, &key).await,
                "token_bad_signature",
                "{algorithm:?}"
            );
        }
        let token = forger.unknown_kid(&claims, algorithm).unwrap();
        assert_eq!(
            world.refusal(&token, &key).await,
            "token_unknown_key",
            "{algorithm:?}"
        );
    }
}

#[tokio::test]
async fn every_changed_byte_is_seen() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let token = world.token("ada", &key);
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(
            world.ask(&changed, &key.public()).await.is_err(),
            "byte {at}"
        );
    }
    assert!(world.ask(&token, &key.public()).await.is_ok());
}

#[tokio::test]
async fn headers_that_ask_for_something_else() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let (forger, claims) = (world.provider.forger(), world.claims("ada", &key));
    for (header, code) in [
        (
            json!({ "alg": "ES256", "crit": ["exp"], "exp": 0 }),
            "token_critical_header",
        ),
        (
            json!({ "alg": "ES256", "crit": ["b64"], "b64": false }),
            "token_critical_header",
        ),
        (
            json!({ "alg": "ES256", "typ": "at+jwt" }),
            "token_wrong_type",
        ),
        (json!({ "alg": "ES384" }), "token_algorithm_refused"),
        (json!({ "alg": ["ES256"] }), "token_malformed"),
        (json!({ "typ": "JWT" }), "token_malformed"),
    ] {
        let token = forger
            .with_header(&header, &claims, Algorithm::Es256)
            .unwrap();
        assert_eq!(world.refusal(&token, &key).await, code, "{header}");
    }
}

#[tokio::test]
async fn an_over_long_token_is_told_so() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let claims = world.claims("ada", &key);
    let near = world
        .provider
        .id_token(&claims.clone().with("padding", "x".repeat(11_750)))
        .unwrap();
    assert!(near.len() > MAX_ID_TOKEN - 512 && near.len() <= MAX_ID_TOKEN);
    assert!(world.ask(&near, &key.public()).await.is_ok());
    let over = world
        .provider
        .id_token(&claims.with("padding", "x".repeat(12_300)))
        .unwrap();
    assert!(over.len() > MAX_ID_TOKEN);
    assert_eq!(world.refusal(&over, &key).await, "token_too_large");
}
