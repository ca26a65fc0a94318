//! `…/mailboxes/{mailbox}`: short-lived ciphertexts between two devices that know a code.

use core::time::Duration;

use http::Method;
use tokio::time::Instant;
use trefoil_protocol::bytes::{Blob, MailboxId};
use trefoil_protocol::pairing::{
    CreateMailboxRequest, MAILBOX_SECONDS, MailboxResponse, PutMessageRequest, Step,
};
use trefoil_protocol::problem::{Problem, ProblemCode};

use super::call::{Failure, body};
use super::{MetadataClient, Misbehaviour, Offline, Session};

/// Wait between two looks into a mailbox, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest wait between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(1000);

/// Why a mailbox does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// Try again later.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Log in again.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The other side does not answer.
    #[error("the other device does not answer: it gave up, or is offline; make a new request")]
    NobodyThere,
    /// Not made yet, or long over.
    #[error("there is no such request, or it is long over; make a new one")]
    NoMailbox,
    /// Closed by one of its sides, or with the account.
    #[error("the request is over: it was used, or the other device ended it; make a new one")]
    Closed,
    /// Ten minutes are over.
    #[error("the request has expired; make a new one")]
    Expired,
    /// Something else is there: another device has answered first, or somebody interferes.
    #[error(
        "another device has answered this request already, or somebody interferes; make a new one"
    )]
    Taken,
    /// The account has too many of them.
    #[error("the account has too many open requests; try again in ten minutes")]
    TooMany,
    /// The account was deleted.
    #[error("the account was deleted")]
    Gone,
    /// The server broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// Refused for a reason that a right client never meets.
    #[error("the metadata server refused the request's mailbox: {0}")]
    Refused(Box<Problem>),
}

/// What lies in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxContent(MailboxResponse);

impl MailboxContent {
    /// The message at a place.
    pub fn message(&self, step: Step) -> Option<&Blob> {
        let at = |place: &&trefoil_protocol::pairing::MailboxMessage| {
            (place.role, place.step) == (step.role(), step.number())
        };
        self.0.messages.iter().find(at).map(|held| &held.message)
    }
}

impl MetadataClient {
    /// Makes a mailbox with the old side's first message. The same again changes nothing.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub async fn create_mailbox(
        &self,
        session: &Session,
        mailbox: MailboxId,
        message: &Blob,
    ) -> Result<(), MailboxError> {
        let id = mailbox.to_string();
        let content = body(&CreateMailboxRequest {
            message: message.clone(),
        });
        let answer = self.call(|| {
            self.in_session(Method::PUT, session, &["mailboxes", &id])
                .json(content.clone())
        });
        let _: MailboxResponse = answer.await?.json()?;
        Ok(())
    }

    /// Puts a message at its place. The same again changes nothing.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub async fn put_message(
        &self,
        mailbox: MailboxId,
        step: Step,
        message: &Blob,
    ) -> Result<(), MailboxError> {
        let (id, number) = (mailbox.to_string(), step.number().to_string());
        let content = body(&PutMessageRequest {
            message: message.clone(),
        });
        let path = ["mailboxes", &id, step.role().as_str(), &number];
        let answer = self.call(|| self.at_path(Method::PUT, path).json(content.clone()));
        answer.await?;
        Ok(())
    }

    /// All messages so far.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub async fn read_mailbox(&self, mailbox: MailboxId) -> Result<MailboxContent, MailboxError> {
        let id = mailbox.to_string();
        let answer = self.call(|| self.at_path(Method::GET, ["mailboxes", &id]));
        Ok(MailboxContent(answer.await?.json()?))
    }

    /// Closes a mailbox; its messages are erased.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub async fn close_mailbox(&self, mailbox: MailboxId) -> Result<(), MailboxError> {
        let id = mailbox.to_string();
        let answer = self.call(|| self.at_path(Method::DELETE, ["mailboxes", &id]));
        answer.await?;
        Ok(())
    }

    /// Looks into a mailbox again and again until `found` makes something of what lies there, for `limit` at most. Being
    /// offline for a while is waited out. With `not_yet_made`, a mailbox that is not there yet is waited for as well.
    ///
    /// # Errors
    /// [`MailboxError`]; [`MailboxError::NobodyThere`] where the time is over.
    pub async fn watch_mailbox<T>(
        &self,
        mailbox: MailboxId,
        limit: Duration,
        not_yet_made: bool,
        mut found: impl FnMut(&MailboxContent) -> Option<T>,
    ) -> Result<T, MailboxError> {
        let deadline = Instant::now() + limit.min(Duration::from_secs(MAILBOX_SECONDS));
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = match self.read_mailbox(mailbox).await {
                Ok(content) => match found(&content) {
                    Some(found) => return Ok(found),
                    None => None,
                },
                Err(MailboxError::NoMailbox) if not_yet_made => None,
                Err(MailboxError::Offline(offline)) => offline.retry_after,
                Err(error) => return Err(error),
            };
            let wait = asked.unwrap_or(pause);
            if wait >= deadline.saturating_duration_since(Instant::now()) {
                return Err(MailboxError::NobodyThere);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl From<Failure> for MailboxError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return offline.into(),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::NoMailbox => Self::NoMailbox,
            ProblemCode::MailboxClosed => Self::Closed,
            ProblemCode::MailboxExpired => Self::Expired,
            ProblemCode::MailboxTaken => Self::Taken,
            ProblemCode::TooManyMailboxes => Self::TooMany,
            ProblemCode::AccountDeleted => Self::Gone,
            _ => Self::Refused(problem),
        }
    }
}
