//! Step 2: a dealer's commitments for all to see, and a sub-share sealed to each member.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::message::{MessageError, NodeMessage, Spoken, VERSION};
use super::{Joins, VerifiedPlan};
use crate::bytes::{AuthKey, Blob, CeremonyId, NodeShareKey, TranscriptHash};
use crate::kdf::label;
use crate::seal::OpenError;
use crate::seal::hpke::{EnvelopePrivateKey, SealError};
use crate::sign::AuthPrivateKey;

/// What one dealer gives. A dealer is a node of the committee before; where a key is made, every member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dealing {
    version: u32,
    ceremony: CeremonyId,
    dealer: u16,
    joins: TranscriptHash,
    /// To the dealer's polynomial, constant coefficient first. Empty where a key is made: there they stand in the joins.
    pub commitments: Vec<NodeShareKey>,
    /// One for each member, in the order of the places.
    sealed: Vec<Blob>,
}

/// What a dealer gives before it is sealed.
#[derive(Debug)]
pub struct DealtShares<'a> {
    /// The dealer's place in the committee before, or in the plan.
    pub dealer: u16,
    /// As [`Dealing::commitments`].
    pub commitments: Vec<NodeShareKey>,
    /// One for each member, in the order of the places.
    pub sub_shares: &'a [Zeroizing<Vec<u8>>],
}

impl Spoken for Dealing {
    const LABEL: &'static str = "ceremony/deal";

    fn speaker(&self) -> u16 {
        self.dealer
    }
}

impl Dealing {
    /// Seals each sub-share to its member and signs.
    ///
    /// # Errors
    /// [`SealError`] where a member's key is not one to seal to.
    pub fn seal(
        plan: &VerifiedPlan,
        joins: &Joins,
        dealt: DealtShares<'_>,
        identity: &AuthPrivateKey,
        rng: &mut impl CryptoRng,
    ) -> Result<NodeMessage, SealError> {
        let DealtShares {
            dealer,
            commitments,
            sub_shares,
        } = dealt;
        let sealed = joins
            .iter()
            .zip(sub_shares)
            .map(|(join, sub_share)| {
                let info = info(&plan.ceremony(), dealer, join.index());
                join.hpke_key.seal(&info, sub_share, rng).map(Blob::new)
            })
            .collect::<Result<_, _>>()?;
        let said = Self {
            version: VERSION,
            ceremony: plan.ceremony(),
            dealer,
            joins: joins.hash(),
            commitments,
            sealed,
        };
        Ok(NodeMessage::sign(&said, identity))
    }

    /// Verifies a dealer's message; `dealer_key` knows the dealers.
    ///
    /// # Errors
    /// [`MessageError`]: not by that dealer, of another ceremony, made after other joins, or with more or fewer
    /// commitments or sub-shares than planned.
    pub fn verify(
        message: &NodeMessage,
        plan: &VerifiedPlan,
        joins: &Joins,
        dealer_key: impl FnOnce(u16) -> Option<AuthKey>,
    ) -> Result<Self, MessageError> {
        let dealing: Self = message.verify(dealer_key)?;
        if dealing.ceremony != plan.ceremony() {
            return Err(MessageError::OtherCeremony(dealing.dealer));
        }
        let commitments = if plan.is_key_generation() {
            0
        } else {
            usize::from(plan.threshold())
        };
        if dealing.joins != joins.hash()
            || dealing.sealed.len() != plan.nodes().len()
            || dealing.commitments.len() != commitments
        {
            return Err(MessageError::BadValue(dealing.dealer));
        }
        Ok(dealing)
    }

    /// The dealer's place.
    #[must_use]
    pub const fn dealer(&self) -> u16 {
        self.dealer
    }

    /// Opens what was sealed to the member at `index`.
    ///
    /// # Errors
    /// [`OpenError`]: the dealer sealed something else, or to another key.
    pub fn open(
        &self,
        index: u16,
        key: &EnvelopePrivateKey,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let place = usize::from(index).checked_sub(1).ok_or(OpenError)?;
        let sealed = self.sealed.get(place).ok_or(OpenError)?;
        key.open(&info(&self.ceremony, self.dealer, index), sealed.as_bytes())
    }
}

fn info(ceremony: &CeremonyId, dealer: u16, index: u16) -> Vec<u8> {
    label(
        "ceremony/sub-share",
        &[
            ceremony.as_bytes(),
            &dealer.to_be_bytes(),
            &index.to_be_bytes(),
        ],
    )
}
