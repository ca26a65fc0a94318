//! A slot as its owner sees it, and the evaluator as the suite plays it.

use std::sync::Mutex;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use trefoil_protocol::account::AccountKeys;
use trefoil_protocol::bytes::{Blob, SlotId};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{
    Changed, Count, DealtSlot, EnrolRequest, EvaluatorName, GuessAnswer, GuessList, GuessRequest,
    GuessRound, Guessable, Knowledge, NewSlot, NodePlace, OpenedEnrolment, Signed, SlotError,
    SlotRecord, StretchCost, UnlockRequest,
};
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_shares::KeyScalar;
use zeroize::Zeroizing;

use super::super::Backend;
use super::super::fixture::{NOW, Owner, tenant};
use super::SlotBackend;
use crate::error::StoreError;
use crate::slot_store::SlotStore;
use crate::store::MetadataStore;

const SERVER: &str = "https://meta.example";
/// The index of the factor that the slot keeps.
const OWN: u32 = 100;

/// The first record of an enrolment that the suite has dealt, for evaluators that store slots by themselves.
#[must_use]
pub fn first_record(enrolment: &OpenedEnrolment) -> Zeroizing<Vec<u8>> {
    let share = enrolment.content().share.as_bytes();
    let enrolled = enrolment.enrol(None, share).unwrap();
    enrolled.record.unwrap().expose_bytes()
}

/// The slots of one account of a metadata store.
#[derive(Debug)]
pub struct AccountSlots<B>(pub B);

impl<B: Backend> SlotBackend for AccountSlots<B> {
    type Store = B::Store;

    fn open(&self) -> B::Store {
        self.0.open()
    }

    async fn create(&self, store: &B::Store, enrolment: OpenedEnrolment) -> Result<(), StoreError> {
        // Creating it again is a login.
        let alice = Owner::new("acme", "alice").create(store).await;
        store.enrol_slot(alice, enrolment).await
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        self.0.record_bytes()
    }
}

/// Everything here is real; the evaluator under test is the metadata server, since its part is not sealed on the way.
pub(super) struct Dealt {
    pub(super) id: SlotId,
    server: EnrolRequest,
    account: AccountKeys,
    slot: trefoil_protocol::guess::Slot,
    secret: FactorSecret,
    rng: Mutex<ChaCha20Rng>,
}

impl Dealt {
    /// A slot for which these factors have guess keys. The same number has the same id, and other keys with each seed.
    pub(super) fn new(number: u8, seed: u64, factors: &[u32], allowed: u8) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let tenant = tenant("acme");
        let account = AccountKeys::derive(&tenant, &KeyScalar::random(&mut rng));
        let id = SlotId::try_from([number; 16].as_slice()).unwrap();
        let node = NodePlace {
            index: 1,
            identity_key: AuthPrivateKey::from_seed(&[1; 32]).auth_key(),
            hpke_key: EnvelopePrivateKey::derive(&[1; 32]).public(),
            url: "https://node.example".to_owned(),
        };
        let new = NewSlot {
            tenant: &tenant,
            id,
            factor: OWN,
            factors,
            revision: 1,
            server: SERVER,
            nodes: &[node],
            threshold: 1,
            allowed,
            knowledge: Knowledge::Pin { rule: 1 },
            stretch: StretchCost {
                memory_kib: 64,
                passes: 1,
                lanes: 1,
                salt: Blob::new(vec![7; 16]),
            },
            now: NOW,
        };
        let secret = FactorSecret::random(&mut rng);
        let guessable = Guessable {
            subset: 0,
            stretched: &[1; 32],
        };
        let dealt = DealtSlot::deal(&new, &account, &secret, &[guessable], &mut rng).unwrap();
        Self {
            id,
            server: dealt.server,
            account,
            slot: dealt.slot,
            secret,
            rng: Mutex::new(rng),
        }
    }

    pub(super) fn enrolment(&self) -> OpenedEnrolment {
        self.server.open(&name()).unwrap()
    }

    /// The evaluator's part of the key, as it must not lie about once it is destroyed.
    pub(super) fn share(&self) -> Vec<u8> {
        self.enrolment().content().share.as_bytes().to_vec()
    }

    /// A guess under way, of a factor.
    pub(super) fn round(&self, factor: u32) -> GuessRound {
        let seed = self.account.guess_seed(factor);
        let mut rng = self.rng.lock().unwrap();
        GuessRound::new(&self.slot, &seed, 0, &[1; 32], &mut *rng).unwrap()
    }

    pub(super) fn request(&self, round: &GuessRound) -> GuessRequest {
        round.request(name(), NOW)
    }

    pub(super) fn guess(&self, factor: u32) -> GuessRequest {
        self.request(&self.round(factor))
    }

    pub(super) fn unlock(&self, round: &GuessRound) -> UnlockRequest {
        round.unlock(&self.secret, name(), 0, NOW)
    }

    pub(super) fn list(&self, number: u64, factors: &[u32]) -> Signed<GuessList> {
        let factors = factors.iter().copied();
        GuessList::sign(&self.account, self.id, OWN, factors, number)
    }
}

fn name() -> EvaluatorName {
    EvaluatorName::Server(SERVER.to_owned())
}

/// What every evaluator does: load, ask the record, put the next one in its place, and answer only then.
pub(super) async fn change<T>(
    store: &impl SlotStore,
    slot: SlotId,
    mut ask: impl FnMut(&SlotRecord) -> Result<Changed<T>, SlotError>,
) -> Result<T, SlotError> {
    loop {
        let stored = store.load_slot(slot).await.unwrap();
        let stored = stored.ok_or(SlotError::NoSlot)?;
        let Changed { record, answer } = ask(&SlotRecord::from_bytes(&stored.bytes).unwrap())?;
        let Some(record) = record else {
            return Ok(answer);
        };
        let bytes = record.expose_bytes();
        match store.replace_slot(slot, stored.version, bytes).await {
            Ok(()) => return Ok(answer),
            Err(StoreError::SlotChanged) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

pub(super) async fn guess(
    store: &impl SlotStore,
    request: &GuessRequest,
) -> Result<GuessAnswer, SlotError> {
    // Of the proof alone; every answer may have the same.
    let ask = |record: &SlotRecord| {
        record.guess(request, &name(), NOW, &mut ChaCha20Rng::seed_from_u64(7))
    };
    change(store, request.slot, ask).await
}

pub(super) async fn unlock(
    store: &impl SlotStore,
    request: &UnlockRequest,
) -> Result<Count, SlotError> {
    let ask = |record: &SlotRecord| record.unlock(request, &name(), NOW);
    change(store, request.slot, ask).await
}

pub(super) async fn take_list(
    store: &impl SlotStore,
    slot: SlotId,
    list: &Signed<GuessList>,
) -> Result<u64, SlotError> {
    let ask = |record: &SlotRecord| record.take_list(list);
    change(store, slot, ask).await.map(|answer| answer.list)
}
