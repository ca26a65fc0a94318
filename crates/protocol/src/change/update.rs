use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use trefoil_shares::{Nonce, SharedSecret};

use super::blueprint::{Blueprint, NoncePlan, Seat, Shares};
use super::request::Source;
use super::{Change, ChangeError, NewFactor, Prepared};
use crate::commit::check_commit;
use crate::opening::{HeldFactor, OpenAccount};
use crate::record::{Custody, MAX_FACTORS};
use crate::state::{FactorNote, MAX_LABEL};

impl OpenAccount {
    /// Prepares the next record. Nothing changes until the server has acknowledged it.
    ///
    /// # Errors
    /// [`ChangeError`] for a change that is not allowed, needs an accepted risk, or fails its self-check.
    pub fn prepare(
        &self,
        change: &Change,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Prepared, ChangeError> {
        let plan = Plan::of(self, change)?;
        let mut held: Vec<HeldFactor> = self
            .held
            .iter()
            .filter(|held| !change.remove.contains(&held.index))
            .cloned()
            .collect();
        let mut seats = self.kept_seats(change, plan.new_epoch, now);
        let mut next_index = self.state.next_index;
        for factor in &change.add {
            let seat = self.new_seat(factor, next_index, now)?;
            let locator = seat.enrolment.locator;
            if seats.iter().any(|seat| seat.enrolment.locator == locator) {
                return Err(ChangeError::AlreadyEnrolled);
            }
            seats.push(seat);
            if let Source::Present(keys) = &factor.source {
                held.push(HeldFactor {
                    index: next_index,
                    keys: (**keys).clone(),
                });
            }
            next_index = next_index
                .checked_add(1)
                .ok_or(ChangeError::IndicesExhausted)?;
        }
        check_labels(&seats)?;
        let slots = self.next_slots(change, now)?;
        let (secret, nonce) = self.secret_and_nonce(plan.custody, rng)?;
        let mut mfa = self.state.mfa;
        if self.record.custody == Custody::OneClick && plan.custody != Custody::OneClick {
            mfa.since = Some(now);
        }
        mfa.reminder_days = change.reminder_days.or(mfa.reminder_days);
        let blueprint = Blueprint {
            tenant: self.record.tenant.clone(),
            revision: self.record.revision.saturating_add(1),
            previous: Some(self.record.hash()),
            epoch: self.record.epoch.saturating_add(u32::from(plan.new_epoch)),
            restore: false,
            custody: plan.custody,
            threshold: plan.threshold,
            policy: change
                .policy
                .clone()
                .unwrap_or_else(|| self.record.policy.clone()),
            mfa,
            next_index,
            seats,
            slots,
            shares: if plan.new_epoch {
                Shares::NewEpoch
            } else {
                self.same_epoch()
            },
            secret,
            nonce,
            vault: match &change.vault {
                Some(vault) => (vault.clone(), None),
                None => (self.vault.clone(), Some(self.vault_bytes())),
            },
            held,
            key: self.key.clone(),
        };
        let prepared = blueprint.build(rng)?;
        check_commit(&self.record, prepared.record())?;
        Ok(prepared)
    }

    /// Whether the change is allowed, apart from slots: those of secondary factors are enrolled only for a change that is.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn check(&self, change: &Change) -> Result<(), ChangeError> {
        Plan::of(self, change).map(|_| ())
    }

    fn same_epoch(&self) -> Shares {
        Shares::SameEpoch {
            state_key: self.state_key.clone(),
            commitments: self.state.commitments.clone(),
            shares: self.shares.clone(),
        }
    }

    fn kept_seats(&self, change: &Change, new_epoch: bool, now: u64) -> Vec<Seat> {
        let kept = self
            .record
            .factors
            .iter()
            .filter(|entry| !change.remove.contains(&entry.index));
        kept.zip_notes(&self.state.factors)
            .map(|(entry, mut note)| {
                if let Some(label) = change.labels.get(&entry.index) {
                    note.label.clone_from(label);
                }
                if change.proven.contains(&entry.index) {
                    note.proven = now;
                }
                let carried = (!new_epoch).then_some(entry.envelope_hash);
                Seat {
                    enrolment: entry.enrolment(),
                    note,
                    carried,
                }
            })
            .collect()
    }

    fn new_seat(&self, factor: &NewFactor, index: u32, now: u64) -> Result<Seat, ChangeError> {
        let (id, auth) = (self.keys.id(), self.keys.auth_key());
        let enrolment = match &factor.source {
            Source::Present(keys) => keys.enrol(&id, &auth),
            Source::Absent(enrolment) => (**enrolment).clone(),
        };
        if self.record.factor_at(&enrolment.locator).is_some() {
            return Err(ChangeError::AlreadyEnrolled);
        }
        enrolment
            .verify(&id, &auth)
            .map_err(|_| ChangeError::BadFactorKey(index))?;
        let (kind, label, hints) = (factor.kind, factor.label.clone(), factor.hints.clone());
        Ok(Seat {
            enrolment,
            note: FactorNote {
                index,
                kind,
                label,
                hints,
                created: now,
                proven: now,
            },
            carried: None,
        })
    }

