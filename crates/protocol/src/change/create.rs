use alloc::collections::BTreeMap;
use alloc::string::String;

use rand_core::CryptoRng;
use trefoil_shares::{KeyScalar, Nonce};

use super::blueprint::{Blueprint, NoncePlan, Seat, Shares};
use super::slots::NextSlots;
use super::{ChangeError, Prepared};
use crate::account::AccountKeys;
use crate::commit::check_create;
use crate::factor::{FactorKeys, FactorKind};
use crate::opening::HeldFactor;
use crate::policy::Policy;
use crate::record::Custody;
use crate::state::{FactorNote, MAX_LABEL, MfaSettings};
use crate::tenant::Tenant;
use crate::vault::Vault;

/// Prepares a one-click account for a social factor: `k = x + nonce`.
///
/// `imported` is an existing wallet key; without one the nonce, and so the key, is uniform.
///
/// # Errors
/// [`ChangeError::LabelTooLong`]; [`ChangeError::DegenerateKey`] for an imported key that equals the factor's own scalar.
pub fn create(
    tenant: &Tenant,
    social: FactorKeys,
    label: String,
    hints: BTreeMap<String, String>,
    imported: Option<KeyScalar>,
    now: u64,
    rng: &mut impl CryptoRng,
) -> Result<Prepared, ChangeError> {
    if label.len() > MAX_LABEL {
        return Err(ChangeError::LabelTooLong);
    }
    let secret = social.scalar().cloned().ok_or(ChangeError::DegenerateKey)?;
    let (key, nonce) = match imported {
        Some(key) => {
            let nonce = key
                .nonce_for(&secret)
                .map_err(|_| ChangeError::DegenerateKey)?;
            (key, nonce)
        }
        None => {
            let nonce = Nonce::random(rng);
            (
                KeyScalar::from_parts(&secret, &nonce).map_err(|_| ChangeError::DegenerateKey)?,
                nonce,
            )
        }
    };
    let keys = AccountKeys::derive(tenant, &key);
    let note = FactorNote {
        index: 1,
        kind: FactorKind::Social,
        label,
        hints,
        created: now,
        proven: now,
    };
    let seat = Seat {
        enrolment: social.enrol(&keys.id(), &keys.auth_key()),
        note,
        carried: None,
    };
    let blueprint = Blueprint {
        tenant: tenant.clone(),
        revision: 1,
        previous: None,
        epoch: 1,
        restore: false,
        custody: Custody::OneClick,
        threshold: 1,
        policy: Policy::default(),
        mfa: MfaSettings::default(),
        next_index: 2,
        seats: alloc::vec![seat],
        slots: NextSlots::none(),
        shares: Shares::NewEpoch,
        secret,
        nonce: NoncePlan::Seal(nonce),
        vault: (Vault::new(), None),
        held: alloc::vec![HeldFactor {
            index: 1,
            keys: social
        }],
        key,
    };
    let prepared = blueprint.build(rng)?;
    check_create(prepared.record())?;
    Ok(prepared)
}
