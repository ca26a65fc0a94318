//! Making a slot: the client picks both parts of the key, shares one among the nodes, seals the factor secret under what the
//! right guess will yield, and forgets the key.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use trefoil_oprf::{GuessOutput, KeyShare, MasterKey};
use zeroize::Zeroizing;

use super::signed::{Signed, VERSION};
use super::slot::{Knowledge, SealedSecret, Slot, SlotNode, StretchCost};
use super::wire::{EnrolRequest, MAX_ALLOWED, OwnersClaim, SlotEnrolment};
use super::{EvaluatorName, GuessList, UnlockTag};
use crate::account::AccountKeys;
use crate::bytes::{AuthKey, Blob, EnvelopeKey, GroupElement, SlotId};
use crate::factor::FactorSecret;
use crate::kdf::{Prk, label};
use crate::seal::hpke::EnvelopePrivateKey;
use crate::seal::{OpenError, aead};
use crate::tenant::Tenant;

/// A node that is to hold a part of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlace {
    /// Its place in the slot, from 1, no gaps.
    pub index: u16,
    /// By which statements name it.
    pub identity_key: AuthKey,
    /// Its part is sealed to it.
    pub hpke_key: EnvelopeKey,
    /// Where it is.
    pub url: alloc::string::String,
}

/// Something that the user may know, stretched.
#[derive(Debug, Clone, Copy)]
pub struct Guessable<'a> {
    /// Which questions were answered, as a bit mask; 0 where there are none.
    pub subset: u16,
    /// What Argon2id made of it.
    pub stretched: &'a [u8; 32],
}

/// The slot to be made.
#[derive(Debug)]
pub struct NewSlot<'a> {
    /// The name space.
    pub tenant: &'a Tenant,
    /// Its name.
    pub id: SlotId,
    /// The index that its factor will have.
    pub factor: u32,
    /// The indices of all factors that the account will have.
    pub factors: &'a [u32],
    /// The revision of the record that will name it.
    pub revision: u64,
    /// The metadata server, as statements name it.
    pub server: &'a str,
    /// The nodes, `N` of them.
    pub nodes: &'a [NodePlace],
    /// Nodes whose answers will be needed, `T`.
    pub threshold: u16,
    /// Guesses per guess key.
    pub allowed: u8,
    /// What the user knows.
    pub knowledge: Knowledge,
    /// How it was stretched.
    pub stretch: StretchCost,
    /// Unix seconds.
    pub now: u64,
}

/// A slot on its way to the evaluators. Nothing relies on it before a record names it.
#[derive(Debug)]
pub struct DealtSlot {
    /// As the state will describe it; all nodes are in it, of which those are to be taken out that did not accept.
    pub slot: Slot,
    /// To the metadata server.
    pub server: EnrolRequest,
    /// To each node, in their order, to be completed by the server's permit.
    pub nodes: Vec<EnrolRequest>,
}

/// The slot cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DealError {
    /// Threshold, nodes or guesses out of range, or nothing that could be guessed.
    #[error(
        "no slot can be made of these: threshold, number of nodes or of guesses, or nothing to know"
    )]
    OutOfRange,
    /// A node's key is not one to seal to.
    #[error("nothing can be sealed to the key of the node at place {0}")]
    BadNodeKey(u16),
    /// A value came out as zero.
    #[error("the random source gives no random numbers: a value came out as zero")]
    BrokenRandomness,
}

