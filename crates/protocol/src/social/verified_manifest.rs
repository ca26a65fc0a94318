//! From bytes to a network that can be relied on.
//!
//! What a client computes with a network can only be right or fail: a proof holds only for a verifying share, and the
//! shares are checked to lie on one polynomial through the group key, which apps pin. A manifest that lies about URLs
//! can refuse service, not hand out another secret. The signatures keep even that to whoever runs `T` nodes.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use trefoil_oprf::{Committee, CommitteeError, ElementError, GroupKey, NodeIndex, VerifyingShare};

use super::manifest::{
    LABEL, MAX_MANIFEST, MAX_NODES, Manifest, ManifestChain, ManifestNode, ManifestSignature,
    SignedManifest, VERSION,
};
use crate::bytes::{AuthKey, Blob, CeremonyId, EnvelopeKey, ManifestHash, NetworkKey};
use crate::versioned::{self, Unread};

const MAX_URL: usize = 255;

/// A manifest in which everything is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedManifest {
    committee: Committee,
    nodes: Vec<Node>,
    previous: Option<ManifestHash>,
    ceremony: Option<CeremonyId>,
    signed: SignedManifest,
    hash: ManifestHash,
}

/// One node of a verified manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its place.
    pub index: NodeIndex,
    /// Base URL without a trailing slash.
    pub url: String,
    /// What is meant for this node alone is sealed to it.
    pub hpke_key: EnvelopeKey,
    /// It signs the next manifest.
    pub identity_key: AuthKey,
}

/// Why bytes are not the manifest of this network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More than [`MAX_MANIFEST`] bytes or [`MAX_NODES`] nodes.
    #[error(
        "the manifest is larger than {MAX_MANIFEST} bytes or names more than {MAX_NODES} nodes"
    )]
    TooLarge,
    /// It ends too early.
    #[error("the manifest is cut off: fetch it again")]
    Truncated,
    /// Not JSON of the expected form.
    #[error("the manifest is not of a known form")]
    Malformed,
    /// A field this software does not know.
    #[error("the manifest has a field that this software does not know")]
    UnknownField,
    /// A version this software does not know.
    #[error("the manifest has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// The group key is not an element that may be used.
    #[error("the manifest's group key is wrong: {0}")]
    GroupKey(ElementError),
    /// A node at index 0.
    #[error("the manifest has a node with index 0")]
    ZeroIndex,
    /// A node's verifying share is not an element that may be used.
    #[error("the verifying share of node {index} is wrong: {source}")]
    VerifyingShare {
        /// Whose.
        index: NodeIndex,
        /// What is wrong with it.
        source: ElementError,
    },
    /// One index twice.
    #[error("the manifest names node {0} twice")]
    DuplicateIndex(NodeIndex),
    /// The nodes do not stand in the order of their indices.
    #[error("the manifest's nodes are not in order")]
    Unordered,
    /// A URL, an identity key or an HPKE key stands twice: one party in two places.
    #[error("the URL or a key of node {0} stands twice in the manifest")]
    DuplicateNode(NodeIndex),
    /// Not a base URL that may be called.
    #[error(
        "the URL of node {0} is not https (or http on this machine) without path end, query or user"
    )]
    Url(NodeIndex),
    /// The epoch is 0, or only one of first epoch and missing `previous` is given.
    #[error("the manifest's epoch and its previous manifest do not go together")]
    History,
    /// The threshold does not fit, or the shares do not belong to one key.
    #[error(transparent)]
    Committee(CommitteeError),
    /// Another network's.
    #[error("the manifest belongs to another network than the one this app pins")]
    WrongNetwork,
    /// Not newer than the one at hand.
    #[error("the manifest is of epoch {given}, and epoch {known} is known already")]
    NotNewer {
        /// Epoch at hand.
        known: u32,
        /// Epoch that was given.
        given: u32,
    },
    /// Does not follow the one at hand.
    #[error("the manifest does not follow the one at hand")]
    WrongPrevious,
    /// A signature by a node that has no say.
    #[error("node {0} signed the manifest but has no say in it")]
    UnknownSigner(u16),
    /// One node signed twice.
    #[error("node {0} signed the manifest twice")]
    DuplicateSigner(u16),
    /// A signature does not hold.
    #[error("node {0}'s signature under the manifest does not hold")]
    BadSignature(u16),
    /// Fewer signatures than a quorum.
    #[error("the manifest has {given} signatures and needs {needed}")]
    TooFewSignatures {
        /// [`VerifiedManifest::quorum`] of the signing nodes.
        needed: u16,
        /// Signatures that were given.
        given: usize,
    },
}

