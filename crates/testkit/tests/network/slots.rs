//! Slots of counted guesses at nodes whose network moves on.

use std::sync::Arc;

use trefoil_client::ceremony::Chain;
use trefoil_node::{Node, SlotsError};
use trefoil_protocol::account::AccountKeys;
use trefoil_protocol::bytes::{Blob, SlotId};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{
    DealtSlot, EnrolRequest, EvaluatorName, GuessRound, Guessable, Knowledge, NewSlot, NodePlace,
    Permit, Slot, SlotDeleteRequest, SlotDeletion, StretchCost,
};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::social::VerifiedManifest;
use trefoil_protocol::tenant::Tenant;
use trefoil_shares::KeyScalar;
use trefoil_testkit::environment::{FixedClock, os_rng};
use trefoil_testkit::servers::{NodeNetwork, Verifier};

const OVERLAP: u64 = 3600;

struct Owner {
    account: AccountKeys,
    slot: Slot,
    request: EnrolRequest,
}

impl Owner {
    /// A slot for one node alone, as whoever knows this manifest deals it.
    fn new(manifest: &VerifiedManifest, node: &Node, now: u64, permits: &AuthPrivateKey) -> Self {
        let tenant = Tenant::new("acme").unwrap();
        let mut rng = os_rng();
        let account = AccountKeys::derive(&tenant, &KeyScalar::random(&mut rng));
        let mut nodes = manifest.nodes().iter();
        let node = nodes.find(|it| it.identity_key == node.identity_key());
        let node = node.unwrap();
        let id = SlotId::random(&mut rng);
        let new = NewSlot {
            tenant: &tenant,
            id,
            factor: 9,
            factors: &[1],
            revision: 1,
            server: "https://meta.example",
            nodes: &[NodePlace {
                index: 1,
                identity_key: node.identity_key,
                hpke_key: node.hpke_key,
                url: node.url.clone(),
            }],
            threshold: 1,
            allowed: 10,
            knowledge: Knowledge::Pin { rule: 1 },
            stretch: StretchCost {
                memory_kib: 64,
                passes: 1,
                lanes: 1,
                salt: Blob::new(vec![7; 16]),
            },
            now,
        };
        let guessable = Guessable {
            subset: 0,
            stretched: &[1; 32],
        };
        let secret = FactorSecret::random(&mut rng);
        let dealt = DealtSlot::deal(&new, &account, &secret, &[guessable], &mut rng).unwrap();
        let admin = account.slot_admin(id.as_bytes()).auth_key();
        let request = EnrolRequest {
            permit: Some(Permit::grant(&tenant, id, admin, now, permits)),
            ..dealt.nodes[0].clone()
        };
        Self {
            account,
            slot: dealt.slot,
            request,
        }
    }

    /// The same enrolment with a permit of now.
    fn permitted(&self, now: u64, permits: &AuthPrivateKey) -> EnrolRequest {
        let id = self.slot.id;
        let admin = self.account.slot_admin(id.as_bytes()).auth_key();
        let tenant = Tenant::new("acme").unwrap();
        EnrolRequest {
            permit: Some(Permit::grant(&tenant, id, admin, now, permits)),
            ..self.request.clone()
        }
    }

    async fn guess(&self, node: &Node, now: u64) -> u8 {
        let seed = self.account.guess_seed(1);
        let round = GuessRound::new(&self.slot, &seed, 0, &[1; 32], &mut os_rng()).unwrap();
        let request = round.request(EvaluatorName::Node(node.identity_key()), now);
        let answer = node.guess(&request).await.unwrap();
        answer.count.used
    }
}

/// A node takes what is sealed to a key that it still has, answers what it has taken for as long as it runs, and takes nothing
/// more once it has left.
#[tokio::test]
async fn slots_outlive_their_epoch_and_their_nodes_place() {
    let clock = FixedClock::at(1_800_000_000);
    let now = || trefoil_client::Clock::unix_time(&clock);
    let verifiers = [Verifier::new("acme", "google")];
    let network = NodeNetwork::start(4, &verifiers, OVERLAP, Arc::new(clock.clone()));
    let network = network.await.unwrap();
    let permits = network.permit_key();
    let first = network.keygen(3, 2).await.unwrap().manifest;
    let node = Arc::clone(network.nodes[0].node().unwrap());
    let coordinator = network.coordinator().unwrap();
    let chain = async || -> Chain { network.chain(&coordinator, &first).await.unwrap() };

    let early = Owner::new(&first, &node, now(), permits);
    node.enrol_slot(&early.request).await.unwrap();
    assert_eq!(early.guess(&node, now()).await, 1);
    let plan = coordinator.plan_refresh(&first).await.unwrap();
    let second = coordinator.carry_out(&plan, Some(&chain().await)).await;
    let second = second.unwrap().manifest;
    assert_eq!(second.epoch(), 2);

    // While the epochs overlap a slot may be dealt by either manifest.
    for manifest in [&first, &second] {
        let owner = Owner::new(manifest, &node, now(), permits);
        node.enrol_slot(&owner.request).await.unwrap();
        assert_eq!(owner.guess(&node, now()).await, 1);
    }
    clock.advance(OVERLAP + 1);
    let late = Owner::new(&first, &node, now(), permits);
    let refused = node.enrol_slot(&late.request).await.unwrap_err();
    assert!(
        matches!(refused, SlotsError::OtherKey { current: 2 }),
        "{refused}"
    );
    // What is here already stays, and its enrolment can be repeated.
    let again = early.permitted(now(), permits);
    node.enrol_slot(&again).await.unwrap();
    assert_eq!(early.guess(&node, now()).await, 2);

    let members = network.members(1..4);
    let plan = coordinator.plan_move(&second, &members, 2).await.unwrap();
    let third = coordinator.carry_out(&plan, Some(&chain().await)).await;
    assert_eq!(third.unwrap().manifest.epoch(), 3);
    for _ in 0..2 {
        let refused = Owner::new(&second, &node, now(), permits);
        let refused = node.enrol_slot(&refused.request).await.unwrap_err();
        assert!(matches!(refused, SlotsError::NoShare), "{refused}");
        // Within the overlap, and long after.
        clock.advance(400 * 24 * 3600);
    }
    assert_eq!(early.guess(&node, now()).await, 3);
    let deletion = SlotDeleteRequest {
        slot: early.slot.id,
        deletion: SlotDeletion::sign(early.slot.id, &early.account),
    };
    node.delete_slot(&deletion).await.unwrap();
}
