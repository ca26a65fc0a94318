//! A change being drafted: nothing is stored before [`Draft::commit`], and every recovery factor is proven first.

use trefoil_client::metadata;
use trefoil_factors::device::{
    DeviceSecret, DeviceStoreError, DeviceStoreExt, PinConflict, UpdateError,
};
use trefoil_factors::{DappShare, DrillError, RecoveryPhrase, WordCount};
use trefoil_protocol::bytes::Envelope;
use trefoil_protocol::change::{Change, ChangeError, NewFactor, Prepared};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::record::{Custody, RecordError};
use trefoil_protocol::vault::Vault;
use zeroize::Zeroizing;

use crate::account::Account;
use crate::login::SocialLogin;

/// A change of one account. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "a draft changes nothing before it is committed"]
pub struct Draft<'a> {
    account: &'a mut Account,
    change: Change,
    device: Option<Device>,
    phrase: Option<Drill<RecoveryPhrase>>,
    dapp_share: Option<Drill<DappShare>>,
    prepared: Option<Box<Prepared>>,
}

#[derive(Debug)]
struct Device {
    label: String,
    secret: FactorSecret,
}

/// A new recovery factor and whether the user has shown that it was kept.
#[derive(Debug)]
struct Drill<T> {
    label: String,
    factor: T,
    proven: bool,
}

/// Why a draft cannot take a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// One of a kind per draft.
    #[error("this draft already has a new {0}; commit it first")]
    OneOfAKind(FactorKind),
    /// There is nothing of this kind to prove.
    #[error("this draft has no new {0}")]
    NothingToProve(FactorKind),
    /// What the user gave back is not the drafted one.
    #[error(transparent)]
    Drill(#[from] DrillError),
    /// A dApp share needs a custom verifier's login in an account whose MFA is on.
    #[error("a dApp share is only for accounts of a custom verifier whose MFA is on already")]
    DappShareNotAllowed,
    /// The account already has a factor of this device.
    #[error("this device is a factor of the account already")]
    DeviceEnrolled,
    /// The device store failed.
    #[error("the device store cannot be read; see its own error")]
    DeviceStore,
    /// Changes were made after the commit was prepared and may have been sent.
    #[error("this draft was sent already; repeat its commit or start another draft")]
    Sent,
}

