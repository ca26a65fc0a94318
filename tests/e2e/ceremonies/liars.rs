//! Nodes that lie in a ceremony, played with their real keys: they are named, and where others suffice it goes on.

use http::StatusCode;
use serde_json::{Value, json};
use trefoil_client::ceremony::CeremonyError;
use trefoil_client::{HttpTransport, Request};
use trefoil_protocol::bytes::{Blob, NodeShareKey};
use trefoil_protocol::ceremony::{
    DealRequest, Dealing, DealtShares, Joins, NodeMessage, VerifiedPlan,
};
use trefoil_protocol::social::{KeyShare, NodeIndex, NodeKey};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::faults::{FaultyTransport, answer};
use trefoil_testkit::servers::NodeNetwork;
use zeroize::Zeroizing;

use super::{epochs, secret};

pub(super) type Wire = FaultyTransport<HttpTransport>;

pub(super) fn wire() -> Wire {
    FaultyTransport::new(HttpTransport::new().unwrap())
}

/// Puts `lie` in the place of what the node at `place` answers to `step`, knowing what it was asked.
pub(super) fn replace(
    wire: &Wire,
    network: &NodeNetwork,
    place: usize,
    step: &str,
    lie: impl Fn(&[u8], Value) -> Value + Send + Sync + 'static,
) {
    let url = format!("{}/v1/ceremony{step}", network.nodes[place].url());
    wire.alter(
        move |request: &Request| request.url.as_str() == url,
        move |request, honest| {
            if honest.status != StatusCode::OK {
                return honest;
            }
            let said = serde_json::from_slice(&honest.body).unwrap();
            let lie = lie(&request.body, said);
            answer(StatusCode::OK, serde_json::to_vec(&lie).unwrap())
        },
    );
}

/// A message with some of it changed, signed with the node's real key.
pub(super) fn resigned(
    message: &Value,
    label: &str,
    key: &NodeKey,
    change: impl FnOnce(&mut Value),
) -> Value {
    let message: NodeMessage = serde_json::from_value(message.clone()).unwrap();
    let mut said: Value = serde_json::from_slice(message.body.as_bytes()).unwrap();
    change(&mut said);
    let body = serde_json::to_vec(&said).unwrap();
    let signed = NodeMessage {
        signature: key.identity().sign(label, &body),
        body: Blob::new(body),
    };
    serde_json::to_value(signed).unwrap()
}

const ELSE: [u8; 32] = [9; 32];

fn text(bytes: &[u8; 32]) -> Value {
    serde_json::to_value(NodeShareKey::from_bytes(*bytes)).unwrap()
}

type Lie = fn(&mut Value);

/// How a dealer cheats.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cheat {
    WrongSubShare,
    ForeignShare,
    TooFewCommitments,
    TooManyCommitments,
    IdentityCommitment,
    OtherKey,
    OneMissing,
    OtherJoins,
    OtherCeremony,
    BadSignature,
    AnotherDealer,
}

const CHEATS: [Cheat; 11] = [
    Cheat::WrongSubShare,
    Cheat::ForeignShare,
    Cheat::TooFewCommitments,
    Cheat::TooManyCommitments,
    Cheat::IdentityCommitment,
    Cheat::OtherKey,
    Cheat::OneMissing,
    Cheat::OtherJoins,
    Cheat::OtherCeremony,
    Cheat::BadSignature,
    Cheat::AnotherDealer,
];

/// What a random other share would be dealt as, sealed as it should be.
fn dealt(plan: &VerifiedPlan, asked: &[u8], key: &NodeKey, dealer: u16) -> Value {
    let asked: DealRequest = serde_json::from_slice(asked).unwrap();
    let places: Vec<NodeIndex> = plan.indices().collect();
    let mut seven = [0; 32];
    seven[0] = 7;
    let share = KeyShare::from_bytes(NodeIndex::new(dealer).unwrap(), &seven).unwrap();
    let dealing = share
        .deal(plan.threshold(), &places, &mut os_rng())
        .unwrap();
    let commitments = dealing.commitments.to_bytes();
    let sub_shares = dealing.sub_shares.iter();
    let sub_shares: Vec<Zeroizing<Vec<u8>>> = sub_shares
        .map(|sub_share| Zeroizing::new(sub_share.expose_secret().to_vec()))
        .collect();
    let dealt = DealtShares {
        dealer,
        commitments: commitments
            .map(|bytes| NodeShareKey::from_bytes(*bytes))
            .collect(),
        sub_shares: &sub_shares,
    };
    let joins = Joins::verify(plan, &asked.joins).unwrap();
    let sealed = Dealing::seal(plan, &joins, dealt, key.identity(), &mut os_rng()).unwrap();
    serde_json::from_slice(sealed.body.as_bytes()).unwrap()
}

