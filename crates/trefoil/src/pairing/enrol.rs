//! The new side: this device makes a factor of its own and asks for its enrolment.

use std::sync::Arc;

use trefoil_factors::device::{DeviceSecret, DeviceStoreExt};
use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::pairing::{
    End, NewComparing, NewSide, Outcome, PairingError, RequestCode, Role, ShortString, Step,
};

use super::PairError;
use super::channel::{Canceller, Channel};
use crate::builder::Trefoil;
use crate::core::Core;
use crate::login::{LoginError, authenticate};

/// A request to become another device or a trusted contact of an account. Show its code to the device that has the account
/// open, and to nobody else.
#[derive(Debug)]
#[must_use = "a request does nothing before it is waited for"]
pub struct EnrolRequest {
    channel: Channel,
    side: NewSide,
    secret: FactorSecret,
    as_contact: bool,
}

/// Both devices show digits: go on only when the user says that they are the same.
#[derive(Debug)]
#[must_use = "nothing is enrolled before the user has compared the digits"]
pub struct EnrolComparing {
    channel: Channel,
    comparing: NewComparing,
    secret: FactorSecret,
    as_contact: bool,
}

/// This device's new factor is enrolled, seen at the server with that factor itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// In which account.
    pub account_id: AccountId,
    /// By the record of this revision.
    pub revision: u64,
}

/// An account of which this device is a trusted contact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContactOf {
    /// Which account.
    pub account_id: AccountId,
    /// Whose it is, as its owner named it.
    pub whose: String,
    /// Unix seconds since when.
    pub since: u64,
    /// Whether it is not known yet that the enrolment was committed.
    pub pending: bool,
}

impl Trefoil {
    /// Asks to become another device of an account that is open elsewhere. `label` is this device's name there.
    ///
    /// # Errors
    /// [`PairError::Pairing`] for a label that is too long.
    pub fn request_device(&self, label: impl Into<String>) -> Result<EnrolRequest, PairError> {
        EnrolRequest::begin(Arc::clone(self.core()), label.into(), false)
    }

    /// Offers to be a trusted contact of somebody else's account. `label` is this user's name there.
    ///
    /// # Errors
    /// [`PairError::Pairing`] for a label that is too long.
    pub fn offer_contact(&self, label: impl Into<String>) -> Result<EnrolRequest, PairError> {
        EnrolRequest::begin(Arc::clone(self.core()), label.into(), true)
    }

    /// The accounts of which this device is a trusted contact.
    ///
    /// # Errors
    /// [`DeviceStoreError`](trefoil_factors::device::DeviceStoreError).
    pub fn contact_of(&self) -> Result<Vec<ContactOf>, trefoil_factors::device::DeviceStoreError> {
        let state = self.core().devices.read()?;
        let contact = |secret: &DeviceSecret| {
            Some(ContactOf {
                account_id: secret.account_id(),
                whose: secret.contact_of()?.to_owned(),
                since: secret.created(),
                pending: secret.pending_since().is_some(),
            })
        };
        Ok(state
            .secrets(&self.core().tenant)
            .filter_map(contact)
            .collect())
    }
}

impl EnrolRequest {
    fn begin(core: Arc<Core>, label: String, as_contact: bool) -> Result<Self, PairError> {
        let mut rng = core.environment.rng();
        let secret = FactorSecret::random(&mut rng);
        let keys = FactorKeys::derive(&core.tenant, &secret);
        let side = NewSide::enrol(as_contact, label, keys, &mut rng)?;
        let channel = Channel::new(core, side.mailbox().clone(), Role::New);
        Ok(Self {
            channel,
            side,
            secret,
            as_contact,
        })
    }

    /// To be shown as a QR code or as text.
    #[must_use]
    pub const fn code(&self) -> &RequestCode {
        self.side.code()
    }