    fn secret_and_nonce(
        &self,
        custody: Custody,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret, NoncePlan), ChangeError> {
        if custody == self.record.custody {
            let nonce = match (&self.nonce, self.record.nonce_hash) {
                (Some(nonce), Some(hash)) => NoncePlan::Keep(nonce.clone(), hash),
                _ => NoncePlan::None,
            };
            return Ok((self.secret.clone(), nonce));
        }
        secret_for(&self.key, custody, rng)
    }
}

/// The secret to share, and the nonce where there is to be one, when an account enters a custody.
pub(super) fn secret_for(
    key: &trefoil_shares::KeyScalar,
    custody: Custody,
    rng: &mut impl CryptoRng,
) -> Result<(SharedSecret, NoncePlan), ChangeError> {
    match custody {
        Custody::OneClick => Err(ChangeError::CustodyReversed),
        Custody::SelfCustody => Ok((key.clone().into(), NoncePlan::None)),
        Custody::Guarded => {
            let nonce = Nonce::random(rng);
            let secret = key
                .secret_for(&nonce)
                .map_err(|_| ChangeError::DegenerateKey)?;
            Ok((secret, NoncePlan::Seal(nonce)))
        }
    }
}

fn check_labels(seats: &[Seat]) -> Result<(), ChangeError> {
    let fits = seats.iter().all(|seat| seat.note.label.len() <= MAX_LABEL);
    if fits {
        Ok(())
    } else {
        Err(ChangeError::LabelTooLong)
    }
}

/// Entries and notes stand in the same order of indices; the opening checked that.
trait ZipNotes<'a>: Iterator<Item = &'a crate::record::FactorEntry> + Sized {
    fn zip_notes(self, notes: &'a [FactorNote]) -> impl Iterator<Item = (Self::Item, FactorNote)> {
        self.filter_map(move |entry| {
            let note = notes.iter().find(|note| note.index == entry.index)?;
            Some((entry, note.clone()))
        })
    }
}

impl<'a, I: Iterator<Item = &'a crate::record::FactorEntry>> ZipNotes<'a> for I {}

/// What the change amounts to, once it is known to be allowed.
struct Plan {
    custody: Custody,
    threshold: u8,
    new_epoch: bool,
}

impl Plan {
    fn of(account: &OpenAccount, change: &Change) -> Result<Self, ChangeError> {
        let record = &account.record;
        let custody = change.custody.unwrap_or(record.custody);
        let was_one_click = record.custody == Custody::OneClick;
        if custody == Custody::OneClick {
            if !was_one_click {
                return Err(ChangeError::CustodyReversed);
            }
            if !change.add.is_empty()
                || !change.remove.is_empty()
                || change.threshold.is_some()
                || change.refresh
            {
                return Err(ChangeError::UpgradeFirst);
            }
        }
        let default = if was_one_click && custody != Custody::OneClick {
            2
        } else {
            record.threshold
        };
        let threshold = change.threshold.unwrap_or(default);
        let resplit = custody != record.custody || threshold != record.threshold;
        // What the user chooses anew must be safe; what was accepted before (section 4) does not bar guarded or self.
        let chosen = (was_one_click && resplit) || threshold != record.threshold;
        let plan = Self {
            custody,
            threshold,
            new_epoch: resplit || !change.remove.is_empty() || change.refresh,
        };
        plan.check_something(account, change)?;
        if custody != Custody::OneClick {
            plan.check_factors(account, change, chosen)?;
        }
        Ok(plan)
    }

    fn check_something(&self, account: &OpenAccount, change: &Change) -> Result<(), ChangeError> {
        let known = |index: &&u32| account.record.factor(**index).is_none();
        let named = change
            .remove
            .iter()
            .chain(change.labels.keys())
            .chain(&change.proven);
        if let Some(unknown) = { named }.find(known) {
            return Err(ChangeError::UnknownFactor(*unknown));
        }
        let changes = self.new_epoch
            || !change.add.is_empty()
            || change.policy.is_some()
            || change.vault.is_some()
            || !change.labels.is_empty()
            || !change.proven.is_empty()
            || !change.renew_slots.is_empty()
            || change.reminder_days.is_some();
        if changes {
            Ok(())
        } else {
            Err(ChangeError::Nothing)
        }
    }

    fn check_factors(
        &self,
        account: &OpenAccount,
        change: &Change,
        chosen: bool,
    ) -> Result<(), ChangeError> {
        let removed: BTreeSet<u32> = change.remove.iter().copied().collect();
        let kept = account
            .state
            .factors
            .iter()
            .filter(|note| !removed.contains(&note.index));
        let kinds: Vec<_> = kept
            .map(|note| note.kind)
            .chain(change.add.iter().map(|factor| factor.kind))
            .collect();
        let primary = kinds.iter().filter(|kind| kind.is_primary()).count();
        let (t, m) = (usize::from(self.threshold), kinds.len());
        if m > MAX_FACTORS {
            return Err(ChangeError::TooManyFactors);
        }
        if t < 2 || t > m {
            return Err(ChangeError::Threshold { factors: m });
        }
        if m == t && (chosen || (!removed.is_empty() && !change.accepted.no_spare_factor)) {
            return Err(ChangeError::NoSpareFactor);
        }
        match primary {
            0 => Err(ChangeError::NoPrimaryFactor),
            1 if chosen || (!removed.is_empty() && !change.accepted.one_primary_factor) => {
                Err(ChangeError::OnePrimaryFactor)
            }
            _ => Ok(()),
        }
    }
}
