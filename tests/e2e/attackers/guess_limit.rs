//! T live malicious nodes beside an honest server, and a malicious server beside honest nodes: a dictionary ends at the
//! guesses that the honest ones count.

use trefoil_protocol::guess::{GuessAnswer, Outcome};
use trefoil_protocol::problem::ProblemCode;
use trefoil_testkit::servers::{World, WorldOptions};

use super::guess_tools::*;
use super::toolkit::{Loot, social_keys};
use crate::common::keeper::Keeper;

const NODES: usize = 5;
const NEEDED: usize = 3;
const ALLOWED: usize = 10;

struct Attack {
    world: World,
    target: Target,
}

/// What a dictionary came to.
#[derive(Debug, PartialEq, Eq)]
struct Learnt {
    /// Entries of which the attacker knows whether they are right.
    tested: usize,
    right: Option<u32>,
}

impl Attack {
    async fn on_pin_at(right: u32) -> Self {
        let options = WorldOptions {
            nodes: NODES,
            threshold: 3,
            ..WorldOptions::default()
        };
        let world = World::with(options).await.unwrap();
        Keeper::with_this_pin(&world, "alice".to_owned(), &pin_at(right)).await;
        let loot = Loot::only(world.metadata_directory());
        let target = Target::of(&loot, &social_keys(&world, "alice").await);
        Self { world, target }
    }

    /// The first `malicious` nodes, and the server where `dumped`, answer whatever they are asked; the others count.
    async fn run(&self, malicious: usize, dumped: bool) -> Learnt {
        let (world, target) = (&self.world, &self.target);
        let mut stolen = Vec::new();
        for place in 0..malicious {
            stolen.push(StolenShare::from_node(world, place, &target.slot).await);
        }
        let server = dumped.then(|| StolenShare::from_server(world, &target.slot));
        let mut learnt = Learnt {
            tested: 0,
            right: None,
        };
        // Honest nodes, those with the most guesses left first: the best that an attacker can do.
        let mut left = vec![ALLOWED; NODES - malicious];
        let mut refused = false;
        for entry in 0..ENTRIES {
            // Evaluators see no difference: once they refuse, stretching further entries is time lost. Should they answer
            // one all the same, it is counted as tested.
            let stretched = if refused {
                [0; 32]
            } else {
                stretch(&target.slot, &pin_at(entry))
            };
            let mut round = target.round(&stretched);
            for share in stolen.iter().take(NEEDED).chain(&server) {
                let request = round.request(server_name(world), now());
                round.add(share.index, &share.answer(&request)).unwrap();
            }
            if server.is_none() {
                let request = round.request(server_name(world), now());
                let url = server_url(world, &target.slot, "guess");
                match post::<GuessAnswer>(&url, &request).await {
                    Ok(answer) => round.add(0, &answer).unwrap(),
                    Err(problem) => assert_eq!(problem.code, ProblemCode::GuessesSpent),
                }
            }
            let mut order: Vec<usize> = (0..left.len()).collect();
            order.sort_by_key(|honest| core::cmp::Reverse(left[*honest]));
            for honest in order {
                if round.missing().0 == 0 {
                    break;
                }
                let place = malicious + honest;
                let request = round.request(node_name(target, place), now());
                let answer = post::<GuessAnswer>(&node_url(world, place, "guess"), &request).await;
                match answer {
                    Ok(answer) => {
                        left[honest] -= 1;
                        let index = u16::try_from(place + 1).unwrap();
                        round.add(index, &answer).unwrap();
                    }
                    Err(problem) => assert_eq!(problem.code, ProblemCode::GuessesSpent),
                }
            }
            match round.finish() {
                Ok(Outcome::Right(_)) => {
                    learnt.tested += 1;
                    learnt.right = Some(entry);
                    break;
                }
                Ok(Outcome::Wrong { .. }) => learnt.tested += 1,
                Err(_) => refused = true,
            }
        }
        learnt
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t_malicious_nodes_learn_what_the_honest_server_counts() {
    // Beyond the guesses, and, to show that the attack works, within them.
    let attack = Attack::on_pin_at(500).await;
    let learnt = attack.run(NEEDED, false).await;
    assert_eq!((learnt.tested, learnt.right), (ALLOWED, None));
    let attack = Attack::on_pin_at(9).await;
    let learnt = attack.run(NEEDED, false).await;
    assert_eq!((learnt.tested, learnt.right), (10, Some(9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malicious_server_and_fewer_nodes_learn_what_the_honest_nodes_count() {
    for malicious in [0, 2] {
        let attack = Attack::on_pin_at(500).await;
        let bound = (NODES - malicious) * ALLOWED / (NEEDED - malicious);
        let learnt = attack.run(malicious, true).await;
        // The bound is met, and not passed.
        assert_eq!((learnt.tested, learnt.right), (bound, None), "{malicious}");
    }
    // With all of T and the server nobody counts.
    let attack = Attack::on_pin_at(50).await;
    let learnt = attack.run(NEEDED, true).await;
    assert_eq!((learnt.tested, learnt.right), (51, Some(50)));
}