fn cheat_at(wire: &Wire, network: &NodeNetwork, place: usize, plan: &VerifiedPlan, cheat: Cheat) {
    let own = network.nodes[place].key().clone();
    let other = network.nodes[(place + 1) % network.nodes.len()]
        .key()
        .clone();
    let plan = plan.clone();
    let dealer = u16::try_from(place + 1).unwrap();
    replace(wire, network, place, "/deal", move |asked, honest| {
        let key = if cheat == Cheat::BadSignature {
            &other
        } else {
            &own
        };
        let foreign = || dealt(&plan, asked, &own, dealer);
        resigned(&honest, "ceremony/deal", key, |said| match cheat {
            Cheat::WrongSubShare => said["sealed"] = foreign()["sealed"].clone(),
            Cheat::ForeignShare => *said = foreign(),
            Cheat::TooFewCommitments => drop(said["commitments"].as_array_mut().unwrap().pop()),
            Cheat::TooManyCommitments => {
                let commitments = said["commitments"].as_array_mut().unwrap();
                commitments.push(commitments[0].clone());
            }
            Cheat::IdentityCommitment => said["commitments"][1] = text(&[0; 32]),
            Cheat::OtherKey => said["sealed"].as_array_mut().unwrap().swap(0, 1),
            Cheat::OneMissing => drop(said["sealed"].as_array_mut().unwrap().pop()),
            Cheat::OtherJoins => said["joins"] = text(&ELSE),
            Cheat::OtherCeremony => said["ceremony"] = text(&ELSE),
            Cheat::BadSignature => {}
            Cheat::AnotherDealer => said["dealer"] = json!(dealer % 3 + 1),
        })
    });
}

#[tokio::test]
async fn a_dealer_that_cheats_is_left_out_and_others_take_its_place() {
    let network = NodeNetwork::of(5).await.unwrap();
    let first = network.keygen(5, 3).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    let mut current = first.clone();
    for cheat in CHEATS {
        let wire = wire();
        let coordinator = network.coordinator_over(wire.clone());
        let chain = network.chain(&coordinator, &first).await.unwrap();
        let plan = coordinator.plan_refresh(&current).await.unwrap();
        let verified = plan.verify().unwrap();
        for liar in [0, 2] {
            cheat_at(&wire, &network, liar, &verified, cheat);
        }
        let outcome = coordinator.carry_out(&plan, Some(&chain)).await;
        let outcome = outcome.unwrap_or_else(|error| panic!("{cheat:?}: {error}"));
        current = outcome.manifest;
        assert_eq!(outcome.waiting_for, Vec::<String>::new(), "{cheat:?}");
    }
    assert_eq!(secret(&network, &current).await, before);
}

#[tokio::test]
async fn with_too_few_dealers_left_nothing_changes_and_the_liars_are_named() {
    let network = NodeNetwork::of(4).await.unwrap();
    let first = network.keygen(4, 3).await.unwrap().manifest;
    let before = secret(&network, &first).await;
    for cheat in [Cheat::WrongSubShare, Cheat::ForeignShare, Cheat::OtherKey] {
        let wire = wire();
        let coordinator = network.coordinator_over(wire.clone());
        let chain = network.chain(&coordinator, &first).await.unwrap();
        let plan = coordinator.plan_refresh(&first).await.unwrap();
        for liar in [0, 1] {
            cheat_at(&wire, &network, liar, &plan.verify().unwrap(), cheat);
        }
        let refused = coordinator
            .carry_out(&plan, Some(&chain))
            .await
            .unwrap_err();
        let CeremonyError::TooFewDealers {
            needed,
            given,
            liars,
            accusers,
            ..
        } = &refused
        else {
            panic!("{cheat:?}: {refused}");
        };
        assert_eq!(
            (*needed, *given, liars.as_slice()),
            (3, 2, &[1, 2][..]),
            "{cheat:?}"
        );
        // Who says so is told too: it may be they who lie. Some lies the coordinator sees itself.
        for accuser in accusers {
            assert!(refused.to_string().contains(accuser.as_str()), "{refused}");
        }
        assert!(epochs(&network).await.values().all(|held| *held == [1]));
    }
    assert_eq!(secret(&network, &first).await, before);
    // Honest again, the last plan is carried out as it was.
    let coordinator = network.coordinator().unwrap();
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    let second = coordinator
        .carry_out(&plan, Some(&chain))
        .await
        .unwrap()
        .manifest;
    assert_eq!(secret(&network, &second).await, before);
}

