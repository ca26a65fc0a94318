//! Ceremonies that stop half way: the network serves as before, and whoever carries on goes on where it stopped.

use core::future::pending;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use tokio::sync::Notify;
use trefoil_client::ceremony::{Chain, Outcome};
use trefoil_client::{HttpTransport, Request, Response, Transport, TransportError};
use trefoil_protocol::ceremony::SignedPlan;
use trefoil_protocol::social::VerifiedManifest;
use trefoil_testkit::faults::Fault;
use trefoil_testkit::servers::NodeNetwork;

use super::liars::wire;
use super::{epochs, secret};

/// The coordinator's process ends at one of its requests: before it is sent, or when its answer is there.
struct Dying {
    inner: HttpTransport,
    sent: AtomicU64,
    at: u64,
    after: bool,
    dead: Arc<Notify>,
}

impl Transport for Dying {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let number = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(async move {
            if number < self.at {
                return self.inner.send(request).await;
            }
            if number == self.at {
                if self.after {
                    let _ = self.inner.send(request).await;
                }
                self.dead.notify_one();
            }
            pending().await
        })
    }
}

/// Carries a plan out until the coordinator dies at its request `at`. Whether it came to the end before.
async fn stopped(
    network: &NodeNetwork,
    plan: &SignedPlan,
    chain: Option<&Chain>,
    (at, after): (u64, bool),
) -> bool {
    let dead = Arc::new(Notify::new());
    let coordinator = network.coordinator_over(Dying {
        inner: HttpTransport::new().unwrap(),
        sent: AtomicU64::new(0),
        at,
        after,
        dead: Arc::clone(&dead),
    });
    tokio::select! {
        outcome = coordinator.carry_out(plan, chain) => {
            outcome.unwrap();
            true
        }
        () = dead.notified() => false,
    }
}

/// One node dies with the coordinator and comes back with what its store holds.
async fn restart_one(network: &mut NodeNetwork, number: u64) {
    let place = usize::try_from(number).unwrap() % network.nodes.len();
    network.nodes[place].kill().await;
    network.nodes[place].start_again().await.unwrap();
}

fn finished(outcome: &Outcome) {
    assert_eq!(outcome.waiting_for, Vec::<String>::new());
}

/// Every member of the manifest holds a share of its epoch.
async fn all_serve(network: &NodeNetwork, manifest: &VerifiedManifest) {
    let held = epochs(network).await;
    for (place, node) in network.nodes.iter().enumerate() {
        if manifest.place_of(&node.key().identity_key()).is_some() {
            assert_eq!(held[&place].last(), Some(&manifest.epoch()), "node {place}");
        }
    }
}

#[tokio::test]
async fn key_generation_goes_on_after_every_request() {
    for at in 1.. {
        let mut network = NodeNetwork::of(3).await.unwrap();
        let members = network.members(0..3);
        let plan = network.coordinator().unwrap();
        let plan = plan.plan_key(&members, 2).await.unwrap();
        let ended = stopped(&network, &plan, None, (at, at.is_multiple_of(2))).await;
        restart_one(&mut network, at).await;
        let coordinator = network.coordinator().unwrap();
        let outcome = coordinator.carry_out(&plan, None).await.unwrap();
        finished(&outcome);
        all_serve(&network, &outcome.manifest).await;
        let first = secret(&network, &outcome.manifest).await;
        assert_eq!(secret(&network, &outcome.manifest).await, first);
        if ended {
            assert!(at > 15, "there are more requests than that");
            return;
        }
    }
}

#[tokio::test]
async fn a_refresh_goes_on_after_every_request_and_the_old_epoch_serves_all_along() {
    let mut network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let mut current = first.clone();
    for at in 1.. {
        let coordinator = network.coordinator().unwrap();
        let chain = network.chain(&coordinator, &first).await.unwrap();
        let plan = coordinator.plan_refresh(&current).await.unwrap();
        let ended = stopped(&network, &plan, Some(&chain), (at, true)).await;
        restart_one(&mut network, at).await;
        assert_eq!(secret(&network, &current).await, before, "{at}");
        // By somebody who looks anew, and by somebody who knows only what was before.
        let chain = if at.is_multiple_of(2) {
            network.chain(&coordinator, &first).await.unwrap()
        } else {
            chain
        };
        let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
        finished(&outcome);
        assert_eq!(outcome.manifest.epoch(), current.epoch() + 1);
        assert_eq!(outcome.manifest.network(), first.network());
        all_serve(&network, &outcome.manifest).await;
        assert_eq!(secret(&network, &outcome.manifest).await, before);
        current = outcome.manifest;
        if ended {
            break;
        }
    }
    // The first epoch is still in its overlap.
    assert_eq!(secret(&network, &first).await, before);
}

