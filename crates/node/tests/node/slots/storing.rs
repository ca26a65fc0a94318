use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::Count;
use trefoil_protocol::problem::ProblemCode;
use trefoil_store::{
    MemorySlotStore, NodeSlotStore, SlotStore, SqliteNodeStore, StoreError, StoreFuture, StoredSlot,
};
use zeroize::Zeroizing;

use super::fixture::{ALLOWED, Owner, Place};

const WORKS: u8 = 0;
const READS_FAIL: u8 = 1;
const WRITES_FAIL: u8 = 2;
/// The change is kept, and nobody hears of it: a crash between count and answer.
const ANSWERS_ARE_LOST: u8 = 3;
/// Somebody else is always faster.
const ALWAYS_CHANGED: u8 = 4;

/// A store that fails as it is told.
#[derive(Clone, Default)]
struct Faulty {
    store: MemorySlotStore,
    manner: Arc<AtomicU8>,
}

impl Faulty {
    fn set(&self, manner: u8) {
        self.manner.store(manner, Ordering::SeqCst);
    }

    fn write<'a>(&self, write: impl FnOnce() -> StoreFuture<'a, ()>) -> StoreFuture<'a, ()> {
        match self.manner.load(Ordering::SeqCst) {
            WRITES_FAIL => Box::pin(async { Err(StoreError::Full) }),
            ALWAYS_CHANGED => Box::pin(async { Err(StoreError::SlotChanged) }),
            ANSWERS_ARE_LOST => {
                let written = write();
                Box::pin(async move {
                    written.await?;
                    Err(StoreError::Closed)
                })
            }
            _ => write(),
        }
    }
}

impl SlotStore for Faulty {
    fn load_slot(&self, slot: SlotId) -> StoreFuture<'_, Option<StoredSlot>> {
        if self.manner.load(Ordering::SeqCst) == READS_FAIL {
            return Box::pin(async { Err(StoreError::Closed) });
        }
        self.store.load_slot(slot)
    }

    fn replace_slot(
        &self,
        slot: SlotId,
        expected: u64,
        bytes: Zeroizing<Vec<u8>>,
    ) -> StoreFuture<'_, ()> {
        self.write(|| self.store.replace_slot(slot, expected, bytes))
    }
}

impl NodeSlotStore for Faulty {
    fn create_slot(&self, slot: SlotId, bytes: Zeroizing<Vec<u8>>) -> StoreFuture<'_, ()> {
        self.write(|| self.store.create_slot(slot, bytes))
    }
}

/// What is not stored is not answered, whatever was asked.
#[tokio::test]
async fn a_store_that_fails_gives_no_answer() {
    let store = Faulty::default();
    let place = Place::with(Arc::new(store.clone()));
    let owner = Owner::new(&place);
    let unavailable = ProblemCode::Unavailable;
    for manner in [READS_FAIL, WRITES_FAIL, ALWAYS_CHANGED] {
        store.set(manner);
        let answer = place
            .post::<serde_json::Value>("enrol", &owner.request(&place))
            .await;
        assert_eq!(answer.unwrap_err().code, unavailable);
        store.set(WORKS);
        assert_eq!(place.stored(owner.id).await, None);
    }
    owner.enrol(&place).await;
    let round = owner.round(1, true);
    let guess = round.request(place.name(), place.now());
    place.guess(&guess).await.unwrap();
    let before = place.stored(owner.id).await;
    for manner in [READS_FAIL, WRITES_FAIL, ALWAYS_CHANGED] {
        store.set(manner);
        let json = |it: &dyn erased::Json| it.json();
        for (call, body) in [
            ("guess", json(&owner.guess(&place, 2))),
            ("unlock", json(&owner.unlock(&place, &round))),
            ("list", json(&owner.list(5, &[1]))),
            ("delete", json(&owner.deletion())),
        ] {
            let problem = place.send(call, body).await.unwrap_err();
            assert_eq!(problem.code, unavailable, "{call}");
        }
        store.set(WORKS);
        assert_eq!(place.stored(owner.id).await, before);
    }
}

