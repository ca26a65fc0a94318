//! A dump of the metadata server, the social factor, and the files of T - 1 nodes: no dictionary tells the right PIN. With
//! one node more it does, as section 13 says.

use trefoil_testkit::servers::{World, WorldOptions};

use super::guess_tools::*;
use super::toolkit::{Loot, social_keys};
use crate::common::keeper::Keeper;

const RIGHT: u32 = 777;

#[tokio::test(flavor = "multi_thread")]
async fn t_minus_1_nodes_and_the_dump_cannot_tell_the_right_entry_and_t_nodes_can() {
    let options = WorldOptions {
        nodes: 5,
        threshold: 3,
        ..WorldOptions::default()
    };
    let world = World::with(options).await.unwrap();
    let keeper = Keeper::with_this_pin(&world, "alice".to_owned(), &pin_at(RIGHT)).await;
    let loot = Loot::only(world.metadata_directory());
    let target = Target::of(&loot, &social_keys(&world, "alice").await);
    assert_eq!(target.slot.threshold(), 3);
    let dictionary = target.stretched_dictionary().await;

    let server = StolenShare::from_server(&world, &target.slot).bytes;
    let mut nodes = Vec::new();
    for place in 0..5 {
        nodes.push(StolenShare::from_node(&world, place, &target.slot).await);
    }

    // Two parts, taken for all there is; or with a third one made up: the right entry fails like every other.
    let made_up = |index, bytes| StolenShare { index, bytes };
    let mut one = [0; 32];
    one[0] = 1;
    let keys = [
        key_of(&nodes[..2]),
        key_of(&[nodes[0], nodes[1], made_up(3, one)]),
        key_of(&[nodes[0], nodes[1], made_up(3, server)]),
    ];
    for key in keys {
        assert!(offline(&target, key, server, &dictionary).is_empty());
    }
    // Nor do all nodes together without the server's part.
    let all = key_of(&nodes);
    assert!(offline(&target, all, one, &dictionary).is_empty());

    // And what was stolen does not tell which third part is right other than by the commitments, which know of no PIN: a
    // part that is made up is refused for each entry alike.
    let forged = made_up(3, one);
    for stretched in [&dictionary[0], &dictionary[777]] {
        let mut round = target.round(stretched);
        let request = round.request(node_name(&target, 2), 0);
        assert!(round.add(3, &forged.answer(&request)).is_err());
        for stolen in &nodes[..2] {
            round.add(stolen.index, &stolen.answer(&request)).unwrap();
        }
        assert_eq!(round.missing(), (1, true));
        assert!(round.finish().is_err());
    }

    // The full set finds it, so the search finds what can be found.
    let key = key_of(&nodes[1..4]);
    assert_eq!(offline(&target, key, server, &dictionary), [777]);
    keeper.open_by(&pin_at(RIGHT)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_leaves_no_part_of_its_slots_at_the_nodes() {
    let world = World::with(WorldOptions::default()).await.unwrap();
    let keeper = Keeper::with_this_pin(&world, "alice".to_owned(), &pin_at(RIGHT)).await;
    let loot = Loot::only(world.metadata_directory());
    let target = Target::of(&loot, &social_keys(&world, "alice").await);
    let parts = async || {
        let mut parts = Vec::new();
        for place in 0..target.slot.nodes.len() {
            parts.push(
                StolenShare::from_node(&world, place, &target.slot)
                    .await
                    .bytes,
            );
        }
        parts
    };
    assert!(!parts().await.contains(&[0; 32]));
    keeper.open(&keeper.phone).await.delete().await.unwrap();
    assert!(parts().await.iter().all(|part| *part == [0; 32]));
}
