//! Proof that two pairs have the same discrete logarithm (RFC 9497 section 2.2, without its batching): the node's key
//! share stands both behind its verifying share and behind its answer.

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::element::{ScalarError, scalar_from_bytes};
use crate::input::{Input, hash_to_scalar};
use crate::keys::{KeyShare, VerifyingShare};

const CHALLENGE: &[u8] = b"trefoil/v1/dleq";
const NONCE: &[u8] = b"trefoil/v1/dleq-nonce";

/// Challenge and response. Says nothing about the key share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    pub(crate) challenge: Scalar,
    pub(crate) response: Scalar,
}

impl Proof {
    /// Number of bytes of an encoded proof.
    pub const LEN: usize = 64;

    /// Challenge, then response, 32 bytes little-endian each (the order of RFC 9497).
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (challenge, response) = bytes.split_at_mut(32);
        challenge.copy_from_slice(self.challenge.as_bytes());
        response.copy_from_slice(self.response.as_bytes());
        bytes
    }

    /// Decodes what [`Self::to_bytes`] gives.
    ///
    /// # Errors
    /// [`ScalarError`] where one of the two is not below the group order.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, ScalarError> {
        let mut halves = [[0; 32]; 2];
        halves.as_flattened_mut().copy_from_slice(bytes);
        let [challenge, response] = halves;
        Ok(Self {
            challenge: scalar_from_bytes(&challenge)?,
            response: scalar_from_bytes(&response)?,
        })
    }
}

/// Everything the challenge binds apart from the two commitments.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) epoch: u32,
    pub(crate) public: &'a VerifyingShare,
    pub(crate) input: &'a Input,
    pub(crate) output: &'a RistrettoPoint,
    pub(crate) output_bytes: &'a [u8; 32],
}

impl Claim<'_> {
    /// Label, epoch, index, public key, input, output and the commitments, each with its length in front.
    fn challenge(&self, commitments: &Commitments) -> Scalar {
        let epoch = self.epoch.to_be_bytes();
        let index = self.public.index().get().to_be_bytes();
        let parts: [&[u8]; 8] = [
            self.input.label(),
            &epoch,
            &index,
            self.public.as_bytes(),
            self.input.bytes(),
            self.output_bytes,
            &commitments.base.compress().to_bytes(),
            &commitments.input.compress().to_bytes(),
        ];
        let lengths = parts.map(|part| u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        let mut message: [&[u8]; 16] = [&[]; 16];
        for (slot, (length, part)) in message.chunks_exact_mut(2).zip(lengths.iter().zip(parts)) {
            slot.copy_from_slice(&[length, part]);
        }
        hash_to_scalar(&message, CHALLENGE)
    }

    pub(crate) fn prove(&self, share: &KeyShare, rng: &mut impl CryptoRng) -> Proof {
        // Derived from the share and the claim as well as from the random source: a source that repeats itself
        // must not give the share away.
        let mut fresh = Zeroizing::new([0; 32]);
        rng.fill_bytes(fresh.as_mut());
        let epoch = self.epoch.to_be_bytes();
        let secret = share.expose_secret();
        let nonce = Zeroizing::new(hash_to_scalar(
            &[
                self.input.label(),
                &epoch,
                secret.as_slice(),
                fresh.as_slice(),
                self.input.bytes(),
                self.output_bytes,
            ],
            NONCE,
        ));
        let challenge = self.challenge(&commit(&nonce, self.input.point()));
        Proof {
            challenge,
            response: respond(share.scalar(), &nonce, &challenge),
        }
    }

    pub(crate) fn verify(&self, proof: &Proof) -> bool {
        let commitments = recompute(
            self.public.element().point(),
            self.input.point(),
            self.output,
            proof,
        );
        self.challenge(&commitments) == proof.challenge
    }
}

/// `r*B` and `r*input`.
pub(crate) struct Commitments {
    pub(crate) base: RistrettoPoint,
    pub(crate) input: RistrettoPoint,
}

impl Drop for Commitments {
    fn drop(&mut self) {
        self.base.zeroize();
        self.input.zeroize();
    }
}

/// RFC 9497 section 2.2.1, `t2` and `t3`.
pub(crate) fn commit(nonce: &Scalar, input: &RistrettoPoint) -> Commitments {
    Commitments {
        base: RistrettoPoint::mul_base(nonce),
        input: nonce * input,
    }
}

/// RFC 9497 section 2.2.1, `s = r - c*k`.
pub(crate) fn respond(key: &Scalar, nonce: &Scalar, challenge: &Scalar) -> Scalar {
    nonce - challenge * key
}

/// RFC 9497 section 2.2.2: the commitments that an honest prover must have made. Variable time in the proof only.
pub(crate) fn recompute(
    public: &RistrettoPoint,
    input: &RistrettoPoint,
    output: &RistrettoPoint,
    proof: &Proof,
) -> Commitments {
    let Proof {
        challenge,
        response,
    } = proof;
    Commitments {
        base: RistrettoPoint::vartime_double_scalar_mul_basepoint(challenge, public, response),
        input: RistrettoPoint::vartime_multiscalar_mul([response, challenge], [input, output]),
    }
}
