//! Asking a node again: when, how often, with which waits, and when not. Time is the runtime's own and costs nothing.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    attempts: 3,
    first_delay: Duration::from_millis(200),
    longest_delay: Duration::from_secs(2),
    total: Duration::from_secs(10),
};

#[test]
fn the_default_is_three_attempts_in_ten_seconds() {
    assert_eq!(world(2, 3, &[]).client.retry, POLICY);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_failed_in_passing_is_asked_again_and_then_counts() {
    let expected = world(2, 3, &[]).secret().await.unwrap().secret;
    for manner in [
        Manner::GoneFirst(1),
        Manner::GoneFirst(2),
        Manner::BusyFirst(1, 1),
        Manner::BusyFirst(2, 0),
    ] {
        let world = world(2, 3, &[(1, Manner::Unreachable), (2, manner.clone())]);
        let found = world
            .secret()
            .await
            .unwrap_or_else(|error| panic!("{manner:?}: {error}"));
        assert_eq!(found.secret, expected);
        // The one that never came is named with what it said last, not as one that was not waited for.
        assert_eq!(found.reports.len(), 1);
        assert!(
            matches!(found.reports[0].fault, NodeFault::NoAnswer(_)),
            "{:?}",
            found.reports
        );
    }
    let never = world(2, 3, &[(1, Manner::Unreachable), (2, Manner::GoneFirst(3))]);
    assert!(matches!(
        never.secret().await,
        Err(SocialError::Offline { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn waits_are_jittered_and_within_their_limits() {
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let mut world = world(2, 3, &[(1, Manner::Unreachable), (2, Manner::Unreachable)]);
        world.client.environment = Environment::new(Epoch, ChaCha20Rng::seed_from_u64(seed));
        let begun = Instant::now();
        world.secret().await.unwrap_err();
        for node in 1..=2 {
            let asked = world.nodes.asked(node, begun);
            assert_eq!((asked.len(), asked[0]), (3, Duration::ZERO));
            let (first, second) = (asked[1].as_millis(), (asked[2] - asked[1]).as_millis());
            assert!((100..=201).contains(&first), "{first}");
            assert!((200..=401).contains(&second), "{second}");
            seen.insert(first);
        }
        // The honest one was asked once, and answered.
        assert_eq!(world.nodes.asked(3, begun).len(), 1);
    }
    assert!(seen.len() > 20, "clients come back together: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_a_node_asks_for_is_kept() {
    let world = world(
        2,
        3,
        &[(1, Manner::BusyFirst(1, 3)), (2, Manner::Unreachable)],
    );
    let begun = Instant::now();
    world.secret().await.unwrap();
    let asked = world.nodes.asked(1, begun);
    assert_eq!(asked.len(), 2);
    let wait = asked[1].as_millis();
    assert!((3_100..=3_201).contains(&wait), "{wait}");
}

/// Longer than there is time: the error says when, at once.
#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_time_limit_is_told_and_not_begun() {
    let world = world(
        2,
        3,
        &[(1, Manner::BusyFirst(1, 60)), (2, Manner::BusyFirst(1, 30))],
    );
    let begun = Instant::now();
    let error = world.secret().await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(10));
    assert!(
        matches!(error, SocialError::Offline { retry_after: Some(wait), .. } if wait == Duration::from_secs(60)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_and_lies_are_not_asked_again() {
    for manner in [
        Manner::Refuses(ProblemCode::TokenExpired),
        Manner::Refuses(ProblemCode::UnknownVerifier),
        Manner::Refuses(ProblemCode::MalformedRequest),
        Manner::Nonsense,
        Manner::ForgesValue,
        Manner::Status(404),
    ] {
        let world = world(3, 3, &[(1, manner.clone())]);
        let begun = Instant::now();
        world.secret().await.unwrap_err();
        assert_eq!(world.nodes.asked(1, begun).len(), 1, "{manner:?}");
        assert!(begun.elapsed() < Duration::from_millis(10), "{manner:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_retry_while_others_suffice() {
    let world = world(
        5,
        9,
        &[
            (1, Manner::Unreachable),
            (2, Manner::BusyFirst(1, 5)),
            (3, Manner::GoneFirst(1)),
            (4, Manner::Silent),
        ],
    );
    let begun = Instant::now();
    let found = world.secret().await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1));
    assert_eq!(found.reports.len(), 4);
    assert_eq!(world.nodes.under_way.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_ends_everything() {
    // Answers come, but each later than there is time for.
    let limit = Duration::from_millis(1500);
    for manner in [
        Manner::Silent,
        Manner::Slow(Duration::from_secs(2)),
        Manner::GoneFirst(99),
    ] {
        let mut world = world(2, 3, &[(1, manner.clone()), (2, manner.clone())]);
        world.client = world.client.with_retry_policy(RetryPolicy {
            attempts: u32::MAX,
            total: limit,
            ..POLICY
        });
        let begun = Instant::now();
        let error = world.secret().await.unwrap_err();
        assert!(
            begun.elapsed() <= limit,
            "{manner:?}: {:?}",
            begun.elapsed()
        );
        assert!(matches!(error, SocialError::Offline { .. }), "{error}");
        assert_eq!(error.reports().len(), 2);
        if !matches!(manner, Manner::GoneFirst(_)) {
            assert_eq!(begun.elapsed(), limit);
            assert!(matches!(fault(&error, 1), NodeFault::TooSlow));
        }
        assert_eq!(world.nodes.under_way.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_attempt_is_one_attempt() {
    let mut world = world(
        2,
        3,
        &[(1, Manner::GoneFirst(1)), (2, Manner::GoneFirst(1))],
    );
    world.client = world
        .client
        .with_retry_policy(RetryPolicy::once(Duration::from_secs(5)));
    let begun = Instant::now();
    world.secret().await.unwrap_err();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(world.nodes.sent.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_login_drops_every_request_and_sends_no_more() {
    let world = world(
        3,
        5,
        &[
            (1, Manner::Silent),
            (2, Manner::Silent),
            (3, Manner::Unreachable),
        ],
    );
    for after in [50, 150, 900] {
        let given_up = tokio::time::timeout(Duration::from_millis(after), world.secret()).await;
        assert!(given_up.is_err());
        assert_eq!(world.nodes.under_way.load(Ordering::SeqCst), 0);
        let sent = world.nodes.sent.lock().unwrap().len();
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(world.nodes.sent.lock().unwrap().len(), sent);
    }
}
