//! `GET /v1/{tenant}/accounts/{id}/events`: the account's audit log.

use http::Method;
use trefoil_protocol::bytes::PayloadHash;
use trefoil_protocol::event::{Event, EventChainError, verify_chain};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::wire::EventsResponse;

use super::call::Failure;
use super::{MetadataClient, Misbehaviour, Offline, Session};

/// Why there are no events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// Try again later.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Log in again.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The account's policy asks for an authenticator first.
    #[error("the account's policy asks for an authenticator before its events are shown")]
    LevelTooLow,
    /// The account was deleted.
    #[error("the account was deleted")]
    Gone,
    /// The list is not the end of one chain: the server left events out or changed them.
    #[error("the metadata server's event list is broken: {0}")]
    Broken(#[from] EventChainError),
    /// The server broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// Refused for a reason that a right client never meets.
    #[error("the metadata server refused to show the events: {0}")]
    Refused(Box<Problem>),
}

/// The newest events of an account, checked to be the end of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Hash of the last one; a device that pins it can tell later whether history was rewritten.
    pub head: PayloadHash,
}

impl MetadataClient {
    /// Reads the newest events and checks their chain.
    ///
    /// # Errors
    /// [`EventsError`].
    pub async fn events(&self, session: &Session) -> Result<Events, EventsError> {
        let answer = self.call(|| self.in_session(Method::GET, session, &["events"]));
        let listed: EventsResponse = answer.await?.json()?;
        let events = verify_chain(&listed.events, &listed.head)?;
        Ok(Events {
            events,
            head: listed.head,
        })
    }
}

impl From<Failure> for EventsError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::LevelTooLow => Self::LevelTooLow,
            ProblemCode::AccountDeleted => Self::Gone,
            _ => Self::Refused(problem),
        }
    }
}
