//! What several tests need: factors, and what a server holds of an account.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_protocol::bytes::{Blob, Envelope, EnvelopeHash, SealedNonce, SlotId};
use trefoil_protocol::change::{Change, ChangeError, NewFactor, Prepared, create};
use trefoil_protocol::commit::{CommitError, Derived, check_commit, check_create};
use trefoil_protocol::envelope::{self, Place};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::guess::{
    DEFAULT_ALLOWED, DealtSlot, Guessable, Knowledge, NewSlot, NodePlace, Slot, StretchCost,
};
use trefoil_protocol::kit::RecoveryKit;
use trefoil_protocol::opening::{OpenAccount, Opening, OpeningError};
use trefoil_protocol::record::{Custody, Payload, SignedPayload, VerifiedRecord};
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::state::{State, StateKey};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{IndexedEnvelope, KitResponse};

/// Unix seconds at which the tests play.
pub(crate) const NOW: u64 = 1_800_000_000;

/// The metadata server, as clients name it.
pub(crate) const SERVER: &str = "https://meta.example";

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

/// The factor with this number; 1 is the social login.
pub(crate) fn factor(number: u8) -> FactorKeys {
    FactorKeys::derive(&tenant(), &FactorSecret::from_bytes([number; 32]))
}

pub(crate) fn present(kind: FactorKind, number: u8) -> NewFactor {
    NewFactor::present(kind, format!("{kind} {number}"), factor(number))
}

/// Factors of primary kinds with these numbers.
pub(crate) fn primaries(numbers: impl IntoIterator<Item = u8>) -> Vec<NewFactor> {
    let kinds = [
        FactorKind::Device,
        FactorKind::RecoveryPhrase,
        FactorKind::DappShare,
        FactorKind::Passkey,
    ];
    let kinds = kinds.into_iter().cycle();
    numbers
        .into_iter()
        .zip(kinds)
        .map(|(number, kind)| present(kind, number))
        .collect()
}

/// What a server holds of an account at one time: what an operator, a dump or a backup sees.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) record: VerifiedRecord,
    pub(crate) envelopes: BTreeMap<u32, Envelope>,
    pub(crate) nonce: Option<SealedNonce>,
}

impl Stored {
    /// Takes what a creation sends, as bytes, and checks it as a server does.
    pub(crate) fn created(prepared: &Prepared) -> Self {
        let record = prepared.record().signed().verify(&tenant()).unwrap();
        check_create(&record).unwrap();
        let mut stored = Self {
            record,
            envelopes: BTreeMap::new(),
            nonce: None,
        };
        stored.take(prepared);
        stored
    }

    /// Takes a commit and checks it as a server does.
    pub(crate) fn commit(&mut self, prepared: &Prepared) -> Result<Derived, CommitError> {
        let record = prepared.record().signed().verify(&tenant()).unwrap();
        let derived = check_commit(&self.record, &record)?;
        self.record = record;
        self.take(prepared);
        Ok(derived)
    }

    fn take(&mut self, prepared: &Prepared) {
        let request = prepared.commit_request();
        for made in request.envelopes {
            self.envelopes.insert(made.index, made.envelope);
        }
        let record = &self.record;
        self.envelopes
            .retain(|index, _| record.factor(*index).is_some());
        for entry in &record.factors {
            assert_eq!(self.envelopes[&entry.index].hash(), entry.envelope_hash);
        }
        self.nonce = request.sealed_nonce.or(self.nonce.take());
        if record.nonce_hash.is_none() {
            self.nonce = None;
        }
        assert_eq!(
            self.nonce.as_ref().map(SealedNonce::hash),
            record.nonce_hash
        );
    }

    /// The envelope of a factor, as its login would get it.
    pub(crate) fn envelope(&self, keys: &FactorKeys) -> Option<&Envelope> {
        let entry = self.record.factor_at(&keys.locator())?;
        self.envelopes.get(&entry.index)
    }

