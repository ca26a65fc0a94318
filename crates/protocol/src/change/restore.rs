use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::blueprint::{Blueprint, NoncePlan, Seat, Shares};
use super::slots::restored;
use super::update::secret_for;
use super::{ChangeError, Prepared};
use crate::commit::check_commit;
use crate::opening::{HeldFactor, OpenAccount, Opening};
use crate::record::Custody;
use crate::vault::Vault;

/// Prepares the commit that brings back what a server lost: `served` was opened from the server's older record with `t`
/// factors and gives only the wallet key; `newer`, an opening of the device's own newer record by one of its factors,
/// gives everything else.
///
/// # Errors
/// [`ChangeError::NothingToRestore`] where `newer` is not a newer record of this account; self-check errors.
pub fn restore(
    served: &OpenAccount,
    newer: &Opening,
    rng: &mut impl CryptoRng,
) -> Result<Prepared, ChangeError> {
    let (old, new) = (&served.record, newer.record());
    // At the same revision with another hash two devices restored, or the server forked: this device's record may go on.
    let nothing = new.revision < old.revision || new.hash() == old.hash();
    if new.account_auth_key != old.account_auth_key || nothing {
        return Err(ChangeError::NothingToRestore);
    }
    let (secret, nonce) = match (new.custody, &served.nonce, old.nonce_hash) {
        (Custody::OneClick, Some(nonce), Some(hash)) if old.custody == Custody::OneClick => {
            (served.secret.clone(), NoncePlan::Keep(nonce.clone(), hash))
        }
        (custody, ..) => secret_for(&served.key, custody, rng)?,
    };
    let seats: Vec<Seat> = new
        .factors
        .iter()
        .zip(&newer.state().factors)
        .map(|(entry, note)| Seat {
            enrolment: entry.enrolment(),
            note: note.clone(),
            carried: None,
        })
        .collect();
    let mut held: Vec<HeldFactor> = served
        .held
        .iter()
        .filter_map(|held| {
            let index = new.factor_at(&held.keys.locator())?.index;
            let keys = held.keys.clone();
            Some(HeldFactor { index, keys })
        })
        .collect();
    for own in newer.held() {
        if held.iter().all(|held| held.index != own.index) {
            held.push(own.clone());
        }
    }
    let blueprint = Blueprint {
        tenant: new.tenant.clone(),
        revision: new.revision.saturating_add(1),
        previous: Some(new.hash()),
        epoch: new.epoch.max(old.epoch).saturating_add(1),
        restore: true,
        custody: new.custody,
        threshold: new.threshold,
        policy: new.policy.clone(),
        mfa: newer.state().mfa,
        next_index: newer.state().next_index,
        seats,
        slots: restored(newer.state(), &served.keys, new.revision.saturating_add(1)),
        shares: Shares::NewEpoch,
        secret,
        nonce,
        vault: (
            Vault::open(&new.vault, &served.keys).map_err(crate::opening::OpeningError::from)?,
            Some(new.vault.clone()),
        ),
        held,
        key: served.key.clone(),
    };
    let prepared = blueprint.build(rng)?;
    check_commit(old, prepared.record())?;
    Ok(prepared)
}
