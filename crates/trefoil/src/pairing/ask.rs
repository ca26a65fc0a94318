//! The new side of help: a user who lacks factors asks a trusted contact for its share.

use std::sync::Arc;

use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::pairing::{
    End, LentShare, NewComparing, NewSide, Outcome, PairingError, RequestCode, Role, ShortString,
    Step,
};

use super::PairError;
use super::channel::{Canceller, Channel};
use super::enrol::exchange;
use crate::core::Core;

/// A request to a trusted contact of the account. Show its code to the contact and to nobody else.
#[derive(Debug)]
#[must_use = "a request does nothing before it is waited for"]
pub struct HelpRequest {
    channel: Channel,
    side: NewSide,
}

/// Both devices show digits: go on only when the user says that they are the same.
#[derive(Debug)]
#[must_use = "nothing is lent before both users have compared the digits"]
pub struct HelpComparing {
    channel: Channel,
    comparing: NewComparing,
}

/// What the contact lent: [`Pending::accept`](crate::Pending::accept) takes it.
#[derive(Debug)]
#[must_use = "give it to the opening that asked for it"]
pub struct ContactShare(pub(crate) LentShare);

impl HelpRequest {
    pub(crate) fn begin(
        core: Arc<Core>,
        account: AccountId,
        label: String,
    ) -> Result<Self, PairError> {
        let side = NewSide::help(account, label, &mut core.environment.rng())?;
        let channel = Channel::new(core, side.mailbox().clone(), Role::New);
        Ok(Self { channel, side })
    }

    /// To be shown as a QR code or as text.
    #[must_use]
    pub const fn code(&self) -> &RequestCode {
        self.side.code()
    }

    /// Waits until the contact has read the code, ten minutes at most.
    ///
    /// # Errors
    /// [`PairError::Mailbox`], [`PairError::Pairing`].
    pub async fn wait(self) -> Result<HelpComparing, PairError> {
        let comparing = exchange(&self.channel, self.side).await?;
        Ok(HelpComparing {
            channel: self.channel,
            comparing,
        })
    }

    /// For a user who gives it up while this device waits.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.channel.canceller()
    }

    /// Gives the request up.
    pub async fn cancel(self) {
        self.channel.end(End::Cancelled).await;
    }
}

impl HelpComparing {
    /// What the contact's device must show as well.
    #[must_use]
    pub fn digits(&self) -> ShortString {
        self.comparing.digits()
    }

    /// What the contact calls itself: true only where the digits are the same.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.comparing.other().label
    }

    /// The user says that both devices show the same digits. Waits for the contact to say so as well and takes its share.
    ///
    /// # Errors
    /// [`PairError`].
    pub async fn confirm(self) -> Result<ContactShare, PairError> {
        let Self { channel, comparing } = self;
        let (confirmed, answer) = channel
            .failed(comparing.confirm(&mut channel.rng()))
            .await?;
        channel.put(Step::NewAnswer, &answer).await?;
        let outcome = channel.await_user(Step::OldOutcome).await?;
        let outcome = confirmed.outcome(&outcome);
        channel.close().await;
        match outcome? {
            Outcome::Lent(lent) => Ok(ContactShare(lent)),
            Outcome::Done { .. } => Err(PairingError::Malformed.into()),
        }
    }

    /// The digits differ, or the user does not want this.
    pub async fn deny(self) {
        self.channel.end(End::Denied).await;
    }

    /// For a user who gives it up while this device waits.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.channel.canceller()
    }

    /// Gives it up.
    pub async fn cancel(self) {
        self.channel.end(End::Cancelled).await;
    }
}
