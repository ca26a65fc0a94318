//! What cannot be dealt, and to whom the parts of a key open.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use trefoil_protocol::bytes::{EnvelopeKey, SlotId};
use trefoil_protocol::guess::{
    DealError, EvaluatorName, MAX_ALLOWED, NewSlot, NodePlace, open_share,
};

use crate::rounds::{N, RIGHT, World, deal_with, places};
use crate::support::*;

/// A random source that is none.
struct Zeros;

impl TryRng for Zeros {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Zeros {}

#[test]
fn slots_that_cannot_be_dealt() {
    let five = places(N);
    let refusal = |nodes: &[NodePlace], guessables: &[_], spoil: fn(&mut NewSlot<'_>)| {
        let dealt = deal_with(nodes, guessables, &mut rng(1), spoil);
        dealt.map(|_| ()).unwrap_err()
    };
    let out_of_range: [fn(&mut NewSlot<'_>); 4] = [
        |new| new.threshold = 0,
        |new| new.threshold = N + 1,
        |new| new.allowed = 0,
        |new| new.allowed = MAX_ALLOWED + 1,
    ];
    for spoil in out_of_range {
        assert_eq!(refusal(&five, &[RIGHT], spoil), DealError::OutOfRange);
    }
    assert_eq!(refusal(&five, &[], |_| {}), DealError::OutOfRange);
    assert_eq!(refusal(&[], &[RIGHT], |_| {}), DealError::OutOfRange);
    let mut gap = five.clone();
    gap.remove(1);
    let mut swapped = five.clone();
    swapped.swap(0, 1);
    let mut from_zero = five.clone();
    for place in &mut from_zero {
        place.index -= 1;
    }
    for nodes in [gap, swapped, from_zero] {
        assert_eq!(refusal(&nodes, &[RIGHT], |_| {}), DealError::OutOfRange);
    }
    let mut bad_key = five.clone();
    bad_key[3].hpke_key = EnvelopeKey::from_bytes([0; 32]);
    assert_eq!(
        refusal(&bad_key, &[RIGHT], |_| {}),
        DealError::BadNodeKey(4)
    );
    let broken = deal_with(&five, &[RIGHT], &mut Zeros, |_| {});
    assert_eq!(broken.map(|_| ()).unwrap_err(), DealError::BrokenRandomness);
}

/// The parts of the key open at the node they are for, in the slot and at the place they are for.
#[test]
fn parts_of_the_key_open_at_their_own_node_only() {
    let world = World::new(6);
    for request in &world.dealt.nodes {
        let index = (1..=N).find(|index| {
            let name = EvaluatorName::Node(slot_identity(*index).auth_key());
            request.open(&name).is_ok()
        });
        let index = index.unwrap();
        let opened = request
            .open(&EvaluatorName::Node(slot_identity(index).auth_key()))
            .unwrap();
        for node in 1..=N {
            let share = open_share(opened.content(), &slot_node(node));
            assert_eq!(share.is_ok(), node == index);
        }
        let mut moved = opened.content().clone();
        moved.slot = SlotId::from_bytes([9; 16]);
        assert!(open_share(&moved, &slot_node(index)).is_err());
        let mut moved = opened.content().clone();
        moved.index = index % N + 1;
        assert!(open_share(&moved, &slot_node(index)).is_err());
    }
}
