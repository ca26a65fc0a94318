//! One side's way through the mailbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use trefoil_client::metadata::MailboxError;
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::pairing::{End, MAILBOX_SECONDS, Mailbox, PairingError, Role, Step};

use super::PairError;
use crate::core::Core;

/// How long a side waits for what the other's app does by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before a message is tried again that could not be put.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) core: Arc<Core>,
    mailbox: Mailbox,
    role: Role,
    deadline: Instant,
}

/// Gives a pairing up while something of it is being waited for: tells the other side, so that it need not wait its time out.
#[derive(Debug, Clone)]
pub struct Canceller(Channel);

impl Canceller {
    /// Tells the other side. What is waited for here has to be dropped as well.
    pub async fn cancel(&self) {
        self.0.end(End::Cancelled).await;
    }
}

impl Channel {
    pub(super) fn canceller(&self) -> Canceller {
        Canceller(self.clone())
    }

    pub(super) fn new(core: Arc<Core>, mailbox: Mailbox, role: Role) -> Self {
        Self {
            core,
            mailbox,
            role,
            deadline: Instant::now() + Duration::from_secs(MAILBOX_SECONDS),
        }
    }

    pub(super) fn rng(&self) -> impl rand_core::CryptoRng + use<> {
        self.core.environment.rng()
    }

    /// Puts a message; waits out a connection that is gone for a while.
    pub(super) async fn put(&self, step: Step, message: &Blob) -> Result<(), PairError> {
        loop {
            let put = self
                .core
                .metadata
                .put_message(self.mailbox.id(), step, message);
            match put.await {
                Err(MailboxError::Offline(_)) if Instant::now() + PAUSE < self.deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                put => return Ok(put?),
            }
        }
    }

    /// Waits for what the other side's app puts by itself.
    pub(super) async fn expect(&self, step: Step) -> Result<Blob, PairError> {
        self.wait(step, PATIENCE, false).await
    }

    /// Waits for what takes the other side's user, for as long as the mailbox is open.
    pub(super) async fn await_user(&self, step: Step) -> Result<Blob, PairError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.wait(step, left, false).await
    }

    /// Waits for the mailbox to be made.
    pub(super) async fn await_mailbox(&self) -> Result<Blob, PairError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.wait(Step::OldCommitment, left, true).await
    }

    async fn wait(
        &self,
        step: Step,
        limit: Duration,
        not_yet_made: bool,
    ) -> Result<Blob, PairError> {
        let theirs = step.role();
        let end = Step::end_of(theirs);
        let watched =
            self.core
                .metadata
                .watch_mailbox(self.mailbox.id(), limit, not_yet_made, |content| {
                    // An end counts even where the message waited for was put before it.
                    if step != end
                        && let Some(ended) = content.message(end)
                    {
                        let told = self.mailbox.check_end(theirs, ended);
                        return Some(Err(told.err().unwrap_or(PairingError::Malformed)));
                    }
                    content.message(step).cloned().map(Ok)
                });
        match watched.await? {
            Ok(message) => Ok(message),
            Err(ended) => {
                self.close().await;
                Err(ended.into())
            }
        }
    }

    /// Tells the other side the end. That it cannot be told is no reason to fail: it will find out.
    pub(super) async fn end(&self, end: End) {
        let message = self.mailbox.end(self.role, end, &mut self.rng());
        let step = Step::end_of(self.role);
        let told = self
            .core
            .metadata
            .put_message(self.mailbox.id(), step, &message);
        if let Err(error) = told.await {
            tracing::debug!(%error, "the other device could not be told the end");
        }
    }

    /// The last word was read: nothing need stay at the server.
    pub(super) async fn close(&self) {
        if let Err(error) = self.core.metadata.close_mailbox(self.mailbox.id()).await {
            tracing::debug!(%error, "a used mailbox stays until its time is over");
        }
    }

    /// Tells the other side that this one cannot go on, where it is this one's finding.
    pub(super) async fn failed<T>(&self, result: Result<T, PairingError>) -> Result<T, PairError> {
        match result {
            Ok(good) => Ok(good),
            Err(error) => {
                let theirs = matches!(
                    error,
                    PairingError::Denied | PairingError::Cancelled | PairingError::Failed
                );
                if !theirs {
                    self.end(End::Failed).await;
                }
                Err(error.into())
            }
        }
    }
}
