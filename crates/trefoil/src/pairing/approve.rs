//! The old side: an open account takes in what another device made.

use std::sync::Arc;

use trefoil_client::Session;
use trefoil_client::metadata::{self, MailboxError};
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::factor::{Enrolment, FactorKind};
use trefoil_protocol::pairing::{
    End, Mailbox, OldComparing, OldSide, Outcome, PairingError, Purpose, RequestCode, Role,
    ShortString, Step,
};

use super::PairError;
use super::channel::{Canceller, Channel};
use crate::account::Account;
use crate::core::Core;
use crate::draft::CommitError;

/// How often the commit is tried where the server cannot be reached.
const TRIES: u32 = 3;

/// Both devices show digits: go on only when the user says that they are the same.
#[derive(Debug)]
#[must_use = "nothing is enrolled before the user has compared the digits"]
pub struct Approval<'a> {
    account: &'a mut Account,
    channel: Channel,
    comparing: OldComparing,
    kind: FactorKind,
    label: String,
}

/// The factor that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enrolled {
    /// Its index.
    pub index: u32,
    /// [`FactorKind::OtherDevice`] or [`FactorKind::TrustedContact`].
    pub kind: FactorKind,
    /// Its name.
    pub label: String,
}

impl Account {
    /// Answers the request of another device of the user ([`crate::Trefoil::request_device`]). `whose` tells that device whose
    /// account this is.
    ///
    /// # Errors
    /// [`PairError::WrongPurpose`], [`PairError::MfaOff`], [`PairError::Mailbox`] where the device is gone or somebody else
    /// has answered, [`PairError::Pairing`] where it does not keep to its part.
    pub async fn approve_device(
        &mut self,
        code: &RequestCode,
        whose: impl Into<String>,
    ) -> Result<Approval<'_>, PairError> {
        if code.purpose() != Purpose::Device {
            return Err(PairError::WrongPurpose(code.purpose()));
        }
        self.answer(code, whose.into(), FactorKind::OtherDevice)
            .await
    }

    /// Answers the offer of a trusted contact ([`crate::Trefoil::offer_contact`]). `whose` tells the contact whose account
    /// this is.
    ///
    /// # Errors
    /// As [`Self::approve_device`].
    pub async fn enrol_contact(
        &mut self,
        code: &RequestCode,
        whose: impl Into<String>,
    ) -> Result<Approval<'_>, PairError> {
        if code.purpose() != Purpose::Contact {
            return Err(PairError::WrongPurpose(code.purpose()));
        }
        self.answer(code, whose.into(), FactorKind::TrustedContact)
            .await
    }

    async fn answer(
        &mut self,
        code: &RequestCode,
        whose: String,
        kind: FactorKind,
    ) -> Result<Approval<'_>, PairError> {
        if !self.mfa_is_on() {
            return Err(PairError::MfaOff);
        }
        let core = Arc::clone(self.core());
        let account = (self.id(), self.open().keys().auth_key());
        let (side, first) = OldSide::answer(
            code,
            account,
            self.revision(),
            whose,
            &mut core.environment.rng(),
        )?;
        let made = make(&core, self.session(), side.mailbox(), &first).await;
        match made {
            Err(PairError::Mailbox(MailboxError::SessionEnded)) => {
                self.renew_session().await?;
                make(&core, self.session(), side.mailbox(), &first).await?;
            }
            made => made?,
        }
        let channel = Channel::new(core, side.mailbox().clone(), Role::Old);
        let comparing = exchange(&channel, side).await?;
        let label = comparing.other().label.clone();
        Ok(Approval {
            account: self,
            channel,
            comparing,
            kind,
            label,
        })
    }
}

pub(super) async fn make(
    core: &Core,
    session: &Session,
    mailbox: &Mailbox,
    first: &Blob,
) -> Result<(), PairError> {
    let made = core.metadata.create_mailbox(session, mailbox.id(), first);
    Ok(made.await?)
}

/// Commit, reveal: the old side's half, up to the comparison.
pub(super) async fn exchange(channel: &Channel, side: OldSide) -> Result<OldComparing, PairError> {
    let theirs = channel.expect(Step::NewReveal).await?;
    let revealed = side.reveal(&theirs, &mut channel.rng());
    let (comparing, message) = channel.failed(revealed).await?;
    channel.put(Step::OldReveal, &message).await?;
    Ok(comparing)
}

impl Approval<'_> {
    /// What the other device must show as well.
    #[must_use]
    pub fn digits(&self) -> ShortString {
        self.comparing.digits()
    }

    /// What the other device calls itself: true only where the digits are the same. The factor gets this name unless
    /// [`Self::label`] gives another.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.comparing.other().label
    }

    /// Names the factor otherwise.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The user says that both devices show the same digits. Waits for the other device's user, checks what it sends,
    /// commits the record and tells the outcome.
    ///
    /// # Errors
    /// [`PairError::Commit`] where the commit is not known to have happened: opening the account again shows it. With all
    /// others nothing was enrolled.
    pub async fn confirm(self) -> Result<Enrolled, PairError> {
        let Self {
            account,
            channel,
            comparing,
            kind,
            label,
        } = self;
        let approved = comparing.approve();
        let answer = channel.await_user(Step::NewAnswer).await?;
        let enrolment = approved
            .enrolment(&answer)
            .and_then(|made| made.ok_or(PairingError::Malformed));
        let enrolment = channel.failed(enrolment).await?;
        let locator = enrolment.locator;
        if let Err(error) = commit(account, kind, &label, enrolment).await {
            channel.end(End::Failed).await;
            return Err(error);
        }
        let done = Outcome::Done {
            revision: account.revision(),
        };
        let told = match approved.outcome(&done, &mut channel.rng()) {
            Ok(message) => channel.put(Step::OldOutcome, &message).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = told {
            // It is enrolled; the other device sees that when it logs in.
            tracing::warn!(%error, "the other device could not be told that it is enrolled");
        }
        let entry = account.open().record().factor_at(&locator);
        Ok(Enrolled {
            index: entry.map(|entry| entry.index).unwrap_or_default(),
            kind,
            label,
        })
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

async fn commit(
    account: &mut Account,
    kind: FactorKind,
    label: &str,
    enrolment: Enrolment,
) -> Result<(), PairError> {
    let mut draft = account.change();
    draft.enrolled_elsewhere(kind, label, enrolment)?;
    let mut tries = 1;
    loop {
        // The same bytes each time: a repeated commit succeeds again.
        match draft.commit().await {
            Err(CommitError::Metadata(metadata::CommitError::Offline(_))) if tries < TRIES => {
                tries += 1;
            }
            committed => return committed.map_err(|error| Box::new(error).into()),
        }
    }
}
