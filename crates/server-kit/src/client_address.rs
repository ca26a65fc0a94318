//! Whose request it is: the peer's address, or what a trusted proxy says of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address or a range of addresses (`10.0.0.0/8`, `::1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// Not an address or range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or range such as 10.0.0.0/8")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| NetworkError)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<Network>);

impl Proxies {
    /// Those of these networks.
    #[must_use]
    pub const fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// The peer itself, unless it is a trusted proxy; then the last address in `X-Forwarded-For` that is none. What
    /// stands before that the client could have written itself. Where an entry cannot be read, the proxy that wrote it
    /// counts.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .map(|line| line.to_str().unwrap_or_default())
            .collect();
        let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        while self.trusts(client) {
            match hops.next().and_then(address) {
                Some(hop) => client = hop,
                None => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&address))
    }
}

/// What a limit counts: an IPv4 address, or the first 64 bits of an IPv6 address. Whoever has one of those has all of them.
#[must_use]
pub fn subnet(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()) | (0xffff << 32),
        IpAddr::V6(address) => address.to_bits() & (u128::MAX << 64),
    }
}

/// An entry, with or without port and brackets.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(entry);
    bare.parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let networks = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                FORWARDED_FOR,
                HeaderValue::from_bytes(line.as_bytes()).unwrap(),
            );
        }
        let peer = peer.parse().unwrap();
        Proxies::new(networks).client(peer, &headers).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        // (trusted, peer, header lines, client)
        #[rustfmt::skip]
        let cases: &[(&[&str], &str, &[&str], &str)] = &[
            (&[], "192.0.2.1", &["203.0.113.7"], "192.0.2.1"),
            (&["10.0.0.0/8"], "192.0.2.1", &["203.0.113.7"], "192.0.2.1"),
            (&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.7"], "203.0.113.7"),
            (&["10.0.0.0/8"], "10.1.2.3", &[], "10.1.2.3"),
            // The client wrote the first entry, the proxies the others.
            (&["10.0.0.0/8"], "10.1.2.3", &["198.51.100.1, 203.0.113.7, 10.9.9.9"], "203.0.113.7"),
            (&["10.0.0.0/8"], "10.1.2.3", &["198.51.100.1", "203.0.113.7", "10.9.9.9"], "203.0.113.7"),
            (&["10.0.0.0/8"], "10.1.2.3", &["10.8.8.8,10.9.9.9"], "10.8.8.8"),
            (&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.7, unknown"], "10.1.2.3"),
            (&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.7, \u{fc}, 10.9.9.9"], "10.1.2.3"),
            (&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.7,"], "10.1.2.3"),
            // Ports, brackets, IPv4 in IPv6.
            (&["127.0.0.1"], "::ffff:127.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            (&["::1"], "::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["::1"], "::1", &["[2001:db8::7]"], "2001:db8::7"),
            (&["::1", "2001:db8::/32"], "::1", &["::ffff:203.0.113.7, 2001:db8::7"], "203.0.113.7"),
        ];
        for (trusted, peer, lines, expected) in cases {
            assert_eq!(client(trusted, peer, lines), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn networks_are_addresses_or_ranges() {
        for good in ["10.0.0.0/8", "10.0.0.1", "::1", "fd00::/8"] {
            let network: Network = good.parse().unwrap();
            let json = serde_json::to_string(&network).unwrap();
            assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
        }
        for bad in ["", "10.0.0", "10.0.0.0/33", "proxy", "10.0.0.0/8 "] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
    }
}
