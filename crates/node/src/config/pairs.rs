//! A pair of issuer and audience belongs to one verifier of the whole network.

use std::collections::BTreeMap;

use url::Url;

use super::{ConfigError, VerifierConfig, VerifierName};

/// No name twice, and no (issuer, audience) pair twice: neither in two verifiers nor among the providers of one.
pub(crate) fn check_together(verifiers: &[VerifierConfig]) -> Result<(), ConfigError> {
    let mut names = BTreeMap::new();
    let mut pairs = BTreeMap::new();
    for verifier in verifiers {
        if names.insert((&verifier.tenant, &verifier.id), ()).is_some() {
            return Err(ConfigError::DuplicateVerifier(VerifierName::of(verifier)));
        }
        for (issuer, audiences) in verifier.issuers() {
            for audience in audiences {
                if let Some(first) = pairs.insert((same_issuer(issuer), audience), verifier) {
                    return Err(ConfigError::SharedAudience {
                        issuer: issuer.to_owned(),
                        audience: audience.clone(),
                        first: VerifierName::of(first),
                        second: VerifierName::of(verifier),
                    });
                }
            }
        }
    }
    Ok(())
}

/// The same text for issuers whose keys come from the same place, however they are spelled (RFC 3986 section 6.2): case of
/// the host, default port, dot segments, percent encoding, superfluous slashes, the dot of the root zone. Tokens are
/// compared with the issuer itself; this only finds pairs that must not stand twice, so it may call too much the same,
/// never too little.
pub(super) fn same_issuer(issuer: &str) -> String {
    let Ok(url) = Url::parse(issuer) else {
        return issuer.to_owned();
    };
    let host = url.host_str().unwrap_or_default();
    let path = decoded(url.path());
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!(
        "{}://{}:{}/{}",
        url.scheme(),
        host.trim_end_matches('.'),
        url.port_or_known_default().unwrap_or_default(),
        segments.join("/")
    )
}

/// Percent encoding undone; what is not UTF-8 then is replaced.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let encoded = after
            .split_at_checked(2)
            .filter(|_| *first == b'%')
            .and_then(|(digits, after)| Some((hex(digits)?, after)));
        let (byte, after) = encoded.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_issuer() {
        let plain = same_issuer("https://login.example.com/realms/acme");
        for same in [
            "https://login.example.com/realms/acme/",
            "https://login.example.com/realms/acme//",
            "https://login.example.com//realms/acme",
            "https://LOGIN.Example.com/realms/acme",
            "HTTPS://login.example.com/realms/acme",
            "https://login.example.com:443/realms/acme",
            "https://login.example.com./realms/acme",
            "https://login.example.com/x/../realms/./acme",
            "https://login.example.com/realms/%61cm%65",
            "https://login.example.com/realms%2Facme",
            "https://login.ex%61mple.com/realms/acme",
        ] {
            assert_eq!(same_issuer(same), plain, "{same}");
        }
        for other in [
            "https://login.example.com/realms/Acme",
            "https://login.example.com/realms/acme2",
            "https://login.example.com/realms",
            "https://login.example.com:444/realms/acme",
            "https://login.example.org/realms/acme",
            "http://login.example.com/realms/acme",
            "https://login.example.com/realms/%acme",
            "https://login.example.com/realms/acme%",
            "https://login.example.com/realms/acme%2",
            "https://login.example.com/realms/acme%+1",
            "not a url",
        ] {
            assert_ne!(same_issuer(other), plain, "{other}");
        }
    }
}
