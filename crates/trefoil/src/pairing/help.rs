//! The old side of help: a trusted contact lends its share, never its secret.

use std::sync::Arc;

use trefoil_client::metadata::MailboxError;
use trefoil_factors::device::DeviceSecret;
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::opening::{Opening, OpeningError};
use trefoil_protocol::pairing::{
    End, LentShare, OldComparing, OldSide, Outcome, PairingError, Purpose, RequestCode, Role,
    ShortString, Step,
};

use super::PairError;
use super::approve::{exchange, make};
use super::channel::{Canceller, Channel};
use crate::builder::Trefoil;
use crate::login::{LoginError, authenticate};
use crate::open::{Found, Standing};

/// Both devices show digits: go on only when this user knows whom they talk to, and both say that the digits are the same.
#[derive(Debug)]
#[must_use = "nothing is lent before both users have compared the digits"]
pub struct Help {
    channel: Channel,
    comparing: OldComparing,
    lent: LentShare,
    whose: String,
}

impl Trefoil {
    /// Answers somebody who asks this device, as a trusted contact, for help ([`Pending::ask_contact`](crate::Pending::ask_contact)).
    /// `label` is this user's name for the other side.
    ///
    /// # Errors
    /// [`PairError::WrongPurpose`], [`PairError::NotAContact`], [`PairError::Login`] where the server does not let this
    /// contact in (it was removed, say), [`PairError::Mailbox`], [`PairError::Pairing`].
    pub async fn help(
        &self,
        code: &RequestCode,
        label: impl Into<String>,
    ) -> Result<Help, PairError> {
        let Purpose::Help { account } = code.purpose() else {
            return Err(PairError::WrongPurpose(code.purpose()));
        };
        let core = Arc::clone(self.core());
        let state = core.devices.read()?;
        let kept: Vec<&DeviceSecret> = state
            .secrets(&core.tenant)
            .filter(|kept| kept.account_id() == account && kept.contact_of().is_some())
            .collect();
        let whose = kept.last().and_then(|kept| kept.contact_of());
        let whose = whose.ok_or(PairError::NotAContact)?.to_owned();
        let keys: Vec<FactorKeys> = kept
            .iter()
            .map(|kept| FactorKeys::derive(&core.tenant, kept.factor_secret()))
            .collect();
        let found = authenticate(&core, keys.clone(), &[]).await?;
        let found = found.into_found().ok_or(PairError::NotAContact)?;
        if let Standing::Older { error, .. } = found.standing {
            return Err(LoginError::from(error).into());
        }
        let lent = lend(&found, &keys)?;
        let served = &found.served;
        let (side, first) = OldSide::answer(
            code,
            (served.account_id, served.account_auth_key),
            served.revision,
            label,
            &mut core.environment.rng(),
        )?;
        make(&core, &found.session, side.mailbox(), &first).await?;
        let channel = Channel::new(core, side.mailbox().clone(), Role::Old);
        let comparing = exchange(&channel, side).await?;
        Ok(Help {
            channel,
            comparing,
            lent,
            whose,
        })
    }
}

/// Opens this contact's own envelope.
fn lend(found: &Found, keys: &[FactorKeys]) -> Result<LentShare, PairError> {
    let served = &found.served;
    let enrolled = keys
        .iter()
        .find_map(|keys| Some((keys, served.factor_at(&keys.locator())?.index)));
    let (keys, index) = enrolled.ok_or(PairError::NotAContact)?;
    let envelopes = &found.response.envelopes;
    let own = envelopes.iter().find(|envelope| envelope.index == index);
    let own = own.ok_or(OpeningError::StaleEnvelope { index })?;
    let opening = Opening::begin(served.clone(), keys.clone(), &own.envelope)?;
    Ok(opening.lend()?)
}

impl Help {
    /// What the other device must show as well.
    #[must_use]
    pub fn digits(&self) -> ShortString {
        self.comparing.digits()
    }

    /// Whose account it is, as its owner named it when this contact was enrolled.
    #[must_use]
    pub fn whose(&self) -> &str {
        &self.whose
    }

    /// What the other side calls itself: true only where the digits are the same.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.comparing.other().label
    }

    /// The user says that both devices show the same digits. Waits for the other side to say so as well and lends this
    /// contact's share of the current epoch: the secret stays here, and the share is worth nothing once the shares change.
    ///
    /// # Errors
    /// [`PairError`].
    pub async fn confirm(self) -> Result<(), PairError> {
        let Self {
            channel,
            comparing,
            lent,
            ..
        } = self;
        let approved = comparing.approve();
        let answer = channel.await_user(Step::NewAnswer).await?;
        let answer = approved.enrolment(&answer).and_then(|made| match made {
            None => Ok(()),
            Some(_) => Err(PairingError::Malformed),
        });
        channel.failed(answer).await?;
        let outcome = approved.outcome(&Outcome::Lent(lent), &mut channel.rng());
        let outcome = channel.failed(outcome).await?;
        match channel.put(Step::OldOutcome, &outcome).await {
            // The other side closes it once it has read the outcome: the answer to an earlier try was lost.
            Err(PairError::Mailbox(MailboxError::Closed)) => Ok(()),
            told => told,
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
