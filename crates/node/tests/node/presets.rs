//! Tokens as each ready-made provider writes them, at a node that was configured with its name only.

use serde_json::json;
use trefoil_node::{FetchConfig, KeySource, NodeConfig};
use trefoil_protocol::social::{EphemeralKey, NonceForm};
use trefoil_testkit::oidc::Claims;

use crate::world::{World, request, rng};

const DIRECTORY: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// One verifier by each name, all with the audience `app`. The keys are put in later, as nothing here can be reached.
const VERIFIERS: &str = r#"
    [[verifier]]
    tenant = "acme"
    id = "google"
    provider = "google"
    audiences = ["app"]

    [[verifier]]
    tenant = "acme"
    id = "apple"
    provider = "apple"
    user = "email"
    nonce = "hex_sha256"
    audiences = ["app"]

    [[verifier]]
    tenant = "acme"
    id = "microsoft"
    provider = "microsoft"
    directory = "0f8fad5b-d9cb-469f-a165-70867728950e"
    audiences = ["app", "phone"]

    [[verifier]]
    tenant = "acme"
    id = "auth0"
    provider = "auth0"
    domain = "acme.eu.auth0.com"
    audiences = ["app"]

    [[verifier]]
    tenant = "acme"
    id = "cognito"
    provider = "cognito"
    region = "eu-central-1"
    pool = "eu-central-1_AbCdEf123"
    audiences = ["app"]

    [[verifier]]
    tenant = "acme"
    id = "keycloak"
    provider = "keycloak"
    base = "https://login.example.com"
    realm = "acme"
    audiences = ["app"]

    [[verifier]]
    tenant = "acme"
    id = "broker"
    provider = "oidc"
    issuer = "https://broker.example.com"
    audiences = ["app"]
"#;

async fn world() -> World {
    let verifiers = |provider: &trefoil_testkit::oidc::OpenIdProvider| {
        let mut config = NodeConfig::from_toml(VERIFIERS).unwrap();
        for verifier in &mut config.verifiers {
            verifier.keys = KeySource::Pinned(provider.jwks());
        }
        let jwt = json!({ "verifier": [{
            "tenant": "acme", "id": "jwt", "provider": "jwt", "issuer": "https://app.example.com", "audiences": ["app"],
            "custom": true, "keys": { "pinned": provider.jwks() },
        }] });
        let mut jwt: NodeConfig = serde_json::from_value(jwt).unwrap();
        config.verifiers.append(&mut jwt.verifiers);
        config.verifiers
    };
    World::with(1, 1, verifiers, FetchConfig::default()).await
}

#[tokio::test]
async fn a_token_as_the_provider_writes_it_opens_its_verifier_and_no_other() {
    let world = world().await;
    let key = EphemeralKey::random(&mut rng(10));
    let claims = |issuer: &str| {
        let claims = world.claims("sub-1", &key).with("aud", "app");
        claims.with("iss", issuer)
    };
    let hashed = NonceForm::HexSha256.claim(&key.oidc_nonce());
    let microsoft = format!("https://login.microsoftonline.com/{DIRECTORY}/v2.0");
    let logins: Vec<(&str, Claims, String)> = vec![
        (
            "google",
            claims("https://accounts.google.com")
                .authorized_party("app")
                .email("ada@example.com", true),
            "sub-1".to_owned(),
        ),
        (
            "apple",
            claims("https://appleid.apple.com")
                .nonce(&hashed)
                .with("email", "ada@privaterelay.appleid.com")
                .with("email_verified", "true"),
            "ada@privaterelay.appleid.com".to_owned(),
        ),
        (
            "microsoft",
            claims(&microsoft)
                .with("tid", DIRECTORY)
                .with("oid", "00000000-0000-0000-66f3-3332eca7ea81"),
            format!("{DIRECTORY}/00000000-0000-0000-66f3-3332eca7ea81"),
        ),
        (
            "auth0",
            claims("https://acme.eu.auth0.com/").with("sub", "google-oauth2|42"),
            "google-oauth2|42".to_owned(),
        ),
        (
            "cognito",
            claims("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123")
                .with("token_use", "id"),
            "sub-1".to_owned(),
        ),
        (
            "keycloak",
            claims("https://login.example.com/realms/acme").authorized_party("app"),
            "sub-1".to_owned(),
        ),
        (
            "broker",
            claims("https://broker.example.com"),
            "sub-1".to_owned(),
        ),
        ("jwt", claims("https://app.example.com"), "sub-1".to_owned()),
    ];
    for (id, claims, user) in &logins {
        let token = world.provider.id_token(claims).unwrap();
        for (other, ..) in &logins {
            let body = request("acme", other, &token, &key.public());
            if other == id {
                assert_eq!(world.login(&[0], &body, &key).await.0, *user, "{id}");
            } else {
                let refused = world.post(0, &body).await.unwrap_err();
                assert_eq!(
                    refused.code.as_str(),
                    "token_wrong_issuer",
                    "{id} at {other}"
                );
            }
        }
    }
}

#[tokio::test]
async fn issuers_that_look_alike_are_others() {
    let world = world().await;
    let key = EphemeralKey::random(&mut rng(10));
    let v1 = format!("https://sts.windows.net/{DIRECTORY}/");
    for (verifier, issuer) in [
        ("google", "accounts.google.com"),
        ("google", "https://accounts.google.com/"),
        ("auth0", "https://acme.eu.auth0.com"),
        ("apple", "https://appleid.apple.com/"),
        // A token of Microsoft's older endpoint, and one of another directory.
        ("microsoft", v1.as_str()),
        (
            "microsoft",
            "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        ),
        (
            "cognito",
            "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other0000",
        ),
        ("keycloak", "https://login.example.com/realms/Acme"),
    ] {
        let claims = world.claims("ada", &key).with("aud", "app");
        let token = world
            .provider
            .id_token(&claims.with("iss", issuer))
            .unwrap();
        let body = request("acme", verifier, &token, &key.public());
        let refused = world.post(0, &body).await.unwrap_err();
        assert_eq!(refused.code.as_str(), "token_wrong_issuer", "{issuer}");
    }
}

#[tokio::test]
async fn microsofts_user_is_the_directorys_whatever_the_app() {
    let world = world().await;
    let key = EphemeralKey::random(&mut rng(10));
    let issuer = format!("https://login.microsoftonline.com/{DIRECTORY}/v2.0");
    let mut secrets = Vec::new();
    for (audience, sub) in [("app", "pairwise-1"), ("phone", "pairwise-2")] {
        let claims = world
            .claims(sub, &key)
            .with("iss", issuer.as_str())
            .with("aud", audience)
            .with("tid", DIRECTORY)
            .with("oid", "o-1");
        let token = world.provider.id_token(&claims).unwrap();
        let body = request("acme", "microsoft", &token, &key.public());
        secrets.push(world.login(&[0], &body, &key).await.1);
        // The scope `profile` was not asked for.
        let token = world.provider.id_token(&claims.without("oid")).unwrap();
        let body = request("acme", "microsoft", &token, &key.public());
        let refused = world.post(0, &body).await.unwrap_err();
        assert_eq!(refused.code.as_str(), "token_missing_claim");
    }
    assert!(secrets[0] == secrets[1]);
}