/// Why a change is not known to be committed. Every factor that worked before still works.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A recovery factor was not proven yet.
    #[error("prove the new {0} first: the user gives it back from where it was kept")]
    NotProven(FactorKind),
    /// The change is not allowed, or needs a risk to be accepted.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The server did not take it, or its answer was lost: the same draft can be committed again.
    #[error(transparent)]
    Metadata(#[from] metadata::CommitError),
    /// The session had ended and could not be renewed; the same draft can be committed again.
    #[error(transparent)]
    Session(#[from] metadata::LoginError),
    /// The commit was acknowledged, but reading it again failed; opening the account again shows it.
    #[error("the change was acknowledged but could not be read again: {0}")]
    Reread(#[from] metadata::ReadError),
    /// The server acknowledged the commit and then showed something else.
    #[error("the metadata server acknowledged the change but shows another record")]
    NotKept,
    /// What it showed is no record.
    #[error("the metadata server acknowledged the change but shows no record: {0}")]
    Record(#[from] RecordError),
    /// The device store failed; nothing was sent before the device's own secret was stored.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
    /// The device store does not give back what was stored.
    #[error("the device store does not give back the secret it was given; another store is needed")]
    DeviceDrill,
    /// This device knows one of the factors as another account's.
    #[error(transparent)]
    Pin(PinConflict),
}

impl From<UpdateError<PinConflict>> for CommitError {
    fn from(error: UpdateError<PinConflict>) -> Self {
        match error {
            UpdateError::Refused(conflict) => Self::Pin(conflict),
            UpdateError::Store(error) => error.into(),
        }
    }
}

impl<'a> Draft<'a> {
    pub(crate) fn new(account: &'a mut Account) -> Self {
        let change = Change::default();
        Self {
            account,
            change,
            device: None,
            phrase: None,
            dapp_share: None,
            prepared: None,
        }
    }

    pub(crate) fn upgrade(account: &'a mut Account) -> Self {
        let mut draft = Self::new(account);
        if !draft.account.mfa_is_on() {
            draft.change.custody = Some(Custody::SelfCustody);
        }
        draft
    }

    /// Adds this device as a factor.
    ///
    /// # Errors
    /// [`DraftError::DeviceEnrolled`], [`DraftError::OneOfAKind`].
    pub fn device(&mut self, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.device.is_some() {
            return Err(DraftError::OneOfAKind(FactorKind::Device));
        }
        let core = self.account.core();
        let state = core.devices.read().map_err(|_| DraftError::DeviceStore)?;
        let record = self.account.open().record();
        let enrolled = core
            .device_keys(&state, &record.account_id)
            .into_iter()
            .any(|keys| {
                let entry = record.factor_at(&keys.locator());
                entry.is_some_and(|entry| !self.change.remove.contains(&entry.index))
            });
        if enrolled {
            return Err(DraftError::DeviceEnrolled);
        }
        // A failed attempt on top of the same revision has left one that no commit can have enrolled elsewhere.
        let left = state.secrets(&core.tenant).filter(|kept| {
            kept.account_id() == record.account_id && kept.pending_since() == Some(record.revision)
        });
        let secret = match left.last() {
            Some(left) => left.factor_secret().clone(),
            None => FactorSecret::random(&mut core.environment.rng()),
        };
        self.device = Some(Device {
            label: label.into(),
            secret,
        });
        Ok(self)
    }

    /// Adds a recovery phrase of 24 words.
    ///
    /// # Errors
    /// [`DraftError::OneOfAKind`].
    pub fn recovery_phrase(&mut self, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        self.recovery_phrase_of(label, WordCount::TwentyFour)
    }

    /// Adds a recovery phrase of 12 or 24 words.
    ///
    /// # Errors
    /// [`DraftError::OneOfAKind`].
    pub fn recovery_phrase_of(
        &mut self,
        label: impl Into<String>,
        words: WordCount,
    ) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.phrase.is_some() {
            return Err(DraftError::OneOfAKind(FactorKind::RecoveryPhrase));
        }
        let factor = RecoveryPhrase::generate(&mut self.account.core().environment.rng(), words);
        self.phrase = Some(Drill {
            label: label.into(),
            factor,
            proven: false,
        });
        Ok(self)
    }

    /// Adds a dApp share of 24 words, which the app keeps.
    ///
    /// # Errors
    /// [`DraftError::DappShareNotAllowed`] unless MFA is on and one of the account's logins is of a custom verifier.
    pub fn dapp_share(&mut self, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        if self.dapp_share.is_some() {
            return Err(DraftError::OneOfAKind(FactorKind::DappShare));
        }
        let custom = &self.account.core().custom_verifiers;
        let verifiers = self
            .account
            .factors()
            .iter()
            .filter(|note| note.kind == FactorKind::Social);
        let mut verifiers = verifiers.filter_map(|note| note.hints.get("verifier"));
        let allowed =
            verifiers.any(|verifier| custom.iter().any(|custom| custom.as_str() == verifier));
        if !allowed || !self.account.mfa_is_on() {
            return Err(DraftError::DappShareNotAllowed);
        }
        let factor = DappShare::generate(&mut self.account.core().environment.rng());
        self.dapp_share = Some(Drill {
            label: label.into(),
            factor,
            proven: false,
        });
        Ok(self)
    }

    /// Adds another social login, proven by the login itself.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn social(
        &mut self,
        label: impl Into<String>,
        login: SocialLogin,
    ) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        let keys = FactorKeys::derive(&self.account.core().tenant, &login.secret);
        let mut factor = NewFactor::present(FactorKind::Social, label, keys);
        factor.hints = login.identity.hints();
        self.change.add.push(factor);
        Ok(self)
    }

    /// The new recovery phrase, for the user to keep.
    #[must_use]
    pub fn recovery_phrase_words(&self) -> Option<Zeroizing<String>> {
        self.phrase
            .as_ref()
            .map(|drill| drill.factor.expose_words())
    }

    /// The new dApp share, for the app to keep.
    #[must_use]
    pub fn dapp_share_words(&self) -> Option<Zeroizing<String>> {
        self.dapp_share
            .as_ref()
            .map(|drill| drill.factor.expose_words())
    }

    /// The user typed the new phrase back from where it was kept.
    ///
    /// # Errors
    /// [`DraftError::Drill`] says what is wrong; try again.
    pub fn prove_recovery_phrase(&mut self, typed: &str) -> Result<&mut Self, DraftError> {
        let drill = self
            .phrase
            .as_mut()
            .ok_or(DraftError::NothingToProve(FactorKind::RecoveryPhrase))?;
        drill.factor.prove(typed)?;
        drill.proven = true;
        Ok(self)
    }

    /// The app read the new dApp share back from where it was kept.
    ///
    /// # Errors
    /// [`DraftError::Drill`] says what is wrong; try again.
    pub fn prove_dapp_share(&mut self, stored: &str) -> Result<&mut Self, DraftError> {
        let drill = self
            .dapp_share
            .as_mut()
            .ok_or(DraftError::NothingToProve(FactorKind::DappShare))?;
        drill.factor.prove(stored)?;
        drill.proven = true;
        Ok(self)
    }

    /// Removes a factor; all others get new shares, so that the removed one's is worth nothing.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn remove(&mut self, index: u32) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.remove.push(index))
    }

    /// Changes how many factors are needed.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn threshold(&mut self, threshold: u8) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.threshold = Some(threshold))
    }

    /// Gives every factor a new share of the same key.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn refresh(&mut self) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.refresh = true)
    }

    /// Renames a factor.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn label(&mut self, index: u32, label: impl Into<String>) -> Result<&mut Self, DraftError> {
        let label = label.into();
        self.edit(|change| {
            change.labels.insert(index, label);
        })
    }

    /// Notes that a factor has just been proven to work.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn proven(&mut self, index: u32) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.proven.push(index))
    }

    /// Replaces the vault; start from a clone of [`Account::vault`].
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn vault(&mut self, vault: Vault) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.vault = Some(vault))
    }

    /// The user accepts that no factor will be spare: losing any one would lose the key.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn accept_no_spare_factor(&mut self) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.accepted.no_spare_factor = true)
    }

    /// The user accepts that only one factor will be left from which an opening can start.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn accept_one_primary_factor(&mut self) -> Result<&mut Self, DraftError> {
        self.edit(|change| change.accepted.one_primary_factor = true)
    }

    /// Commits. May be called again after an error that leaves open whether the server took it: the same bytes are sent.
    ///
    /// # Errors
    /// [`CommitError`]; every factor that worked before still works.
    pub async fn commit(&mut self) -> Result<(), CommitError> {
        self.check_proven()?;
        if self.prepared.is_none() {
            let prepared = self.account.open().prepare(
                &self.whole_change(),
                self.account.core().now(),
                &mut self.account.core().environment.rng(),
            )?;
            // Stored before anything is sent: the commit may land although the answer is lost.
            self.store_pending_device()?;
            self.prepared = Some(Box::new(prepared));
        }
        match self.send().await {
            // Writing down 24 words may take longer than a session lasts.
            Err(CommitError::Metadata(metadata::CommitError::SessionEnded)) => {
                self.account.renew_session().await?;
                self.send().await?;
            }
            sent => sent?,
        }
        if let Some(prepared) = self.prepared.take() {
            self.account.advance(prepared.account);
        }
        Ok(())
    }

    async fn send(&self) -> Result<(), CommitError> {
        let Some(prepared) = &self.prepared else {
            return Err(ChangeError::Nothing.into());
        };
        let core = self.account.core();
        let (session, record) = (self.account.session(), prepared.record());
        let replaces = self.account.revision();
        core.metadata
            .commit(session, replaces, record, &prepared.commit_request())
            .await?;
        let own = self.own_envelope(prepared)?;
        let held: Vec<FactorKeys> = prepared
            .account
            .held()
            .iter()
            .map(|held| held.keys.clone())
            .collect();
        core.remember(record, &held, own.as_ref())?;
        let shown = core
            .metadata
            .read(session)
            .await?
            .record
            .verify(&core.tenant)?;
        // Another device may have committed on top of ours in between; anything else is a lie.
        let ours = shown.hash() == record.hash();
        let ours_or_later =
            ours || (shown.account_id == record.account_id && shown.revision > record.revision);
        if ours_or_later {
            Ok(())
        } else {
            Err(CommitError::NotKept)
        }
    }

    /// The new envelope of this device's own factor, or the kept one where the epoch stayed.
    fn own_envelope(&self, prepared: &Prepared) -> Result<Option<Envelope>, CommitError> {
        let (core, record) = (self.account.core(), prepared.record());
        let state = core.devices.read()?;
        let keys = core.device_keys(&state, &record.account_id);
        let Some(entry) = keys
            .iter()
            .find_map(|keys| record.factor_at(&keys.locator()))
        else {
            return Ok(None);
        };
        let made = prepared
            .envelopes
            .iter()
            .find(|made| made.index == entry.index);
        let kept = || {
            state
                .account(&record.account_id)
                .and_then(|known| known.own_envelope().cloned())
        };
        let own = made.map(|made| made.envelope.clone()).or_else(kept);
        Ok(own.filter(|envelope| envelope.hash() == entry.envelope_hash))
    }

    fn store_pending_device(&self) -> Result<(), CommitError> {
        let Some(device) = &self.device else {
            return Ok(());
        };
        let core = self.account.core();
        let pending = DeviceSecret::pending(
            core.tenant.clone(),
            self.account.id(),
            device.secret.clone(),
            core.now(),
            self.account.revision(),
        );
        let locator = pending.locator();
        core.devices.update(|state| state.insert_secret(pending))?;
        let state = core.devices.read()?;
        let stored = state
            .secret(&locator)
            .is_some_and(|kept| *kept.factor_secret() == device.secret);
        if stored {
            Ok(())
        } else {
            Err(CommitError::DeviceDrill)
        }
    }

    fn check_proven(&self) -> Result<(), CommitError> {
        if self.phrase.as_ref().is_some_and(|drill| !drill.proven) {
            return Err(CommitError::NotProven(FactorKind::RecoveryPhrase));
        }
        if self.dapp_share.as_ref().is_some_and(|drill| !drill.proven) {
            return Err(CommitError::NotProven(FactorKind::DappShare));
        }
        Ok(())
    }

    fn whole_change(&self) -> Change {
        let tenant = &self.account.core().tenant;
        let new = |kind, label: &str, secret: &FactorSecret| {
            NewFactor::present(kind, label, FactorKeys::derive(tenant, secret))
        };
        let mut change = self.change.clone();
        if let Some(device) = &self.device {
            change
                .add
                .push(new(FactorKind::Device, &device.label, &device.secret));
        }
        if let Some(drill) = &self.phrase {
            change.add.push(new(
                FactorKind::RecoveryPhrase,
                &drill.label,
                &drill.factor.factor_secret(),
            ));
        }
        if let Some(drill) = &self.dapp_share {
            change.add.push(new(
                FactorKind::DappShare,
                &drill.label,
                &drill.factor.factor_secret(),
            ));
        }
        change
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Change)) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        edit(&mut self.change);
        Ok(self)
    }

    fn unsent(&self) -> Result<(), DraftError> {
        if self.prepared.is_none() {
            Ok(())
        } else {
            Err(DraftError::Sent)
        }
    }
}