impl SignedManifest {
    /// Verifies a network's first manifest for an app that pins the network's public key: `T` of its own nodes signed.
    ///
    /// # Errors
    /// One [`ManifestError`] per kind of fault; [`ManifestError::WrongNetwork`] for another group key and
    /// [`ManifestError::History`] for a manifest that is not a first one.
    pub fn verify_first(&self, pinned: &NetworkKey) -> Result<VerifiedManifest, ManifestError> {
        let verified = self.parse()?;
        if verified.network() != *pinned {
            return Err(ManifestError::WrongNetwork);
        }
        if verified.previous.is_some() {
            return Err(ManifestError::History);
        }
        verified.check_signatures(self)?;
        Ok(verified)
    }

    /// Takes a manifest that the app itself carries or was configured with, whatever its epoch: the app's word stands
    /// for the signatures. Everything else is checked.
    ///
    /// # Errors
    /// One [`ManifestError`] per kind of fault.
    pub fn trust_pinned(&self) -> Result<VerifiedManifest, ManifestError> {
        self.parse()
    }

    /// Everything but the signatures.
    fn parse(&self) -> Result<VerifiedManifest, ManifestError> {
        let bytes = self.manifest.as_bytes();
        if bytes.len() > MAX_MANIFEST {
            return Err(ManifestError::TooLarge);
        }
        let manifest: Manifest =
            versioned::read(bytes, VERSION).map_err(|unread| match unread {
                Unread::UnknownVersion(version) => ManifestError::UnknownVersion(version),
                Unread::Malformed(Some(error)) => form_error(&error),
                Unread::Malformed(None) => ManifestError::Malformed,
            })?;
        if manifest.nodes.len() > MAX_NODES {
            return Err(ManifestError::TooLarge);
        }
        if manifest.epoch == 0 || (manifest.epoch == 1) != manifest.previous.is_none() {
            return Err(ManifestError::History);
        }
        let group_key =
            GroupKey::from_bytes(manifest.group_key.as_bytes()).map_err(ManifestError::GroupKey)?;
        let (shares, nodes): (Vec<_>, Vec<_>) = manifest
            .nodes
            .into_iter()
            .map(checked_node)
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        check_places(&nodes)?;
        let committee = Committee::new(group_key, manifest.threshold, manifest.epoch, &shares)
            .map_err(ManifestError::Committee)?;
        Ok(VerifiedManifest {
            committee,
            nodes,
            previous: manifest.previous,
            ceremony: manifest.ceremony,
            signed: self.clone(),
            hash: self.hash(),
        })
    }
}

impl VerifiedManifest {
    /// Verifies the manifest that follows this one: the same network, the next in the chain, signed by a quorum of
    /// this one's nodes.
    ///
    /// # Errors
    /// One [`ManifestError`] per kind of fault.
    pub fn verify_next(&self, next: &SignedManifest) -> Result<Self, ManifestError> {
        let verified = next.parse()?;
        if verified.network() != self.network() {
            return Err(ManifestError::WrongNetwork);
        }
        if verified.epoch() <= self.epoch() {
            return Err(ManifestError::NotNewer {
                known: self.epoch(),
                given: verified.epoch(),
            });
        }
        if verified.previous != Some(self.hash) {
            return Err(ManifestError::WrongPrevious);
        }
        self.check_signatures(next)?;
        Ok(verified)
    }

