use std::format;
use std::string::String;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::social::{DealtNetwork, deal_network};

struct World {
    dealt: DealtNetwork,
    manifest: VerifiedManifest,
    ephemeral: EphemeralKey,
    rng: ChaCha20Rng,
}

fn world(threshold: u16, count: usize, seed: u64) -> World {
    let urls: Vec<String> = (1..=count)
        .map(|i| format!("https://node-{i}.example"))
        .collect();
    let dealt = deal_network(&urls, threshold, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
    let manifest = dealt.manifest.trust_pinned().unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(seed + 1000);
    World {
        ephemeral: EphemeralKey::random(&mut rng),
        dealt,
        manifest,
        rng,
    }
}

fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

fn google() -> VerifierId {
    VerifierId::new("google").unwrap()
}

impl World {
    /// The answer of the node at `index`, from 1, evaluating for `user`.
    fn answer(&mut self, index: usize, user: &str) -> EvaluateResponse {
        self.answer_as(index, user, user, 0, 1)
    }

    /// A node that evaluates one user and names another, in a generation and epoch of its choice.
    fn answer_as(
        &mut self,
        index: usize,
        evaluated: &str,
        named: &str,
        generation: u32,
        epoch: u32,
    ) -> EvaluateResponse {
        let identity = UserIdentity::new(tenant(), google(), evaluated, generation).unwrap();
        let share = self.dealt.nodes[index - 1].share();
        let evaluation = share.evaluate(epoch, &identity.input(), &mut self.rng);
        EvaluateResponse::seal(&evaluation, named, &self.ephemeral.public(), &mut self.rng).unwrap()
    }

    fn gathering(&self) -> Gathering<'_> {
        Gathering::new(&self.manifest, &self.ephemeral, tenant(), google(), 0)
    }
}

fn node(index: usize) -> NodeIndex {
    NodeIndex::new(index.try_into().unwrap()).unwrap()
}

/// The secret from honest answers of the nodes given.
fn secret(world: &mut World, nodes: &[usize], user: &str) -> Option<FactorSecret> {
    let answers: Vec<_> = nodes
        .iter()
        .map(|index| world.answer(*index, user))
        .collect();
    let mut gathering = world.gathering();
    let mut found = None;
    for (index, answer) in nodes.iter().zip(&answers) {
        found = gathering.add(node(*index), answer).unwrap();
    }
    found.map(|(identity, secret)| {
        assert_eq!(identity.user(), user);
        secret
    })
}

#[test]
fn any_threshold_of_nodes_gives_the_same_secret_and_fewer_none() {
    let mut world = world(3, 5, 1);
    let expected = secret(&mut world, &[1, 2, 3], "alice").unwrap();
    for a in 1..=5 {
        for b in (1..=5).filter(|b| *b != a) {
            assert_eq!(secret(&mut world, &[a, b], "alice"), None);
            for c in (1..=5).filter(|c| *c != a && *c != b) {
                assert_eq!(
                    secret(&mut world, &[a, b, c], "alice").as_ref(),
                    Some(&expected)
                );
            }
        }
    }
    assert_ne!(secret(&mut world, &[1, 2, 3], "bob").unwrap(), expected);
}

/// Section 9: tenant, verifier, user, generation and network each give another secret.
#[test]
fn every_part_of_the_identity_counts() {
    let world = world(1, 1, 1);
    let foreign = self::world(1, 1, 2);
    let secret = |world: &World, tenant: &str, verifier: &str, user: &str, generation| {
        let (tenant, verifier) = (
            Tenant::new(tenant).unwrap(),
            VerifierId::new(verifier).unwrap(),
        );
        let identity =
            UserIdentity::new(tenant.clone(), verifier.clone(), user, generation).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let evaluation = world.dealt.nodes[0]
            .share()
            .evaluate(1, &identity.input(), &mut rng);
        let answer =
            EvaluateResponse::seal(&evaluation, user, &world.ephemeral.public(), &mut rng).unwrap();
        let mut gathering = Gathering::new(
            &world.manifest,
            &world.ephemeral,
            tenant,
            verifier,
            generation,
        );
        gathering.add(node(1), &answer).unwrap().unwrap().1
    };
    let all = [
        secret(&world, "acme", "google", "alice", 0),
        secret(&world, "other", "google", "alice", 0),
        secret(&world, "acme", "apple", "alice", 0),
        secret(&world, "acme", "google", "alicf", 0),
        secret(&world, "acme", "google", "alice", 1),
        secret(&foreign, "acme", "google", "alice", 0),
    ];
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            assert_ne!(a, b);
        }
    }
}

