//! Honest logins.

use serde_json::json;
use trefoil_node::{CaseRule, FetchConfig, KeySource, UserClaim, VerifierConfig};
use trefoil_protocol::social::{EphemeralKey, GENERATIONS, Gathering, NonceForm, RefusedAnswer};
use trefoil_testkit::oidc::{Algorithm, Fetches};

use crate::world::{APP, World, acme, request, rng, tenant, verifier_id};

#[tokio::test]
async fn any_two_of_three_nodes_give_one_secret_and_each_user_has_an_own() {
    let world = World::with(
        2,
        3,
        |provider| vec![acme(provider)],
        FetchConfig::default(),
    )
    .await;
    let mut secrets = Vec::new();
    for nodes in [[0, 1], [0, 2], [1, 2], [2, 0]] {
        let key = EphemeralKey::random(&mut rng(10));
        let body = request("acme", "google", &world.token("ada", &key), &key.public());
        let (user, secret) = world.login(&nodes, &body, &key).await;
        assert_eq!(user, "ada");
        secrets.push(secret);
    }
    assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));

    let key = EphemeralKey::random(&mut rng(11));
    let body = request("acme", "google", &world.token("bob", &key), &key.public());
    assert!(world.login(&[0, 1], &body, &key).await.1 != secrets[0]);
}

#[tokio::test]
async fn every_algorithm_of_the_list_is_taken() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    for algorithm in Algorithm::ALL {
        let token = world
            .provider
            .id_token_with(algorithm, &world.claims("ada", &key))
            .unwrap();
        assert!(
            world.ask(&token, &key.public()).await.is_ok(),
            "{algorithm:?}"
        );
        // One key of this algorithm is published, so a token without a key id can only mean that one.
        let token = world
            .provider
            .forger()
            .without_kid(&world.claims("ada", &key), algorithm)
            .unwrap();
        assert!(
            world.ask(&token, &key.public()).await.is_ok(),
            "{algorithm:?}"
        );
    }
}

#[tokio::test]
async fn generations_give_unrelated_secrets() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let mut body = request("acme", "google", &world.token("ada", &key), &key.public());
    let mut secrets = Vec::new();
    for generation in 0..GENERATIONS {
        body["generation"] = json!(generation);
        let secret = world.login(&[0], &body, &key).await.1;
        assert!(
            !secrets.contains(&secret),
            "generation {generation} is like one before"
        );
        secrets.push(secret);
    }
    // One that was left behind can still be had: a record may not know yet that it is.
    body["generation"] = json!(0);
    assert!(world.login(&[0], &body, &key).await.1 == secrets[0]);
    // An answer of one generation is no answer of another.
    let answer = world.post(0, &body).await.unwrap();
    let (tenant, verifier) = (tenant("acme"), verifier_id("google"));
    let mut next = Gathering::new(&world.manifest, &key, tenant, verifier, 1);
    assert!(matches!(
        next.add(world.manifest.nodes()[0].index, &answer),
        Err(RefusedAnswer::Evaluation(_))
    ));
    body["generation"] = json!(GENERATIONS);
    let refused = world.post(0, &body).await.unwrap_err();
    assert_eq!(refused.code.as_str(), "generation_out_of_range");
}

#[tokio::test]
async fn the_development_login_needs_no_browser() {
    let world = World::small().await;
    let key = EphemeralKey::random(&mut rng(10));
    let login = json!({ "sub": "ada", "nonce": key.oidc_nonce(), "email": "ada@example.com" });
    let response = world
        .http
        .post(world.provider.dev_token_url())
        .json(&login)
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = response.json().await.unwrap();
    let body = request(
        "acme",
        "google",
        answer["id_token"].as_str().unwrap(),
        &key.public(),
    );
    assert_eq!(world.login(&[0], &body, &key).await.0, "ada");
}

