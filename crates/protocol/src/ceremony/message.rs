//! What a node says in a ceremony: exact bytes and a signature by its identity key.

use alloc::vec::Vec;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bytes::{AuthKey, Blob, Signature};
use crate::kdf::sha256;
use crate::sign::AuthPrivateKey;
use crate::versioned;

pub(super) const VERSION: u32 = 1;

/// A node's word; nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeMessage {
    /// JSON, byte for byte as signed.
    pub body: Blob,
    /// By the node's identity key, over the label of the message's kind.
    pub signature: Signature,
}

/// Why a node's word is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Not JSON of the expected form; an unknown field is refused too.
    #[error("a node's message is not of the expected form")]
    Malformed,
    /// A version this software does not know.
    #[error("a node's message has version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// Signed by another key than the one of the place it claims.
    #[error("the message of node {0} was not signed by that node")]
    BadSignature(u16),
    /// No node has this place.
    #[error("there is no node {0} in this ceremony")]
    UnknownNode(u16),
    /// Made in another ceremony.
    #[error("the message of node {0} belongs to another ceremony")]
    OtherCeremony(u16),
    /// Twice the same node.
    #[error("node {0} is there twice")]
    Twice(u16),
    /// Not every node.
    #[error("the message of node {0} is missing")]
    Missing(u16),
    /// Names another manifest.
    #[error("node {0} speaks of another manifest")]
    OtherManifest(u16),
    /// More messages than there are nodes to say something.
    #[error("{given} messages where there are {nodes} nodes")]
    TooMany {
        /// Nodes that have a say.
        nodes: usize,
        /// Messages that were given.
        given: usize,
    },
    /// A value in it is none that may be used.
    #[error("the message of node {0} holds a value that cannot be used")]
    BadValue(u16),
}

impl MessageError {
    /// The node whose message is at fault, as far as its signature was seen to hold or its place was claimed.
    #[must_use]
    pub const fn node(&self) -> Option<u16> {
        match self {
            Self::BadSignature(node)
            | Self::UnknownNode(node)
            | Self::OtherCeremony(node)
            | Self::Twice(node)
            | Self::Missing(node)
            | Self::OtherManifest(node)
            | Self::BadValue(node) => Some(*node),
            Self::Malformed | Self::UnknownVersion(_) | Self::TooMany { .. } => None,
        }
    }
}

/// A kind of message, with the place of the node that it claims.
pub(super) trait Spoken: Serialize + DeserializeOwned {
    const LABEL: &'static str;

    fn speaker(&self) -> u16;
}

impl NodeMessage {
    pub(super) fn sign<T: Spoken>(said: &T, key: &AuthPrivateKey) -> Self {
        // Strings, numbers and lists only: serialising them cannot fail.
        let body = serde_json::to_vec(said).unwrap_or_default();
        Self {
            signature: key.sign(T::LABEL, &body),
            body: Blob::new(body),
        }
    }

    /// Reads and verifies; `key_of` knows the identity key of a place.
    pub(super) fn verify<T: Spoken>(
        &self,
        key_of: impl FnOnce(u16) -> Option<AuthKey>,
    ) -> Result<T, MessageError> {
        let said: T = versioned::read(self.body.as_bytes(), VERSION).map_err(|unread| {
            unread.into_error(MessageError::Malformed, MessageError::UnknownVersion)
        })?;
        let speaker = said.speaker();
        key_of(speaker)
            .ok_or(MessageError::UnknownNode(speaker))?
            .verify(T::LABEL, self.body.as_bytes(), &self.signature)
            .map_err(|_| MessageError::BadSignature(speaker))?;
        Ok(said)
    }
}

/// Before any signature is looked at: who repeats messages must not make a node verify them all.
pub(super) const fn check_count(given: usize, nodes: usize) -> Result<(), MessageError> {
    if given > nodes {
        return Err(MessageError::TooMany { nodes, given });
    }
    Ok(())
}

/// SHA-256 over messages as they were sent, each with the length of its body in front.
pub(super) fn transcript(messages: &[NodeMessage]) -> [u8; 32] {
    let lengths: Vec<[u8; 8]> = messages
        .iter()
        .map(|message| (message.body.as_bytes().len() as u64).to_be_bytes())
        .collect();
    let mut parts: Vec<&[u8]> = Vec::with_capacity(messages.len() * 2);
    for (message, length) in messages.iter().zip(&lengths) {
        parts.extend([length.as_slice(), message.body.as_bytes()]);
    }
    sha256(&parts)
}
