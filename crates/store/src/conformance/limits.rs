//! Rate limits.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::limit_store::{LimitDraw, LimitDrawn, LimitStore, LimitSubject};

/// A place that keeps limits, empty at first.
pub trait LimitBackend: Send + Sync {
    /// The store under test.
    type Store: LimitStore;

    /// Opens the store; all that are opened share their buckets.
    fn open(&self) -> Self::Store;
}

/// Makes one `#[tokio::test]` of every check. The argument is an expression for a fresh [`LimitBackend`].
#[macro_export]
macro_rules! limit_conformance_tests {
    ($backend:expr) => {
        $crate::conformance_tests! { $backend;
            a_bucket_is_full_at_first_and_fills_again
            a_draw_is_granted_whole_or_not_at_all
            buckets_are_apart
            no_more_is_granted_than_there_is
            full_buckets_are_forgotten_and_full
        }
    };
}

const NOW: u64 = 1_800_000_000_000;
const BURST: u32 = 5;
const INTERVAL: u32 = 1000;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn draw(subject: u8, tokens: u32, now: u64) -> LimitDraw {
    LimitDraw {
        subject: LimitSubject::from_bytes([subject; 32]),
        tokens: number(tokens),
        burst: number(BURST),
        interval: number(INTERVAL),
        now,
    }
}

/// The burst at once, then one token an interval; the refusal says when.
pub async fn a_bucket_is_full_at_first_and_fills_again<B: LimitBackend>(backend: &B) {
    let store = backend.open();
    for _ in 0..BURST {
        assert_eq!(
            store.draw(draw(1, 1, NOW)).await.unwrap(),
            LimitDrawn::Granted
        );
    }
    let later = store.draw(draw(1, 1, NOW + 400)).await.unwrap();
    assert_eq!(later, LimitDrawn::Later(600));
    // What was refused was not taken.
    let then = draw(1, 1, NOW + 1000);
    assert_eq!(store.draw(then).await.unwrap(), LimitDrawn::Granted);
    assert_eq!(store.draw(then).await.unwrap(), LimitDrawn::Later(1000));
    // A clock that goes back gives nothing away.
    assert_eq!(
        store.draw(draw(1, 1, NOW)).await.unwrap(),
        LimitDrawn::Later(2000)
    );
}

/// Several tokens at once.
pub async fn a_draw_is_granted_whole_or_not_at_all<B: LimitBackend>(backend: &B) {
    let store = backend.open();
    assert_eq!(
        store.draw(draw(1, 3, NOW)).await.unwrap(),
        LimitDrawn::Granted
    );
    assert_eq!(
        store.draw(draw(1, 3, NOW)).await.unwrap(),
        LimitDrawn::Later(1000)
    );
    assert_eq!(
        store.draw(draw(1, 2, NOW)).await.unwrap(),
        LimitDrawn::Granted
    );
    assert!(matches!(
        store.draw(draw(2, BURST + 1, NOW)).await.unwrap(),
        LimitDrawn::Later(_)
    ));
    // Which took nothing.
    assert_eq!(
        store.draw(draw(2, BURST, NOW)).await.unwrap(),
        LimitDrawn::Granted
    );
}

/// One subject's draws are no other's.
pub async fn buckets_are_apart<B: LimitBackend>(backend: &B) {
    let store = backend.open();
    assert_eq!(
        store.draw(draw(1, BURST, NOW)).await.unwrap(),
        LimitDrawn::Granted
    );
    assert_eq!(
        store.draw(draw(2, BURST, NOW)).await.unwrap(),
        LimitDrawn::Granted
    );
    assert_eq!(
        store.draw(draw(1, 1, NOW)).await.unwrap(),
        LimitDrawn::Later(1000)
    );
}

/// Many at once, through several stores that share the place.
pub async fn no_more_is_granted_than_there_is<B: LimitBackend>(backend: &B) {
    let stores = [Arc::new(backend.open()), Arc::new(backend.open())];
    let tasks = (0..40).map(|number| {
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move { store.draw(draw(1, 1, NOW)).await.unwrap() })
    });
    let mut granted = 0;
    for task in tasks.collect::<Vec<_>>() {
        granted += u32::from(task.await.unwrap() == LimitDrawn::Granted);
    }
    assert_eq!(granted, BURST);
}

/// Long afterwards a bucket holds the burst and no more.
pub async fn full_buckets_are_forgotten_and_full<B: LimitBackend>(backend: &B) {
    let store = backend.open();
    for subject in 0..20 {
        store.draw(draw(subject, BURST, NOW)).await.unwrap();
    }
    let later = NOW + 100 * u64::from(INTERVAL) * u64::from(BURST);
    assert_eq!(
        store.draw(draw(1, BURST, later)).await.unwrap(),
        LimitDrawn::Granted
    );
    assert_eq!(
        store.draw(draw(1, 1, later)).await.unwrap(),
        LimitDrawn::Later(1000)
    );
}
