//! Nodes that lie, hang and die: up to `N - T` of them change nothing and are named.

use std::time::{Duration, Instant};

use trefoil_client::network::{NodeFault, SocialError};
use trefoil_protocol::problem::ProblemCode;
use trefoil_testkit::servers::{Answer, MovingNetwork};

use super::{client, expected, log_in};

/// Every way to be of no use while alive.
fn kinds() -> Vec<Answer> {
    vec![
        Answer::WrongValue,
        Answer::WrongProof,
        Answer::OtherUser,
        Answer::OtherIndex(1),
        Answer::OtherIndex(300),
        Answer::Mislabelled { share: 1, label: 2 },
        Answer::Garbage,
        Answer::Endless,
        Answer::Hang,
        Answer::ClaimsEpoch(2),
        Answer::ClaimsEpoch(0),
        Answer::Refuses(ProblemCode::TokenExpired, None),
        Answer::Refuses(ProblemCode::UnknownVerifier, None),
        Answer::Refuses(ProblemCode::Unavailable, Some(60)),
        Answer::Refuses(ProblemCode::Internal, None),
        Answer::Refuses(ProblemCode::NoShare, None),
    ]
}

#[tokio::test]
async fn any_four_of_nine_may_do_anything() {
    let network = MovingNetwork::start(9, 9, 5).unwrap();
    let expected = expected(&network).await;
    let kinds = kinds();
    let fours = (0_u32..1 << 9).filter(|set| set.count_ones() == 4);
    for (round, set) in fours.enumerate() {
        let lies = |node: usize| set & (1 << node) != 0;
        for (number, node) in network.nodes.iter().enumerate() {
            node.answer(if lies(number) {
                // All of one kind, and all of different ones.
                let spread = if round % 2 == 0 { 0 } else { number };
                match kinds[(round / 2 + spread) % kinds.len()].clone() {
                    // That would be the truth.
                    Answer::OtherIndex(1) if number == 0 => Answer::OtherIndex(2),
                    kind => kind,
                }
            } else {
                Answer::Right
            });
        }
        let begun = Instant::now();
        let found = log_in(&client(&network, 1)).await.unwrap();
        assert!(found.secret == expected, "{set:b} changed the secret");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{set:b} held it up"
        );
        let reported: Vec<usize> = found
            .reports
            .iter()
            .map(|report| usize::from(report.index.get()) - 1)
            .collect();
        assert_eq!(
            reported,
            (0..9).filter(|node| lies(*node)).collect::<Vec<_>>(),
            "{:?}",
            found.reports
        );
    }
}

#[tokio::test]
async fn any_four_neighbours_of_nine_may_be_dead() {
    let mut network = MovingNetwork::start(9, 9, 5).unwrap();
    let expected = expected(&network).await;
    for start in 0..9 {
        for at in 0..4 {
            network.nodes[(start + at) % 9].kill().await;
        }
        let found = log_in(&client(&network, 1)).await.unwrap();
        assert!(found.secret == expected);
        assert_eq!(found.reports.len(), 4);
        for at in 0..4 {
            network.nodes[(start + at) % 9].start_again().unwrap();
        }
    }
}

#[tokio::test]
async fn five_dead_of_nine_are_named_soon() {
    let mut network = MovingNetwork::start(9, 9, 5).unwrap();
    for dead in [0, 2, 4, 6, 8] {
        network.nodes[dead].kill().await;
    }
    let begun = Instant::now();
    let error = log_in(&client(&network, 1)).await.unwrap_err();
    // Three attempts take 0.6 s; the limit is 10 s.
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        matches!(
            error,
            SocialError::Offline {
                retry_after: None,
                ..
            }
        ),
        "{error}"
    );
    let named: Vec<u16> = error
        .reports()
        .iter()
        .map(|report| report.index.get())
        .collect();
    assert_eq!(named, [1, 3, 5, 7, 9]);
    for report in error.reports() {
        assert!(matches!(report.fault, NodeFault::NoAnswer(_)), "{report:?}");
    }
    // A liar who claims to be in another epoch does not hold that up.
    for epoch in [0, 2] {
        network.nodes[1].answer(Answer::ClaimsEpoch(epoch));
        let begun = Instant::now();
        let error = log_in(&client(&network, 1)).await.unwrap_err();
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "{:?}",
            begun.elapsed()
        );
        assert!(matches!(error, SocialError::Offline { .. }), "{error}");
        assert_eq!(error.reports().len(), 6);
    }
}

#[tokio::test]
async fn stopped_nodes_block_only_where_they_are_needed() {
    let network = MovingNetwork::start(5, 5, 3).unwrap();
    let expected = expected(&network).await;
    for stopped in 0..2 {
        network.nodes[stopped].answer(Answer::Hang);
    }
    assert!(log_in(&client(&network, 1)).await.unwrap().secret == expected);
    network.nodes[2].answer(Answer::Hang);
    let limit = Duration::from_millis(700);
    let begun = Instant::now();
    let error = log_in(&client(&network, 1).with_time_limit(limit))
        .await
        .unwrap_err();
    assert!(
        (limit..limit * 4).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
    assert!(matches!(error, SocialError::Offline { .. }), "{error}");
    let named: Vec<u16> = error
        .reports()
        .iter()
        .map(|report| report.index.get())
        .collect();
    assert_eq!(named, [1, 2, 3]);
    assert!(
        error
            .reports()
            .iter()
            .all(|report| matches!(report.fault, NodeFault::TooSlow))
    );
}

#[tokio::test]
async fn busy_nodes_are_asked_again_when_they_said() {
    let network = MovingNetwork::start(3, 3, 2).unwrap();
    let expected = expected(&network).await;
    // Two answers were enough: the third request is still on its way, and what follows is not meant for it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    network.nodes[0].answer(Answer::Refuses(ProblemCode::Internal, None));
    network.nodes[1].answer_first([Answer::Refuses(ProblemCode::Unavailable, Some(1))]);
    let begun = Instant::now();
    assert!(log_in(&client(&network, 1)).await.unwrap().secret == expected);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    network.nodes[1].answer_first([
        Answer::Refuses(ProblemCode::TooManyRequests, None),
        Answer::Refuses(ProblemCode::ProviderUnreachable, None),
    ]);
    assert!(log_in(&client(&network, 1)).await.unwrap().secret == expected);
}
