//! Shares that travel without their factor: a trusted contact opens its own and lends it.

use trefoil_shares::Commitments;

use super::{Opening, OpeningError};
use crate::pairing::LentShare;
use crate::record::Custody;

impl Opening {
    /// What the only factor at hand can lend for one opening: its share and the epoch's state key, never its secret.
    ///
    /// # Errors
    /// [`OpeningError::NoSharesHere`] in one-click.
    pub fn lend(&self) -> Result<LentShare, OpeningError> {
        let held = self.held.first().ok_or(OpeningError::NotEnrolled)?;
        let share = self
            .shares
            .iter()
            .find(|share| share.index().get() == held.index)
            .ok_or(OpeningError::NoSharesHere)?;
        Ok(LentShare {
            account_id: self.record.account_id,
            revision: self.record.revision,
            epoch: self.record.epoch,
            share: share.clone(),
            state_key: self.state_key.clone(),
        })
    }

    /// Accepts a share that was lent, checked against the commitments by itself, so that a wrong one is known as its
    /// lender's.
    ///
    /// # Errors
    /// [`OpeningError::ForeignShare`], [`OpeningError::StaleShare`], [`OpeningError::NotEnrolled`] for an index that the
    /// record does not list, [`OpeningError::AlreadyGiven`], [`OpeningError::Shares`] for a wrong one,
    /// [`OpeningError::NoSharesHere`]; what was accepted before stays.
    pub fn add_share(&mut self, lent: &LentShare) -> Result<(), OpeningError> {
        if lent.account_id != self.record.account_id {
            return Err(OpeningError::ForeignShare);
        }
        if self.record.custody == Custody::OneClick {
            return Err(OpeningError::NoSharesHere);
        }
        if lent.epoch != self.record.epoch {
            return Err(OpeningError::StaleShare {
                lent: lent.epoch,
                current: self.record.epoch,
            });
        }
        let index = lent.index();
        if self.record.factor(index).is_none() {
            return Err(OpeningError::NotEnrolled);
        }
        let given = self.held.iter().any(|held| held.index == index) || self.lent.contains(&index);
        if given {
            return Err(OpeningError::AlreadyGiven);
        }
        let commitments = Commitments::from_points(self.state.commitments.clone())
            .map_err(|_| OpeningError::Inconsistent)?;
        let share = commitments.verify(lent.share.clone())?.into_share();
        // One epoch has one state key: another with a right share is no lender's slip.
        if lent.state_key != self.state_key {
            return Err(OpeningError::Inconsistent);
        }
        self.shares.push(share);
        self.lent.push(index);
        Ok(())
    }

    /// Indices of the shares that were lent.
    #[must_use]
    pub fn lent(&self) -> &[u32] {
        &self.lent
    }
}
