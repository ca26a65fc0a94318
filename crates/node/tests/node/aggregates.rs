//! One verifier that two providers feed: who is one user, and who must not pass for one.

use std::sync::Arc;

use trefoil_node::{CaseRule, FetchConfig, ProviderConfig, UserClaim, VerifierConfig};
use trefoil_protocol::social::{EphemeralKey, NonceForm};
use trefoil_testkit::oidc::{Algorithm, Claims, Fault, OpenIdProvider, ProviderOptions};

use crate::world::{START, World, acme, request, rng, tenant, verifier_id};

const SECOND_APP: &str = "second-app";

/// `acme/mail`, which the world's provider and a second one feed, and `rival/second` at the second one.
struct Two {
    world: World,
    second: OpenIdProvider,
}

impl Two {
    async fn start() -> Self {
        let options = ProviderOptions::new(SECOND_APP, Arc::new(|| START));
        let second = OpenIdProvider::start(options, &mut rng(3)).await.unwrap();
        let verifiers = |first: &OpenIdProvider| {
            let mut mail = acme(first);
            mail.id = verifier_id("mail");
            mail.user = UserClaim::Email;
            mail.case = CaseRule::Lower;
            mail.aggregate.push(ProviderConfig {
                nonce: NonceForm::HexSha256,
                max_age: 60,
                ..ProviderConfig::new(second.issuer(), SECOND_APP)
            });
            let (rival, id) = (tenant("rival"), verifier_id("second"));
            let mut rival = VerifierConfig::new(rival, id, second.issuer(), "rival-app");
            rival.user = UserClaim::Email;
            vec![mail, rival]
        };
        let world = World::with(2, 3, verifiers, FetchConfig::default()).await;
        Self { world, second }
    }

    /// An honest login at the first provider.
    fn at_first(&self, email: &str, key: &EphemeralKey) -> Claims {
        self.world.claims("first-sub", key).email(email, true)
    }

    /// An honest login at the second, which hashes the nonce.
    fn at_second(&self, email: &str, key: &EphemeralKey) -> Claims {
        let nonce = NonceForm::HexSha256.claim(&key.oidc_nonce());
        let claims = self.second.claims("second-sub").nonce(&nonce);
        claims.email(email, true)
    }

    async fn refusal(&self, token: &str, key: &EphemeralKey) -> &'static str {
        let body = request("acme", "mail", token, &key.public());
        let refused = self.world.post(0, &body).await;
        refused.expect_err("refused").code.as_str()
    }
}

#[tokio::test]
async fn the_same_verified_address_is_the_same_user_at_each_provider() {
    let two = Two::start().await;
    let key = EphemeralKey::random(&mut rng(10));
    let mut secrets = Vec::new();
    for (token, nodes) in [
        (
            two.world
                .provider
                .id_token(&two.at_first("ada@example.com", &key)),
            [0, 1],
        ),
        (
            two.second.id_token(&two.at_second("Ada@Example.com", &key)),
            [2, 0],
        ),
    ] {
        let body = request("acme", "mail", &token.unwrap(), &key.public());
        let (user, secret) = two.world.login(&nodes, &body, &key).await;
        assert_eq!(user, "ada@example.com");
        secrets.push(secret);
    }
    assert!(secrets[0] == secrets[1]);

    let token = two.second.id_token(&two.at_second("bob@example.com", &key));
    let body = request("acme", "mail", &token.unwrap(), &key.public());
    assert!(two.world.login(&[0, 1], &body, &key).await.1 != secrets[0]);
}

#[tokio::test]
async fn one_provider_cannot_speak_for_the_other() {
    let two = Two::start().await;
    let key = EphemeralKey::random(&mut rng(10));
    let (first, second) = (&two.world.provider, &two.second);
    // The second signs what the first would have said, and the other way round.
    let token = second.id_token(&two.at_first("ada@example.com", &key));
    assert_eq!(
        two.refusal(&token.unwrap(), &key).await,
        "token_unknown_key"
    );
    let token = first.id_token(&two.at_second("ada@example.com", &key));
    assert_eq!(
        two.refusal(&token.unwrap(), &key).await,
        "token_unknown_key"
    );
    // Without a key id there is no telling by the name of the key.
    let token = second
        .forger()
        .without_kid(&two.at_first("ada@example.com", &key), Algorithm::Es256);
    assert_eq!(
        two.refusal(&token.unwrap(), &key).await,
        "token_bad_signature"
    );
}

