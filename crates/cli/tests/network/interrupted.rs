//! Ceremonies during which a node or the coordinator is killed: users notice nothing, and the same command finishes.

use std::process::{Child, Stdio};
use std::time::Duration;

use rand_core::{Rng as _, SeedableRng as _};
use serde_json::json;
use trefoil::SignedManifest;

use crate::gate::Moment::{After, Before};
use crate::gate::{Gate, kill};
use crate::load::{Load, hold_only};
use crate::support::command;
use crate::world::World;

const STEPS: [&str; 6] = ["plan", "deal", "hold", "sign", "activate", "finish"];

struct Network {
    world: World,
    first: SignedManifest,
    gate: Gate,
    load: Load,
}

impl Network {
    /// Two of three must answer; the first stands behind a gate.
    async fn start() -> Self {
        Self::with_overlap(3600).await
    }

    async fn with_overlap(seconds: u64) -> Self {
        let world = World::start_with(3, seconds, "any", Some(0)).await;
        let gate = Gate::before(&world.nodes[0]).await;
        let first = world.keygen(2).await;
        let address = world.app(&first).log_in().await.unwrap();
        let load = Load::start(&world.apps(), &first, 1, &address);
        Self {
            world,
            first,
            gate,
            load,
        }
    }

    fn spawn_refresh(&self) -> Child {
        let manifest = ["--manifest".to_owned(), self.world.text("manifest.json")];
        let arguments = self.world.arguments("refresh", &manifest);
        let mut command = command();
        let quiet = command.args(arguments).stdout(Stdio::null());
        quiet.stderr(Stdio::null()).spawn().unwrap()
    }

    fn epoch(&self) -> u32 {
        self.world.manifest().trust_pinned().unwrap().epoch()
    }

    /// The same command again: it finishes, nobody is missing, the key is the same.
    async fn assert_finishes(&self, what: &str) {
        self.load.sees(1, what).await;
        let again = self.world.refresh().await;
        assert_eq!(again.exit, 0, "{what}: {again:?}");
        assert_eq!(again.ok()["waiting_for"], json!([]), "{what}");
        let group = |manifest: SignedManifest| manifest.trust_pinned().unwrap().network();
        let manifest = self.world.manifest();
        assert_eq!(group(manifest), group(self.first.clone()), "{what}");
        for held in self.world.epochs(0..3).await {
            let newest = held.as_array().unwrap().last().cloned();
            assert_eq!(newest, Some(json!(self.epoch())), "{what}");
        }
        assert!(!self.world.path("manifest.json.plan").exists(), "{what}");
        self.load.sees(1, what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_coordinator_may_be_killed_at_every_step() {
    let mut network = Network::start().await;
    for moment in STEPS
        .into_iter()
        .flat_map(|step| [Before(step), After(step)])
    {
        let what = format!("{moment:?}");
        let before = network.epoch();
        let mut refresh = None;
        network.gate.arm(moment, || {
            let started = network.spawn_refresh();
            let id = started.id();
            refresh = Some(started);
            id
        });
        let mut refresh = refresh.unwrap();
        let ended = tokio::task::spawn_blocking(move || refresh.wait().unwrap());
        assert_eq!(ended.await.unwrap().code(), None, "{what}");
        assert!(network.gate.has_killed(), "{what}");
        network.assert_finishes(&what).await;
        assert_eq!(
            network.epoch(),
            before + 1,
            "{what}: the plan was carried on"
        );
    }
    let logins = network.load.stop().await;
    println!("{logins} logins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_may_be_killed_at_every_step() {
    let mut network = Network::start().await;
    let moments = STEPS.into_iter().map(After);
    for moment in moments.chain([Before("hold"), Before("sign")]) {
        let what = format!("{moment:?}");
        let process = network.world.nodes[0].process.as_ref().unwrap().id();
        network.gate.arm(moment, || process);
        let interrupted = network.world.refresh().await;
        assert!(network.gate.has_killed(), "{what}: {interrupted:?}");
        // Before the new manifest is signed nothing goes on without a member; afterwards it is only waited for. Old nodes
        // enough are left to sign.
        match moment {
            After("plan" | "deal" | "hold") | Before("hold") => {
                assert_eq!(interrupted.error().0, 6, "{what}: {interrupted:?}");
            }
            _ => {
                let waiting_for = interrupted.ok()["waiting_for"].clone();
                let url = network.world.nodes[0].url();
                assert_eq!(waiting_for, json!([url]), "{what}: {interrupted:?}");
            }
        }
        network.load.sees(1, &what).await;
        network.world.nodes[0].process.take().unwrap().kill();
        network.world.serve([0]);
        network.assert_finishes(&what).await;
    }
    let logins = network.load.stop().await;
    println!("{logins} logins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_away_when_the_others_moved_on_catches_up_by_itself() {
    let mut network = Network::start().await;
    let process = network.world.nodes[0].process.as_ref().unwrap().id();
    network.gate.arm(Before("activate"), || process);
    let refreshed = network.world.refresh().await.ok();
    let url = network.world.nodes[0].url();
    assert_eq!(
        (&refreshed["epoch"], &refreshed["waiting_for"]),
        (&json!(2), &json!([url]))
    );
    network.world.nodes[0].process.take().unwrap().kill();
    network.world.serve([0]);
    hold_only(&network.world, &[0], &[1, 2]).await;
    // Nobody told it so: the plan still waits for its word.
    assert!(network.world.path("manifest.json.plan").exists());
    // Its share of the new epoch is a good one: without one of the others it is needed.
    network.load.stop().await;
    network.world.kill([1]);
    let newest = network.world.manifest();
    network.world.app(&newest).log_in().await.unwrap();
    network.world.serve([1]);
    network.world.refresh().await.ok();
    assert_eq!(network.epoch(), 2, "the plan was carried on");
}

/// The coordinator goes before the last member is back: nobody lost a share by then, and none is kept for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn old_shares_end_also_where_the_coordinator_has_gone() {
    let mut network = Network::with_overlap(1).await;
    let process = network.world.nodes[0].process.as_ref().unwrap().id();
    network.gate.arm(Before("activate"), || process);
    network.world.refresh().await.ok();
    // Longer than the overlap: without every member's word nothing ends.
    tokio::time::sleep(Duration::from_secs(4)).await;
    hold_only(&network.world, &[1, 2], &[1, 2]).await;
    network.world.nodes[0].process.take().unwrap().kill();
    network.world.serve([0]);
    hold_only(&network.world, &[0], &[2]).await;
    hold_only(&network.world, &[0, 1, 2], &[2]).await;
    network.load.sees(2, "with the new shares alone").await;
    network.load.stop().await;
}

/// Whatever the moment: the coordinator and one node die at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn coordinator_and_node_may_be_killed_at_any_moment() {
    let mut network = Network::start().await;
    for seed in 0..5 {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed);
        let place = usize::try_from(rng.next_u32() % 3).unwrap();
        let after = Duration::from_millis((rng.next_u32() % 300).into());
        let what = format!("seed {seed}: node {place} after {after:?}");
        let mut refresh = network.spawn_refresh();
        tokio::time::sleep(after).await;
        if refresh.try_wait().unwrap().is_none() {
            kill(refresh.id());
            refresh.wait().unwrap();
        }
        network.world.kill([place]);
        network.load.sees(1, &what).await;
        network.world.serve([place]);
        network.assert_finishes(&what).await;
    }
    network.load.stop().await;
}
