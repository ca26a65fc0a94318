//! `…/accounts/{id}/slots`: the metadata server's part of counted guesses that needs a session.

use http::Method;
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::{
    EnrolRequest, EnrolResponse, HeldSlot, Permit, Signed, SlotsResponse,
};
use trefoil_protocol::problem::ProblemCode;

use super::call::{Failure, body};
use super::{MetadataClient, Misbehaviour, Offline, ReadError, Session};
use crate::slots::EnrolError;

impl MetadataClient {
    /// Enrols the server's part of a slot; gives the permit for the nodes.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub(crate) async fn enrol_slot(
        &self,
        session: &Session,
        slot: SlotId,
        request: &EnrolRequest,
    ) -> Result<Signed<Permit>, EnrolError> {
        let slot = slot.to_string();
        let content = body(request);
        let answer = self.call(|| {
            self.in_session(Method::PUT, session, &["slots", &slot])
                .json(content.clone())
        });
        let answer: EnrolResponse = answer.await?.json()?;
        Ok(answer.permit.ok_or(Misbehaviour::Mismatch)?)
    }

    /// The slots of the account that the server was not told to delete. Its word alone: check each list.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn slots(&self, session: &Session) -> Result<Vec<HeldSlot>, ReadError> {
        let answer = self.call(|| self.in_session(Method::GET, session, &["slots"]));
        let listed: SlotsResponse = answer.await?.json()?;
        Ok(listed.slots)
    }

    /// `{base}/v1/{tenant}`.
    pub(crate) fn tenant_url(&self) -> url::Url {
        self.url([])
    }
}

impl From<Failure> for EnrolError {
    fn from(failure: Failure) -> Self {
        let problem = match failure {
            Failure::Offline(offline) => return Offline::into(offline),
            Failure::Misbehaved(misbehaviour) => return misbehaviour.into(),
            Failure::Problem(problem) => problem,
        };
        match problem.code {
            ProblemCode::UnknownSession => Self::SessionEnded,
            ProblemCode::TooManySlots => Self::TooManySlots,
            _ => Self::Refused(problem),
        }
    }
}
