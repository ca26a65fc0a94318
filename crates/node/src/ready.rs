//! Whether a login could be answered now.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use trefoil_protocol::problem::ProblemCode;

use crate::node::Node;

/// For which an answer of the store holds: anybody may ask, and each check is a durable write.
const HOLDS: Duration = Duration::from_secs(1);

/// When the store last said whether it works.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Node {
    /// Whether a login could be answered now: there is a share and the store works. Providers' keys are left out: one
    /// provider's outage must not take the node from the others' users.
    ///
    /// # Errors
    /// [`ProblemCode::Unavailable`] where the store does not work, [`ProblemCode::NoShare`] where no ceremony has given
    /// the node a share yet.
    pub async fn ready(&self) -> Result<(), ProblemCode> {
        if !self.store_works().await {
            return Err(ProblemCode::Unavailable);
        }
        self.epoch().map(|_| ()).ok_or(ProblemCode::NoShare)
    }

    async fn store_works(&self) -> bool {
        let mut checked = self.readiness.0.lock().await;
        if let Some((at, works)) = *checked
            && at.elapsed() < HOLDS
        {
            return works;
        }
        let result = self.keeper.check_ready(self.clock.now()).await;
        if let Err(error) = &result {
            tracing::error!(%error, "the node's store does not work");
        }
        *checked = Some((Instant::now(), result.is_ok()));
        result.is_ok()
    }
}
