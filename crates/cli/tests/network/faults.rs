//! Nine nodes, five of which must answer. Any four may be gone, stopped or lying: users notice nothing, and liars are
//! named. With five it is an error that names them; never another secret.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil::{HttpTransport, SignedManifest};
use trefoil_client::RetryPolicy;
use trefoil_client::network::{NodeFault, NodeReport, SocialError};
use trefoil_protocol::social::EvaluationError::{Epoch, Refuted};
use trefoil_protocol::social::{OpenEvaluationError, RefusedAnswer};

use crate::liars::{Liar, LiarsFirst, Lie};
use crate::world::World;

const NODES: usize = 9;
const THRESHOLD: u16 = 5;

/// Longer than any of these tests: an error that comes with it has waited for it.
const LONG: Duration = Duration::from_secs(60);

struct Network {
    world: World,
    first: SignedManifest,
    address: String,
    secret: [u8; 32],
}

impl Network {
    async fn start() -> Self {
        let world = World::start(NODES, 3600).await;
        let first = world.keygen(THRESHOLD).await;
        let address = world.app(&first).log_in().await.unwrap();
        let mut network = Self {
            world,
            first,
            address,
            secret: [0; 32],
        };
        network.secret = network.ask(&[], 0).await.unwrap().0;
        network
    }

    /// A whole login by an app that knows nothing of what happens.
    async fn assert_login(&self, what: &str) {
        let address = self.world.app(&self.first).log_in().await;
        assert_eq!(address.as_ref(), Ok(&self.address), "{what}");
    }

    /// The secret, and who is reported. Of these liars so many are heard before the others.
    async fn ask(
        &self,
        liars: &[usize],
        heard: usize,
    ) -> Result<([u8; 32], Vec<NodeReport>), SocialError> {
        let urls = liars.iter().map(|place| self.world.nodes[*place].url());
        let transport = Arc::new(LiarsFirst::new(urls.collect(), heard));
        let policy = RetryPolicy {
            total: LONG,
            ..RetryPolicy::default()
        };
        let apps = self.world.apps();
        let found = apps.secret(&self.first, transport, policy).await?;
        Ok((*found.secret.expose_secret(), found.reports))
    }

    async fn assert_secret(&self, liars: &[usize], heard: usize, what: &str) -> Vec<NodeReport> {
        let (secret, reports) = self.ask(liars, heard).await.expect(what);
        assert!(secret == self.secret, "{what}: another secret");
        reports
    }
}

/// Places, from 0, of reports that say more than that nobody waited.
fn named(reports: &[NodeReport]) -> BTreeSet<usize> {
    let named = reports
        .iter()
        .filter(|report| !matches!(report.fault, NodeFault::NotWaitedFor));
    named
        .map(|report| usize::from(report.index.get()) - 1)
        .collect()
}

/// What the client must say of a liar whose answer it has seen.
fn is_found_out(lie: Lie, fault: &NodeFault) -> bool {
    use NodeFault::{NoAnswer, NotWaitedFor, OtherEpoch, WrongAnswer};
    match lie {
        Lie::WrongValue | Lie::WrongProof => {
            matches!(fault, WrongAnswer(RefusedAnswer::Evaluation(Refuted(_))))
        }
        Lie::OtherEpoch => {
            let epoch = Epoch {
                expected: 1,
                answered: 2,
            };
            matches!(fault, WrongAnswer(RefusedAnswer::Evaluation(said)) if *said == epoch)
        }
        Lie::RelabelledEpoch => {
            let not_for_us = OpenEvaluationError::NotForUs;
            matches!(fault, WrongAnswer(RefusedAnswer::Open(said)) if *said == not_for_us)
        }
        Lie::ClaimsEpoch => matches!(fault, OtherEpoch { newest: Some(99) }),
        Lie::Garbage => {
            let malformed = OpenEvaluationError::Malformed;
            matches!(fault, WrongAnswer(RefusedAnswer::Open(said)) if *said == malformed)
        }
        Lie::EndlessBody => matches!(fault, NoAnswer(error) if !error.is_transient()),
        Lie::UnfinishedBody | Lie::Hang => matches!(fault, NotWaitedFor),
    }
}

