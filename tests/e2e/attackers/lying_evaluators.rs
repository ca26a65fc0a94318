//! Up to N - T nodes that lie about guesses in every way: never a wrong secret, never a false "wrong PIN", never a false
//! end; more than that can only withhold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use curve25519_dalek::{RistrettoPoint, Scalar};
use http::StatusCode;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use rand_core::SeedableRng as _;
use trefoil::GuessError;
use trefoil_client::{Request, Response, slots};
use trefoil_protocol::bytes::{DleqProof, GroupElement};
use trefoil_protocol::guess::{Count, GuessAnswer};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_testkit::faults::{Fault, answer};
use trefoil_testkit::servers::{World, WorldOptions};

use crate::common::keeper::{Keeper, OLD, WRONG, pin};
use crate::common::{Phone, ready};

const NODES: usize = 9;
const SPARE: usize = 4;

/// Every way in which a node lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    Evaluation,
    Neutral,
    Proof,
    AnothersAnswer,
    EarlierAnswer,
    Counts(u8, u8),
    CountOfAnotherTime,
    UnknownField,
    Garbage(&'static [u8]),
    CutOff,
    Endless,
    Refuses(ProblemCode),
    Status(u16),
    Late,
    Never,
}

const LIES: [Lie; 34] = [
    Lie::Evaluation,
    Lie::Neutral,
    Lie::Proof,
    Lie::AnothersAnswer,
    Lie::EarlierAnswer,
    Lie::Counts(0, 10),
    Lie::Counts(255, 10),
    Lie::Counts(11, 10),
    Lie::Counts(10, 10),
    Lie::Counts(1, 1),
    Lie::Counts(1, 255),
    Lie::Counts(0, 0),
    Lie::Counts(9, 10),
    Lie::CountOfAnotherTime,
    Lie::UnknownField,
    Lie::Garbage(b"{}"),
    Lie::Garbage(b"[]"),
    Lie::Garbage(b"\xff\xfe"),
    Lie::CutOff,
    Lie::Endless,
    Lie::Refuses(ProblemCode::GuessesSpent),
    Lie::Refuses(ProblemCode::SlotGone),
    Lie::Refuses(ProblemCode::NoSlot),
    Lie::Refuses(ProblemCode::UnknownGuessKey),
    Lie::Refuses(ProblemCode::StatementExpired),
    Lie::Refuses(ProblemCode::BadSignature),
    Lie::Refuses(ProblemCode::AttemptReused),
    Lie::Refuses(ProblemCode::UnknownVersion),
    Lie::Refuses(ProblemCode::WrongUnlock),
    Lie::Status(204),
    Lie::Status(404),
    Lie::Status(503),
    Lie::Late,
    Lie::Never,
];

/// What liars tell each other.
#[derive(Default)]
struct Memory {
    last: Option<GuessAnswer>,
    first_of: BTreeMap<String, GuessAnswer>,
}

fn says(content: &impl serde::Serialize) -> Response {
    answer(StatusCode::OK, serde_json::to_vec(content).unwrap())
}

fn refuses(code: ProblemCode) -> Response {
    let mut problem = Problem::from(code);
    problem.server_time = Some(u64::MAX);
    problem.retry_after = Some(u64::MAX);
    let status = StatusCode::from_u16(problem.status).unwrap();
    answer(status, serde_json::to_vec(&problem).unwrap())
}

fn random_element() -> GroupElement {
    let mut bytes = [0; 32];
    trefoil_testkit::environment::os_rng().fill_bytes(&mut bytes);
    let point = RistrettoPoint::mul_base(&Scalar::from_bytes_mod_order(bytes));
    GroupElement::from_bytes(point.compress().to_bytes())
}

