//! What an account keeps of whose login it was: hashes, so that two logins of one identity are told as such and neither the
//! user string nor the e-mail address can be read from the account's state.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use trefoil_protocol::tenant::Tenant;
use zeroize::Zeroizing;

const IDENTITY: &[u8] = b"trefoil/v1/hint/identity";
const EMAIL: &[u8] = b"trefoil/v1/hint/email";
/// Bytes of an e-mail address at most; what is longer is none.
const MAX_EMAIL: usize = 512;

/// Of the user string that the nodes name: equal for all generations of one login.
pub(super) fn identity(tenant: &Tenant, user: &str) -> String {
    hash(IDENTITY, tenant, user)
}

/// Of the `email` claim of an ID token that the nodes have verified, trimmed and lower-cased; none where the token has no
/// such claim or one that is no text.
pub(super) fn email(tenant: &Tenant, id_token: &str) -> Option<String> {
    let address = claim(id_token)?;
    let address = Zeroizing::new(address.trim().to_lowercase());
    let usable = !address.is_empty() && address.len() <= MAX_EMAIL;
    usable.then(|| hash(EMAIL, tenant, &address))
}

/// `base64url(SHA-256(label || LP(tenant) || LP(text)))`, without padding.
fn hash(label: &[u8], tenant: &Tenant, text: &str) -> String {
    let mut hash = Sha256::new_with_prefix(label);
    for part in [tenant.as_str(), text] {
        // Both are bounded far below 64 KiB.
        hash.update(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    Base64UrlUnpadded::encode_string(&hash.finalize())
}

/// The `email` claim in the payload of a token of three parts (RFC 7515 section 3.1).
fn claim(id_token: &str) -> Option<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Claims {
        email: Option<serde_json::Value>,
    }
    let payload = id_token.split('.').nth(1)?;
    let payload = Zeroizing::new(Base64UrlUnpadded::decode_vec(payload).ok()?);
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    match claims.email {
        Some(serde_json::Value::String(address)) => Some(Zeroizing::new(address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        let payload = Base64UrlUnpadded::encode_string(payload.as_bytes());
        format!("e30.{payload}.sig")
    }

    fn tenant() -> Tenant {
        Tenant::new("acme").unwrap()
    }

    #[test]
    fn hashes_follow_their_form() {
        let expected = |label: &str, text: &str| {
            let mut bytes = label.as_bytes().to_vec();
            bytes.extend([0, 4]);
            bytes.extend(b"acme");
            bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
            Base64UrlUnpadded::encode_string(&Sha256::digest(bytes))
        };
        let user = identity(&tenant(), "alice");
        assert_eq!(user, expected("trefoil/v1/hint/identity", "alice"));
        let address = email(&tenant(), &token(r#"{"email":" Alice@Example.COM\n"}"#));
        let of_lower = expected("trefoil/v1/hint/email", "alice@example.com");
        assert_eq!(address, Some(of_lower));
        // Neither label nor tenant nor text stands in for another.
        assert_ne!(
            identity(&tenant(), "alice@example.com"),
            expected("trefoil/v1/hint/email", "alice@example.com")
        );
        let other = Tenant::new("other").unwrap();
        assert_ne!(user, identity(&other, "alice"));
    }

    #[test]
    fn a_token_without_a_usable_address_gives_none() {
        let long = format!(r#"{{"email":"{}@example.com"}}"#, "a".repeat(MAX_EMAIL));
        for payload in [
            "{}",
            r#"{"email":null}"#,
            r#"{"email":7}"#,
            r#"{"email":["alice@example.com"]}"#,
            r#"{"email":{"of":"alice@example.com"}}"#,
            r#"{"email":""}"#,
            r#"{"email":"  \t"}"#,
            // Twice: which of them is meant cannot be told.
            r#"{"email":"alice@example.com","email":"bob@example.com"}"#,
            "[]",
            "not JSON",
            &long,
        ] {
            assert_eq!(email(&tenant(), &token(payload)), None, "{payload}");
        }
        for token in ["", ".", "..", "one part", "e30.!!!.sig", "e30.e30=.sig"] {
            assert_eq!(email(&tenant(), token), None, "{token}");
        }
    }
}
