//! Thieves of `T - 1` nodes, who have their complete stores and key files and recorded every message: they do not get
//! a user's secret. Thieves of `T` do, as the documentation says.

use std::collections::BTreeMap;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use serde_json::Value;
use trefoil_client::ceremony::Coordinator;
use trefoil_protocol::bytes::NodeShareKey;
use trefoil_protocol::ceremony::{Dealing, HoldRequest, Joins, SignedPlan};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::social::{KeyShare, NodeIndex, UserIdentity, VerifiedManifest, VerifierId};
use trefoil_protocol::tenant::Tenant;
use trefoil_store::{NodeStore, SqliteNodeStore};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::servers::NodeNetwork;

use super::liars::{Wire, wire};
use super::secret;

/// What lies in a node's store, opened with its key file.
async fn stolen(network: &mut NodeNetwork, place: usize) -> Value {
    let node = &mut network.nodes[place];
    // A store is open in one process at a time.
    node.kill().await;
    let store = SqliteNodeStore::open(node.directory()).unwrap();
    let sealed = store.load().await.unwrap().unwrap().sealed;
    drop(store);
    node.start_again().await.unwrap();
    serde_json::from_slice(&node.key().open(&sealed).unwrap()).unwrap()
}

fn bytes(value: &Value) -> [u8; 32] {
    // Any kind of 32 public bytes reads them.
    let read: NodeShareKey = serde_json::from_value(value.clone()).unwrap();
    *read.as_bytes()
}

fn scalar(bytes: [u8; 32]) -> Scalar {
    Scalar::from_canonical_bytes(bytes).unwrap()
}

/// The share of an epoch, and the seed of the key that it was sealed to.
fn share(state: &Value, epoch: u32) -> Option<(Scalar, [u8; 32])> {
    let shares = state["epochs"].as_array().unwrap();
    let share = shares.iter().find(|share| share["epoch"] == epoch)?;
    Some((scalar(bytes(&share["share"])), bytes(&share["hpke_seed"])))
}

/// The value at `x` of the one polynomial of least degree through these points.
fn through(points: &[(u16, Scalar)], x: u16) -> Scalar {
    let x = Scalar::from(x);
    let term = |(i, (at, value)): (usize, &(u16, Scalar))| {
        let others = points.iter().enumerate().filter(|(j, _)| *j != i);
        let weight = others.map(|(_, (other, _))| {
            let (at, other) = (Scalar::from(*at), Scalar::from(*other));
            (x - other) * (at - other).invert()
        });
        value * weight.product::<Scalar>()
    };
    points.iter().enumerate().map(term).sum()
}

fn is_master(secret: &Scalar, manifest: &VerifiedManifest) -> bool {
    let public = RistrettoPoint::mul_base(secret).compress();
    public.as_bytes() == manifest.network().as_bytes()
}

/// Bob's secret of a master key: what a share of a network of one node would answer.
fn secret_of(master: &Scalar, manifest: &VerifiedManifest) -> FactorSecret {
    let tenant = Tenant::new("acme").unwrap();
    let identity = UserIdentity::new(tenant, VerifierId::new("google").unwrap(), "bob", 0).unwrap();
    let index = NodeIndex::new(1).unwrap();
    let share = KeyShare::from_bytes(index, &master.to_bytes()).unwrap();
    let group = trefoil_oprf::GroupKey::from_bytes(share.verifying_share().as_bytes()).unwrap();
    let alone = trefoil_oprf::Committee::new(group, 1, 1, &[*share.verifying_share()]).unwrap();
    let evaluation = share.evaluate(1, &identity.input(), &mut os_rng());
    let evaluation = alone.verify(&identity.input(), evaluation).unwrap();
    let output = alone.combine(&[evaluation]).unwrap();
    identity.factor_secret(&output, &manifest.network())
}

/// A refresh over a wire that records every message.
async fn refresh(
    network: &NodeNetwork,
    coordinator: &Coordinator,
    current: &VerifiedManifest,
) -> (SignedPlan, VerifiedManifest) {
    let chain = network.chain(coordinator, current).await.unwrap();
    let plan = coordinator.plan_refresh(current).await.unwrap();
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    (plan, outcome.manifest)
}

