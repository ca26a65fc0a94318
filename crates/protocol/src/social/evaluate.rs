//! One login at one node: `POST {node}/v1/evaluate`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use trefoil_oprf::{Evaluation, EvaluationError, NodeIndex};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{EphemeralKey, GENERATIONS, MAX_USER, VerifierId};
use crate::bytes::{Blob, EnvelopeKey};
use crate::kdf::{label, lp};
use crate::problem::ProblemCode;
use crate::seal::hpke::SealError;
use crate::tenant::Tenant;
use crate::versioned;

/// The version of request, answer and sealed answer.
const VERSION: u32 = 1;
/// Bytes of an ID token at most.
pub const MAX_ID_TOKEN: usize = 16 * 1024;
/// Bytes of a request at most.
pub const MAX_EVALUATE_REQUEST: usize = MAX_ID_TOKEN + 1024;
/// Bytes of an answer at most.
pub const MAX_EVALUATE_RESPONSE: usize = 4 * 1024;

/// An ID token (OpenID Connect Core 1.0 section 2). Whoever holds it and the ephemeral key is the user.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct IdToken(String);

impl IdToken {
    /// Takes the text as it is; nodes check it.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The token: keep it out of logs, errors and arguments.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl PartialEq for IdToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for IdToken {}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken(redacted)")
    }
}

impl Serialize for IdToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for IdToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// What a client asks each node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateRequest {
    /// 1.
    pub version: u32,
    /// The name space.
    pub tenant: Tenant,
    /// Which of its verifiers.
    pub verifier: VerifierId,
    /// With a nonce made from `ephemeral_key`.
    pub id_token: IdToken,
    /// The answer is sealed to it.
    pub ephemeral_key: EnvelopeKey,
    /// Below [`GENERATIONS`].
    pub generation: u32,
    /// The epoch of the client's manifest, from 1: the answer is to be of this one, so that `T` answers fit together while
    /// the network moves to the next.
    pub epoch: u32,
}

/// Why a body is not a request. [`Self::code`] is what the node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateRequestError {
    /// Not JSON of the expected form; an unknown field is refused too.
    #[error("the request is not of the expected form")]
    Malformed,
    /// A version this software does not know.
    #[error("the request has version {0}, which this node does not know")]
    UnknownVersion(u32),
    /// Above [`MAX_ID_TOKEN`].
    #[error("the ID token is larger than {MAX_ID_TOKEN} bytes")]
    TokenTooLarge,
    /// [`GENERATIONS`] or above.
    #[error("the generation must be below {GENERATIONS}")]
    GenerationOutOfRange,
}

impl EvaluateRequestError {
    /// The problem that the node answers with.
    #[must_use]
    pub const fn code(self) -> ProblemCode {
        match self {
            Self::Malformed => ProblemCode::MalformedRequest,
            Self::UnknownVersion(_) => ProblemCode::UnknownVersion,
            Self::TokenTooLarge => ProblemCode::TokenTooLarge,
            Self::GenerationOutOfRange => ProblemCode::GenerationOutOfRange,
        }
    }
}

impl EvaluateRequest {
    /// A request of the current version.
    ///
    /// # Errors
    /// [`EvaluateRequestError`] for a token or generation that every node would refuse.
    pub fn new(
        tenant: Tenant,
        verifier: VerifierId,
        id_token: IdToken,
        ephemeral_key: EnvelopeKey,
        generation: u32,
        epoch: u32,
    ) -> Result<Self, EvaluateRequestError> {
        Self {
            version: VERSION,
            tenant,
            verifier,
            id_token,
            ephemeral_key,
            generation,
            epoch,
        }
        .checked()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`EvaluateRequestError`], one per kind of fault.
    pub fn from_json(body: &[u8]) -> Result<Self, EvaluateRequestError> {
        versioned::read::<Self>(body, VERSION)
            .map_err(|unread| {
                unread.into_error(
                    EvaluateRequestError::Malformed,
                    EvaluateRequestError::UnknownVersion,
                )
            })?
            .checked()
    }

    /// The body. Holds the ID token.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        // Strings and numbers only: serialising them cannot fail.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    fn checked(self) -> Result<Self, EvaluateRequestError> {
        if self.id_token.0.len() > MAX_ID_TOKEN {
            return Err(EvaluateRequestError::TokenTooLarge);
        }
        if self.generation >= GENERATIONS {
            return Err(EvaluateRequestError::GenerationOutOfRange);
        }
        Ok(self)
    }
}

/// A node's answer. Index and epoch are bound by the seal.
///
/// Sealed is `u8 version || Z_i (32) || proof (64) || LP(user)`. The user string is the one that the node took from
/// the token by its verifier's claim and case rule, which the client does not know. Trusting it is safe because a
/// client combines only `T` answers that name the same user ([`super::Gathering`]): fewer than `T` nodes lie, so one
/// of the `T` is honest and the string is the right one; and each answer's proof holds only for that string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateResponse {
    /// 1.
    pub version: u32,
    /// Which node answers, from 1.
    pub index: u16,
    /// Epoch of its key share.
    pub epoch: u32,
    /// HPKE to the request's ephemeral key; info is `trefoil/v1/evaluation || u32 epoch || u32 index`.
    pub sealed: Blob,
}

