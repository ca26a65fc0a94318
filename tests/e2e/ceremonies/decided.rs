//! Two ceremonies for one epoch: at most one comes to its end, and one that a node has signed is finished first.

use serde_json::{Value, json};
use trefoil_client::ceremony::{CeremonyError, Coordinator};
use trefoil_protocol::ceremony::{DealRequest, HoldRequest, PlanRequest, SignRequest, SignedPlan};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::social::VerifiedManifest;
use trefoil_testkit::faults::Fault;
use trefoil_testkit::servers::NodeNetwork;

use super::liars::{replace, wire};
use super::{epochs, secret};

/// As an operator would: what is decided is finished, and then this plan or none.
async fn bring_to_an_end(
    network: &NodeNetwork,
    coordinator: &Coordinator,
    first: &VerifiedManifest,
) -> VerifiedManifest {
    let mut plan: Option<SignedPlan> = None;
    for _ in 0..10 {
        let chain = network.chain(coordinator, first).await.unwrap();
        let next = match plan.take() {
            Some(plan) => plan,
            None => coordinator.plan_refresh(chain.newest()).await.unwrap(),
        };
        match coordinator.carry_out(&next, Some(&chain)).await {
            Ok(outcome) if outcome.waiting_for.is_empty() => return outcome.manifest,
            Ok(_) => plan = Some(next),
            Err(CeremonyError::Decided { plan: decided }) => plan = Some(*decided),
            Err(_) => {}
        }
    }
    panic!("the network is stuck");
}

#[tokio::test]
async fn two_coordinators_at_once_lead_to_one_manifest_for_each_epoch() {
    let network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let (one, two) = (
        network.coordinator().unwrap(),
        network.coordinator().unwrap(),
    );
    for wait in [0, 5, 20, 40, 80, 160] {
        let chain = network.chain(&one, &first).await.unwrap();
        let plans = (
            one.plan_refresh(chain.newest()).await.unwrap(),
            two.plan_refresh(chain.newest()).await.unwrap(),
        );
        let later = async {
            tokio::time::sleep(core::time::Duration::from_millis(wait)).await;
            two.carry_out(&plans.1, Some(&chain)).await
        };
        let outcomes = tokio::join!(one.carry_out(&plans.0, Some(&chain)), later);
        assert!(
            outcomes.0.is_err() || outcomes.1.is_err(),
            "two manifests follow the same one"
        );
        let last = bring_to_an_end(&network, &one, &first).await;
        // Everybody tells the same history.
        let served: Vec<_> = network
            .nodes
            .iter()
            .map(|node| node.node().unwrap().manifest().unwrap().hash())
            .collect();
        assert_eq!(served, vec![last.hash(); 3]);
        assert_eq!(secret(&network, &last).await, before);
    }
}

#[tokio::test]
async fn a_node_signs_once_for_an_epoch_and_what_it_signed_is_finished_first() {
    let mut network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    // The first ceremony reaches one signer only.
    let wire = wire();
    let coordinator = network.coordinator_over(wire.clone());
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    let reached = network.nodes[0].url();
    wire.when(
        move |request| {
            let url = request.url.as_str();
            url.ends_with("/sign") && !url.starts_with(&reached)
        },
        Fault::CutBefore,
    );
    let refused = coordinator
        .carry_out(&plan, Some(&chain))
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            CeremonyError::TooFewSigners {
                needed: 2,
                given: 1,
                ..
            }
        ),
        "{refused}"
    );
    network.nodes[0].kill().await;
    network.nodes[0].start_again().await.unwrap();
    let asked = wire.exchanges().into_iter();
    let asked = asked
        .rev()
        .find(|exchange| exchange.request.url.path().ends_with("/sign"));
    let asked: SignRequest = serde_json::from_slice(&asked.unwrap().request.body).unwrap();
    let signer = network.nodes[0].node().unwrap();
    let signature = signer.sign(&asked).await.unwrap();
    // The same again, and no other.
    assert_eq!(signer.sign(&asked).await.unwrap(), signature);
    let (manifest, held) = (first.signed().manifest.clone(), asked.held.clone());
    let other = SignRequest::new(asked.ceremony, manifest, held, network.coordinator_key());
    let refused = signer.sign(&other).await.unwrap_err();
    assert!(
        matches!(refused, trefoil_node::CeremonyError::Decided),
        "{refused}"
    );

    wire.reset();
    let later = coordinator.plan_refresh(&first).await.unwrap();
    let refused = coordinator
        .carry_out(&later, Some(&chain))
        .await
        .unwrap_err();
    let CeremonyError::Decided { plan: decided } = refused else {
        panic!("{refused}");
    };
    assert_eq!(*decided, plan);
    let second = coordinator
        .carry_out(&decided, Some(&chain))
        .await
        .unwrap()
        .manifest;
    assert_eq!(second.hash(), asked_hash(&asked));
    assert_eq!(secret(&network, &second).await, before);
    assert!(epochs(&network).await.values().all(|held| *held == [1, 2]));
}

