//! What would follow from the account's factors after a draft, and what the user must accept of it.

use trefoil_protocol::record::Custody;

use super::{CommitError, Draft, DraftError};
use crate::custody::{self, Consequence, Group, Traits};

impl Draft<'_> {
    /// What would follow from the account's factors after this draft, as [`crate::Account::consequences`] tells it of those
    /// that are. Ask before the commit.
    #[must_use]
    pub fn consequences(&self) -> Vec<Consequence> {
        custody::consequences(&self.traits_after())
    }

    /// The user accepts that whoever takes one identity, of several social logins, opens the wallet alone.
    ///
    /// # Errors
    /// [`DraftError::Sent`].
    pub fn accept_one_identity(&mut self) -> Result<&mut Self, DraftError> {
        self.unsent()?;
        self.one_identity = true;
        Ok(self)
    }

    /// What was so before needs no word: it was accepted then.
    pub(super) fn check_identities(&self) -> Result<(), CommitError> {
        let threshold = self.threshold_after();
        let (Some(threshold), false) = (threshold, self.one_identity) else {
            return Ok(());
        };
        let before = self.account.mfa_is_on().then(|| self.account.threshold());
        let before: Vec<(u8, Group)> = before
            .into_iter()
            .flat_map(|before| {
                let groups = custody::reaching(&self.account.traits(), before);
                groups.into_iter().map(move |group| (before, group))
            })
            .collect();
        let was_so = |group: &Group| {
            let factors = group.factors(threshold);
            before.iter().any(|(threshold_before, before)| {
                (before.is_certain(*threshold_before) || !group.is_certain(threshold))
                    && before
                        .factors(*threshold_before)
                        .iter()
                        .all(|index| factors.contains(index))
            })
        };
        let groups = custody::reaching(&self.traits_after(), threshold);
        match groups.iter().find(|group| !was_so(group)) {
            None => Ok(()),
            Some(group) => Err(CommitError::OneIdentity {
                factors: group.factors(threshold).to_vec(),
                threshold,
                certain: group.is_certain(threshold),
            }),
        }
    }

    /// Factors needed after the draft; none for an account that stays one-click, which has one factor.
    fn threshold_after(&self) -> Option<u8> {
        let record = self.account.open().record();
        let default = match (
            record.custody,
            self.change.custody.unwrap_or(record.custody),
        ) {
            (_, Custody::OneClick) => return None,
            (Custody::OneClick, _) => 2,
            _ => record.threshold,
        };
        Some(self.change.threshold.unwrap_or(default))
    }

    fn traits_after(&self) -> Vec<Traits> {
        let change = self.change_without_slots();
        let after = self.account.open().factors_after(&change);
        let mut traits = self.account.traits();
        traits.retain(|traits| after.contains(&traits.index));
        let new = after.iter().skip(traits.len()).zip(&change.add);
        traits.extend(new.map(|(index, new)| Traits::new(*index, new.kind, &new.hints)));
        traits
    }
}