mod erased {
    pub(super) trait Json {
        fn json(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> Vec<u8> {
            serde_json::to_vec(self).unwrap()
        }
    }
}

/// The node dies between count and answer: the attempt is counted, and answered after the restart without a second count.
#[tokio::test]
async fn a_crash_between_count_and_answer_costs_one_guess() {
    let store = Faulty::default();
    let place = Place::with(Arc::new(store.clone()));
    let owner = Owner::enrolled(&place).await;
    store.set(ANSWERS_ARE_LOST);
    let attempt = owner.guess(&place, 1);
    let lost = place.guess(&attempt).await.unwrap_err();
    assert_eq!(lost.code, ProblemCode::Unavailable);
    store.set(WORKS);
    let place = place.again();
    let counted = place.stored(owner.id).await;
    assert_eq!(counted.as_ref().unwrap().version, 2);
    for _ in 0..2 {
        let answer = place.guess(&attempt).await.unwrap();
        assert_eq!(answer.count.used, 1);
        assert_eq!(place.stored(owner.id).await, counted);
    }
    let next = place.guess(&owner.guess(&place, 1)).await.unwrap();
    assert_eq!(next.count.used, 2);
}

/// Two processes of one node over one store, and many clients of both.
async fn race(store: Arc<dyn NodeSlotStore>) {
    let place = Place::with(store);
    let owner = Owner::enrolled(&place).await;
    let places = [Arc::new(place.again()), Arc::new(place.again())];
    let mut tasks = Vec::new();
    for number in 0..20 {
        for factor in [1, 2] {
            let (guess, place) = (owner.guess(&place, factor), Arc::clone(&places[number % 2]));
            tasks.push((
                factor,
                tokio::spawn(async move { place.guess(&guess).await }),
            ));
        }
    }
    let (mut answered, mut dead) = ([0; 3], 0);
    for (factor, task) in tasks {
        match task.await.unwrap() {
            Ok(answer) => {
                answered[usize::try_from(factor).unwrap()] += 1;
                dead += u8::from(!answer.count.live);
            }
            Err(problem) => assert!(
                matches!(
                    problem.code,
                    ProblemCode::GuessesSpent | ProblemCode::SlotGone
                ),
                "{problem}"
            ),
        }
    }
    assert_eq!(answered, [0, ALLOWED, ALLOWED]);
    assert_eq!(dead, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_guesses_get_no_more_answers_than_are_allowed() {
    race(Arc::new(MemorySlotStore::default())).await;
    let directory = tempfile::tempdir().unwrap();
    race(Arc::new(SqliteNodeStore::open(directory.path()).unwrap())).await;
}

/// Counted on the disk before the answer: whoever kills the node at once and starts it anew finds the count.
#[tokio::test]
async fn counts_are_on_the_disk_before_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Arc::new(SqliteNodeStore::open(directory.path()).unwrap());
    let place = Place::with(open());
    let owner = Owner::enrolled(&place).await;
    let crashed = tempfile::tempdir().unwrap();
    let attempt = owner.guess(&place, 1);
    let before = place.guess(&attempt).await.unwrap();
    // The files as a crash leaves them at this moment.
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), crashed.path().join(file.file_name())).unwrap();
    }
    let restarted = place.over(Arc::new(SqliteNodeStore::open(crashed.path()).unwrap()));
    assert_eq!(restarted.guess(&attempt).await.unwrap(), before);
    let next = restarted.guess(&owner.guess(&place, 1)).await.unwrap();
    assert_eq!(next.count.used, 2);
}

/// A thief of the disk finds no share and no guess key in it; who writes to it cannot pass one slot off as another.
#[tokio::test]
async fn slots_are_sealed_and_cannot_change_places() {
    let store = MemorySlotStore::default();
    let place = Place::with(Arc::new(store.clone()));
    let owner = Owner::enrolled(&place).await;
    let other = Owner::numbered(&place, 2);
    other.enrol(&place).await;
    let sealed = place.stored(owner.id).await.unwrap().bytes;
    let opened = place.secrets.key().open(&sealed).unwrap();
    let share = &opened[..32];
    assert!(!sealed.windows(32).any(|window| window == share));
    for hidden in ["admin_key", &owner.guess_key(1).auth_key().to_string()] {
        assert!(!String::from_utf8_lossy(&sealed).contains(hidden));
        assert!(String::from_utf8_lossy(&opened).contains(hidden));
    }

    store
        .replace_slot(other.id, 1, sealed.clone())
        .await
        .unwrap();
    let damaged = ProblemCode::Internal;
    let guess = other.guess(&place, 1);
    place.refuses(other.id, "guess", &guess, damaged).await;
    for spoilt in [Vec::new(), sealed[1..].to_vec(), vec![7; sealed.len()]] {
        let store = MemorySlotStore::default();
        let spoilt = Zeroizing::new(spoilt);
        store.create_slot(owner.id, spoilt).await.unwrap();
        let place = place.over(Arc::new(store));
        let guess = owner.guess(&place, 1);
        place.refuses(owner.id, "guess", &guess, damaged).await;
        // Least of all is it taken for a slot that is not there.
        let request = owner.request(&place);
        place.refuses(owner.id, "enrol", &request, damaged).await;
        let deletion = owner.deletion();
        place.refuses(owner.id, "delete", &deletion, damaged).await;
    }
}

/// The answer of an unlock says how it stands now, also after a restart.
#[tokio::test]
async fn an_unlock_is_durable() {
    let place = Place::new();
    let owner = Owner::enrolled(&place).await;
    let round = owner.round(1, true);
    let request = round.request(place.name(), place.now());
    place.guess(&owner.guess(&place, 1)).await.unwrap();
    place.guess(&request).await.unwrap();
    let unlock = owner.unlock(&place, &round);
    let _: Count = place.post("unlock", &unlock).await.unwrap();
    let place = place.again();
    let next = place.guess(&owner.guess(&place, 1)).await.unwrap();
    assert_eq!(next.count.used, 1);
}
