//! What one node keeps to itself, and the file it lies in.

use alloc::string::String;
use core::fmt::{self, Write as _};

use rand_core::CryptoRng;
use serde::Deserialize;
use trefoil_oprf::{KeyShare, NodeIndex};
use zeroize::Zeroizing;

use super::{NodeKey, VerifiedManifest};
use crate::bytes::{NetworkKey, decode_array, encode};
use crate::seal::hpke::EnvelopePrivateKey;
use crate::sign::AuthPrivateKey;
use crate::versioned;

const VERSION: u32 = 1;

/// Bytes of a secret file at most.
const MAX_FILE: usize = 4096;

/// Key share, HPKE key and identity key of one node in one epoch.
#[derive(Clone)]
pub struct NodeSecrets {
    network: NetworkKey,
    epoch: u32,
    share: KeyShare,
    hpke_seed: Zeroizing<[u8; 32]>,
    identity_seed: Zeroizing<[u8; 32]>,
}

/// Why a secret file is not this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeSecretsError {
    /// Over-long, cut off, or not JSON of the expected form; an unknown field is refused too.
    #[error("the node's secret file is damaged: restore it from its backup")]
    Malformed,
    /// A version this software does not know.
    #[error("the node's secret file has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// A share of zero or above the group order, index 0, or seeds of the wrong length.
    #[error("the node's secret file holds a value that is no key")]
    BadValue,
    /// The manifest is another network's.
    #[error("the node's secret file belongs to another network than the manifest")]
    WrongNetwork,
    /// The manifest is of another epoch.
    #[error("the node's secret file is of epoch {file}, the manifest of epoch {manifest}")]
    WrongEpoch {
        /// Epoch of the file.
        file: u32,
        /// Epoch of the manifest.
        manifest: u32,
    },
    /// The manifest names other public keys for this index, or none.
    #[error("the manifest names other keys for node {0} than its secret file holds")]
    WrongKeys(NodeIndex),
}

/// The file's form. Borrowed: no copy of a secret is left behind by parsing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[expect(dead_code, reason = "read before, with the version")]
    version: u32,
    network: NetworkKey,
    epoch: u32,
    index: u16,
    share: &'a str,
    hpke_seed: &'a str,
    identity_seed: &'a str,
}

impl NodeSecrets {
    /// Fresh HPKE and identity keys beside a share.
    #[must_use]
    pub fn random(
        network: NetworkKey,
        epoch: u32,
        share: KeyShare,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut seed = || {
            let mut seed = Zeroizing::new([0; 32]);
            rng.fill_bytes(seed.as_mut());
            seed
        };
        Self {
            network,
            epoch,
            share,
            hpke_seed: seed(),
            identity_seed: seed(),
        }
    }

    /// From its parts: a ceremony's share and the seed of the key that it was sealed to, beside the node's own key.
    #[must_use]
    pub fn from_parts(
        network: NetworkKey,
        epoch: u32,
        share: KeyShare,
        hpke_seed: &[u8; 32],
        key: &NodeKey,
    ) -> Self {
        Self {
            network,
            epoch,
            share,
            hpke_seed: Zeroizing::new(*hpke_seed),
            identity_seed: key.expose_seed().clone(),
        }
    }

    /// The seed of [`Self::hpke`]: keep it out of logs, errors and arguments.
    #[must_use]
    pub const fn expose_hpke_seed(&self) -> &Zeroizing<[u8; 32]> {
        &self.hpke_seed
    }

    /// The node's lasting key.
    #[must_use]
    pub fn key(&self) -> NodeKey {
        NodeKey::from_seed(&self.identity_seed)
    }

    /// The node's place.
    #[must_use]
    pub const fn index(&self) -> NodeIndex {
        self.share.index()
    }

    /// The network it belongs to.
    #[must_use]
    pub const fn network(&self) -> NetworkKey {
        self.network
    }

