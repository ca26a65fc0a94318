//! The edge of every check, to the second; the same checks over real sockets are in `tests/`.

use serde_json::{Value, json};
use trefoil_protocol::social::VerifierId;
use trefoil_protocol::tenant::Tenant;

use super::*;
use crate::config::{CaseRule, UserClaim, VerifierConfig};
use crate::token::VerifiedUser;

const NOW: u64 = 1_800_000_000;

fn verifier() -> VerifierConfig {
    let (tenant, id) = (
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
    );
    let mut verifier = VerifierConfig::new(tenant, id, "https://a.example", "web");
    verifier.audiences.push("phone".to_owned());
    verifier
}

/// Honest claims with some replaced; `null` takes one away.
fn check_with(verifier: &VerifierConfig, changes: Value) -> Result<String, TokenError> {
    let mut claims = json!({
        "iss": "https://a.example", "sub": "42", "aud": "web", "exp": NOW + 300, "iat": NOW, "nonce": "n",
        "email": "Ada@Example.com", "email_verified": true, "tid": "T", "oid": "O", "other": {"a": [1]},
    });
    claims
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    let claims: Claims = serde_json::from_value(claims).map_err(|_| TokenError::Malformed)?;
    claims.check(&verifier.providers().next().unwrap(), "n", NOW)?;
    let user = VerifiedUser::from_claims(&claims, verifier.user, verifier.case)?;
    Ok(user.as_str().to_owned())
}

fn check(changes: Value) -> Result<(), TokenError> {
    check_with(&verifier(), changes).map(|_| ())
}

#[test]
fn honest_claims() {
    assert_eq!(check_with(&verifier(), json!({})).unwrap(), "42");
}

#[test]
fn every_claim_is_required() {
    for name in ["iss", "aud", "exp", "iat", "nonce", "sub"] {
        assert_eq!(
            check(json!({ name: null })),
            Err(TokenError::MissingClaim(name))
        );
    }
}

#[test]
fn issuer_is_exact() {
    for issuer in [
        "https://a.example/",
        "https://A.example",
        "a.example",
        "",
        "http://a.example",
    ] {
        assert_eq!(
            check(json!({ "iss": issuer })),
            Err(TokenError::WrongIssuer),
            "{issuer}"
        );
    }
}

#[test]
fn all_audiences_must_be_known_and_several_need_a_known_party() {
    for (aud, azp, verdict) in [
        (json!("web"), json!(null), Ok(())),
        (json!(["web"]), json!(null), Ok(())),
        (json!("web"), json!("phone"), Ok(())),
        (json!(["web", "phone"]), json!("web"), Ok(())),
        (json!("theirs"), json!(null), Err(TokenError::WrongAudience)),
        (
            json!("theirs"),
            json!("web"),
            Err(TokenError::WrongAudience),
        ),
        (json!("Web"), json!(null), Err(TokenError::WrongAudience)),
        (json!([]), json!("web"), Err(TokenError::WrongAudience)),
        (
            json!(["web", "theirs"]),
            json!("web"),
            Err(TokenError::WrongAudience),
        ),
        (json!("web"), json!("theirs"), Err(TokenError::WrongParty)),
        (
            json!(["web", "phone"]),
            json!(null),
            Err(TokenError::WrongParty),
        ),
        (
            json!(["web", "phone"]),
            json!("theirs"),
            Err(TokenError::WrongParty),
        ),
        (
            json!(["web", "web"]),
            json!(null),
            Err(TokenError::WrongParty),
        ),
    ] {
        assert_eq!(
            check(json!({ "aud": aud, "azp": azp })),
            verdict,
            "{aud} {azp}"
        );
    }
}

