//! Who gets nothing: thieves of tokens, apps of other tenants, too few nodes.

use trefoil_node::{FetchConfig, VerifierConfig};
use trefoil_protocol::bytes::EnvelopeKey;
use trefoil_protocol::social::{EphemeralKey, Gathering, OpenEvaluationError, RefusedAnswer};
use trefoil_testkit::oidc::OpenIdProvider;

use crate::world::{World, acme, request, rng, tenant, verifier_id};

/// `acme/google`, `rival/google` and `acme/second`, each with an audience of its own.
fn three(provider: &OpenIdProvider) -> Vec<VerifierConfig> {
    let of = |tenant_name, id, audience| {
        VerifierConfig::new(
            tenant(tenant_name),
            verifier_id(id),
            provider.issuer(),
            audience,
        )
    };
    vec![
        acme(provider),
        of("rival", "google", "rival-app"),
        of("acme", "second", "second-app"),
    ]
}

#[tokio::test]
async fn a_captured_token_serves_no_other_ephemeral_key() {
    let world = World::small().await;
    let (victim, thief) = (
        EphemeralKey::random(&mut rng(10)),
        EphemeralKey::random(&mut rng(11)),
    );
    let token = world.token("ada", &victim);
    assert_eq!(world.refusal(&token, &thief).await, "token_wrong_nonce");
    // Replayed with the victim's own key it is answered, but sealed to the victim.
    let sealed = world.ask(&token, &victim.public()).await.unwrap();
    assert!(matches!(
        sealed.open(&thief),
        Err(OpenEvaluationError::NotForUs)
    ));
    assert_eq!(sealed.open(&victim).unwrap().user(), "ada");
}

#[tokio::test]
async fn ephemeral_keys_that_anyone_can_open_or_that_are_written_twice() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let mut high_bit = *key.public().as_bytes();
    high_bit[31] |= 0x80;
    let mut one = [0; 32];
    one[0] = 1;
    // p + 1: the point of order 4 in another encoding.
    let mut beyond = [0xff; 32];
    (beyond[0], beyond[31]) = (0xee, 0x7f);
    for bytes in [[0; 32], one, high_bit, beyond, [0xff; 32]] {
        let bad = EnvelopeKey::from_bytes(bytes);
        // The token is bound to just this key, so that nothing else stands in the way.
        let claims = world
            .provider
            .claims("ada")
            .nonce(&trefoil_protocol::social::oidc_nonce(&bad));
        let token = world.provider.id_token(&claims).unwrap();
        assert_eq!(
            world.ask(&token, &bad).await.unwrap_err().code.as_str(),
            "bad_ephemeral_key",
            "{bytes:?}"
        );
    }
}

#[tokio::test]
async fn an_app_of_another_tenant_or_verifier_gets_an_unrelated_secret() {
    let world = World::with(1, 1, three, FetchConfig::default()).await;
    let key = EphemeralKey::random(&mut rng(10));
    let mut secrets = Vec::new();
    for (tenant, verifier, audience) in [
        ("acme", "google", "acme-app"),
        ("rival", "google", "rival-app"),
        ("acme", "second", "second-app"),
    ] {
        // The same person at the same provider.
        let token = world
            .provider
            .id_token(&world.claims("ada", &key).with("aud", audience))
            .unwrap();
        secrets.push(
            world
                .login(
                    &[0],
                    &request(tenant, verifier, &token, &key.public()),
                    &key,
                )
                .await
                .1,
        );
    }
    assert!(secrets[0] != secrets[1] && secrets[0] != secrets[2] && secrets[1] != secrets[2]);
}

#[tokio::test]
async fn an_app_cannot_use_its_own_logins_at_another_verifier() {
    let world = World::with(1, 1, three, FetchConfig::default()).await;
    // The rival's app has the user log in for an ephemeral key of the rival's.
    let key = EphemeralKey::random(&mut rng(10));
    let token = world
        .provider
        .id_token(&world.claims("ada", &key).with("aud", "rival-app"))
        .unwrap();
    for verifier in ["google", "second"] {
        let refused = world
            .post(0, &request("acme", verifier, &token, &key.public()))
            .await
            .unwrap_err();
        assert_eq!(refused.code.as_str(), "token_wrong_audience");
    }
    // Nor by asking the provider to name both apps.
    let claims = world
        .claims("ada", &key)
        .audiences(&["acme-app", "rival-app"])
        .authorized_party("rival-app");
    let token = world.provider.id_token(&claims).unwrap();
    for tenant in ["acme", "rival"] {
        let refused = world
            .post(0, &request(tenant, "google", &token, &key.public()))
            .await
            .unwrap_err();
        assert_eq!(refused.code.as_str(), "token_wrong_audience");
    }
}

#[tokio::test]
async fn fewer_than_the_threshold_of_nodes_give_no_secret() {
    let world = World::with(
        3,
        4,
        |provider| vec![acme(provider)],
        FetchConfig::default(),
    )
    .await;
    let key = EphemeralKey::random(&mut rng(10));
    let body = request("acme", "google", &world.token("ada", &key), &key.public());
    let mut gathering = Gathering::new(
        &world.manifest,
        &key,
        tenant("acme"),
        verifier_id("google"),
        0,
    );
    for node in [0, 3] {
        let response = world.post(node, &body).await.unwrap();
        assert!(
            gathering
                .add(world.manifest.nodes()[node].index, &response)
                .unwrap()
                .is_none()
        );
        // Answering for another node, or twice, makes no further answer of it.
        let other = world.manifest.nodes()[1].index;
        assert!(matches!(
            gathering.add(other, &response),
            Err(RefusedAnswer::WrongIndex { .. })
        ));
        let again = world.post(node, &body).await.unwrap();
        assert!(
            gathering
                .add(world.manifest.nodes()[node].index, &again)
                .is_err()
        );
    }
    assert_eq!(gathering.missing(), 1);
    let response = world.post(2, &body).await.unwrap();
    assert!(
        gathering
            .add(world.manifest.nodes()[2].index, &response)
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn answers_to_the_same_login_are_sealed_anew() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let token = world.token("ada", &key);
    let first = world.ask(&token, &key.public()).await.unwrap();
    let second = world.ask(&token, &key.public()).await.unwrap();
    assert_ne!(first.sealed, second.sealed);
}