    /// Epoch of the share.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The share of the network's key.
    #[must_use]
    pub const fn share(&self) -> &KeyShare {
        &self.share
    }

    /// Opens what is meant for this node alone.
    #[must_use]
    pub fn hpke(&self) -> EnvelopePrivateKey {
        EnvelopePrivateKey::derive(&self.hpke_seed)
    }

    /// Signs the next manifest.
    #[must_use]
    pub fn identity(&self) -> AuthPrivateKey {
        AuthPrivateKey::from_seed(&self.identity_seed)
    }

    /// Checks that the manifest means this node: network, epoch and all three public keys.
    ///
    /// # Errors
    /// [`NodeSecretsError::WrongNetwork`], [`NodeSecretsError::WrongEpoch`] and [`NodeSecretsError::WrongKeys`].
    pub fn check_against(&self, manifest: &VerifiedManifest) -> Result<(), NodeSecretsError> {
        if self.network != manifest.network() {
            return Err(NodeSecretsError::WrongNetwork);
        }
        if self.epoch != manifest.epoch() {
            return Err(NodeSecretsError::WrongEpoch {
                file: self.epoch,
                manifest: manifest.epoch(),
            });
        }
        let share = manifest.committee().verifying_share(self.index());
        let node = manifest
            .nodes()
            .iter()
            .find(|node| node.index == self.index());
        let same = share == Some(self.share.verifying_share())
            && node.is_some_and(|node| {
                node.hpke_key == self.hpke().public()
                    && node.identity_key == self.identity().auth_key()
            });
        if same {
            Ok(())
        } else {
            Err(NodeSecretsError::WrongKeys(self.index()))
        }
    }

    /// The secret file: JSON, to be kept readable by the node alone.
    #[must_use]
    pub fn expose_json(&self) -> Zeroizing<String> {
        let secret = |bytes: &[u8; 32]| Zeroizing::new(encode(bytes));
        // Written by hand into a string that is large enough, so that no copy is left behind by growing.
        let mut json = Zeroizing::new(String::with_capacity(512));
        // Writing to a string cannot fail, and none of the values needs escaping.
        let _ = write!(
            json,
            "{{\"version\":{VERSION},\"network\":\"{}\",\"epoch\":{},\"index\":{},\"share\":\"{}\",\"hpke_seed\":\"{}\",\"identity_seed\":\"{}\"}}",
            self.network,
            self.epoch,
            self.index(),
            *secret(&self.share.expose_secret()),
            *secret(&self.hpke_seed),
            *secret(&self.identity_seed),
        );
        json
    }

    /// Reads a secret file.
    ///
    /// # Errors
    /// [`NodeSecretsError::Malformed`], [`NodeSecretsError::UnknownVersion`] and [`NodeSecretsError::BadValue`].
    pub fn from_json(json: &[u8]) -> Result<Self, NodeSecretsError> {
        if json.len() > MAX_FILE {
            return Err(NodeSecretsError::Malformed);
        }
        let file: File<'_> = versioned::read(json, VERSION).map_err(|unread| {
            unread.into_error(
                NodeSecretsError::Malformed,
                NodeSecretsError::UnknownVersion,
            )
        })?;
        let secret = |text: &str| {
            decode_array(text)
                .map(Zeroizing::new)
                .map_err(|_| NodeSecretsError::BadValue)
        };
        let index = NodeIndex::new(file.index).map_err(|_| NodeSecretsError::BadValue)?;
        let share = KeyShare::from_bytes(index, &*secret(file.share)?)
            .map_err(|_| NodeSecretsError::BadValue)?;
        Ok(Self {
            network: file.network,
            epoch: file.epoch,
            share,
            hpke_seed: secret(file.hpke_seed)?,
            identity_seed: secret(file.identity_seed)?,
        })
    }
}

