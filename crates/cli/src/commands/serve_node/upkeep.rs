//! What a node does while nobody asks: it erases shares whose time is over, takes manifests that it missed, and asks the
//! others for what an absent coordinator did not bring.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use trefoil_client::HttpTransport;
use trefoil_client::ceremony::{fetch_manifests_after, fetch_status};
use trefoil_node::Node;
use trefoil_protocol::ceremony::{ActivateRequest, FinishRequest};

const TICK: Duration = Duration::from_secs(2);
/// Ticks between two looks at what the others serve; the first comes at once, for a node that was away.
const LOOK_EVERY: u32 = 30;
/// Ticks between two questions whether every node serves the new epoch, while some shares have no end.
const ASK_EVERY: u32 = 5;

pub(super) async fn run(node: Arc<Node>) {
    tokio::join!(erase(&node), look(&node));
}

async fn erase(node: &Node) {
    loop {
        if let Err(error) = node.tick().await {
            tracing::error!(%error, "the node's state could not be looked after; this is tried again");
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Apart from the erasing, which must not wait for nodes that do not answer.
async fn look(node: &Node) {
    let transport = match HttpTransport::new() {
        Ok(transport) => transport,
        Err(error) => {
            tracing::error!(%error, "the other nodes cannot be asked for newer manifests; start the node again");
            return;
        }
    };
    for tick in 0_u32.. {
        if tick.is_multiple_of(LOOK_EVERY) {
            catch_up(node, &transport).await;
        }
        if tick.is_multiple_of(ASK_EVERY) {
            finish(node, &transport).await;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// A manifest that was signed while this node was away is taken from whoever serves it: with it the share that this node
/// held for it comes into use.
async fn catch_up(node: &Node, transport: &HttpTransport) {
    for url in node.peers() {
        let known = node.newest_manifest_epoch();
        let Ok(chain) = fetch_manifests_after(transport, &url, known).await else {
            continue;
        };
        for manifest in chain.manifests {
            let request = ActivateRequest { manifest };
            if let Err(error) = node.activate(&request).await {
                tracing::warn!(%error, from = url, "a manifest that another node serves cannot be used");
                break;
            }
        }
    }
}

/// Shares of earlier epochs get their end once every member says that it serves the new one, also where the coordinator
/// did not stay until the last of them was back.
async fn finish(node: &Node, transport: &HttpTransport) {
    if !node.has_unfinished_epoch() {
        return;
    }
    let peers = node.peers();
    let statuses = join_all(peers.iter().map(|url| fetch_status(transport, url))).await;
    let active = statuses
        .into_iter()
        .filter_map(|status| status.ok()?.active)
        .collect();
    match node.finish(&FinishRequest { active }).await {
        Ok(_) => {
            tracing::info!("every node serves the new epoch; shares of earlier ones have an end")
        }
        Err(error) => tracing::debug!(%error, "shares of earlier epochs are kept"),
    }
}