#[tokio::test]
async fn each_provider_is_held_to_its_own_rules() {
    let two = Two::start().await;
    let key = EphemeralKey::random(&mut rng(10));
    let (first, second) = (&two.world.provider, &two.second);
    let at_first = || two.at_first("ada@example.com", &key);
    let at_second = || two.at_second("ada@example.com", &key);
    let hashed = NonceForm::HexSha256.claim(&key.oidc_nonce());
    for (token, code) in [
        (
            first.id_token(&at_first().with("aud", SECOND_APP)),
            "token_wrong_audience",
        ),
        (
            second.id_token(&at_second().with("aud", "acme-app")),
            "token_wrong_audience",
        ),
        (
            second.id_token(&at_second().audiences(&[SECOND_APP, "acme-app"])),
            "token_wrong_audience",
        ),
        (
            second.id_token(&at_second().authorized_party("acme-app")),
            "token_wrong_party",
        ),
        (
            first.id_token(&at_first().nonce(&hashed)),
            "token_wrong_nonce",
        ),
        (
            second.id_token(&at_second().nonce(&key.oidc_nonce())),
            "token_wrong_nonce",
        ),
        (
            second.id_token(&at_second().with("iat", START - 121)),
            "token_too_old",
        ),
        (
            first.id_token(&at_first().email("ada@example.com", false)),
            "token_unverified_email",
        ),
        (
            second.id_token(&at_second().email("ada@example.com", false)),
            "token_unverified_email",
        ),
    ] {
        assert_eq!(two.refusal(&token.unwrap(), &key).await, code);
    }
    // Ten minutes at the first, one at the second.
    let token = first
        .id_token(&at_first().with("iat", START - 121))
        .unwrap();
    let body = request("acme", "mail", &token, &key.public());
    assert!(two.world.post(0, &body).await.is_ok());
}

#[tokio::test]
async fn an_issuer_of_none_of_them_is_told_so_and_nobody_is_asked_for_keys() {
    let two = Two::start().await;
    let key = EphemeralKey::random(&mut rng(10));
    let second = two.second.issuer().to_owned();
    for issuer in [
        "https://accounts.example.com".to_owned(),
        format!("{second}/"),
        second.to_uppercase(),
        String::new(),
    ] {
        let claims = two
            .at_second("ada@example.com", &key)
            .with("iss", issuer.as_str());
        let token = two.second.id_token(&claims).unwrap();
        assert_eq!(
            two.refusal(&token, &key).await,
            "token_wrong_issuer",
            "{issuer}"
        );
    }
    let claims = two.at_second("ada@example.com", &key);
    let token = two.second.id_token(&claims.clone().without("iss"));
    assert_eq!(
        two.refusal(&token.unwrap(), &key).await,
        "token_missing_claim"
    );
    // Two readers could each take another of the two.
    let first = two.world.provider.issuer();
    let twice = format!(r#"{{"iss":"{second}","iss":"{first}"}}"#);
    let token = two
        .second
        .forger()
        .with_payload_bytes(twice.as_bytes(), Algorithm::Es256);
    assert_eq!(two.refusal(&token.unwrap(), &key).await, "token_malformed");
    for provider in [&two.second, &two.world.provider] {
        assert_eq!(provider.fetches().discovery, 0);
    }
}

#[tokio::test]
async fn an_outage_of_one_provider_leaves_the_other() {
    let two = Two::start().await;
    let key = EphemeralKey::random(&mut rng(10));
    two.second.set_fault(Fault::Down);
    let token = two.second.id_token(&two.at_second("ada@example.com", &key));
    assert_eq!(
        two.refusal(&token.unwrap(), &key).await,
        "provider_unreachable"
    );
    let token = two
        .world
        .provider
        .id_token(&two.at_first("ada@example.com", &key));
    let body = request("acme", "mail", &token.unwrap(), &key.public());
    assert!(two.world.post(0, &body).await.is_ok());
}

#[tokio::test]
async fn an_app_of_another_tenant_at_one_of_the_providers_gets_nothing_of_the_aggregates() {
    let two = Two::start().await;
    let key = EphemeralKey::random(&mut rng(10));
    let claims = two.at_second("ada@example.com", &key);
    // The same person with the same address has the rival's app log in; there the nonce goes as it is.
    let rival = claims
        .clone()
        .with("aud", "rival-app")
        .nonce(&key.oidc_nonce());
    let rival = two.second.id_token(&rival).unwrap();
    let ours = two.second.id_token(&claims).unwrap();
    assert_eq!(two.refusal(&rival, &key).await, "token_wrong_audience");
    let body = request("rival", "second", &ours, &key.public());
    let refused = two.world.post(0, &body).await.unwrap_err();
    assert_eq!(refused.code.as_str(), "token_wrong_audience");

    let body = request("rival", "second", &rival, &key.public());
    let theirs = two.world.login(&[0, 1], &body, &key).await;
    let body = request("acme", "mail", &ours, &key.public());
    let own = two.world.login(&[0, 1], &body, &key).await;
    assert!(theirs.0 == own.0 && theirs.1 != own.1);
}