impl fmt::Debug for NodeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NodeSecrets(redacted, index {}, epoch {})",
            self.index(),
            self.epoch
        )
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::social::{DealtNetwork, deal_network};

    fn network(seed: u64) -> DealtNetwork {
        let urls: Vec<_> = (1..=3)
            .map(|i| format!("https://node-{i}.example"))
            .collect();
        deal_network(&urls, 2, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn file_round_trips_and_fits_its_manifest() {
        let dealt = network(1);
        let manifest = dealt.manifest.trust_pinned().unwrap();
        for node in &dealt.nodes {
            let json = node.expose_json();
            assert!(
                json.capacity() >= 512 && json.len() < 512,
                "grown: a copy was left behind"
            );
            let read = NodeSecrets::from_json(json.as_bytes()).unwrap();
            assert_eq!(*read.expose_json(), *json);
            assert_eq!(read.share(), node.share());
            assert_eq!(read.check_against(&manifest), Ok(()));
        }
    }

    #[test]
    fn each_fault_has_its_own_error() {
        let dealt = network(1);
        let manifest = dealt.manifest.trust_pinned().unwrap();
        let json = dealt.nodes[0].expose_json();
        let with = |from: &str, to: &str| {
            assert!(json.contains(from), "{from}");
            NodeSecrets::from_json(json.replacen(from, to, 1).as_bytes())
        };
        let error = |from: &str, to: &str| with(from, to).unwrap_err();
        assert_eq!(
            error("\"version\":1", "\"version\":2"),
            NodeSecretsError::UnknownVersion(2)
        );
        assert_eq!(error("{", "{\"more\":1,"), NodeSecretsError::Malformed);
        assert_eq!(
            error("\"index\":1", "\"index\":0"),
            NodeSecretsError::BadValue
        );
        assert_eq!(
            error("\"hpke_seed\":\"", "\"hpke_seed\":\"A"),
            NodeSecretsError::BadValue
        );
        let share = encode(&dealt.nodes[0].share().expose_secret()[..]);
        assert_eq!(error(&share, &encode(&[0; 32])), NodeSecretsError::BadValue);
        assert_eq!(
            error(&share, &encode(&[0xff; 32])),
            NodeSecretsError::BadValue
        );
        for cut in 0..json.len() {
            assert_eq!(
                NodeSecrets::from_json(&json.as_bytes()[..cut]).unwrap_err(),
                NodeSecretsError::Malformed
            );
        }
        assert_eq!(
            NodeSecrets::from_json(&[b' '; MAX_FILE + 1]).unwrap_err(),
            NodeSecretsError::Malformed
        );

        let moved = |from: &str, to: &str| with(from, to).unwrap().check_against(&manifest);
        let first = NodeIndex::new(1).unwrap();
        let other = NodeIndex::new(2).unwrap();
        assert_eq!(
            moved("\"index\":1", "\"index\":2"),
            Err(NodeSecretsError::WrongKeys(other))
        );
        assert_eq!(
            moved("\"epoch\":1", "\"epoch\":2"),
            Err(NodeSecretsError::WrongEpoch {
                file: 2,
                manifest: 1
            })
        );
        assert_eq!(
            moved(
                &share,
                &encode(&{
                    let mut one = [0; 32];
                    one[0] = 1;
                    one
                })
            ),
            Err(NodeSecretsError::WrongKeys(first))
        );
        assert_eq!(
            moved(&manifest.network().to_string(), &encode(&[7; 32])),
            Err(NodeSecretsError::WrongNetwork)
        );
        let foreign = network(2).manifest.trust_pinned().unwrap();
        assert_eq!(
            dealt.nodes[0].check_against(&foreign),
            Err(NodeSecretsError::WrongNetwork)
        );
    }

    #[test]
    fn debug_is_redacted() {
        let node = &network(1).nodes[1];
        assert_eq!(
            format!("{node:?}"),
            "NodeSecrets(redacted, index 2, epoch 1)"
        );
    }
}