#[tokio::test]
async fn a_member_that_joins_with_what_cannot_be_used_is_named_before_anything_is_dealt() {
    let network = NodeNetwork::of(3).await.unwrap();
    let lies: [(&str, Lie); 5] = [
        ("small order", |said| {
            let mut one = [0; 32];
            one[0] = 1;
            said["hpke_key"] = text(&one);
        }),
        ("another ceremony", |said| said["ceremony"] = text(&ELSE)),
        ("another place", |said| said["index"] = json!(3)),
        ("no package", |said| said["package"] = Value::Null),
        ("a later version", |said| said["version"] = json!(2)),
    ];
    for (what, lie) in lies {
        let wire = wire();
        let coordinator = network.coordinator_over(wire.clone());
        let plan = coordinator
            .plan_key(&network.members(0..3), 2)
            .await
            .unwrap();
        let key = network.nodes[1].key().clone();
        replace(
            &wire,
            &network,
            1,
            "/plan",
            move |_, honest| json!({ "join": resigned(&honest["join"], "ceremony/join", &key, lie) }),
        );
        let refused = coordinator.carry_out(&plan, None).await.unwrap_err();
        let CeremonyError::Members(trouble) = &refused else {
            panic!("{what}: {refused}");
        };
        assert_eq!(trouble.len(), 1, "{what}: {refused}");
        assert_eq!(trouble[0].url, network.nodes[1].url(), "{what}");
        let sent = wire.exchanges();
        assert!(
            sent.iter()
                .all(|exchange| !exchange.request.url.path().ends_with("/deal"))
        );
    }
}

#[tokio::test]
async fn a_member_that_joins_differently_for_each_makes_no_key() {
    let network = NodeNetwork::of(3).await.unwrap();
    let wire = wire();
    let coordinator = network.coordinator_over(wire.clone());
    let plan = coordinator
        .plan_key(&network.members(0..3), 2)
        .await
        .unwrap();
    // Node 3 is shown another join of node 1, and signs so: whoever deals names the joins that it saw.
    let key = network.nodes[0].key().clone();
    let dealer = network.nodes[2].key().clone();
    let verified = plan.verify().unwrap();
    replace(&wire, &network, 2, "/deal", move |asked, honest| {
        let mut asked: DealRequest = serde_json::from_slice(asked).unwrap();
        let first = serde_json::to_value(&asked.joins[0]).unwrap();
        let other = resigned(&first, "ceremony/join", &key, |said| {
            said["hpke_key"] = text(&ELSE)
        });
        asked.joins[0] = serde_json::from_value(other).unwrap();
        let joins = Joins::verify(&verified, &asked.joins).unwrap();
        resigned(&honest, "ceremony/deal", &dealer, |said| {
            said["joins"] = serde_json::to_value(joins.hash()).unwrap();
        })
    });
    let refused = coordinator.carry_out(&plan, None).await.unwrap_err();
    assert!(
        matches!(&refused, CeremonyError::Members(trouble) if trouble[0].url == network.nodes[2].url()),
        "{refused}"
    );
    // Nor does a node take a second set of joins, whoever carries it.
    let asked = wire
        .exchanges()
        .into_iter()
        .find(|exchange| exchange.request.url.path().ends_with("/deal"));
    let mut asked: DealRequest = serde_json::from_slice(&asked.unwrap().request.body).unwrap();
    let first = serde_json::to_value(&asked.joins[0]).unwrap();
    let key = network.nodes[0].key();
    let other = resigned(&first, "ceremony/join", key, |said| {
        said["hpke_key"] = text(&ELSE)
    });
    asked.joins[0] = serde_json::from_value(other).unwrap();
    let asked = DealRequest::new(asked.ceremony, asked.joins, network.coordinator_key());
    for node in &network.nodes {
        let refused = node.node().unwrap().deal(&asked).await.unwrap_err();
        assert!(
            matches!(refused, trefoil_node::CeremonyError::OtherJoins),
            "{refused}"
        );
    }
    assert!(epochs(&network).await.values().all(Vec::is_empty));
}