/// An answer that was sealed to this login; nothing else about it is checked yet.
#[derive(Clone)]
pub struct OpenedEvaluation {
    /// The user as this node says.
    user: Zeroizing<String>,
    evaluation: Evaluation,
}

/// Why a node's answer cannot be used. Whatever the reason, the node is faulty or lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenEvaluationError {
    /// Not JSON of the expected form, or a sealed text that is cut off or over-long.
    #[error("the node's answer is not of the expected form")]
    Malformed,
    /// A version this software does not know.
    #[error("the node answered in version {0}, which this software does not know: update it")]
    UnknownVersion(u32),
    /// Sealed to another key, for another index or epoch, or changed.
    #[error("the node's answer was not sealed to this login")]
    NotForUs,
    /// The group element or the proof is not canonical.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

impl EvaluateResponse {
    /// Seals a node's answer. `user` has at most [`MAX_USER`] bytes.
    ///
    /// # Errors
    /// [`SealError`] where the ephemeral key is not one to seal to.
    pub fn seal(
        evaluation: &Evaluation,
        user: &str,
        ephemeral_key: &EnvelopeKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealError> {
        let (index, epoch) = (evaluation.index().get(), evaluation.epoch());
        let mut plaintext = Zeroizing::new(Vec::with_capacity(SEALED_HEAD + 2 + user.len()));
        plaintext.push(SEALED_VERSION);
        plaintext.extend_from_slice(evaluation.expose_secret());
        plaintext.extend_from_slice(&evaluation.proof().to_bytes());
        plaintext.extend(lp(user.as_bytes()));
        let sealed = Blob::new(ephemeral_key.seal(&info(epoch, index), &plaintext, rng)?);
        Ok(Self {
            version: VERSION,
            index,
            epoch,
            sealed,
        })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`OpenEvaluationError::Malformed`] and [`OpenEvaluationError::UnknownVersion`].
    pub fn from_json(body: &[u8]) -> Result<Self, OpenEvaluationError> {
        versioned::read(body, VERSION).map_err(|unread| {
            unread.into_error(
                OpenEvaluationError::Malformed,
                OpenEvaluationError::UnknownVersion,
            )
        })
    }

    /// Opens what was sealed to this login.
    ///
    /// # Errors
    /// [`OpenEvaluationError`], one per kind of fault.
    pub fn open(&self, ephemeral: &EphemeralKey) -> Result<OpenedEvaluation, OpenEvaluationError> {
        let index = NodeIndex::new(self.index).map_err(|_| OpenEvaluationError::Malformed)?;
        let plaintext = ephemeral
            .open(&info(self.epoch, self.index), self.sealed.as_bytes())
            .map_err(|_| OpenEvaluationError::NotForUs)?;
        let (version, rest) = plaintext
            .split_first()
            .ok_or(OpenEvaluationError::Malformed)?;
        if *version != SEALED_VERSION {
            return Err(OpenEvaluationError::UnknownVersion((*version).into()));
        }
        let (value, rest) = rest
            .split_first_chunk::<32>()
            .ok_or(OpenEvaluationError::Malformed)?;
        let (proof, rest) = rest
            .split_first_chunk::<64>()
            .ok_or(OpenEvaluationError::Malformed)?;
        let (length, user) = rest
            .split_first_chunk::<2>()
            .ok_or(OpenEvaluationError::Malformed)?;
        if usize::from(u16::from_be_bytes(*length)) != user.len()
            || user.is_empty()
            || user.len() > MAX_USER
        {
            return Err(OpenEvaluationError::Malformed);
        }
        let user = core::str::from_utf8(user).map_err(|_| OpenEvaluationError::Malformed)?;
        let evaluation = Evaluation::from_parts(index, self.epoch, value, proof)?;
        Ok(OpenedEvaluation {
            user: Zeroizing::new(user.into()),
            evaluation,
        })
    }
}

const SEALED_VERSION: u8 = 1;
const SEALED_HEAD: usize = 1 + 32 + 64;

fn info(epoch: u32, index: u16) -> Vec<u8> {
    label(
        "evaluation",
        &[&epoch.to_be_bytes(), &u32::from(index).to_be_bytes()],
    )
}

impl OpenedEvaluation {
    /// The user as this node says. One node's word alone is worth nothing.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The node that answered.
    #[must_use]
    pub const fn index(&self) -> NodeIndex {
        self.evaluation.index()
    }

    /// The epoch of its key share.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.evaluation.epoch()
    }

    /// The group element with its proof.
    #[must_use]
    pub fn into_evaluation(self) -> Evaluation {
        self.evaluation
    }
}

impl fmt::Debug for OpenedEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OpenedEvaluation(redacted, index {}, epoch {})",
            self.index(),
            self.epoch()
        )
    }
}

#[cfg(test)]
mod tests;
