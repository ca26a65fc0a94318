//! Whether a login could be answered now.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use trefoil_protocol::problem::ProblemCode;
use trefoil_store::NodeStore;

use crate::node::Node;

/// For which an answer of the store holds: anybody may ask, and each check is a durable write.
const HOLDS: Duration = Duration::from_secs(1);

/// The store of a node's state and when it last said that it works.
pub(crate) struct Stored {
    store: Arc<dyn NodeStore>,
    checked: Mutex<Option<(Instant, bool)>>,
}

impl Node {
    /// Names the store in which the node's state is kept; [`Node::ready`] asks it.
    #[must_use]
    pub fn stored_in(mut self, store: Arc<dyn NodeStore>) -> Self {
        self.stored = Some(Stored {
            store,
            checked: Mutex::default(),
        });
        self
    }

    /// Whether a login could be answered now: there is a share and the store works. Providers' keys are left out: one
    /// provider's outage must not take the node from the others' users.
    ///
    /// # Errors
    /// [`ProblemCode::Unavailable`] where the store does not work, [`ProblemCode::NoShare`] where no ceremony has given
    /// the node a share yet.
    pub async fn ready(&self) -> Result<(), ProblemCode> {
        if let Some(stored) = &self.stored
            && !stored.works(self.clock.now()).await
        {
            return Err(ProblemCode::Unavailable);
        }
        // So far a node exists only with the share that a dealer made.
        Ok(())
    }
}

impl Stored {
    async fn works(&self, now: u64) -> bool {
        let mut checked = self.checked.lock().await;
        if let Some((at, works)) = *checked
            && at.elapsed() < HOLDS
        {
            return works;
        }
        let result = self.store.check_ready(now).await;
        if let Err(error) = &result {
            tracing::error!(%error, "the node's store does not work");
        }
        *checked = Some((Instant::now(), result.is_ok()));
        result.is_ok()
    }
}