#[tokio::test]
async fn in_key_generation_a_cheating_dealer_is_named_and_there_is_no_key() {
    let network = NodeNetwork::of(3).await.unwrap();
    for cheat in [Cheat::OtherKey, Cheat::OtherJoins, Cheat::BadSignature] {
        let wire = wire();
        let coordinator = network.coordinator_over(wire.clone());
        let plan = coordinator
            .plan_key(&network.members(0..3), 2)
            .await
            .unwrap();
        cheat_at(&wire, &network, 0, &plan.verify().unwrap(), cheat);
        match coordinator.carry_out(&plan, None).await.unwrap_err() {
            CeremonyError::TooFewDealers { liars, .. } => assert_eq!(liars, [1], "{cheat:?}"),
            CeremonyError::Members(trouble) => {
                assert_eq!(trouble.len(), 1, "{cheat:?}");
                assert_eq!(trouble[0].url, network.nodes[0].url(), "{cheat:?}");
            }
            other => panic!("{cheat:?}: {other}"),
        }
        assert!(epochs(&network).await.values().all(Vec::is_empty));
    }
    network.keygen(3, 2).await.unwrap();
}

#[tokio::test]
async fn a_member_that_speaks_of_another_manifest_is_named_and_not_the_others() {
    let network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    for forged in [false, true] {
        let wire = wire();
        let coordinator = network.coordinator_over(wire.clone());
        let chain = network.chain(&coordinator, &first).await.unwrap();
        let plan = coordinator.plan_refresh(&first).await.unwrap();
        let key = network.nodes[if forged { 1 } else { 0 }].key().clone();
        // The first that answers.
        replace(&wire, &network, 0, "/hold", move |_, mut honest| {
            let manifest: Blob = serde_json::from_value(honest["manifest"].clone()).unwrap();
            let mut other: Value = serde_json::from_slice(manifest.as_bytes()).unwrap();
            other["nodes"][0]["hpke_key"] = text(&ELSE);
            let other = Blob::new(serde_json::to_vec(&other).unwrap());
            if !forged {
                honest["manifest"] = serde_json::to_value(&other).unwrap();
            }
            honest["held"] = resigned(&honest["held"], "ceremony/held", &key, |_| {});
            honest
        });
        let refused = coordinator
            .carry_out(&plan, Some(&chain))
            .await
            .unwrap_err();
        let CeremonyError::Members(trouble) = &refused else {
            panic!("{refused}");
        };
        assert_eq!(trouble.len(), 1, "{refused}");
        assert_eq!(trouble[0].url, network.nodes[0].url());
    }
    assert!(epochs(&network).await.values().all(|held| *held == [1]));
}

#[tokio::test]
async fn forged_signatures_and_receipts_are_as_if_nothing_was_said() {
    let network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let wire = wire();
    let coordinator = network.coordinator_over(wire.clone());
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    // Node 1 gives a signature in the name of node 2, and node 3's word for its own.
    let stranger = network.nodes[1].key().clone();
    replace(&wire, &network, 0, "/sign", |_, mut honest| {
        honest["index"] = json!(2);
        honest
    });
    replace(&wire, &network, 0, "/activate", move |_, honest| {
        resigned(&honest, "ceremony/active", &stranger, |said| {
            said["index"] = json!(2)
        })
    });
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert_eq!(outcome.waiting_for, [network.nodes[0].url()]);
    assert_eq!(outcome.erase_at, None);
    // Old shares stay until the real word is there.
    for node in &network.nodes {
        assert_eq!(node.node().unwrap().status().await.unwrap().epochs, [1, 2]);
    }
    wire.reset();
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert!(outcome.waiting_for.is_empty() && outcome.erase_at.is_some());
}