    /// Waits until the other device has read the code, ten minutes at most.
    ///
    /// # Errors
    /// [`PairError::Mailbox`] where nobody reads it in time or the server fails, [`PairError::Pairing`] where the other side,
    /// or whoever stands between, does not keep to its part.
    pub async fn wait(self) -> Result<EnrolComparing, PairError> {
        let Self { channel, side, .. } = self;
        let comparing = exchange(&channel, side).await?;
        Ok(EnrolComparing {
            channel,
            comparing,
            secret: self.secret,
            as_contact: self.as_contact,
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

/// Commit, reveal: the new side's half, up to the comparison.
pub(super) async fn exchange(channel: &Channel, side: NewSide) -> Result<NewComparing, PairError> {
    let commitment = channel.await_mailbox().await?;
    let revealed = side.reveal(&commitment, &mut channel.rng());
    let (side, message) = channel.failed(revealed).await?;
    channel.put(Step::NewReveal, &message).await?;
    let theirs = channel.expect(Step::OldReveal).await?;
    channel.failed(side.compare(&theirs)).await
}

impl EnrolComparing {
    /// What the other device must show as well.
    #[must_use]
    pub fn digits(&self) -> ShortString {
        self.comparing.digits()
    }

    /// Whose account it is, as the other device says: true only where the digits are the same.
    #[must_use]
    pub fn whose(&self) -> &str {
        &self.comparing.other().label
    }

    /// The account, as the other device says.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.comparing.other().account_id
    }

    /// The user says that both devices show the same digits. Stores this device's factor, sends its public parts and waits
    /// for the other device's user.
    ///
    /// After an error the factor may be enrolled all the same: it is kept until a later record shows that it is not.
    ///
    /// # Errors
    /// [`PairError`].
    pub async fn confirm(self) -> Result<Joined, PairError> {
        let Self {
            channel,
            comparing,
            secret,
            as_contact,
        } = self;
        let core = Arc::clone(&channel.core);
        let account_id = comparing.other().account_id;
        let pending = DeviceSecret::pending(
            core.tenant.clone(),
            account_id,
            secret.clone(),
            core.now(),
            comparing.other().revision,
        );
        let pending = if as_contact {
            pending.as_contact(comparing.other().label.clone())
        } else {
            pending
        };
        // Stored before anything is sent: the other device's commit may land although this one never hears of it.
        if let Err(error) = store(&core, pending) {
            channel.end(End::Failed).await;
            return Err(error);
        }
        let (confirmed, answer) = channel
            .failed(comparing.confirm(&mut channel.rng()))
            .await?;
        channel.put(Step::NewAnswer, &answer).await?;
        let outcome = channel.await_user(Step::OldOutcome).await?;
        let outcome = confirmed.outcome(&outcome);
        channel.close().await;
        let Outcome::Done { revision } = outcome? else {
            return Err(PairingError::Malformed.into());
        };
        see(&core, account_id, &secret).await?;
        Ok(Joined {
            account_id,
            revision,
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

fn store(core: &Core, pending: DeviceSecret) -> Result<(), PairError> {
    let (locator, secret) = (pending.locator(), pending.factor_secret().clone());
    core.devices.update(|state| state.insert_secret(pending))?;
    let state = core.devices.read()?;
    let stored = state
        .secret(&locator)
        .is_some_and(|kept| *kept.factor_secret() == secret);
    if stored {
        Ok(())
    } else {
        Err(PairError::DeviceDrill)
    }
}

/// Logs in with the new factor: the signed record must list it, whatever was said in the mailbox. The device then knows the
/// account, and its secret is pending no more.
async fn see(
    core: &Arc<Core>,
    account_id: AccountId,
    secret: &FactorSecret,
) -> Result<(), PairError> {
    let keys = FactorKeys::derive(&core.tenant, secret);
    let locator = keys.locator();
    let locked = authenticate(core, vec![keys], &[])
        .await
        .map_err(PairError::NotSeen)?;
    let served = locked.account_id();
    if let Some(served) = served.filter(|served| *served != account_id) {
        return Err(PairError::NotSeen(LoginError::OtherAccount {
            pinned: account_id,
            served,
        }));
    }
    let listed = core.devices.read()?.pinned(&core.tenant, &locator);
    if served.is_none() || listed != Some(account_id) {
        return Err(PairError::NotListed);
    }
    Ok(())
}