/// Four of nine, chosen by a seed that is told when it matters.
fn four(seed: u64) -> Vec<usize> {
    use rand_core::{Rng as _, SeedableRng as _};
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed);
    let mut places: Vec<usize> = (0..NODES).collect();
    while places.len() > 4 {
        let gone = usize::try_from(rng.next_u32()).unwrap() % places.len();
        places.remove(gone);
    }
    places
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_four_may_be_killed_or_stopped() {
    let mut network = Network::start().await;
    let sets = [vec![0, 1, 2, 3], vec![5, 6, 7, 8], four(1), four(2)];
    for set in &sets {
        network.world.signal(set.iter().copied(), "STOP");
        network.assert_login(&format!("{set:?} stopped")).await;
        network.world.signal(set.iter().copied(), "CONT");
    }
    for set in &sets {
        network.world.kill(set.iter().copied());
        network.assert_login(&format!("{set:?} killed")).await;
        network.world.serve(set.iter().copied());
    }
    // Two of each, the first and the last among them.
    network.world.kill([0, 4]);
    network.world.signal([3, 8], "STOP");
    network.assert_login("two killed, two stopped").await;
    network.world.signal([3, 8], "CONT");
    network.assert_login("two killed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_that_are_gone_are_named_at_once() {
    let mut network = Network::start().await;
    let gone = [1, 2, 4, 7, 8];
    network.world.kill(gone);
    let begun = Instant::now();
    let error = network.ask(&[], 0).await.unwrap_err();
    assert!(begun.elapsed() < LONG / 3, "{:?}", begun.elapsed());
    let SocialError::Offline { reports, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(named(reports), BTreeSet::from(gone));
    assert_eq!(reports.len(), gone.len(), "{reports:?}");
    let unreachable = |report: &NodeReport| matches!(&report.fault, NodeFault::NoAnswer(error) if error.is_transient());
    assert!(reports.iter().all(unreachable), "{reports:?}");
    let app = network.world.app(&network.first);
    let message = app.log_in().await.unwrap_err();
    assert!(
        message.contains("too few nodes can be reached"),
        "{message}"
    );

    // As soon as one is back, the same app logs in.
    network.world.serve([4]);
    assert_eq!(app.log_in().await, Ok(network.address));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_four_may_lie_and_are_named() {
    use Lie::*;
    let mut network = Network::start().await;
    let scenes: [(Vec<usize>, [Lie; 4]); 7] = [
        (four(3), [WrongValue; 4]),
        (vec![0, 1, 2, 3], [WrongProof; 4]),
        (
            four(4),
            [OtherEpoch, RelabelledEpoch, ClaimsEpoch, ClaimsEpoch],
        ),
        (vec![5, 6, 7, 8], [EndlessBody; 4]),
        (four(5), [Hang, Hang, UnfinishedBody, UnfinishedBody]),
        (four(6), [WrongValue, OtherEpoch, Garbage, EndlessBody]),
        (four(7), [WrongProof, Garbage, UnfinishedBody, ClaimsEpoch]),
    ];
    for (set, lies) in scenes {
        let what = format!("{set:?}: {lies:?}");
        let mut liars = Vec::new();
        for (place, lie) in set.iter().zip(lies) {
            liars.push(Liar::replace(&mut network.world, *place, lie).await);
        }
        network.assert_login(&what).await;
        let heard = lies.iter().filter(|lie| lie.is_heard()).count();
        let reports = network.assert_secret(&set, heard, &what).await;
        for (place, lie) in set.iter().zip(lies) {
            let mut of = reports
                .iter()
                .filter(|report| usize::from(report.index.get()) == place + 1);
            let report = of
                .next()
                .unwrap_or_else(|| panic!("{what}: {place} is not named"));
            assert!(
                is_found_out(lie, &report.fault),
                "{what}: {lie:?} {report:?}"
            );
        }
        assert!(
            named(&reports).is_subset(&set.iter().copied().collect()),
            "{what}: {reports:?}"
        );
        drop(liars);
        network.world.serve(set);
    }
    network.assert_login("all are honest again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_that_lie_are_named_and_make_no_secret() {
    let mut network = Network::start().await;
    let set = [0, 2, 3, 5, 8];
    for lies in [
        // Of one mind: their values alone would combine.
        [Lie::WrongValue; 5],
        [
            Lie::WrongValue,
            Lie::WrongProof,
            Lie::Garbage,
            Lie::EndlessBody,
            Lie::RelabelledEpoch,
        ],
    ] {
        let mut liars = Vec::new();
        for (place, lie) in set.into_iter().zip(lies) {
            if network.world.nodes[place].process.is_none() {
                network.world.serve([place]);
            }
            liars.push(Liar::replace(&mut network.world, place, lie).await);
        }
        let begun = Instant::now();
        let error = network.ask(&set, 5).await.unwrap_err();
        assert!(begun.elapsed() < LONG / 3, "{:?}", begun.elapsed());
        let SocialError::TooFewHonest {
            needed: 5,
            good: 4,
            reports,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(named(reports), BTreeSet::from(set), "{reports:?}");
        assert_eq!(reports.len(), set.len());
        for ((place, lie), report) in set.into_iter().zip(lies).zip(reports) {
            assert_eq!(usize::from(report.index.get()), place + 1);
            assert!(is_found_out(lie, &report.fault), "{lie:?} {report:?}");
        }
        let failed = network.world.app(&network.first).log_in().await;
        assert!(failed.unwrap_err().contains("faulty or under attack"));
    }
}

/// Whoever claims that the network has moved on, and cannot show it, makes it wait and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_that_claim_another_epoch_cost_time_and_make_no_secret() {
    let mut network = Network::start().await;
    let set = [1, 2, 3, 4, 6];
    let mut liars = Vec::new();
    for (place, lie) in set.into_iter().zip([
        Lie::ClaimsEpoch,
        Lie::OtherEpoch,
        Lie::ClaimsEpoch,
        Lie::OtherEpoch,
        Lie::ClaimsEpoch,
    ]) {
        liars.push(Liar::replace(&mut network.world, place, lie).await);
    }
    let policy = RetryPolicy {
        total: Duration::from_secs(3),
        ..RetryPolicy::default()
    };
    let transport = Arc::new(HttpTransport::new().unwrap());
    let apps = network.world.apps();
    let error = apps
        .secret(&network.first, transport, policy)
        .await
        .unwrap_err();
    let SocialError::ManifestOutdated { reports } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(named(reports), BTreeSet::from(set), "{reports:?}");
}
