use super::{CommitError, Derived};
use crate::record::{Custody, FactorEntry, Payload, VerifiedRecord};

/// Checks a first record.
///
/// # Errors
/// [`CommitError::NotFirst`], [`CommitError::NoSpareFactor`].
pub fn check_create(new: &VerifiedRecord) -> Result<(), CommitError> {
    if new.revision != 1 || new.epoch != 1 || new.restore {
        return Err(CommitError::NotFirst);
    }
    check_spare(new)
}

/// Checks that `new` may replace `current` and derives what the commit does.
///
/// The levels that its actions need, the envelopes and the nonce are for the caller to check.
///
/// # Errors
/// One [`CommitError`] per broken rule.
pub fn check_commit(
    current: &VerifiedRecord,
    new: &VerifiedRecord,
) -> Result<Derived, CommitError> {
    if new.account_auth_key != current.account_auth_key {
        return Err(CommitError::WrongAccountKey);
    }
    check_revision(current, new)?;
    if current.custody != Custody::OneClick && new.custody == Custody::OneClick {
        return Err(CommitError::CustodyReversed);
    }
    let derived = Derived::between(current, new);
    check_epoch(current, new, &derived)?;
    check_entries(current, new)?;
    // What a restore brings back was chosen, or accepted, before the server lost it.
    let upgrade = current.custody == Custody::OneClick && new.custody != Custody::OneClick;
    if !new.restore && (upgrade || current.threshold != new.threshold) {
        check_spare(new)?;
    }
    Ok(derived)
}

fn check_revision(current: &VerifiedRecord, new: &VerifiedRecord) -> Result<(), CommitError> {
    if new.restore {
        // It follows the newest record that some device kept, which this server has lost.
        return if new.revision > current.revision {
            Ok(())
        } else {
            Err(CommitError::WrongRevision)
        };
    }
    if current.revision.checked_add(1) != Some(new.revision) {
        return Err(CommitError::WrongRevision);
    }
    if new.previous != Some(current.hash()) {
        return Err(CommitError::WrongPrevious);
    }
    Ok(())
}

fn check_epoch(current: &Payload, new: &Payload, derived: &Derived) -> Result<(), CommitError> {
    let must_grow = new.restore
        || !derived.removed.is_empty()
        || current.threshold != new.threshold
        || current.custody != new.custody;
    let grows = new.epoch > current.epoch;
    let step = new.restore
        || new.epoch == current.epoch
        || current.epoch.checked_add(1) == Some(new.epoch);
    if step && (grows || (!must_grow && new.epoch == current.epoch)) {
        Ok(())
    } else {
        Err(CommitError::WrongEpoch)
    }
}

fn check_entries(current: &Payload, new: &Payload) -> Result<(), CommitError> {
    let highest = current
        .factors
        .iter()
        .map(|entry| entry.index)
        .max()
        .unwrap_or(0);
    for entry in &new.factors {
        let index = entry.index;
        match current.factor_at(&entry.locator) {
            // A restore brings back factors that the server had lost, under the indices they had.
            None if new.restore || index > highest => {}
            None => return Err(CommitError::ReusedIndex { index }),
            Some(carried) => check_carried(carried, entry, current.epoch, new)?,
        }
    }
    Ok(())
}

fn check_carried(
    before: &FactorEntry,
    after: &FactorEntry,
    epoch: u32,
    new: &Payload,
) -> Result<(), CommitError> {
    let index = before.index;
    // In the history that a server lost, a factor may have been removed and enrolled again under another index.
    let moved = before.index != after.index && !new.restore;
    if moved || before.enrolment() != after.enrolment() {
        return Err(CommitError::ChangedEntry { index });
    }
    if (before.envelope_hash != after.envelope_hash) != (new.epoch != epoch) {
        return Err(CommitError::EnvelopeHash { index });
    }
    Ok(())
}

fn check_spare(new: &Payload) -> Result<(), CommitError> {
    let spare = new.custody == Custody::OneClick || new.factors.len() > usize::from(new.threshold);
    if spare {
        Ok(())
    } else {
        Err(CommitError::NoSpareFactor)
    }
}