#[test]
fn times_to_the_second() {
    let (skew, age) = (verifier().skew, verifier().max_age);
    for (changes, verdict) in [
        (json!({ "exp": NOW - skew + 1 }), Ok(())),
        (json!({ "exp": NOW - skew }), Err(TokenError::Expired)),
        (json!({ "exp": 0 }), Err(TokenError::Expired)),
        (json!({ "exp": u64::MAX }), Ok(())),
        (json!({ "nbf": NOW + skew }), Ok(())),
        (
            json!({ "nbf": NOW + skew + 1 }),
            Err(TokenError::NotYetValid),
        ),
        (json!({ "iat": NOW + skew }), Ok(())),
        (
            json!({ "iat": NOW + skew + 1 }),
            Err(TokenError::IssuedInFuture),
        ),
        (json!({ "iat": NOW - age - skew }), Ok(())),
        (
            json!({ "iat": NOW - age - skew - 1 }),
            Err(TokenError::TooOld),
        ),
        (json!({ "iat": 0 }), Err(TokenError::TooOld)),
        // Fractions are cut off (RFC 7519 section 2).
        (json!({ "iat": 1_800_000_000.75 }), Ok(())),
    ] {
        assert_eq!(check(changes.clone()), verdict, "{changes}");
    }
}

#[test]
fn claims_of_another_type() {
    for changes in [
        json!({ "iss": 5 }),
        json!({ "aud": 5 }),
        json!({ "aud": ["web", 5] }),
        json!({ "aud": {"a": "web"} }),
        json!({ "azp": ["web"] }),
        json!({ "exp": "1800000300" }),
        json!({ "exp": -1 }),
        json!({ "exp": 1e300 }),
        json!({ "iat": true }),
        json!({ "nonce": 5 }),
        json!({ "sub": 42 }),
        json!({ "email_verified": 1 }),
    ] {
        assert_eq!(
            check(changes.clone()),
            Err(TokenError::Malformed),
            "{changes}"
        );
    }
}

#[test]
fn nonce_is_exact() {
    for nonce in ["", "N", "n ", "nn"] {
        assert_eq!(
            check(json!({ "nonce": nonce })),
            Err(TokenError::WrongNonce)
        );
    }
}

#[test]
fn user_by_subject() {
    for bad in ["", "a\nb", "a\u{0}", &"u".repeat(513)] {
        assert_eq!(
            check(json!({ "sub": bad })),
            Err(TokenError::BadUser("sub")),
            "{bad:?}"
        );
    }
    assert_eq!(check(json!({ "sub": "u".repeat(512) })), Ok(()));
}

#[test]
fn user_by_email_only_when_verified() {
    let mut by_email = verifier();
    by_email.user = UserClaim::Email;
    let user = |changes: Value| check_with(&by_email, changes);
    assert_eq!(user(json!({})).unwrap(), "Ada@Example.com");
    assert_eq!(
        user(json!({ "email_verified": "true" })).unwrap(),
        "Ada@Example.com"
    );
    for unverified in [
        json!(null),
        json!(false),
        json!("false"),
        json!("TRUE"),
        json!(""),
    ] {
        assert_eq!(
            user(json!({ "email_verified": unverified })),
            Err(TokenError::UnverifiedEmail)
        );
    }
    assert_eq!(
        user(json!({ "email": null })),
        Err(TokenError::MissingClaim("email"))
    );
    for bad in ["ada", "@example.com", "ada@", ""] {
        assert_eq!(
            user(json!({ "email": bad })),
            Err(TokenError::BadUser("email")),
            "{bad}"
        );
    }
    by_email.case = CaseRule::Lower;
    assert_eq!(check_with(&by_email, json!({})).unwrap(), "ada@example.com");
    // Only A-Z: what Unicode says of other letters may change.
    assert_eq!(
        check_with(&by_email, json!({ "email": "ÄDA@example.com" })).unwrap(),
        "Äda@example.com"
    );
}

#[test]
fn user_by_tenant_and_object() {
    let mut by_object = verifier();
    by_object.user = UserClaim::TenantObject;
    let user = |changes: Value| check_with(&by_object, changes);
    assert_eq!(user(json!({})).unwrap(), "T/O");
    assert_eq!(
        user(json!({ "tid": null })),
        Err(TokenError::MissingClaim("tid"))
    );
    assert_eq!(
        user(json!({ "oid": null })),
        Err(TokenError::MissingClaim("oid"))
    );
    // "a/b" + "c" and "a" + "b/c" would be one user.
    assert_eq!(
        user(json!({ "tid": "a/b" })),
        Err(TokenError::BadUser("tid"))
    );
    assert_eq!(
        user(json!({ "oid": "b/c" })),
        Err(TokenError::BadUser("oid"))
    );
    assert_eq!(
        user(json!({ "tid": "t".repeat(300), "oid": "o".repeat(300) })),
        Err(TokenError::BadUser("oid"))
    );
}