/// The dealings of a plan, as every member got them.
fn dealings(wire: &Wire, plan: &SignedPlan, dealers: &VerifiedManifest) -> Vec<Dealing> {
    let plan = plan.verify().unwrap();
    let requests = wire
        .exchanges()
        .into_iter()
        .map(|exchange| exchange.request);
    let held = requests
        .filter(|request| request.url.path().ends_with("/hold"))
        .map(|request| serde_json::from_slice::<HoldRequest>(&request.body).unwrap())
        .find(|request| request.ceremony == plan.ceremony())
        .unwrap();
    let joins = Joins::verify(&plan, &held.joins).unwrap();
    let key = |index| dealers.node(index).map(|node| node.identity_key);
    let read = held.dealings.iter();
    read.map(|message| Dealing::verify(message, &plan, &joins, key).unwrap())
        .collect()
}

#[tokio::test]
async fn t_minus_1_stores_and_every_message_leave_every_master_key_possible() {
    let mut network = NodeNetwork::of(5).await.unwrap();
    let wire = wire();
    let coordinator = network.coordinator_over(wire.clone());
    let plan = coordinator
        .plan_key(&network.members(0..5), 3)
        .await
        .unwrap();
    let first = coordinator.carry_out(&plan, None).await.unwrap().manifest;
    let login = secret(&network, &first).await;
    let made = dealings(&wire, &plan, &first);
    let (plan, second) = refresh(&network, &coordinator, &first).await;
    let dealt = dealings(&wire, &plan, &first);
    let states: Vec<Value> = {
        let mut states = Vec::new();
        for place in 0..5 {
            states.push(stolen(&mut network, place).await);
        }
        states
    };
    // Nothing of a ceremony that is over is left: no seed, no share on hold.
    for state in &states {
        assert!(state["ceremony"].is_null() && state["signed"].is_null());
        assert_eq!(state["held"].as_array().unwrap().len(), 0);
    }
    let of_epoch = |epoch: u32, places: &[u16]| -> Vec<(u16, Scalar)> {
        let share = |place: &u16| share(&states[usize::from(*place) - 1], epoch).unwrap().0;
        places.iter().map(|place| (*place, share(place))).collect()
    };

    // T stores of either epoch are the key.
    for (epoch, places) in [(1, [1, 3, 5]), (2, [2, 3, 4])] {
        let master = through(&of_epoch(epoch, &places), 0);
        assert!(is_master(&master, &first));
        assert_eq!(secret_of(&master, &first), login);
    }
    // T - 1 old ones and T - 1 new ones, together more than T, are not.
    let mixed = [of_epoch(1, &[1, 2]), of_epoch(2, &[3, 4])].concat();
    for left_out in 0..4 {
        let mut three = mixed.clone();
        three.remove(left_out);
        assert!(
            !is_master(&through(&three, 0), &first),
            "without {left_out}"
        );
    }
    let master = through(&mixed, 0);
    assert!(!is_master(&master, &first));
    assert_ne!(secret_of(&master, &first), login);

    // The attacker has nodes 1 and 2: of each dealing it opens what was sealed to them, and nothing else.
    let seeds: Vec<EnvelopePrivateKey> = (0..2)
        .flat_map(|place| [1, 2].map(|epoch| share(&states[place], epoch).unwrap().1))
        .map(|seed| EnvelopePrivateKey::derive(&seed))
        .collect();
    let opened = |dealing: &Dealing| -> BTreeMap<u16, Vec<u8>> {
        let open = |to: u16| seeds.iter().find_map(|key| dealing.open(to, key).ok());
        (1..=5)
            .filter_map(|to| Some((to, open(to)?.to_vec())))
            .collect()
    };
    assert_eq!((made.len(), dealt.len()), (5, 3));
    for dealing in made.iter().chain(&dealt) {
        assert_eq!(opened(dealing).into_keys().collect::<Vec<_>>(), [1, 2]);
    }
    let sub_shares: BTreeMap<u16, Vec<(u16, Scalar)>> = dealt
        .iter()
        .map(|dealing| {
            let opened = opened(dealing).into_iter();
            let points = opened.map(|(to, value)| (to, scalar(value.try_into().unwrap())));
            (dealing.dealer(), points.collect())
        })
        .collect();

    // Whatever master key is guessed: there are polynomials of the old key, of each honest dealer and of the new key
    // that go through every value that the attacker has. The right guess is one of them.
    let (old, new) = (of_epoch(1, &[1, 2]), of_epoch(2, &[1, 2]));
    let right = through(&of_epoch(1, &[1, 2, 3]), 0);
    let guesses = [
        right,
        Scalar::ZERO,
        Scalar::from(7_u8),
        Scalar::random(&mut os_rng()),
    ];
    for guess in guesses {
        let old_key = [vec![(0, guess)], old.clone()].concat();
        let dealers: Vec<(u16, Vec<(u16, Scalar)>)> = sub_shares
            .iter()
            .map(|(dealer, points)| {
                let dealt = (0, through(&old_key, *dealer));
                (*dealer, [vec![dealt], points.clone()].concat())
            })
            .collect();
        let new_key = |at: u16| {
            let values = dealers
                .iter()
                .map(|(dealer, points)| (*dealer, through(points, at)));
            through(&values.collect::<Vec<_>>(), 0)
        };
        assert_eq!(new_key(0), guess);
        for (place, share) in &old {
            assert_eq!(through(&old_key, *place), *share);
        }
        for (place, share) in &new {
            assert_eq!(new_key(*place), *share);
        }
        let is_right = guess == right;
        assert_eq!(is_master(&guess, &second), is_right);
        let honest = of_epoch(2, &[4])[0].1;
        assert_eq!(new_key(4) == honest, is_right);
    }
}