#[tokio::test]
async fn a_move_goes_on_after_every_request_and_the_old_committee_serves_all_along() {
    let mut network = NodeNetwork::of(5).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let mut current = first.clone();
    for at in 1.. {
        let coordinator = network.coordinator().unwrap();
        let chain = network.chain(&coordinator, &first).await.unwrap();
        let members = if current.epoch() % 2 == 0 {
            network.members([0, 1, 2])
        } else {
            network.members([4, 3, 2])
        };
        let plan = coordinator.plan_move(&current, &members, 2).await.unwrap();
        let ended = stopped(&network, &plan, Some(&chain), (at, true)).await;
        restart_one(&mut network, at).await;
        assert_eq!(secret(&network, &current).await, before, "{at}");
        let chain = network.chain(&coordinator, &first).await.unwrap();
        let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
        finished(&outcome);
        all_serve(&network, &outcome.manifest).await;
        assert_eq!(secret(&network, &outcome.manifest).await, before, "{at}");
        current = outcome.manifest;
        if ended {
            return;
        }
    }
}

/// Delivers everything twice, and before each message an old one once more.
struct Repeating {
    inner: HttpTransport,
    old: Mutex<Vec<Request>>,
}

impl Transport for Repeating {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let again = {
            let mut old = self.old.lock().unwrap();
            old.push(request.clone());
            // Not the last ones only: the step takes every earlier one in turn.
            let place = old.len() * 7 % old.len().div_ceil(2);
            old[place].clone()
        };
        Box::pin(async move {
            let _ = self.inner.send(again).await;
            let first = self.inner.send(request.clone()).await?;
            let second = self.inner.send(request.clone()).await?;
            if request.method == http::Method::POST {
                assert_eq!(first.status, second.status, "{}", request.url);
                assert_eq!(first.body, second.body, "{}", request.url);
            }
            Ok(second)
        })
    }
}

#[tokio::test]
async fn messages_that_arrive_twice_and_old_ones_change_nothing() {
    let network = NodeNetwork::of(5).await.unwrap();
    let coordinator = network.coordinator_over(Repeating {
        inner: HttpTransport::new().unwrap(),
        old: Mutex::default(),
    });
    let members = network.members(0..3);
    let plan = coordinator.plan_key(&members, 2).await.unwrap();
    let first = coordinator.carry_out(&plan, None).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    let second = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    finished(&second);
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let members = network.members(1..5);
    let plan = coordinator.plan_move(&second.manifest, &members, 3).await;
    let third = coordinator
        .carry_out(&plan.unwrap(), Some(&chain))
        .await
        .unwrap();
    finished(&third);
    assert_eq!(third.manifest.epoch(), 3);
    assert_eq!(secret(&network, &third.manifest).await, before);
}

#[tokio::test]
async fn a_member_that_misses_the_activation_keeps_the_old_shares_alive_and_comes_later() {
    let mut network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let wire = wire();
    let coordinator = network.coordinator_over(wire.clone());
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    let away = format!("{}/v1/ceremony/activate", network.nodes[1].url());
    wire.when(
        move |request| request.url.as_str() == away,
        Fault::CutBefore,
    );
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert_eq!(outcome.waiting_for, [network.nodes[1].url()]);
    assert_eq!(outcome.erase_at, None);
    let held: Vec<Vec<u32>> = epochs(&network).await.into_values().collect();
    assert_eq!(held, [vec![1, 2], vec![1], vec![1, 2]]);
    assert_eq!(secret(&network, &first).await, before);
    assert_eq!(secret(&network, &outcome.manifest).await, before);

    network.nodes[1].kill().await;
    network.nodes[1].start_again().await.unwrap();
    wire.reset();
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    finished(&outcome);
    assert!(outcome.erase_at.is_some());
    assert!(epochs(&network).await.values().all(|held| *held == [1, 2]));
}