    /// Begins with the first and adds the others; a factor that is not enrolled comes with some envelope.
    pub(crate) fn begin(&self, factors: &[FactorKeys]) -> Result<Opening, OpeningError> {
        let any = self.envelopes.values().next().unwrap();
        let envelope = |keys| self.envelope(keys).unwrap_or(any);
        let (first, rest) = factors.split_first().unwrap();
        let mut opening = Opening::begin(self.record.clone(), first.clone(), envelope(first))?;
        for keys in rest {
            opening.add(keys.clone(), envelope(keys))?;
        }
        Ok(opening)
    }

    /// Opens with these factors and whatever nonce there is.
    pub(crate) fn open(&self, factors: &[FactorKeys]) -> Result<OpenAccount, OpeningError> {
        self.begin(factors)?.complete(self.nonce.as_ref())
    }

    /// Opens, prepares, commits.
    pub(crate) fn change(
        &mut self,
        factors: &[FactorKeys],
        change: &Change,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Derived, OpenAccount), ChangeError> {
        let prepared = self.open(factors).unwrap().prepare(change, NOW, rng)?;
        let derived = self.commit(&prepared).unwrap();
        Ok((derived, prepared.account))
    }

    pub(crate) fn kit(&self) -> RecoveryKit {
        let envelopes = self
            .envelopes
            .iter()
            .map(|(index, envelope)| IndexedEnvelope {
                index: *index,
                envelope: envelope.clone(),
            });
        let kit = KitResponse {
            record: self.record.signed().clone(),
            envelopes: envelopes.collect(),
            sealed_nonce: self.nonce.clone(),
        };
        RecoveryKit::new(&tenant(), kit).unwrap()
    }

    /// The state and its key, as any one factor sees them.
    pub(crate) fn state(&self, keys: &FactorKeys) -> (State, StateKey) {
        let record = &self.record;
        let entry = record.factor_at(&keys.locator()).unwrap();
        let place = Place {
            account_id: record.account_id,
            epoch: record.epoch,
            index: entry.index,
        };
        let contents = envelope::open(self.envelope(keys).unwrap(), keys, place).unwrap();
        let state = State::open(
            &record.state,
            &contents.state_key,
            &record.account_id,
            record.epoch,
        );
        (state.unwrap(), contents.state_key)
    }

    /// The owner's own hand: the same account with another state or payload, signed by account auth.
    pub(crate) fn forge(
        &self,
        keys: &FactorKeys,
        auth: &AuthPrivateKey,
        edit: impl FnOnce(&mut Payload, &mut State),
        rng: &mut ChaCha20Rng,
    ) -> Self {
        let (mut state, state_key) = self.state(keys);
        let mut payload = self.record.payload().clone();
        edit(&mut payload, &mut state);
        payload.state = state.seal(&state_key, &payload.account_id, payload.epoch, rng);
        Self {
            record: SignedPayload::sign(&payload, auth)
                .verify(&tenant())
                .unwrap(),
            ..self.clone()
        }
    }
}

/// A one-click account of factor 1 with a random key.
pub(crate) fn one_click(rng: &mut ChaCha20Rng) -> (Stored, OpenAccount) {
    let label = String::from("google");
    let prepared = create(&tenant(), factor(1), label, BTreeMap::new(), None, NOW, rng).unwrap();
    (Stored::created(&prepared), prepared.account)
}

/// What turns a one-click account into `t` of `m` with factors 1 to `m`, all primary.
pub(crate) fn upgrade(t: u8, m: u8) -> Change {
    Change {
        custody: Some(Custody::SelfCustody),
        threshold: Some(t),
        add: primaries(2..=m),
        ..Change::default()
    }
}

/// A self-custody account with factors 1 to `m`, whose indices are their numbers.
pub(crate) fn self_custody(t: u8, m: u8, rng: &mut ChaCha20Rng) -> (Stored, OpenAccount) {
    let (mut stored, _) = one_click(rng);
    let (_, account) = stored.change(&[factor(1)], &upgrade(t, m), rng).unwrap();
    (stored, account)
}