    /// Follows a chain of manifests, oldest first; those that are not newer than this one are passed over. `None` where
    /// nothing newer is among them.
    ///
    /// # Errors
    /// [`ManifestError`] of the first that does not follow.
    pub fn follow(&self, chain: &ManifestChain) -> Result<Option<Self>, ManifestError> {
        let mut newest = None;
        for next in &chain.manifests {
            let known = newest.as_ref().unwrap_or(self);
            match known.verify_next(next) {
                Ok(verified) => newest = Some(verified),
                Err(ManifestError::NotNewer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(newest)
    }

    /// Whether a quorum of this manifest's nodes signed the other.
    fn check_signatures(&self, signed: &SignedManifest) -> Result<(), ManifestError> {
        let mut signers = BTreeSet::new();
        for signature in &signed.signatures {
            let node = self
                .nodes
                .iter()
                .find(|node| node.index.get() == signature.index)
                .ok_or(ManifestError::UnknownSigner(signature.index))?;
            if !signers.insert(node.index) {
                return Err(ManifestError::DuplicateSigner(signature.index));
            }
            node.identity_key
                .verify(LABEL, signed.manifest.as_bytes(), &signature.signature)
                .map_err(|_| ManifestError::BadSignature(signature.index))?;
        }
        if signers.len() < usize::from(self.quorum()) {
            return Err(ManifestError::TooFewSignatures {
                needed: self.quorum(),
                given: signers.len(),
            });
        }
        Ok(())
    }

    /// Whether one of this manifest's nodes signed these bytes of the next.
    #[must_use]
    pub fn signed_by(&self, manifest: &Blob, signature: &ManifestSignature) -> bool {
        self.node(signature.index).is_some_and(|node| {
            node.identity_key
                .verify(LABEL, manifest.as_bytes(), &signature.signature)
                .is_ok()
        })
    }

    /// The nodes' public keys, ready to verify and combine answers.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        &self.committee
    }

    /// Names the network: its group public key.
    #[must_use]
    pub const fn network(&self) -> NetworkKey {
        NetworkKey::from_bytes(*self.committee.group_key().as_bytes())
    }

    /// The epoch of the nodes' key shares.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.committee.epoch()
    }

    /// Answers that are needed: `T`.
    #[must_use]
    pub const fn threshold(&self) -> u16 {
        self.committee.threshold()
    }

    /// Signatures that the next manifest needs: `T`, and more than half of the nodes, so that two quorums always share a
    /// node and no network can be led into two different futures by its honest nodes.
    #[must_use]
    pub fn quorum(&self) -> u16 {
        let majority = u16::try_from(self.nodes.len() / 2 + 1).unwrap_or(u16::MAX);
        self.threshold().max(majority)
    }

    /// The nodes, by ascending index.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Hash of the manifest before; none for a first one.
    #[must_use]
    pub const fn previous(&self) -> Option<ManifestHash> {
        self.previous
    }

    /// The ceremony that made it; none where a dealer did.
    #[must_use]
    pub const fn ceremony(&self) -> Option<CeremonyId> {
        self.ceremony
    }

    /// The node at a place.
    #[must_use]
    pub fn node(&self, index: u16) -> Option<&Node> {
        self.nodes.iter().find(|node| node.index.get() == index)
    }

    /// The place of whoever has this identity key.
    #[must_use]
    pub fn place_of(&self, identity: &AuthKey) -> Option<NodeIndex> {
        let mut nodes = self.nodes.iter();
        nodes
            .find(|node| node.identity_key == *identity)
            .map(|node| node.index)
    }

    /// SHA-256 of the exact manifest bytes.
    #[must_use]
    pub const fn hash(&self) -> ManifestHash {
        self.hash
    }

    /// The bytes and signatures it was verified from.
    #[must_use]
    pub const fn signed(&self) -> &SignedManifest {
        &self.signed
    }
}

/// Tells damage from news. `serde` gives an unknown field no kind of its own, only a message; a test pins it.
fn form_error(error: &serde_json::Error) -> ManifestError {
    use alloc::string::ToString;
    if error.is_eof() {
        ManifestError::Truncated
    } else if error.is_data() && error.to_string().starts_with("unknown field") {
        ManifestError::UnknownField
    } else {
        ManifestError::Malformed
    }
}

fn checked_node(node: ManifestNode) -> Result<(VerifyingShare, Node), ManifestError> {
    let ManifestNode {
        index,
        url,
        verifying_share,
        hpke_key,
        identity_key,
    } = node;
    let index = NodeIndex::new(index).map_err(|_| ManifestError::ZeroIndex)?;
    let share = VerifyingShare::from_bytes(index, verifying_share.as_bytes())
        .map_err(|source| ManifestError::VerifyingShare { index, source })?;
    if !is_base_url(&url) {
        return Err(ManifestError::Url(index));
    }
    Ok((
        share,
        Node {
            index,
            url,
            hpke_key,
            identity_key,
        },
    ))
}

fn check_places(nodes: &[Node]) -> Result<(), ManifestError> {
    let (mut indices, mut urls, mut keys, mut seals) = (
        BTreeSet::new(),
        BTreeSet::new(),
        BTreeSet::new(),
        BTreeSet::new(),
    );
    for node in nodes {
        if !indices.insert(node.index) {
            return Err(ManifestError::DuplicateIndex(node.index));
        }
        if !urls.insert(node.url.as_str())
            || !keys.insert(node.identity_key)
            || !seals.insert(node.hpke_key)
        {
            return Err(ManifestError::DuplicateNode(node.index));
        }
    }
    if !nodes.is_sorted_by_key(|node| node.index) {
        return Err(ManifestError::Unordered);
    }
    Ok(())
}

/// `https://host[:port][/path]`, or `http` where the host is this machine; printable ASCII, no `/` at the end, no
/// query, fragment or user.
pub(crate) fn is_base_url(url: &str) -> bool {
    let plain = |b: u8| {
        b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'@' | b'\\' | b'"' | b'<' | b'>')
    };
    if url.len() > MAX_URL || url.ends_with('/') || !url.bytes().all(plain) {
        return false;
    }
    let authority = |rest: &str| String::from(rest.split('/').next().unwrap_or_default());
    if let Some(rest) = url.strip_prefix("https://") {
        return !authority(rest).is_empty();
    }
    let Some(rest) = url.strip_prefix("http://") else {
        return false;
    };
    let authority = authority(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => &authority,
    };
    let octets: Vec<Option<u8>> = host.split('.').map(|octet| octet.parse().ok()).collect();
    host == "localhost"
        || host == "[::1]"
        || matches!(octets.as_slice(), [Some(127), Some(_), Some(_), Some(_)])
}

#[cfg(test)]
mod tests;