impl DealtSlot {
    /// Makes it. `secret` is the factor's own, which the slot will give back for each of `guessables`.
    ///
    /// # Errors
    /// [`DealError`].
    pub fn deal(
        new: &NewSlot<'_>,
        account: &AccountKeys,
        secret: &FactorSecret,
        guessables: &[Guessable<'_>],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, DealError> {
        let count = u16::try_from(new.nodes.len()).map_err(|_| DealError::OutOfRange)?;
        let in_order = new
            .nodes
            .iter()
            .zip(1_u16..)
            .all(|(node, place)| node.index == place);
        if !in_order || guessables.is_empty() || !(1..=MAX_ALLOWED).contains(&new.allowed) {
            return Err(DealError::OutOfRange);
        }
        let (nodes_key, server_key) = (MasterKey::random(rng), MasterKey::random(rng));
        let split = |key: &MasterKey, t, n, rng: &mut _| key.split_committed(t, n, rng);
        let refused = |error| match error {
            trefoil_oprf::DealError::Threshold { .. } => DealError::OutOfRange,
            _ => DealError::BrokenRandomness,
        };
        let (commitments, shares) =
            split(&nodes_key, new.threshold, count, rng).map_err(refused)?;
        let (server_commitment, server_share) = split(&server_key, 1, 1, rng).map_err(refused)?;
        let mut sealed = Vec::new();
        for guessable in guessables {
            let output = GuessOutput::evaluate([&nodes_key, &server_key], guessable.stretched)
                .map_err(|_| DealError::BrokenRandomness)?;
            sealed.push(SealedSecret {
                subset: guessable.subset,
                sealed: seal_secret(secret, &output, &new.id, guessable.subset, rng),
            });
        }
        let dealer = Dealer {
            new,
            account,
            secret,
            list: GuessList::sign(
                account,
                new.id,
                new.factor,
                new.factors.iter().copied(),
                new.revision,
            ),
        };
        let server_key = server_commitment.to_bytes().next();
        let server_share = server_share.first();
        let (server_key, server_share) = server_key
            .zip(server_share)
            .ok_or(DealError::BrokenRandomness)?;
        let server = dealer.enrolment(
            EvaluatorName::Server(new.server.into()),
            0,
            Blob::new(server_share.expose_secret().to_vec()),
        );
        let nodes = new.nodes.iter().zip(&shares);
        let nodes = nodes.map(|(node, share)| dealer.for_node(node, share, rng));
        let nodes = nodes.collect::<Result<_, _>>()?;
        let slot = Slot {
            id: new.id,
            factor: new.factor,
            commitments: commitments
                .to_bytes()
                .map(|bytes| GroupElement::from_bytes(*bytes))
                .collect(),
            server_key: GroupElement::from_bytes(*server_key),
            nodes: new.nodes.iter().map(SlotNode::from).collect(),
            allowed: new.allowed,
            list: new.revision,
            created: new.now,
            knowledge: new.knowledge.clone(),
            stretch: new.stretch.clone(),
            sealed,
        };
        Ok(Self {
            slot,
            server,
            nodes,
        })
    }
}

struct Dealer<'a> {
    new: &'a NewSlot<'a>,
    account: &'a AccountKeys,
    secret: &'a FactorSecret,
    list: Signed<GuessList>,
}

impl Dealer<'_> {
    fn for_node(
        &self,
        node: &NodePlace,
        share: &KeyShare,
        rng: &mut impl CryptoRng,
    ) -> Result<EnrolRequest, DealError> {
        let info = share_info(&self.new.id, node.index);
        let sealed = node
            .hpke_key
            .seal(&info, share.expose_secret().as_slice(), rng)
            .map_err(|_| DealError::BadNodeKey(node.index))?;
        let name = EvaluatorName::Node(node.identity_key);
        Ok(self.enrolment(name, node.index, Blob::new(sealed)))
    }

    fn enrolment(&self, evaluator: EvaluatorName, index: u16, share: Blob) -> EnrolRequest {
        let slot = self.new.id;
        let admin = self.account.slot_admin(slot.as_bytes());
        let enrolment = SlotEnrolment {
            version: VERSION,
            tenant: self.new.tenant.clone(),
            slot,
            evaluator,
            index,
            share,
            unlock_hash: UnlockTag::of(self.secret, &slot, index).hash(),
            allowed: self.new.allowed,
            list: self.list.clone(),
        };
        EnrolRequest {
            admin_key: admin.auth_key(),
            enrolment: Signed::sign(&enrolment, &admin),
            permit: None,
            claim: (index == 0)
                .then(|| OwnersClaim::sign(self.account.auth(), slot, admin.auth_key())),
        }
    }
}

impl From<&NodePlace> for SlotNode {
    fn from(node: &NodePlace) -> Self {
        Self {
            index: node.index,
            identity_key: node.identity_key,
            url: node.url.clone(),
        }
    }
}

/// HPKE info of a node's part of a slot's key.
#[must_use]
pub fn share_info(slot: &SlotId, index: u16) -> Vec<u8> {
    label("guess/share", &[slot.as_bytes(), &index.to_be_bytes()])
}

/// A node opens its part.
///
/// # Errors
/// [`OpenError`] for another node's part and changed bytes.
pub fn open_share(
    enrolment: &SlotEnrolment,
    key: &EnvelopePrivateKey,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let info = share_info(&enrolment.slot, enrolment.index);
    key.open(&info, enrolment.share.as_bytes())
}

fn seal_secret(
    secret: &FactorSecret,
    output: &GuessOutput,
    slot: &SlotId,
    subset: u16,
    rng: &mut impl CryptoRng,
) -> Blob {
    let (key, context) = secret_key(output, slot, subset);
    Blob::new(aead::seal(&key, &context, secret.expose_secret(), rng))
}

pub(super) fn open_secret(
    sealed: &SealedSecret,
    output: &GuessOutput,
    slot: &SlotId,
) -> Result<FactorSecret, OpenError> {
    let (key, context) = secret_key(output, slot, sealed.subset);
    let opened = aead::open(&key, &context, sealed.sealed.as_bytes())?;
    <[u8; 32]>::try_from(opened.as_slice())
        .map(FactorSecret::from_bytes)
        .map_err(|_| OpenError)
}

fn secret_key(output: &GuessOutput, slot: &SlotId, subset: u16) -> (Zeroizing<[u8; 32]>, Vec<u8>) {
    let context = label("guess/secret", &[slot.as_bytes(), &subset.to_be_bytes()]);
    let prk = Prk::extract(None, output.expose_secret());
    (prk.expand(&context), context)
}
