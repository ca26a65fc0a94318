//! The manifest as it is sent and signed.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::ManifestError;
use crate::bytes::{
    AuthKey, Blob, CeremonyId, EnvelopeKey, ManifestHash, NetworkKey, NodeShareKey, Signature,
};
use crate::kdf::sha256;
use crate::sign::AuthPrivateKey;
use crate::versioned;

pub(super) const LABEL: &str = "manifest";
pub(super) const VERSION: u32 = 1;

/// Bytes of a manifest at most.
pub const MAX_MANIFEST: usize = 64 * 1024;
/// Nodes of a network at most.
pub const MAX_NODES: usize = 128;

/// Who the nodes of one epoch are, as written; nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub version: u32,
    /// The network's public key, the same in every epoch.
    pub group_key: NetworkKey,
    /// From 1, growing.
    pub epoch: u32,
    /// Hash of the manifest before; none in the first.
    pub previous: Option<ManifestHash>,
    /// The ceremony that made it; none where a dealer did.
    pub ceremony: Option<CeremonyId>,
    /// Answers that are needed: `T`.
    pub threshold: u16,
    /// By ascending index.
    pub nodes: Vec<ManifestNode>,
}

/// One node as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestNode {
    /// From 1.
    pub index: u16,
    /// Base URL without a trailing slash: HTTPS, or HTTP to this machine.
    pub url: String,
    /// The public half of its key share.
    pub verifying_share: NodeShareKey,
    /// What is meant for this node alone is sealed to it.
    pub hpke_key: EnvelopeKey,
    /// It signs the next manifest.
    pub identity_key: AuthKey,
}

/// One node's signature under a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSignature {
    /// The node, in the manifest before; in the first manifest, in itself.
    pub index: u16,
    /// By its identity key, over label `manifest`.
    pub signature: Signature,
}

/// A manifest's exact bytes with signatures; nothing about it is checked yet. `GET {node}/v1/manifest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedManifest {
    /// JSON of a [`Manifest`], byte for byte as signed.
    pub manifest: Blob,
    /// A quorum of the manifest before ([`super::VerifiedManifest::quorum`]); of the first, of its own nodes.
    pub signatures: Vec<ManifestSignature>,
}

impl ManifestSignature {
    /// A node's signature under exact manifest bytes; `index` is its place in the manifest before, or in a first one.
    #[must_use]
    pub fn sign(index: u16, manifest: &Blob, key: &AuthPrivateKey) -> Self {
        Self {
            index,
            signature: key.sign(LABEL, manifest.as_bytes()),
        }
    }
}

impl Manifest {
    /// The bytes that are signed.
    #[must_use]
    pub fn to_blob(&self) -> Blob {
        // Strings, numbers and lists only: serialising them cannot fail.
        Blob::new(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl SignedManifest {
    /// Serialises and signs with the given nodes' identity keys.
    #[must_use]
    pub fn sign<'a>(
        manifest: &Manifest,
        signers: impl IntoIterator<Item = (u16, &'a AuthPrivateKey)>,
    ) -> Self {
        let manifest = manifest.to_blob();
        let signatures = signers
            .into_iter()
            .map(|(index, key)| ManifestSignature::sign(index, &manifest, key))
            .collect();
        Self {
            manifest,
            signatures,
        }
    }

    /// SHA-256 of the exact manifest bytes.
    #[must_use]
    pub fn hash(&self) -> ManifestHash {
        ManifestHash::from_bytes(sha256(&[self.manifest.as_bytes()]))
    }
}

/// Manifests of one answer at most.
pub const MAX_CHAIN: usize = 16;

/// The manifests that follow the one a client has, oldest first: `GET {node}/v1/manifests?after=<epoch>`. Nothing about
/// them is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestChain {
    /// 1.
    pub version: u32,
    /// At most [`MAX_CHAIN`]; whoever is further behind asks again. Empty where there is nothing newer.
    pub manifests: Vec<SignedManifest>,
}

impl ManifestChain {
    /// An answer; what is more than [`MAX_CHAIN`] is left for the next one.
    #[must_use]
    pub fn new(manifests: impl IntoIterator<Item = SignedManifest>) -> Self {
        Self {
            version: VERSION,
            manifests: manifests.into_iter().take(MAX_CHAIN).collect(),
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`ManifestError::Malformed`], [`ManifestError::UnknownVersion`], and [`ManifestError::TooLarge`] for more than
    /// [`MAX_CHAIN`].
    pub fn from_json(body: &[u8]) -> Result<Self, ManifestError> {
        let chain: Self = versioned::read(body, VERSION).map_err(|unread| {
            unread.into_error(ManifestError::Malformed, ManifestError::UnknownVersion)
        })?;
        if chain.manifests.len() > MAX_CHAIN {
            return Err(ManifestError::TooLarge);
        }
        Ok(chain)
    }

    /// The body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and lists only: serialising them cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