impl Lie {
    fn tell(self, request: &Request, honest: Response, memory: &Mutex<Memory>) -> Response {
        match self {
            Self::Garbage(bytes) => return answer(StatusCode::OK, bytes),
            Self::CutOff => {
                let half = honest.body.len() / 2;
                return answer(honest.status, honest.body.slice(..half));
            }
            Self::Endless => return answer(StatusCode::OK, vec![b' '; 4 * 1024 * 1024]),
            Self::Refuses(code) => return refuses(code),
            Self::Status(code) => return answer(StatusCode::from_u16(code).unwrap(), ""),
            _ => {}
        }
        if let Ok(count) = serde_json::from_slice::<Count>(&honest.body) {
            return says(&self.count(count));
        }
        let Ok(told) = serde_json::from_slice::<GuessAnswer>(&honest.body) else {
            return honest;
        };
        let mut memory = memory.lock().unwrap();
        let anothers = memory.last.replace(told.clone()).unwrap_or(told.clone());
        let node = request.url.authority().to_owned();
        let earlier = memory.first_of.entry(node).or_insert(told.clone()).clone();
        let told = match self {
            Self::Evaluation => GuessAnswer {
                evaluation: random_element(),
                ..told
            },
            Self::Neutral => GuessAnswer {
                evaluation: GroupElement::from_bytes([0; 32]),
                ..told
            },
            Self::Proof => GuessAnswer {
                proof: DleqProof::from_bytes([7; 64]),
                ..told
            },
            Self::AnothersAnswer => anothers,
            Self::EarlierAnswer => earlier,
            Self::UnknownField => {
                let mut json = serde_json::to_value(&told).unwrap();
                json["version"] = 2.into();
                return says(&json);
            }
            _ => GuessAnswer {
                count: self.count(told.count),
                ..told
            },
        };
        says(&told)
    }

    fn count(self, count: Count) -> Count {
        match self {
            Self::Counts(used, allowed) => Count {
                used,
                allowed,
                ..count
            },
            Self::CountOfAnotherTime => Count {
                live: false,
                spent: true,
                list: u64::MAX,
                ..count
            },
            _ => count,
        }
    }
}

/// From now on this node of the world lies so on this phone's wire.
fn lies(phone: &Phone, url: &str, lie: Lie, memory: &Arc<Mutex<Memory>>) {
    let base = format!("{url}/v1/slots/");
    let is_about_it = move |request: &Request| {
        let path = request.url.path();
        request.url.as_str().starts_with(&base)
            && (path.ends_with("/guess") || path.ends_with("/unlock"))
    };
    match lie {
        Lie::Late => phone
            .wire
            .when(is_about_it, Fault::Delay(Duration::from_secs(2))),
        Lie::Never => phone.wire.when(is_about_it, Fault::Hang),
        lie => {
            let memory = Arc::clone(memory);
            phone.wire.alter(is_about_it, move |request, honest| {
                lie.tell(request, honest, &memory)
            });
        }
    }
}

async fn nine_nodes() -> World {
    let options = WorldOptions {
        nodes: NODES,
        threshold: 5,
        ..WorldOptions::default()
    };
    World::with(options).await.unwrap()
}

