//! What one node refuses every node refuses: an attacker who finds one that is laxer would need only `T` such.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trefoil_node::{FetchConfig, UserClaim, VerifierConfig};
use trefoil_protocol::bytes::EnvelopeKey;
use trefoil_protocol::social::{EphemeralKey, MAX_ID_TOKEN, oidc_nonce};
use trefoil_testkit::oidc::{Algorithm, Claims, OpenIdProvider};

use crate::world::{START, World, acme, request, rng, tenant, verifier_id};

/// A request that must be refused, the code, and what is wrong with it.
type Case = (Value, &'static str, &'static str);

/// `acme/google` by `sub` and `acme/mail` by `email`.
fn two(provider: &OpenIdProvider) -> Vec<VerifierConfig> {
    let (tenant, id) = (tenant("acme"), verifier_id("mail"));
    let mut mail = VerifierConfig::new(tenant, id, provider.issuer(), "mail-app");
    mail.user = UserClaim::Email;
    vec![acme(provider), mail]
}

/// One wrong thing in claims that are honest otherwise.
fn wrong_claims(world: &World, key: &EphemeralKey) -> Vec<Case> {
    let honest = || world.claims("ada", key);
    let mail = || honest().with("aud", "mail-app");
    let google = |claims: Claims, code, what| {
        let token = world.provider.id_token(&claims).unwrap();
        (request("acme", "google", &token, &key.public()), code, what)
    };
    let by_mail = |claims: Claims, code, what| {
        let token = world.provider.id_token(&claims).unwrap();
        (request("acme", "mail", &token, &key.public()), code, what)
    };
    let other_nonce = EphemeralKey::random(&mut rng(11)).oidc_nonce();
    vec![
        google(
            honest().with("iss", "https://accounts.example.com"),
            "token_wrong_issuer",
            "issuer",
        ),
        google(
            honest().with("aud", "mail-app"),
            "token_wrong_audience",
            "audience of another verifier of the tenant",
        ),
        google(
            honest().authorized_party("mail-app"),
            "token_wrong_party",
            "authorized party",
        ),
        google(honest().with("exp", START - 60), "token_expired", "expiry"),
        google(
            honest().with("nbf", START + 61),
            "token_not_yet_valid",
            "not before",
        ),
        google(
            honest().with("iat", START + 61),
            "token_issued_in_future",
            "issued in the future",
        ),
        google(
            honest().with("iat", START - 661),
            "token_too_old",
            "issued long ago",
        ),
        google(
            honest().nonce(&other_nonce),
            "token_wrong_nonce",
            "nonce of another key",
        ),
        google(honest().without("nonce"), "token_missing_claim", "no nonce"),
        google(
            honest().with("sub", "a\nb"),
            "token_bad_user",
            "user with a line break",
        ),
        by_mail(
            mail().email("ada@example.com", false),
            "token_unverified_email",
            "e-mail address that is not verified",
        ),
        by_mail(
            mail().email("ada", true),
            "token_bad_user",
            "user claim that is no address",
        ),
        by_mail(
            mail(),
            "token_missing_claim",
            "user claim that is not there",
        ),
        google(
            honest().with("padding", "x".repeat(MAX_ID_TOKEN)),
            "token_too_large",
            "size",
        ),
        google(
            honest().with("exp", "tomorrow"),
            "token_malformed",
            "claim of another type",
        ),
    ]
}

/// Tokens that the provider did not sign, or not so.
fn forgeries(world: &World, key: &EphemeralKey) -> Vec<Case> {
    let (forger, claims) = (world.provider.forger(), world.claims("ada", key));
    let case =
        |token: String, code, what| (request("acme", "google", &token, &key.public()), code, what);
    let with_header = |header: Value| {
        forger
            .with_header(&header, &claims, Algorithm::Es256)
            .unwrap()
    };
    vec![
        case(
            forger.alg_none(&claims).unwrap(),
            "token_algorithm_refused",
            "algorithm none",
        ),
        case(
            forger
                .hs256_with_public_key(&claims, Algorithm::Rs256)
                .unwrap(),
            "token_algorithm_refused",
            "HMAC with the public key",
        ),
        case(
            forger.unknown_kid(&claims, Algorithm::Es256).unwrap(),
            "token_unknown_key",
            "unknown key id",
        ),
        case(
            forger
                .swapped_algorithm(&claims, Algorithm::Rs256, Algorithm::Es256)
                .unwrap(),
            "token_wrong_key_type",
            "algorithm that does not fit the key",
        ),
        case(
            forger.foreign_key(&claims, Algorithm::Es256).unwrap(),
            "token_bad_signature",
            "signature of another key",
        ),
        case(
            forger.embedded_key(&claims, Algorithm::Es256).unwrap(),
            "token_bad_signature",
            "key that the token brings along",
        ),
        case(
            with_header(json!({ "alg": "ES256", "crit": ["exp"] })),
            "token_critical_header",
            "critical header",
        ),
        case(
            with_header(json!({ "alg": "ES256", "typ": "at+jwt" })),
            "token_wrong_type",
            "access token",
        ),
        case("a.b.c".to_owned(), "token_malformed", "no token at all"),
    ]
}