#[tokio::test]
async fn each_nonce_form_takes_its_own_only() {
    let forms = [
        NonceForm::Plain,
        NonceForm::HexSha256,
        NonceForm::Base64UrlSha256,
    ];
    let verifiers = |provider: &trefoil_testkit::oidc::OpenIdProvider| {
        forms
            .iter()
            .enumerate()
            .map(|(i, form)| {
                let (tenant, id) = (tenant("acme"), verifier_id(&format!("form-{i}")));
                let mut config =
                    VerifierConfig::new(tenant, id, provider.issuer(), &format!("app-{i}"));
                config.nonce = *form;
                config
            })
            .collect()
    };
    let world = World::with(1, 1, verifiers, FetchConfig::default()).await;
    let key = EphemeralKey::random(&mut rng(10));
    let thief = EphemeralKey::random(&mut rng(11));
    for verifier in 0..3 {
        for (i, form) in forms.iter().enumerate() {
            let claims = world
                .provider
                .claims("ada")
                .with("aud", format!("app-{verifier}"));
            let token = world
                .provider
                .id_token(&claims.nonce(&form.claim(&key.oidc_nonce())))
                .unwrap();
            let verdict = world
                .post(
                    0,
                    &request("acme", &format!("form-{verifier}"), &token, &key.public()),
                )
                .await;
            if i == verifier {
                assert!(verdict.is_ok(), "{form:?}");
                // Captured, it serves no other key.
                let stolen = request("acme", &format!("form-{verifier}"), &token, &thief.public());
                assert_eq!(
                    world.post(0, &stolen).await.unwrap_err().code.as_str(),
                    "token_wrong_nonce",
                    "{form:?}"
                );
            } else {
                assert_eq!(
                    verdict.unwrap_err().code.as_str(),
                    "token_wrong_nonce",
                    "{form:?} at {verifier}"
                );
            }
        }
    }
}

#[tokio::test]
async fn users_by_email_and_by_tenant_and_object() {
    let verifiers = |provider: &trefoil_testkit::oidc::OpenIdProvider| {
        let mut mail = VerifierConfig::new(
            tenant("acme"),
            verifier_id("mail"),
            provider.issuer(),
            "mail-app",
        );
        mail.user = UserClaim::Email;
        mail.case = CaseRule::Lower;
        let mut work = VerifierConfig::new(
            tenant("acme"),
            verifier_id("work"),
            provider.issuer(),
            "work-app",
        );
        work.user = UserClaim::TenantObject;
        vec![mail, work]
    };
    let world = World::with(1, 1, verifiers, FetchConfig::default()).await;
    let key = EphemeralKey::random(&mut rng(10));

    let claims = world.claims("ada", &key).with("aud", "mail-app");
    let token = world
        .provider
        .id_token(&claims.clone().email("Ada@Example.com", true))
        .unwrap();
    let body = request("acme", "mail", &token, &key.public());
    assert_eq!(world.login(&[0], &body, &key).await.0, "ada@example.com");
    let token = world
        .provider
        .id_token(&claims.clone().email("Ada@Example.com", false))
        .unwrap();
    let refused = world
        .post(0, &request("acme", "mail", &token, &key.public()))
        .await
        .unwrap_err();
    assert_eq!(refused.code.as_str(), "token_unverified_email");
    let token = world
        .provider
        .id_token(&claims.email("nobody", true))
        .unwrap();
    let refused = world
        .post(0, &request("acme", "mail", &token, &key.public()))
        .await
        .unwrap_err();
    assert_eq!(refused.code.as_str(), "token_bad_user");

    // `sub` differs from app to app; `tid` and `oid` do not.
    let claims = world
        .claims("pairwise-1", &key)
        .with("aud", "work-app")
        .with("tid", "t-1")
        .with("oid", "o-1");
    let token = world.provider.id_token(&claims).unwrap();
    let body = request("acme", "work", &token, &key.public());
    assert_eq!(world.login(&[0], &body, &key).await.0, "t-1/o-1");
}

#[tokio::test]
async fn pinned_keys_need_no_provider() {
    let pinned = |provider: &trefoil_testkit::oidc::OpenIdProvider| {
        let mut config = acme(provider);
        config.keys = KeySource::Pinned(provider.jwks());
        vec![config]
    };
    let world = World::with(1, 1, pinned, FetchConfig::default()).await;
    let key = EphemeralKey::random(&mut rng(10));
    assert!(
        world
            .ask(&world.token("ada", &key), &key.public())
            .await
            .is_ok()
    );
    world.provider.rotate_keys(&mut rng(20)).unwrap();
    assert_eq!(
        world.refusal(&world.token("ada", &key), &key).await,
        "token_unknown_key"
    );
    assert_eq!(world.provider.fetches(), Fetches::default());
    assert_eq!(world.provider.claims("ada").get("aud").unwrap(), APP);
}