#[tokio::test]
async fn a_backup_from_before_a_refresh_is_worth_nothing_beside_newer_ones() {
    let mut network = NodeNetwork::of(3).await.unwrap();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let mut current = first.clone();
    let coordinator = network.coordinator().unwrap();
    // One backup of another node in each epoch: never two of one epoch.
    let mut backups: Vec<(u16, Scalar)> = Vec::new();
    for (epoch, place) in [(1, 0), (2, 1), (3, 2)] {
        let state = stolen(&mut network, place).await;
        let (share, _) = share(&state, epoch).unwrap();
        backups.push((u16::try_from(place + 1).unwrap(), share));
        current = refresh(&network, &coordinator, &current).await.1;
    }
    for pair in [[0, 1], [0, 2], [1, 2]] {
        let points = pair.map(|backup| backups[backup]);
        assert!(!is_master(&through(&points, 0), &first), "{pair:?}");
    }
    assert!(!is_master(&through(&backups, 0), &first));
}

#[tokio::test]
async fn a_message_for_one_ceremony_is_no_message_for_another() {
    let network = NodeNetwork::of(3).await.unwrap();
    let wire = wire();
    let coordinator = network.coordinator_over(wire.clone());
    let plan = coordinator
        .plan_key(&network.members(0..3), 2)
        .await
        .unwrap();
    let first = coordinator.carry_out(&plan, None).await.unwrap().manifest;
    let (_, second) = refresh(&network, &coordinator, &first).await;
    // A new plan is under way, and everything that was ever said is said again to everybody.
    let chain = network.chain(&coordinator, &first).await.unwrap();
    let plan = coordinator.plan_refresh(&second).await.unwrap();
    let old = wire.exchanges();
    let request = trefoil_protocol::ceremony::PlanRequest {
        plan: plan.clone(),
        manifests: chain.manifests().to_vec(),
    };
    for node in &network.nodes {
        node.node().unwrap().plan(&request).await.unwrap();
    }
    let status = async |place: usize| network.nodes[place].node().unwrap().status().await.unwrap();
    let mut before = Vec::new();
    for place in 0..3 {
        before.push(status(place).await);
    }
    let transport = trefoil_client::HttpTransport::new().unwrap();
    for exchange in old {
        use trefoil_client::Transport as _;
        transport.send(exchange.request).await.unwrap();
    }
    for (place, before) in before.iter().enumerate() {
        assert_eq!(status(place).await, *before, "node {place}");
    }
    let outcome = coordinator.carry_out(&plan, Some(&chain)).await.unwrap();
    assert_eq!(outcome.manifest.epoch(), 3);
}
