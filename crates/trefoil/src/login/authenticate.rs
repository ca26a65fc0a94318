//! From factors at hand to the account's verified record.

use std::collections::BTreeSet;
use std::sync::Arc;

use trefoil_client::Session;
use trefoil_client::metadata;
use trefoil_protocol::bytes::{AccountId, Envelope, Locator};
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::record::VerifiedRecord;
use trefoil_protocol::rollback::{Freshness, RollbackError, compare};
use trefoil_protocol::wire::{IndexedEnvelope, LoginResponse, MAX_STATEMENTS};

use super::LoginError;
use crate::core::Core;
use crate::open::{Found, Locked, Standing};

/// Logs in with these factors and, where the device knows their account, with the device's own.
///
/// `retired` are locators of the same user's earlier social logins: they too tell which account this device knows, but
/// are not logged in with.
pub(crate) async fn authenticate(
    core: &Arc<Core>,
    brought: Vec<FactorKeys>,
    retired: &[Locator],
) -> Result<Locked, LoginError> {
    let locators: Vec<Locator> = brought.iter().map(FactorKeys::locator).collect();
    let pinned = pinned_accounts(core, &locators)?;
    let by_retired = pinned_accounts(core, retired)?;
    let mut factors = brought;
    add_device_factors(core, &pinned, &mut factors)?;
    add_device_factors(core, &by_retired, &mut factors)?;
    let mut answer = log_in(core, &factors).await;
    if let Ok(response) = &answer {
        // A factor that this device sees for the first time, of an account that it knows.
        let before = factors.len();
        add_device_factors(core, &BTreeSet::from([response.account_id]), &mut factors)?;
        if factors.len() > before {
            answer = log_in(core, &factors).await;
        }
    }
    match answer {
        Ok(response) => found(core, &pinned, factors, response)
            .map(|found| Locked::found(Arc::clone(core), found)),
        Err(metadata::LoginError::NoAccount) => {
            match known_here(core, &pinned, &by_retired, retired)? {
                None => Ok(Locked::no_account(Arc::clone(core))),
                Some(known) => Err(RollbackError::Gone {
                    seen: seen_revision(core, &known)?,
                }
                .into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Logs in with this device's own factor alone.
pub(crate) async fn authenticate_device(
    core: &Arc<Core>,
    account: &AccountId,
) -> Result<Locked, LoginError> {
    let keys = core.device_keys(&core.devices.read()?, account);
    if keys.is_empty() {
        return Err(LoginError::NoFactor);
    }
    authenticate(core, keys, &[]).await
}

/// The account that must be there by what this device has seen. That an earlier social login was removed from its account
/// is believed only where the device's own verified record no longer lists it: a server that merely says so could
/// otherwise have a second wallet made beside the one it hides.
fn known_here(
    core: &Core,
    pinned: &BTreeSet<AccountId>,
    by_retired: &BTreeSet<AccountId>,
    retired: &[Locator],
) -> Result<Option<AccountId>, LoginError> {
    if let Some(known) = pinned.first() {
        return Ok(Some(*known));
    }
    for account in by_retired {
        let kept = kept_record(core, account)?;
        if kept.is_some_and(|kept| {
            retired
                .iter()
                .any(|locator| kept.factor_at(locator).is_some())
        }) {
            return Ok(Some(*account));
        }
    }
    Ok(None)
}

fn pinned_accounts(core: &Core, locators: &[Locator]) -> Result<BTreeSet<AccountId>, LoginError> {
    let state = core.devices.read()?;
    Ok(locators
        .iter()
        .filter_map(|locator| state.pinned(&core.tenant, locator))
        .collect())
}

fn add_device_factors(
    core: &Core,
    accounts: &BTreeSet<AccountId>,
    factors: &mut Vec<FactorKeys>,
) -> Result<(), LoginError> {
    let state = core.devices.read()?;
    let kept: Vec<VerifiedRecord> = accounts
        .iter()
        .filter_map(|account| kept_record(core, account).transpose())
        .collect::<Result<_, _>>()?;
    let listed = |keys: &FactorKeys| {
        kept.iter()
            .any(|kept| kept.factor_at(&keys.locator()).is_some())
    };
    let mut own: Vec<FactorKeys> = accounts
        .iter()
        .flat_map(|account| core.device_keys(&state, account))
        .collect();
    // A login carries so many statements and no more: the enrolled ones first, then the newest.
    own.reverse();
    own.sort_by_key(|keys| !listed(keys));
    for keys in own
        .into_iter()
        .take(MAX_STATEMENTS.saturating_sub(factors.len()))
    {
        if factors
            .iter()
            .all(|known| known.locator() != keys.locator())
        {
            factors.push(keys);
        }
    }
    Ok(())
}

async fn log_in(
    core: &Core,
    factors: &[FactorKeys],
) -> Result<LoginResponse, metadata::LoginError> {
    let signers: Vec<_> = factors.iter().map(FactorKeys::auth).collect();
    core.metadata.login(&signers).await
}

fn seen_revision(core: &Core, account: &AccountId) -> Result<u64, LoginError> {
    Ok(core
        .devices
        .read()?
        .account(account)
        .map_or(0, |known| known.revision()))
}

/// Checks what the server shows: signature, account, and that it is not the past.
fn found(
    core: &Arc<Core>,
    pinned: &BTreeSet<AccountId>,
    factors: Vec<FactorKeys>,
    response: LoginResponse,
) -> Result<Found, LoginError> {
    let served = response.record.verify(&core.tenant)?;
    if served.account_id != response.account_id {
        return Err(LoginError::Inconsistent);
    }
    if let Some(other) = pinned.iter().find(|known| **known != served.account_id) {
        return Err(LoginError::OtherAccount {
            pinned: *other,
            served: served.account_id,
        });
    }
    // The session itself tells whether the server takes a factor for enrolled; the signed record must agree, and each
    // factor checks its own binding, before the device relies on the account.
    for keys in &factors {
        if let Some(entry) = served.factor_at(&keys.locator()) {
            entry
                .enrolment()
                .verify_binding(keys, &served.account_id, &served.account_auth_key)
                .map_err(|_| LoginError::Inconsistent)?;
        }
    }
    if factors
        .iter()
        .all(|keys| served.factor_at(&keys.locator()).is_none())
    {
        return Err(LoginError::Inconsistent);
    }
    let standing = match kept_record(core, &served.account_id)? {
        None => Standing::Current(None),
        Some(kept) => match compare(&kept, &served) {
            Ok(freshness) => Standing::Current(Some(freshness)),
            Err(error @ RollbackError::Older { .. }) => Standing::Older {
                error,
                newer: Box::new(kept),
            },
            Err(error) => return Err(error.into()),
        },
    };
    if let Standing::Current(freshness) = &standing {
        match device_envelope(core, &served, &response)? {
            OwnEnvelope::NotEnrolled => core.remember(&served, &factors, None)?,
            OwnEnvelope::Given(envelope) => core.remember(&served, &factors, Some(envelope))?,
            // Opening says what is wrong; what this device keeps stays as it is.
            OwnEnvelope::Wrong => {}
        }
        if matches!(freshness, Some(Freshness::Restored)) {
            tracing::warn!(
                revision = served.revision,
                "another device restored this account after a loss"
            );
        }
    }
    Ok(Found {
        session: Session::of(&response),
        served,
        factors,
        standing,
        response,
    })
}

fn kept_record(core: &Core, account: &AccountId) -> Result<Option<VerifiedRecord>, LoginError> {
    let state = core.devices.read()?;
    let Some(known) = state.account(account) else {
        return Ok(None);
    };
    known
        .record()
        .verify(&core.tenant)
        .map(Some)
        .map_err(LoginError::KeptRecord)
}

/// What the server gave for this device's own factor.
enum OwnEnvelope<'a> {
    NotEnrolled,
    Given(&'a Envelope),
    /// None, or not the one that the signed record names.
    Wrong,
}

fn device_envelope<'a>(
    core: &Core,
    served: &VerifiedRecord,
    response: &'a LoginResponse,
) -> Result<OwnEnvelope<'a>, LoginError> {
    let state = core.devices.read()?;
    let own = core.device_keys(&state, &served.account_id);
    let Some(entry) = own
        .iter()
        .find_map(|keys| served.factor_at(&keys.locator()))
    else {
        return Ok(OwnEnvelope::NotEnrolled);
    };
    let named = |given: &&IndexedEnvelope| {
        given.index == entry.index && given.envelope.hash() == entry.envelope_hash
    };
    let given = response.envelopes.iter().find(named);
    Ok(given.map_or(OwnEnvelope::Wrong, |given| {
        OwnEnvelope::Given(&given.envelope)
    }))
}
