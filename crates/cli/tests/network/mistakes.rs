//! Operators' mistakes and what the commands say of them. The network serves on, whatever is tried.

use serde_json::{Value, json};
use trefoil::SignedManifest;

use crate::support::Run;
use crate::world::World;

struct Network {
    world: World,
    first: SignedManifest,
    address: String,
}

impl Network {
    /// The nodes 0 to 2 of `count` have a key, two must answer.
    async fn start(count: usize, trust: &str) -> Self {
        let world = World::start_with(count, 3600, trust, None).await;
        let first = world.keygen_among(0..3, 2).await;
        let address = world.app(&first).log_in().await.unwrap();
        Self {
            world,
            first,
            address,
        }
    }

    async fn assert_serves(&self, what: &str) {
        let address = self.world.app(&self.first).log_in().await;
        assert_eq!(address.as_ref(), Ok(&self.address), "{what}");
    }

    fn url(&self, place: usize) -> String {
        self.world.nodes[place].url()
    }

    fn manifest_file(&self) -> [String; 2] {
        ["--manifest".to_owned(), self.world.text("manifest.json")]
    }

    async fn keygen(&self, nodes: &[String], threshold: u16, out: &str) -> Run {
        let threshold = threshold.to_string();
        let out = self.world.text(out);
        let mut arguments = vec!["--threshold".to_owned(), threshold, "--out".to_owned(), out];
        arguments.extend(
            nodes
                .iter()
                .flat_map(|node| ["--node".to_owned(), node.clone()]),
        );
        self.world.network("keygen", &arguments).await
    }
}

