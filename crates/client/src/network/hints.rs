//! What the nodes' refusals tell of the epochs they are in.

use core::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::NodeFault;

/// Shared by all rounds of one login.
#[derive(Default)]
pub(super) struct Hints {
    seen: AtomicBool,
    behind: AtomicBool,
    wake: Notify,
}

impl Hints {
    /// Takes note of a fault met when asking in `epoch`.
    pub(super) fn note(&self, fault: &NodeFault, epoch: u32) {
        if !fault.hints_at_another_epoch() {
            return;
        }
        if fault.is_behind(epoch) {
            self.behind.store(true, Ordering::Relaxed);
        }
        self.seen.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Whether some node is in another epoch.
    pub(super) fn seen(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }

    /// Whether some node is in an earlier epoch.
    pub(super) fn behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Ends once a node is in another epoch.
    pub(super) async fn wait(&self) {
        while !self.seen() {
            self.wake.notified().await;
        }
    }
}