/// The plan and the joins are there for all to read. Whoever could have nodes hold what any two of three dealt, and sign it,
/// could have each sign another manifest, and none would ever get a quorum.
#[tokio::test]
async fn nobody_but_the_coordinator_leads_a_ceremony() {
    let network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let coordinator = network.coordinator().unwrap();
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    let ceremony = plan.verify().unwrap().ceremony();
    let stranger = AuthPrivateKey::from_seed(&[7; 32]);
    let nodes: Vec<_> = network
        .nodes
        .iter()
        .map(|node| node.node().unwrap())
        .collect();
    let refused = |refused: trefoil_node::CeremonyError| {
        assert!(
            matches!(refused, trefoil_node::CeremonyError::NotTheCoordinator),
            "{refused}"
        );
    };

    let mut joins = Vec::new();
    for node in &nodes {
        let request = PlanRequest {
            plan: plan.clone(),
            manifests: Vec::new(),
        };
        joins.push(node.plan(&request).await.unwrap().join.unwrap());
    }
    let theirs = DealRequest::new(ceremony, joins.clone(), &stranger);
    let ours = DealRequest::new(ceremony, joins.clone(), network.coordinator_key());
    let mut dealings = Vec::new();
    for node in &nodes {
        refused(node.deal(&theirs).await.unwrap_err());
        dealings.push(node.deal(&ours).await.unwrap());
    }
    let two = dealings[..2].to_vec();
    let theirs = HoldRequest::new(ceremony, joins.clone(), two.clone(), &stranger);
    let ours = HoldRequest::new(ceremony, joins, two, network.coordinator_key());
    // An order for one choice of dealers is none for another.
    let mut bent = ours.clone();
    bent.dealings = dealings[1..].to_vec();
    let mut held = Vec::new();
    let mut manifest = None;
    for node in &nodes {
        refused(node.hold(&theirs).await.unwrap_err());
        refused(node.hold(&bent).await.unwrap_err());
        let holds = node.hold(&ours).await.unwrap();
        held.push(holds.held);
        manifest = Some(holds.manifest);
    }
    let theirs = SignRequest::new(ceremony, manifest.unwrap(), held, &stranger);
    for node in &nodes {
        refused(node.sign(&theirs).await.unwrap_err());
    }
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert_eq!(outcome.manifest.epoch(), 2);
}

fn asked_hash(asked: &SignRequest) -> trefoil_protocol::bytes::ManifestHash {
    trefoil_protocol::social::SignedManifest {
        manifest: asked.manifest.clone(),
        signatures: Vec::new(),
    }
    .hash()
}

#[tokio::test]
async fn a_node_that_only_says_that_it_signed_stops_nobody() {
    let network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let wire = wire();
    let coordinator = network.coordinator_over(wire.clone());
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let other = coordinator.plan_refresh(&first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    for claimed in [plan.clone(), other] {
        let manifest = first.signed().clone();
        replace(&wire, &network, 0, "", move |_, mut status: Value| {
            status["plan"] = serde_json::to_value(&claimed).unwrap();
            status["signed"] = json!({
                "manifest": manifest.manifest,
                "held": [],
                "signature": manifest.signatures[0],
            });
            status
        });
    }
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert_eq!(outcome.manifest.epoch(), 2);
}
