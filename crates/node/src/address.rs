//! Which addresses keys may be fetched from.

use url::{Host, Url};

/// Why an address is not one to fetch keys from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not a URL at all.
    #[error("it is not a URL")]
    NotUrl,
    /// `http` to another machine, or some other scheme.
    #[error("it must be https; http is allowed only to this machine")]
    Insecure,
    /// A user name, password, query or fragment.
    #[error("it must not have a user name, a query or a fragment")]
    Extras,
}

/// HTTPS, or HTTP where the host is this machine; no user, query or fragment.
pub(crate) fn check(address: &str) -> Result<Url, AddressError> {
    let url = Url::parse(address).map_err(|_| AddressError::NotUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) => {}
        _ => return Err(AddressError::Insecure),
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !plain || url.query().is_some() {
        return Err(AddressError::Extras);
    }
    Ok(url)
}

/// Where a provider says that its keys lie (`jwks_uri`): elsewhere perhaps, with a query perhaps, but no less secure
/// than the issuer itself.
pub(crate) fn check_keys(address: &str, issuer: &str) -> Result<Url, AddressError> {
    let url = Url::parse(address).map_err(|_| AddressError::NotUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) && issuer.starts_with("http://") => {}
        _ => return Err(AddressError::Insecure),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Extras);
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        for good in [
            "https://accounts.example.com",
            "https://a.example/tenant/v2.0",
            "http://127.0.0.1:8080",
            "http://[::1]:1/x",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("accounts.example.com", AddressError::NotUrl),
            ("http://accounts.example.com", AddressError::Insecure),
            ("http://127.0.0.1.example.com", AddressError::Insecure),
            ("http://localhost.example.com", AddressError::Insecure),
            ("http://10.0.0.1", AddressError::Insecure),
            ("file:///etc/keys", AddressError::Insecure),
            ("https://user@a.example", AddressError::Extras),
            ("https://:word@a.example", AddressError::Extras),
            ("https://a.example?x=1", AddressError::Extras),
            ("https://a.example#x", AddressError::Extras),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn keys_are_no_less_secure_than_their_issuer() {
        let (remote, local) = ("https://a.example", "http://127.0.0.1:1");
        for (address, issuer, verdict) in [
            ("https://keys.example/v1?set=2", remote, None),
            ("https://keys.example", local, None),
            ("http://127.0.0.1:1/jwks", local, None),
            (
                "http://127.0.0.1:1/jwks",
                remote,
                Some(AddressError::Insecure),
            ),
            ("http://keys.example", local, Some(AddressError::Insecure)),
            ("/jwks", remote, Some(AddressError::NotUrl)),
            (
                "https://u:p@keys.example",
                remote,
                Some(AddressError::Extras),
            ),
        ] {
            assert_eq!(
                check_keys(address, issuer).err(),
                verdict,
                "{address} of {issuer}"
            );
        }
    }
}
