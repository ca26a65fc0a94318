//! Users log in all the time while the key is refreshed and moves from committee to committee.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use trefoil::{NetworkKey, SignedManifest};

use crate::users::{App, Apps};
use crate::world::World;

/// Without an end of its own a test that hangs would say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two logins of one user: the nodes have other things to do, too.
const PAUSE: Duration = Duration::from_millis(150);

/// Logins all the time; every one must succeed with the same address.
pub(crate) struct Load {
    users: JoinSet<()>,
    counts: Arc<Counts>,
    failed: watch::Receiver<Vec<String>>,
}

struct Counts {
    stop: AtomicBool,
    /// Logins that have ended well, by whom.
    long_lived: AtomicUsize,
    fresh: AtomicUsize,
    more: watch::Sender<usize>,
    failed: watch::Sender<Vec<String>>,
}

impl Load {
    /// So many apps that stay, and as many devices on which it is installed anew for each login, always with `first`.
    pub(crate) fn start(apps: &Apps, first: &SignedManifest, each: usize, address: &str) -> Self {
        let (failed_sender, failed) = watch::channel(Vec::new());
        let counts = Arc::new(Counts {
            stop: AtomicBool::new(false),
            long_lived: AtomicUsize::new(0),
            fresh: AtomicUsize::new(0),
            more: watch::channel(0).0,
            failed: failed_sender,
        });
        let mut users = JoinSet::new();
        for user in 0..2 * each {
            let (apps, first, counts) = (apps.clone(), first.clone(), Arc::clone(&counts));
            let address = address.to_owned();
            users.spawn(async move {
                let mut lasting = (user < each).then(|| apps.install(&first));
                while !counts.stop.load(Ordering::SeqCst) {
                    let new;
                    let (app, count): (&App, _) = match &mut lasting {
                        Some(app) => (app, &counts.long_lived),
                        None => {
                            new = apps.install(&first);
                            (&new, &counts.fresh)
                        }
                    };
                    match app.log_in().await {
                        Ok(found) if found == address => {
                            count.fetch_add(1, Ordering::SeqCst);
                            counts.more.send_modify(|more| *more += 1);
                        }
                        wrong => counts
                            .failed
                            .send_modify(|failed| failed.push(format!("{user}: {wrong:?}"))),
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self {
            users,
            counts,
            failed,
        }
    }

    /// Waits until so many more logins of each sort than now have ended well, and none badly.
    pub(crate) async fn sees(&self, logins: usize, phase: &str) {
        let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        let Counts {
            long_lived, fresh, ..
        } = &*self.counts;
        let (lasting, anew) = (of(long_lived) + logins, of(fresh) + logins);
        let mut more = self.counts.more.subscribe();
        let enough = more.wait_for(|_| of(long_lived) >= lasting && of(fresh) >= anew);
        let waited = tokio::time::timeout(PATIENCE, enough).await;
        self.assert_none_failed(phase);
        assert!(waited.is_ok(), "{phase}: logins do not end");
    }

    pub(crate) fn assert_none_failed(&self, phase: &str) {
        assert_eq!(*self.failed.borrow(), Vec::<String>::new(), "{phase}");
    }

    pub(crate) fn count(&self) -> usize {
        *self.counts.more.borrow()
    }

    /// Lets everybody finish: how many logins there were, of which none failed.
    pub(crate) async fn stop(&mut self) -> usize {
        self.counts.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.users.join_next().await {
            ended.unwrap();
        }
        self.assert_none_failed("at the end");
        self.count()
    }
}

/// Waits until each of these nodes holds shares of these epochs alone: the others are erased.
pub(crate) async fn hold_only(world: &World, places: &[usize], epochs: &[u32]) {
    let held_only = async {
        while !world
            .epochs(places.iter().copied())
            .await
            .iter()
            .all(|held| *held == json!(epochs))
        {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, held_only).await;
    assert!(
        waited.is_ok(),
        "{places:?} hold other epochs than {epochs:?}"
    );
}

fn network(manifest: &SignedManifest) -> NetworkKey {
    manifest.trust_pinned().unwrap().network()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_key_is_refreshed_and_moves_under_load_and_no_login_fails() {
    let mut world = World::start(12, 2).await;
    let first = world.keygen_among(0..9, 5).await;
    let address = world.app(&first).log_in().await.unwrap();
    let mut load = Load::start(&world.apps(), &first, 2, &address);
    let mut logins = Vec::new();
    let mut counted = 0;
    let mut phase = |load: &Load, name: &'static str| {
        logins.push((name, load.count() - counted));
        counted = load.count();
    };
    load.sees(2, "before").await;
    phase(&load, "before");

    let old: Vec<usize> = (0..9).collect();
    for (epoch, name) in [(2, "first refresh"), (3, "second refresh")] {
        let refreshed = world.refresh().await.ok();
        load.assert_none_failed(name);
        assert_eq!(
            (&refreshed["epoch"], &refreshed["waiting_for"]),
            (&json!(epoch), &json!([]))
        );
        load.sees(2, name).await;
        phase(&load, name);
    }
    // From now on the manifest that the apps carry names shares that are gone.
    hold_only(&world, &old, &[3]).await;
    load.sees(2, "old epochs erased").await;
    phase(&load, "old epochs erased");

    // From 5 of 9 to 4 of 7: three are new, five leave, and the others get other places.
    let middle = [11, 8, 7, 10, 6, 9, 5];
    let moved = world.move_to(middle, 4).await.ok();
    load.assert_none_failed("move");
    assert_eq!(
        (&moved["nodes"], &moved["threshold"], &moved["epoch"]),
        (&json!(7), &json!(4), &json!(4))
    );
    load.sees(2, "move").await;
    hold_only(&world, &middle, &[4]).await;
    hold_only(&world, &[0, 1, 2, 3, 4], &[]).await;
    load.sees(2, "move").await;
    phase(&load, "move");

    // Whoever left may go; four nodes of the first manifest still show the way.
    world.kill([0, 1, 2, 3, 4]);
    load.sees(3, "old members killed").await;
    phase(&load, "old members killed");

    world.serve([0, 1, 2, 3, 4]);
    let back = world.move_to(0..9, 5).await.ok();
    load.assert_none_failed("move back");
    assert_eq!(
        (&back["nodes"], &back["threshold"], &back["epoch"]),
        (&json!(9), &json!(5), &json!(5))
    );
    load.sees(2, "move back").await;
    hold_only(&world, &old, &[5]).await;
    world.kill([9, 10, 11, 0, 1]);
    load.sees(3, "back again").await;
    phase(&load, "back again");

    let all = load.stop().await;
    assert_eq!(network(&world.manifest()), network(&first));
    // With `--nocapture`.
    println!("{all} logins: {logins:?}");
}
