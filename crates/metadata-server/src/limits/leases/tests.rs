use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use trefoil_store::{MemoryLimits, StoreFuture};

use super::*;

/// Real buckets that count how often they are asked.
#[derive(Default)]
struct Counted {
    limits: MemoryLimits,
    draws: AtomicU32,
}

impl LimitStore for Counted {
    fn draw(&self, draw: LimitDraw) -> StoreFuture<'_, LimitDrawn> {
        self.draws.fetch_add(1, Ordering::SeqCst);
        self.limits.draw(draw)
    }
}

impl Counted {
    fn draws(&self) -> u32 {
        self.draws.load(Ordering::SeqCst)
    }
}

fn subject(number: u32) -> LimitSubject {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    LimitSubject::from_bytes(bytes)
}

/// 64 at once, one more each second: leases of 8.
fn rate() -> Rate {
    Rate {
        burst: NonZeroU32::new(64).unwrap(),
        interval: NonZeroU32::new(1000).unwrap(),
    }
}

async fn granted(leases: &Leases, store: &Counted, now: u64, asked: u32) -> u32 {
    let mut granted = 0;
    for _ in 0..asked {
        let drawn = leases.spend(store, subject(1), rate(), now).await.unwrap();
        granted += u32::from(drawn == LimitDrawn::Granted);
    }
    granted
}

#[tokio::test]
async fn most_requests_ask_nobody() {
    let (leases, store) = (Leases::default(), Counted::default());
    assert_eq!(granted(&leases, &store, 0, 64).await, 64);
    assert_eq!(store.draws(), 8);
    // A flood of an address that has none left: one lease and one token are asked for.
    assert_eq!(granted(&leases, &store, 0, 10_000).await, 0);
    assert_eq!(store.draws(), 10);
    let later = leases.spend(&store, subject(1), rate(), 400).await.unwrap();
    assert_eq!(later, LimitDrawn::Later(600));
    assert_eq!(granted(&leases, &store, 1000, 5).await, 1);
    assert_eq!(
        store.draws(),
        12,
        "a whole lease is not there for some time"
    );
}

#[tokio::test]
async fn processes_share_the_buckets() {
    let store = Counted::default();
    let (first, second) = (Leases::default(), Leases::default());
    let (mut of_first, mut of_second) = (0, 0);
    for _ in 0..100 {
        of_first += granted(&first, &store, 0, 1).await;
        of_second += granted(&second, &store, 0, 1).await;
    }
    assert_eq!(of_first + of_second, 64);
}

#[tokio::test]
async fn what_was_not_used_is_forgotten() {
    let (leases, store) = (Leases::default(), Counted::default());
    assert_eq!(granted(&leases, &store, 0, 1).await, 1);
    // The bucket is full again. With the 7 tokens kept it would be 71.
    assert_eq!(granted(&leases, &store, 8000, 100).await, 64);
}

#[tokio::test]
async fn memory_is_bounded_and_whoever_finds_no_room_is_limited_too() {
    let (leases, store) = (Leases::default(), Counted::default());
    let crowd = u32::try_from(CAPACITY).unwrap() + 2;
    for number in 2..crowd {
        leases
            .spend(&store, subject(number), rate(), 0)
            .await
            .unwrap();
    }
    assert_eq!(granted(&leases, &store, 0, 100).await, 64);
    let held = leases.0.lock().unwrap().leases.len();
    assert_eq!(held, CAPACITY);
    // When the crowd is gone there is room again.
    assert_eq!(granted(&leases, &store, 100_000, 1).await, 1);
    assert_eq!(leases.0.lock().unwrap().leases.len(), 1);
}

/// Buckets at the far end of a round trip, which can break.
#[derive(Default)]
struct Far {
    near: Counted,
    broken: bool,
}

impl LimitStore for Far {
    fn draw(&self, draw: LimitDraw) -> StoreFuture<'_, LimitDrawn> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let drawn = self.near.draw(draw).await;
            if self.broken {
                return Err(StoreError::Unreachable);
            }
            drawn
        })
    }
}

/// So many requests at once.
async fn crowd(
    leases: &Arc<Leases>,
    store: &Arc<Far>,
    asked: u32,
) -> Vec<Result<LimitDrawn, StoreError>> {
    let one = || {
        let (leases, store) = (Arc::clone(leases), Arc::clone(store));
        tokio::spawn(async move { leases.spend(store.as_ref(), subject(1), rate(), 0).await })
    };
    let all: Vec<_> = (0..asked).map(|_| one()).collect();
    let mut answers = Vec::new();
    for answer in all {
        answers.push(answer.await.unwrap());
    }
    answers
}

fn granted_of(answers: &[Result<LimitDrawn, StoreError>]) -> usize {
    let granted = |answer: &&Result<_, _>| matches!(answer, Ok(LimitDrawn::Granted));
    answers.iter().filter(granted).count()
}

#[tokio::test(start_paused = true)]
async fn of_a_cold_crowd_as_many_are_let_through_as_the_burst() {
    let (leases, store) = (Arc::new(Leases::default()), Arc::new(Far::default()));
    // None is refused that the bucket has a token for.
    assert_eq!(granted_of(&crowd(&leases, &store, 60).await), 60);
    assert_eq!(store.near.draws(), 8);
    assert_eq!(granted_of(&crowd(&leases, &store, 60).await), 4);
    assert!(leases.table().turns.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_crowd_does_not_wait_in_turn_for_what_cannot_be_asked() {
    let broken = Far {
        broken: true,
        ..Far::default()
    };
    let (leases, store) = (Arc::new(Leases::default()), Arc::new(broken));
    let answers = crowd(&leases, &store, 60).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(store.near.draws(), 1);
    // The next one tries anew.
    assert!(crowd(&leases, &store, 1).await.iter().all(Result::is_err));
    assert_eq!(store.near.draws(), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_the_queue_holds_up_nobody() {
    let (leases, store) = (Arc::new(Leases::default()), Arc::new(Far::default()));
    for _ in 0..3 {
        let asked = leases.spend(store.as_ref(), subject(1), rate(), 0);
        let left = tokio::time::timeout(Duration::from_millis(1), asked).await;
        assert!(left.is_err());
    }
    assert!(leases.table().turns.is_empty());
    assert_eq!(granted_of(&crowd(&leases, &store, 60).await), 60);
}