/// One wrong and one right PIN while these nodes lie.
async fn outvoted(keeper: &Keeper<'_>, liars: &[(usize, Lie)], memory: &Arc<Mutex<Memory>>) {
    let phone = Phone::new();
    for (node, lie) in liars {
        lies(&phone, &keeper.world.nodes[*node].url(), *lie, memory);
    }
    let mut pending = keeper.pending(&phone).await;
    match pending.guess(pin(WRONG)).await.unwrap_err() {
        // Whoever says fewer is believed, but for a lone "none": that would be an end.
        GuessError::Wrong { left, .. } => assert!((1..=9).contains(&left), "{liars:?}: {left}"),
        error => panic!("{liars:?}: {error}"),
    }
    let mut pending = keeper.pending(&phone).await;
    if let Err(error) = pending.guess(pin(OLD)).await {
        panic!("{liars:?}: {error}");
    }
    keeper.same(ready(pending.open().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn n_minus_t_liars_of_every_kind_are_outvoted() {
    let world = nine_nodes().await;
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let memory = Arc::default();
    for (begin, lie) in LIES.into_iter().enumerate() {
        let liars: Vec<_> = (begin..begin + SPARE)
            .map(|node| (node % NODES, lie))
            .collect();
        outvoted(&keeper, &liars, &memory).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mixtures_of_lies_by_seeds_are_outvoted() {
    let world = nine_nodes().await;
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let memory = Arc::default();
    for seed in 0..24 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut draw = |below: usize| usize::try_from(rng.next_u32()).unwrap() % below;
        let mut nodes: Vec<usize> = (0..NODES).collect();
        let liars: Vec<_> = (0..=draw(SPARE))
            .map(|_| (nodes.swap_remove(draw(nodes.len())), LIES[draw(LIES.len())]))
            .collect();
        outvoted(&keeper, &liars, &memory).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_liars_than_that_withhold_and_make_nothing_wrong() {
    let world = nine_nodes().await;
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let memory: Arc<Mutex<Memory>> = Arc::default();
    for lie in [
        Lie::Evaluation,
        Lie::Neutral,
        Lie::Proof,
        Lie::Garbage(b"{}"),
        Lie::Counts(255, 10),
    ] {
        let phone = Phone::new();
        for node in &world.nodes[..=SPARE] {
            lies(&phone, &node.url(), lie, &memory);
        }
        let mut pending = keeper.pending(&phone).await;
        let guessed = pending.guess(pin(OLD)).await.map(drop);
        assert!(
            matches!(
                guessed,
                Err(GuessError::Guess(slots::GuessError::Misbehaved { .. }))
            ),
            "{lie:?}: {guessed:?}"
        );
    }
    keeper.open_by(OLD).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lies_withholds_and_makes_nothing_wrong() {
    let world = nine_nodes().await;
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let memory: Arc<Mutex<Memory>> = Arc::default();
    for lie in [
        Lie::Evaluation,
        Lie::Neutral,
        Lie::Proof,
        Lie::Garbage(b"[]"),
        Lie::Counts(0, 255),
    ] {
        let phone = Phone::new();
        let memory = Arc::clone(&memory);
        phone.wire.alter(
            |request| {
                let path = request.url.path();
                path.starts_with("/v1/acme/slots/") && path.ends_with("/guess")
            },
            move |request, honest| lie.tell(request, honest, &memory),
        );
        let mut pending = keeper.pending(&phone).await;
        let guessed = pending.guess(pin(OLD)).await.map(drop);
        assert!(
            matches!(
                guessed,
                Err(GuessError::Guess(slots::GuessError::Misbehaved { .. }))
            ),
            "{lie:?}: {guessed:?}"
        );
    }
    keeper.open_by(OLD).await.unwrap();
}

/// A wrong PIN of which those whose addresses begin so hear nothing.
async fn wrong_one_unheard_by(keeper: &Keeper<'_>, unheard: Vec<String>) -> GuessError {
    let phone = Phone::new();
    let mut pending = keeper.pending(&phone).await;
    phone.wire.when(
        move |request| {
            let url = request.url.as_str();
            unheard.iter().any(|base| url.starts_with(base))
        },
        Fault::CutBefore,
    );
    let error = pending.guess(pin(WRONG)).await.unwrap_err();
    // Until those have counted that were not waited for.
    tokio::time::sleep(Duration::from_millis(300)).await;
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn of_counts_that_differ_the_lowest_is_told() {
    let world = nine_nodes().await;
    let keeper = Keeper::with_pin(&world, "alice".to_owned()).await;
    let urls = |places: std::ops::Range<usize>| -> Vec<String> {
        let nodes = &world.nodes[places];
        nodes
            .iter()
            .map(|node| format!("{}/v1/slots", node.url()))
            .collect()
    };
    // Nodes that were away have counted fewer than the server and the others.
    for (away, expected) in [(0..4, 9), (0..4, 8), (5..9, 7)] {
        match wrong_one_unheard_by(&keeper, urls(away)).await {
            GuessError::Wrong { left, .. } => assert_eq!(left, expected),
            error => panic!("{error}"),
        }
    }
    assert_eq!(keeper.left_after_a_wrong_one().await, 6);
    keeper.open_by(OLD).await.unwrap();

    // And the other way round: what nodes have counted, the server never saw.
    for _ in 0..3 {
        let server = format!("{}/v1/acme/slots", world.metadata_url());
        let error = wrong_one_unheard_by(&keeper, vec![server]).await;
        assert!(
            matches!(
                error,
                GuessError::Guess(slots::GuessError::Unreachable { .. })
            ),
            "{error}"
        );
    }
    assert_eq!(keeper.left_after_a_wrong_one().await, 6);
    keeper.open_by(OLD).await.unwrap();
}
