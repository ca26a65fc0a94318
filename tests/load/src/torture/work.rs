//! Clients at work, and the look at what they left.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;

use super::client::{Client, Trouble};
use super::ledger::Account;
use super::verify::{self, Findings};
use super::{TortureOptions, World};
use crate::{Failure, fresh_rng};

/// Accounts at which several clients work at the same time, new in each round.
const SHARED: usize = 3;
/// Accounts looked at at the same time.
const LOOKS: usize = 8;

pub(super) async fn make_shared(
    client: &Client,
    world: &World,
) -> Result<Vec<Arc<Account>>, Failure> {
    let mut shared = Vec::new();
    for _ in 0..SHARED {
        let made = client.create(|account| world.announce(account)).await;
        shared.push(made.map_err(|trouble| format!("no account could be made: {trouble:?}"))?);
        world.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    Ok(shared)
}

pub(super) fn work(
    client: &Client,
    world: &Arc<World>,
    shared: &[Arc<Account>],
    options: &TortureOptions,
) -> Vec<tokio::task::JoinHandle<()>> {
    let mut workers = Vec::new();
    for _ in 0..options.creators {
        let (client, world) = (client.clone(), Arc::clone(world));
        workers.push(tokio::spawn(async move {
            let mut rng: ChaCha20Rng = fresh_rng();
            while !world.stop.load(Ordering::SeqCst) {
                let made = client.create(|account| world.announce(account)).await;
                let account = made.as_ref().ok().map(Arc::clone);
                world.after(made.map(drop)).await;
                if let Some(account) = account {
                    let more = some_fate(&client, &account, &mut rng).await;
                    if let Some(more) = more {
                        world.after(more).await;
                    }
                }
            }
        }));
    }
    for _ in 0..options.racers {
        let (client, world) = (client.clone(), Arc::clone(world));
        let shared = shared.to_vec();
        workers.push(tokio::spawn(async move {
            let mut rng: ChaCha20Rng = fresh_rng();
            while !world.stop.load(Ordering::SeqCst) {
                let at = usize::try_from(rng.next_u32()).unwrap_or_default() % SHARED;
                if let Some(account) = shared.get(at) {
                    world.after(client.change(account, &mut rng).await).await;
                }
            }
        }));
    }
    workers
}

pub(super) async fn look(
    client: &Client,
    accounts: impl Iterator<Item = Arc<Account>>,
) -> Result<Findings, Failure> {
    let patient = client.patient();
    let looks = accounts.map(|account| {
        let patient = patient.clone();
        async move { verify::verify(&patient, &account).await }
    });
    let all: Vec<Findings> = stream::iter(looks)
        .buffer_unordered(LOOKS)
        .try_collect()
        .await?;
    let mut findings = Findings::default();
    for one in all {
        findings.add(one);
    }
    Ok(findings)
}

/// An account is deleted, changed or left alone by whoever made it.
async fn some_fate(
    client: &Client,
    account: &Account,
    rng: &mut ChaCha20Rng,
) -> Option<Result<(), Trouble>> {
    match rng.next_u32() % 3 {
        0 => Some(client.delete(account).await),
        1 => Some(client.change(account, rng).await),
        _ => None,
    }
}
