//! Whether a login could be answered now.

use trefoil_protocol::problem::ProblemCode;

use crate::node::Node;

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
        let check = async || {
            let result = self.keeper.check_ready(self.clock.now()).await;
            if let Err(error) = &result {
                tracing::error!(%error, "the node's store does not work");
            }
            result.is_ok()
        };
        self.readiness.get(check).await
    }
}
