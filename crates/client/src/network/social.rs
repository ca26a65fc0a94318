//! `POST {node}/v1/evaluate` to all nodes in parallel: one round trip from ID token to factor secret.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::social::{EphemeralKey, IdToken, UserIdentity, VerifierId};
use trefoil_protocol::tenant::Tenant;

use super::follow::Follow;
use super::hints::Hints;
use super::known::View;
use super::{NetworkClient, NodeReport, SHORTEST_WAIT, SocialError};

/// Half of how long the slowest node is waited for when manifests are fetched for the first time during a login; doubled
/// each time.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// One login of one user.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SocialLogin<'a> {
    /// The key whose nonce the ID token carries.
    pub ephemeral: &'a EphemeralKey,
    /// The name space.
    pub tenant: Tenant,
    /// Which of its verifiers.
    pub verifier: VerifierId,
    /// From the provider.
    pub id_token: IdToken,
    /// 0 unless an earlier social factor of this user was removed; below 16.
    pub generation: u32,
}

/// What a login yields.
#[non_exhaustive]
pub struct SocialSecret {
    /// The social factor's secret.
    pub secret: FactorSecret,
    /// Whose it is, as `T` nodes agree.
    pub identity: UserIdentity,
    /// Nodes that did not contribute: liars, failing ones, and those that were not waited for.
    pub reports: Vec<NodeReport>,
}

impl<'a> SocialLogin<'a> {
    /// A login in generation 0.
    #[must_use]
    pub const fn new(
        ephemeral: &'a EphemeralKey,
        tenant: Tenant,
        verifier: VerifierId,
        id_token: IdToken,
    ) -> Self {
        Self {
            ephemeral,
            tenant,
            verifier,
            id_token,
            generation: 0,
        }
    }

    /// The same login in another generation. The same token serves again while it is young enough.
    #[must_use]
    pub const fn in_generation(mut self, generation: u32) -> Self {
        self.generation = generation;
        self
    }
}

impl NetworkClient {
    /// Asks all nodes at once and returns as soon as `T` proven answers of one epoch agree. The others are dropped.
    ///
    /// A node that cannot be reached or has no time is asked again, as the [`RetryPolicy`](crate::RetryPolicy) says, while
    /// `T` answers have not come together. Where nodes say that they are in another epoch, the network's manifests are
    /// fetched beside the answers still awaited; a newer one that enough nodes serve is taken into use for all clones,
    /// and its nodes are asked as well. So a login succeeds during a change of epochs whenever `T` nodes answer in one.
    ///
    /// Ends within the time limit, and as soon as so many nodes refuse that `T` answers cannot come together. Dropping
    /// the future drops all requests; nodes keep no state of a login, so nothing is left half done.
    ///
    /// # Errors
    /// [`SocialError`], by what to do next.
    pub async fn social_secret(
        &self,
        login: &SocialLogin<'_>,
    ) -> Result<SocialSecret, SocialError> {
        let deadline = self.retry.deadline();
        let hints = Hints::default();
        let round = |view: Arc<View>| {
            let hints = &hints;
            async move {
                let ended = self.round(&view, login, hints, deadline).await;
                (view.epoch(), ended)
            }
        };
        let current = self.known.current();
        let mut asked = BTreeSet::from([current.epoch()]);
        let mut rounds = FuturesUnordered::new();
        rounds.push(round(current));
        // Of the newest epoch whose round has failed.
        let mut failure: Option<(u32, SocialError)> = None;
        let mut turns = 0;
        let mut looking = Box::pin(self.look_around(turns, &hints, deadline));
        loop {
            tokio::select! {
                biased;
                Some((epoch, ended)) = rounds.next() => match ended {
                    Ok(found) => return Ok(found),
                    Err(error) if error.is_final() => return Err(error),
                    Err(error) => {
                        if failure.as_ref().is_none_or(|(newest, _)| *newest <= epoch) {
                            failure = Some((epoch, error));
                        }
                    }
                },
                () = &mut looking => {
                    turns += 1;
                    looking.set(self.look_around(turns, &hints, deadline));
                    for view in self.views(&hints) {
                        if asked.insert(view.epoch()) {
                            rounds.push(round(view));
                        }
                    }
                }
            }
            if !rounds.is_empty() {
                continue;
            }
            // All nodes that were asked have had their say.
            let moving = matches!(failure, Some((_, SocialError::ManifestOutdated { .. })));
            let looked = !hints.seen() || turns > 1;
            if looked
                && (!moving || Instant::now() >= deadline)
                && let Some((_, error)) = failure.take()
            {
                return Err(error);
            }
        }
    }

    /// The manifests in which nodes may answer.
    fn views(&self, hints: &Hints) -> impl Iterator<Item = Arc<View>> {
        let previous = hints.behind().then(|| self.known.previous()).flatten();
        core::iter::once(self.known.current()).chain(previous)
    }

    /// Ends when it is worth while to compare [`Self::views`] with those asked: at first as soon as a node is in another
    /// epoch, since another call may have followed the network meanwhile; then when the nodes' manifests have been fetched.
    async fn look_around(&self, turns: u32, hints: &Hints, deadline: Instant) {
        let look = async {
            match turns {
                0 => return hints.wait().await,
                1 => {}
                _ => {
                    let wait = self.retry.delay(turns - 1, &mut self.environment.rng());
                    tokio::time::sleep(wait.max(SHORTEST_WAIT)).await;
                }
            }
            let patience = FIRST_PATIENCE.saturating_mul(1 << turns.min(16));
            let until = deadline.min(Instant::now() + patience);
            self.follow(Follow {
                until,
                background: false,
                behind: hints.behind(),
                first: true,
            })
            .await;
        };
        // Past the deadline nothing can be learned in time.
        let _ = tokio::time::timeout_at(deadline, look).await;
    }
}

impl fmt::Debug for SocialSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocialSecret")
            .field("secret", &self.secret)
            .field("identity", &self.identity)
            .field("reports", &self.reports)
            .finish()
    }
}
