//! The compact serialisation of a JWS (RFC 7515 section 7.1): three base64url parts.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde::de::IgnoredAny;
use trefoil_protocol::social::MAX_ID_TOKEN;
use zeroize::Zeroizing;

use super::TokenError;

/// The algorithms that are taken. There is no variant for what must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// Ed25519 (RFC 8037 section 3.1).
    EdDsa,
}

impl Algorithm {
    /// Exact: names are case-sensitive (RFC 7515 section 4.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A token taken apart; nothing about it is verified. Keys that the header brings along (`jwk`, `jku`, `x5c`) are not
/// even read.
pub(crate) struct Jws<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    /// What is signed: header and payload as they were sent.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart and refuses headers that no verifier takes.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_ID_TOKEN {
            return Err(TokenError::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let header: Header = object(header)?;
        let algorithm = Algorithm::from_name(&header.alg).ok_or(TokenError::AlgorithmRefused)?;
        if header.crit.is_some() {
            return Err(TokenError::CriticalHeader);
        }
        // A short form of the media type application/jwt (RFC 7515 section 4.1.9).
        let is_jwt = |typ: &String| {
            typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("application/jwt")
        };
        if !header.typ.as_ref().is_none_or(is_jwt) {
            return Err(TokenError::WrongType);
        }
        let signature =
            Base64UrlUnpadded::decode_vec(signature).map_err(|_| TokenError::Malformed)?;
        Ok(Self {
            algorithm,
            kid: header.kid,
            signed: signed.as_bytes(),
            signature,
            payload,
        })
    }

    /// What the token says its issuer is, before anything is verified: good for choosing keys and for nothing else.
    pub(crate) fn unverified_issuer(&self) -> Result<String, TokenError> {
        #[derive(Deserialize)]
        struct Issuer {
            iss: Option<String>,
        }
        let Issuer { iss } = object(self.payload)?;
        iss.ok_or(TokenError::MissingClaim("iss"))
    }

    /// The claims; to be called once the signature holds.
    pub(crate) fn payload<T: for<'de> Deserialize<'de>>(&self) -> Result<T, TokenError> {
        object(self.payload)
    }
}

/// A JSON object in base64url. A member that is read must not stand there twice.
fn object<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    let bytes =
        Zeroizing::new(Base64UrlUnpadded::decode_vec(part).map_err(|_| TokenError::Malformed)?);
    // serde would also read a struct from an array of its fields' values.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        format!("{}.{}.{}", part(header), part("{}"), part("signature"))
    }

    fn refusal(token: &str) -> TokenError {
        Jws::parse(token).map(|_| ()).unwrap_err()
    }

    #[test]
    fn three_parts_of_strict_base64url() {
        let good = token(r#"{"alg":"ES256"}"#);
        assert!(Jws::parse(&good).is_ok());
        for bad in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            format!("{good}="),
            format!("{good}."),
            format!(" {good}"),
            format!("{good}\n"),
            good.replacen('.', "..", 1),
            good.replacen('.', "=.", 1),
            format!("{good}.{good}"),
            // Five parts: an encrypted token (RFC 7516).
            format!("{good}.YQ.YQ"),
        ] {
            assert_eq!(refusal(&bad), TokenError::Malformed, "{bad}");
        }
    }

    #[test]
    fn every_algorithm_but_three_is_refused() {
        for alg in [
            "none", "None", "NONE", "HS256", "HS512", "RS512", "PS256", "ES384", "es256", "ES256 ",
            "ES256K", "",
        ] {
            assert_eq!(
                refusal(&token(&format!(r#"{{"alg":"{alg}"}}"#))),
                TokenError::AlgorithmRefused,
                "{alg}"
            );
        }
    }

    #[test]
    fn headers_that_are_not_plain_are_refused() {
        for (header, why) in [
            (r#"{"kid":"a"}"#, TokenError::Malformed),
            (r#"{"alg":5}"#, TokenError::Malformed),
            (r#"{"alg":"ES256","alg":"ES256"}"#, TokenError::Malformed),
            (
                r#"{"alg":"ES256","kid":"a","kid":"b"}"#,
                TokenError::Malformed,
            ),
            (r#"["ES256","a","JWT",null]"#, TokenError::Malformed),
            (r#"{"alg":"ES256"} {}"#, TokenError::Malformed),
            (
                r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
                TokenError::CriticalHeader,
            ),
            (r#"{"alg":"ES256","crit":[]}"#, TokenError::CriticalHeader),
            (r#"{"alg":"ES256","typ":"at+jwt"}"#, TokenError::WrongType),
            (
                r#"{"alg":"ES256","typ":"logout+jwt"}"#,
                TokenError::WrongType,
            ),
        ] {
            assert_eq!(refusal(&token(header)), why, "{header}");
        }
        for header in [
            r#"{"alg":"ES256","typ":"jwt"}"#,
            r#" {"alg":"ES256","jwk":{"kty":"oct","k":""},"jku":"x"}"#,
        ] {
            assert!(Jws::parse(&token(header)).is_ok(), "{header}");
        }
    }

    #[test]
    fn over_long() {
        assert_eq!(refusal(&"a".repeat(MAX_ID_TOKEN + 1)), TokenError::TooLarge);
        assert_eq!(refusal(&"a".repeat(MAX_ID_TOKEN)), TokenError::Malformed);
    }
}