fn message(run: &Run) -> String {
    run.lines().pop().unwrap()["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The code, and a message that says what is told here.
fn assert_fails(run: &Run, exit: i32, code: &str, says: &[&str]) {
    assert_eq!(run.error(), (exit, code.to_owned()), "{run:?}");
    for part in says {
        assert!(message(run).contains(part), "{part:?} is missing: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_is_not_made_with_the_wrong_nodes() {
    let mut network = Network::start(5, "refresh").await;
    let free: Vec<String> = [3, 4].map(|place| network.url(place)).to_vec();
    let out = network.world.path("other.json");

    // A node that is not there.
    network.world.kill([4]);
    let run = network.keygen(&free, 2, "other.json").await;
    assert_fails(&run, 6, "offline", &[&free[1], "cannot be reached"]);
    assert!(!out.exists());
    // No plan was left over either: the same command works once it is there.
    network.world.serve([4]);

    // Another node at the address than the one that is meant, and what is no key.
    let pin = |place: usize, key: &str| format!("{}#{key}", network.url(place));
    let other = &network.world.nodes[3].identity_key;
    let run = network
        .keygen(&[free[0].clone(), pin(4, other)], 2, "other.json")
        .await;
    assert_fails(&run, 8, "other_node", &[&free[1]]);
    let run = network
        .keygen(&[free[0].clone(), pin(4, "AAAA")], 2, "other.json")
        .await;
    assert_fails(&run, 2, "usage", &["AAAA", "identity key"]);

    // Too few nodes for the threshold; one node twice.
    let run = network.keygen(&free, 3, "other.json").await;
    assert_fails(&run, 2, "bad_plan", &[]);
    let twice = [free[0].clone(), free[0].clone()];
    let run = network.keygen(&twice, 2, "other.json").await;
    assert_fails(&run, 2, "bad_plan", &[]);

    // A manifest is not overwritten.
    let run = network.keygen(&free, 2, "manifest.json").await;
    assert_fails(&run, 2, "file_exists", &["manifest.json"]);

    // A node that has a key. Its plan is left, and is no better the second time.
    let taken = [network.url(0), free[0].clone()];
    for _ in 0..2 {
        let run = network.keygen(&taken, 2, "taken.json").await;
        assert_fails(
            &run,
            5,
            "nodes_refuse",
            &[&network.url(0), "belongs to a network already"],
        );
    }
    network.assert_serves("refused key generations").await;
    // Whoever names other nodes then does not get the old plan.
    let run = network.keygen(&free, 2, "taken.json").await;
    assert_fails(&run, 7, "other_plan", &["taken.json.plan"]);

    let made = network.keygen(&free, 2, "other.json").await.ok();
    assert_eq!((&made["nodes"], &made["epoch"]), (&json!(2), &json!(1)));
    assert!(out.exists());
    network.assert_serves("a second network beside").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_coordinator_whom_the_nodes_do_not_know_changes_nothing() {
    let network = Network::start(3, "any").await;
    let key = network.world.text("stranger.key");
    let new_key = ["--json", "network", "new-key", "--out", &key];
    crate::support::trefoil(&new_key, b"").ok();
    let before = std::fs::read(network.world.path("manifest.json")).unwrap();

    let mut arguments = network.manifest_file().to_vec();
    arguments.splice(0..0, ["--coordinator-key".to_owned(), key]);
    let run = network.world.network_as("refresh", &arguments).await;
    let says = "was not told to follow such a plan";
    assert_fails(&run, 5, "nodes_refuse", &[&network.url(2), says]);
    let held = network.world.epochs(0..3).await;
    assert!(held.iter().all(|held| *held == json!([1])), "{held:?}");
    assert_eq!(
        std::fs::read(network.world.path("manifest.json")).unwrap(),
        before
    );
    network.assert_serves("a stranger's refresh").await;

    // A coordinator's key file must be its own, and a manifest one.
    let run = network
        .world
        .network(
            "refresh",
            &["--manifest".to_owned(), network.world.text("node-0.toml")],
        )
        .await;
    assert_fails(&run, 3, "bad_manifest", &["node-0.toml"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_move_needs_the_operators_of_t_old_nodes_where_the_coordinator_is_not_trusted_with_it() {
    let network = Network::start(5, "refresh").await;
    let run = network.world.move_to([3, 4], 2).await;
    assert_fails(
        &run,
        5,
        "too_few_nodes",
        &["2 old nodes must deal", "only 0 did"],
    );
    network.assert_serves("a move that nobody approved").await;

    // The plan lies there for the operators to look at. Their word holds for it alone.
    let plan_file = network.world.text("manifest.json.plan");
    let mut plan_only = network.manifest_file().to_vec();
    plan_only.extend(["--threshold", "2", "--plan-only"].map(str::to_owned));
    for place in [3, 4] {
        plan_only.extend(["--node".to_owned(), network.url(place)]);
    }
    let plan = network.world.network("move", &plan_only).await.ok();
    assert_eq!(plan["plan"], plan_file.as_str());
    let approve = async |place: usize| -> Value {
        let data = network.world.text(&format!("node-{place}"));
        let arguments = ["--data", &data, "--plan", &plan_file].map(str::to_owned);
        network.world.network("approve", &arguments).await.ok()
    };
    let approved = approve(0).await;
    assert_eq!(
        (
            &approved["ceremony"],
            &approved["threshold"],
            &approved["epoch"]
        ),
        (&plan["ceremony"], &json!(2), &json!(2))
    );
    assert!(approved["nodes"].to_string().contains(&network.url(4)));
    let run = network.world.move_to([3, 4], 2).await;
    assert_fails(
        &run,
        5,
        "too_few_nodes",
        &["2 old nodes must deal", "only 1 did"],
    );
    network.assert_serves("a move that one approved").await;

    // While that plan lies there, no other ceremony is taken for it.
    let run = network.world.move_to([4, 3], 2).await;
    assert_fails(&run, 7, "other_plan", &[&plan_file]);
    let run = network.world.move_to([3, 4], 1).await;
    assert_fails(&run, 7, "other_plan", &[&plan_file]);
    let run = network.world.refresh().await;
    assert_fails(&run, 7, "other_plan", &[&plan_file]);
    network.assert_serves("another ceremony").await;

    // A quorum must sign too: for two of three it is the same two.
    approve(2).await;
    let moved = network.world.move_to([3, 4], 2).await.ok();
    assert_eq!((&moved["epoch"], &moved["nodes"]), (&json!(2), &json!(2)));
    network.assert_serves("moved").await;

    // A refresh needs nobody's approval.
    let refreshed = network.world.refresh().await.ok();
    assert_eq!(refreshed["epoch"], 3);
    network.assert_serves("refreshed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_with_a_member_missing_says_who_and_is_carried_on_later() {
    let mut network = Network::start(3, "any").await;
    network.world.kill([1]);
    let gone = network.url(1);
    let run = network.world.refresh().await;
    assert_fails(&run, 6, "offline", &[&gone]);
    network.assert_serves("a member is missing").await;
    let status = network
        .world
        .network("status", &network.manifest_file())
        .await;
    assert_fails(&status, 6, "offline", &["1 of 3 nodes"]);
    assert!(
        status
            .lines()
            .iter()
            .any(|line| line["url"] == gone && line["error"].is_string())
    );
    network.world.serve([1]);
    assert_eq!(network.world.refresh().await.ok()["epoch"], 2);
    network.assert_serves("refreshed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_that_the_network_has_left_behind_is_dropped() {
    let network = Network::start(5, "any").await;
    let mut plan_only = network.manifest_file().to_vec();
    plan_only.extend(["--threshold", "2", "--plan-only"].map(str::to_owned));
    for place in [3, 4] {
        plan_only.extend(["--node".to_owned(), network.url(place)]);
    }
    network.world.network("move", &plan_only).await.ok();
    // Meanwhile the coordinator refreshes from another copy of the manifest.
    let copy = network.world.text("copy.json");
    std::fs::copy(network.world.path("manifest.json"), &copy).unwrap();
    let from_copy = ["--manifest".to_owned(), copy];
    let refreshed = network.world.network("refresh", &from_copy).await.ok();
    assert_eq!(refreshed["epoch"], 2);
    assert_eq!(network.world.refresh().await.ok()["epoch"], 3);
    network.assert_serves("refreshed").await;
}