#[test]
fn liars_are_named_and_the_rest_suffices() {
    let mut world = world(2, 5, 1);
    let expected = secret(&mut world, &[4, 5], "alice").unwrap();
    let wrong_value = world.answer_as(1, "mallory", "alice", 0, 1);
    let wrong_generation = world.answer_as(2, "alice", "alice", 1, 1);
    let wrong_epoch = world.answer_as(3, "alice", "alice", 0, 2);
    let other_login = {
        let other = EphemeralKey::random(&mut world.rng);
        let identity = UserIdentity::new(tenant(), google(), "alice", 0).unwrap();
        let evaluation =
            world.dealt.nodes[2]
                .share()
                .evaluate(1, &identity.input(), &mut world.rng);
        EvaluateResponse::seal(&evaluation, "alice", &other.public(), &mut world.rng).unwrap()
    };
    let (four, five) = (world.answer(4, "alice"), world.answer(5, "alice"));
    let mut gathering = world.gathering();
    let refuted = |index| RefusedAnswer::Evaluation(EvaluationError::Refuted(node(index)));
    let add = |gathering: &mut Gathering<'_>, index, answer| gathering.add(node(index), answer);
    assert_eq!(
        add(&mut gathering, 1, &wrong_value).unwrap_err(),
        refuted(1)
    );
    assert_eq!(
        add(&mut gathering, 2, &wrong_generation).unwrap_err(),
        refuted(2)
    );
    assert_eq!(
        add(&mut gathering, 3, &wrong_epoch).unwrap_err(),
        RefusedAnswer::Evaluation(EvaluationError::Epoch {
            expected: 1,
            answered: 2
        })
    );
    assert_eq!(
        add(&mut gathering, 3, &other_login).unwrap_err(),
        RefusedAnswer::Open(OpenEvaluationError::NotForUs)
    );
    // A node that passes on another's answer, and one that answers twice, count once.
    assert_eq!(
        add(&mut gathering, 3, &four).unwrap_err(),
        RefusedAnswer::WrongIndex {
            expected: node(3),
            answered: 4
        }
    );
    assert_eq!(gathering.missing(), 2);
    assert!(add(&mut gathering, 4, &four).unwrap().is_none());
    assert_eq!(
        add(&mut gathering, 4, &four).unwrap_err(),
        RefusedAnswer::Twice(node(4))
    );
    assert_eq!(gathering.missing(), 1);
    let (identity, found) = add(&mut gathering, 5, &five).unwrap().unwrap();
    assert_eq!((found, identity.user()), (expected, "alice"));
}

/// Fewer than `T` nodes that agree on another user cannot make the client derive that user's secret, nor stop it from
/// deriving the right one.
#[test]
fn a_minority_that_names_another_user_is_outvoted_and_named() {
    let mut world = world(3, 5, 1);
    let expected = secret(&mut world, &[1, 2, 3], "alice").unwrap();
    for liars in [[1, 2], [4, 5], [2, 4]] {
        let answers: Vec<_> = (1..=5)
            .map(|index| {
                let user = if liars.contains(&index) {
                    "mallory"
                } else {
                    "alice"
                };
                (index, world.answer(index, user))
            })
            .collect();
        let mut gathering = world.gathering();
        let mut found = None;
        for (index, answer) in &answers {
            found = found.or(gathering.add(node(*index), answer).unwrap());
        }
        let (identity, secret) = found.unwrap();
        assert_eq!((identity.user(), &secret), ("alice", &expected));
        assert!(gathering.disagree());
        assert_eq!(gathering.dissenters(&identity), liars.map(node));
    }
}

#[test]
fn a_share_of_another_network_proves_nothing() {
    let (mut world, mut foreign) = (world(1, 3, 1), self::world(1, 3, 2));
    foreign.ephemeral = world.ephemeral.clone();
    let forged = foreign.answer(1, "alice");
    let good = world.answer(1, "alice");
    let mut gathering = world.gathering();
    assert_eq!(
        gathering.add(node(1), &forged).unwrap_err(),
        RefusedAnswer::Evaluation(EvaluationError::Refuted(node(1)))
    );
    assert!(gathering.add(node(1), &good).unwrap().is_some());
}