/// All subsets of `size` of these factors.
pub(crate) fn subsets(factors: &[FactorKeys], size: usize) -> Vec<Vec<FactorKeys>> {
    assert!(factors.len() < 16);
    let masks = (0..1_u32 << factors.len()).filter(|mask| mask.count_ones() as usize == size);
    let pick = |mask: u32| {
        let chosen = factors
            .iter()
            .enumerate()
            .filter(|(at, _)| mask >> at & 1 == 1);
        chosen.map(|(_, keys)| keys.clone()).collect()
    };
    masks.map(pick).collect()
}

pub(crate) fn numbered(numbers: impl IntoIterator<Item = u8>) -> Vec<FactorKeys> {
    numbers.into_iter().map(factor).collect()
}

/// Flips the lowest bit of the byte at this place.
pub(crate) fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

pub(crate) fn flipped_blob(blob: &Blob, at: usize) -> Blob {
    Blob::new(flipped(blob.as_bytes(), at))
}

pub(crate) fn other_hash(hash: &EnvelopeHash) -> EnvelopeHash {
    EnvelopeHash::try_from(flipped(hash.as_bytes(), 0).as_slice()).unwrap()
}

/// The nodes' keys to which slots are sealed.
pub(crate) fn slot_node(index: u16) -> EnvelopePrivateKey {
    EnvelopePrivateKey::derive(&[u8::try_from(index).unwrap() + 100; 32])
}

/// The node's identity.
pub(crate) fn slot_identity(index: u16) -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[u8::try_from(index).unwrap() + 50; 32])
}

/// A slot of `threshold` of `count` nodes for the factor that `change` will add at `index`, as a client deals it.
pub(crate) fn dealt_slot(
    account: &OpenAccount,
    change: &Change,
    (index, secret): (u32, &FactorSecret),
    (threshold, count): (u16, u16),
    guessables: &[Guessable<'_>],
    rng: &mut ChaCha20Rng,
) -> DealtSlot {
    let nodes: Vec<NodePlace> = (1..=count)
        .map(|place| NodePlace {
            index: place,
            identity_key: slot_identity(place).auth_key(),
            hpke_key: slot_node(place).public(),
            url: format!("https://node{place}.example"),
        })
        .collect();
    let new = NewSlot {
        tenant: &tenant(),
        id: SlotId::random(rng),
        factor: index,
        factors: &account.factors_after(change),
        revision: account.record().revision + 1,
        server: SERVER,
        nodes: &nodes,
        threshold,
        allowed: DEFAULT_ALLOWED,
        knowledge: Knowledge::Pin { rule: 1 },
        stretch: StretchCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
            salt: Blob::new(vec![7; 16]),
        },
        now: NOW,
    };
    DealtSlot::deal(&new, account.keys(), secret, guessables, rng).unwrap()
}

/// Gives every secondary factor that `change` adds a slot that nobody will guess at.
pub(crate) fn with_slots(account: &OpenAccount, change: Change, rng: &mut ChaCha20Rng) -> Change {
    let added = change.add.len();
    let indices = account.factors_after(&change);
    let indices = &indices[indices.len() - added..];
    let slots: Vec<Option<Slot>> = indices
        .iter()
        .zip(&change.add)
        .map(|(index, factor)| {
            let guessable = Guessable {
                subset: 0,
                stretched: &[1; 32],
            };
            let secret = FactorSecret::from_bytes([9; 32]);
            let deal = |rng: &mut _| {
                dealt_slot(
                    account,
                    &change,
                    (*index, &secret),
                    (1, 1),
                    &[guessable],
                    rng,
                )
                .slot
            };
            (!factor.kind.is_primary()).then(|| deal(rng))
        })
        .collect();
    let mut change = change;
    for (factor, slot) in change.add.iter_mut().zip(slots) {
        if let Some(slot) = slot {
            *factor = factor.clone().slot(slot);
        }
    }
    change
}