/// Honest tokens in requests that are wrong themselves, group elements among them.
fn wrong_requests(world: &World, key: &EphemeralKey) -> Vec<Case> {
    let token = world.token("ada", key);
    let with = |field: &str, value: Value| {
        let mut body = request("acme", "google", &token, &key.public());
        body[field] = value;
        body
    };
    let mut cases = vec![
        (with("tenant", json!("rival")), "unknown_tenant", "tenant"),
        (
            with("verifier", json!("other")),
            "unknown_verifier",
            "verifier",
        ),
        (
            with("generation", json!(16)),
            "generation_out_of_range",
            "generation",
        ),
        (with("epoch", json!(2)), "other_epoch", "epoch"),
    ];
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut prime = minus_one;
    prime[0] = 0xed;
    let mut high_bit = *key.public().as_bytes();
    high_bit[31] |= 0x80;
    for (bytes, what) in [
        ([0; 32], "identity as ephemeral key"),
        (minus_one, "ephemeral key of order 4 on the twist"),
        (prime, "identity in a second encoding"),
        (high_bit, "ephemeral key in a second encoding"),
    ] {
        let bad = EnvelopeKey::from_bytes(bytes);
        let claims = world.provider.claims("ada").nonce(&oidc_nonce(&bad));
        let token = world.provider.id_token(&claims).unwrap();
        let body = request("acme", "google", &token, &bad);
        cases.push((body, "bad_ephemeral_key", what));
    }
    cases
}

#[tokio::test]
async fn each_wrong_thing_is_refused_with_its_own_code_at_every_node() {
    let world = World::with(3, 5, two, FetchConfig::default()).await;
    let key = EphemeralKey::random(&mut rng(10));
    let mut cases = wrong_claims(&world, &key);
    cases.extend(forgeries(&world, &key));
    cases.extend(wrong_requests(&world, &key));

    // Honest logins first and last, so that nothing is refused because all is.
    let token = world.token("ada", &key);
    let honest = request("acme", "google", &token, &key.public());
    let claims = world
        .claims("ada", &key)
        .with("aud", "mail-app")
        .email("ada@example.com", true);
    let token = world.provider.id_token(&claims).unwrap();
    let honest_mail = request("acme", "mail", &token, &key.public());

    for node in 0..world.urls.len() {
        for body in [&honest, &honest_mail] {
            assert!(world.post(node, body).await.is_ok(), "node {node}");
        }
        for (body, code, what) in &cases {
            let refused = world.post(node, body).await;
            let refused = refused.expect_err(what);
            assert_eq!(refused.code.as_str(), *code, "{what} at node {node}");
        }
        for body in [&honest, &honest_mail] {
            assert!(world.post(node, body).await.is_ok(), "node {node}");
        }
    }
    let secret = world.login(&[0, 2, 4], &honest, &key).await.1;
    assert!(secret == world.login(&[3, 1, 2], &honest, &key).await.1);

    // The reasons that the design names have a code each.
    let codes: BTreeSet<&str> = cases.iter().map(|(_, code, _)| *code).collect();
    let named = [
        "issuer",
        "audience of another verifier of the tenant",
        "expiry",
        "issued in the future",
        "nonce of another key",
        "algorithm none",
        "unknown key id",
        "e-mail address that is not verified",
        "user with a line break",
        "size",
    ];
    let own: BTreeSet<&str> = cases
        .iter()
        .filter(|(_, _, what)| named.contains(what))
        .map(|(_, code, _)| *code)
        .collect();
    assert_eq!(own.len(), named.len(), "two of them share a code: {own:?}");
    assert_eq!(codes.len(), 24, "{codes:?}");
}
