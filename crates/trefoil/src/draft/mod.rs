//! A change being drafted: nothing is stored before [`Draft::commit`], and every recovery factor is proven first.

mod commit;
mod device;
mod edit;
mod email;
mod error;
mod identity;
mod passkey;
mod secondary;
mod social;
mod words;

use trefoil_factors::{DappShare, RecoveryPhrase};
use trefoil_protocol::change::{Change, NewFactor, Prepared};
use trefoil_protocol::factor::{Enrolment, FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::record::Custody;

use crate::account::Account;

use device::Device;
use email::Mailed;
use secondary::Secondary;
use words::Drill;

pub use error::{CommitError, DraftError};

/// A change of one account. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "a draft changes nothing before it is committed"]
pub struct Draft<'a> {
    account: &'a mut Account,
    change: Change,
    device: Option<Device>,
    phrase: Option<Drill<RecoveryPhrase>>,
    dapp_share: Option<Drill<DappShare>>,
    email: Option<Mailed>,
    secondary: Vec<Secondary>,
    /// Whether the user accepted that one identity opens the account.
    one_identity: bool,
    prepared: Option<Box<Prepared>>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(account: &'a mut Account) -> Self {
        Self {
            account,
            change: Change::default(),
            device: None,
            phrase: None,
            dapp_share: None,
            email: None,
            secondary: Vec::new(),
            one_identity: false,
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

    /// Adds a factor that another party made and of which it showed the public parts.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn enrolled_elsewhere(
        &mut self,
        kind: FactorKind,
        label: impl Into<String>,
        enrolment: Enrolment,
    ) -> Result<&mut Self, DraftError> {
        let factor = NewFactor::absent(kind, label, enrolment);
        self.edit(|change| change.add.push(factor))
    }

    fn check_proven(&self) -> Result<(), CommitError> {
        if self.phrase.as_ref().is_some_and(|drill| !drill.proven) {
            return Err(CommitError::NotProven(FactorKind::RecoveryPhrase));
        }
        if self.dapp_share.as_ref().is_some_and(|drill| !drill.proven) {
            return Err(CommitError::NotProven(FactorKind::DappShare));
        }
        if self
            .email
            .as_ref()
            .is_some_and(|mailed| !mailed.drill.proven)
        {
            return Err(CommitError::NotProven(FactorKind::EmailBackup));
        }
        Ok(())
    }

    /// Everything but the secondary factors, whose slots are enrolled first.
    fn primary_change(&self) -> Change {
        let tenant = &self.account.core().tenant;
        let new = |kind, label: &str, secret: &FactorSecret| {
            NewFactor::present(kind, label, FactorKeys::derive(tenant, secret))
        };
        let mut change = self.change.clone();
        change.acknowledged = self.account.ended_slots();
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
        if let Some(Mailed { drill, contact }) = &self.email {
            let secret = drill.factor.factor_secret();
            let factor = new(FactorKind::EmailBackup, &drill.label, &secret);
            change.add.push(factor.hint("address", contact.masked()));
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
