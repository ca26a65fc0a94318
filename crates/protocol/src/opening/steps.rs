use alloc::vec::Vec;

use trefoil_shares::{Commitments, KeyScalar, Nonce, Share, SharedSecret, reconstruct};

use super::{HeldFactor, OpenAccount, OpeningError};
use crate::account::{AccountKeys, GuessSeed};
use crate::bytes::{Envelope, SealedNonce};
use crate::envelope::{self, Contents, Place};
use crate::factor::FactorKeys;
use crate::nonce::NonceKey;
use crate::record::{Custody, FactorEntry, VerifiedRecord};
use crate::state::{State, StateKey};
use crate::vault::Vault;

/// An opening under way: at least one factor was accepted, so the state can be read.
#[derive(Debug, Clone)]
pub struct Opening {
    pub(super) record: VerifiedRecord,
    pub(super) state: State,
    pub(super) state_key: StateKey,
    pub(super) held: Vec<HeldFactor>,
    guess_seeds: Vec<(u32, GuessSeed)>,
    pub(super) shares: Vec<Share>,
    /// Indices of shares that were lent: their factors are not at hand.
    pub(super) lent: Vec<u32>,
}

impl Opening {
    /// Accepts a first factor: entry, binding, envelope, state.
    ///
    /// # Errors
    /// [`OpeningError`] for a factor that is not enrolled or foreign, a stale or damaged envelope, a damaged state.
    pub fn begin(
        record: VerifiedRecord,
        keys: FactorKeys,
        envelope: &Envelope,
    ) -> Result<Self, OpeningError> {
        let (entry, contents) = accept(&record, &keys, envelope)?;
        let state = State::open(
            &record.state,
            &contents.state_key,
            &record.account_id,
            record.epoch,
        )?;
        check_state(&record, &state)?;
        let held = alloc::vec![HeldFactor {
            index: entry.index,
            keys
        }];
        Ok(Self {
            state,
            state_key: contents.state_key,
            held,
            guess_seeds: alloc::vec![(entry.index, contents.guess_seed)],
            shares: contents.share.into_iter().collect(),
            lent: Vec::new(),
            record,
        })
    }

    /// Accepts one more factor.
    ///
    /// # Errors
    /// As [`Self::begin`], and [`OpeningError::AlreadyGiven`]; what was accepted before stays.
    pub fn add(&mut self, keys: FactorKeys, envelope: &Envelope) -> Result<(), OpeningError> {
        if self
            .held
            .iter()
            .any(|held| held.keys.locator() == keys.locator())
        {
            return Err(OpeningError::AlreadyGiven);
        }
        let (entry, contents) = accept(&self.record, &keys, envelope)?;
        if contents.state_key != self.state_key {
            return Err(OpeningError::StaleEnvelope { index: entry.index });
        }
        if self.lent.contains(&entry.index) {
            return Err(OpeningError::AlreadyGiven);
        }
        self.held.push(HeldFactor {
            index: entry.index,
            keys,
        });
        self.guess_seeds.push((entry.index, contents.guess_seed));
        self.shares.extend(contents.share);
        Ok(())
    }

    /// What any one factor shows of the account.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The record being opened.
    #[must_use]
    pub const fn record(&self) -> &VerifiedRecord {
        &self.record
    }

    /// The factors accepted so far.
    #[must_use]
    pub fn held(&self) -> &[HeldFactor] {
        &self.held
    }

    /// The guess seeds of the factors at hand, by their indices: each counts its guesses of its own.
    #[must_use]
    pub fn guess_seeds(&self) -> &[(u32, GuessSeed)] {
        &self.guess_seeds
    }

    /// How many more factors are needed.
    #[must_use]
    pub fn missing(&self) -> usize {
        let given = self.held.len() + self.lent.len();
        usize::from(self.record.threshold).saturating_sub(given)
    }

    /// Whether the server's nonce is needed as well.
    #[must_use]
    pub fn needs_nonce(&self) -> bool {
        self.record.nonce_hash.is_some()
    }

    /// Puts the key together and proves that it is the account's.
    ///
    /// # Errors
    /// [`OpeningError::Shares`] names wrong shares or how many are missing, [`OpeningError::NonceNeeded`] and
    /// [`OpeningError::WrongNonce`] concern the server's part, [`OpeningError::WrongKey`] says that all of it fits
    /// together but is not this account.
    pub fn complete(
        &self,
        sealed_nonce: Option<&SealedNonce>,
    ) -> Result<OpenAccount, OpeningError> {
        let secret = self.secret()?;
        let nonce = self.nonce(&secret, sealed_nonce)?;
        let key = match &nonce {
            Some(nonce) => {
                KeyScalar::from_parts(&secret, nonce).map_err(|_| OpeningError::WrongKey)?
            }
            None => KeyScalar::from(secret.clone()),
        };
        // k*G = P: in one-click nothing else proves it; otherwise C_0 (+ N) = P does, without another multiplication.
        let point = match (self.state.commitments.first(), self.state.nonce_point) {
            (None, _) => key.public_point(),
            (Some(first), None) => *first,
            (Some(first), Some(nonce)) => first.add(&nonce).map_err(|_| OpeningError::WrongKey)?,
        };
        let keys = AccountKeys::derive(&self.record.tenant, &key);
        if point != self.state.public_key || keys.auth_key() != self.record.account_auth_key {
            return Err(OpeningError::WrongKey);
        }
        Ok(OpenAccount {
            vault: Vault::open(&self.record.vault, &keys)?,
            record: self.record.clone(),
            state: self.state.clone(),
            state_key: self.state_key.clone(),
            held: self.held.clone(),
            shares: self.shares.clone(),
            secret,
            nonce,
            key,
            keys,
        })
    }

    fn secret(&self) -> Result<SharedSecret, OpeningError> {
        match self.record.custody {
            Custody::OneClick => {
                let social = self.held.first().ok_or(OpeningError::NotEnrolled)?;
                social.keys.scalar().cloned().ok_or(OpeningError::WrongKey)
            }
            Custody::SelfCustody | Custody::Guarded => {
                let commitments = self.state.commitments.clone();
                let commitments = Commitments::from_points(commitments)
                    .map_err(|_| OpeningError::Inconsistent)?;
                Ok(reconstruct(&commitments, &self.shares)?)
            }
        }
    }

    fn nonce(
        &self,
        secret: &SharedSecret,
        sealed: Option<&SealedNonce>,
    ) -> Result<Option<Nonce>, OpeningError> {
        let Some(hash) = self.record.nonce_hash else {
            return Ok(None);
        };
        let sealed = sealed.ok_or(OpeningError::NonceNeeded)?;
        let key = match (self.record.custody, self.held.first()) {
            (Custody::OneClick, Some(social)) => NonceKey::one_click(&social.keys),
            _ => NonceKey::guarded(&self.record.tenant, secret),
        };
        if sealed.hash() != hash {
            return Err(OpeningError::WrongNonce);
        }
        let nonce = key
            .open(sealed, &self.record.account_id)
            .map_err(|_| OpeningError::WrongNonce)?;
        if self.state.nonce_point != Some(nonce.public_point()) {
            return Err(OpeningError::WrongNonce);
        }
        Ok(Some(nonce))
    }
}

fn accept(
    record: &VerifiedRecord,
    keys: &FactorKeys,
    envelope: &Envelope,
) -> Result<(FactorEntry, Contents), OpeningError> {
    let entry = record
        .factor_at(&keys.locator())
        .ok_or(OpeningError::NotEnrolled)?;
    entry
        .enrolment()
        .verify_binding(keys, &record.account_id, &record.account_auth_key)?;
    let index = entry.index;
    if envelope.hash() != entry.envelope_hash {
        return Err(OpeningError::StaleEnvelope { index });
    }
    let place = Place {
        account_id: record.account_id,
        epoch: record.epoch,
        index,
    };
    let contents = envelope::open(envelope, keys, place)
        .map_err(|source| OpeningError::Envelope { index, source })?;
    if contents.share.is_none() != (record.custody == Custody::OneClick) {
        return Err(OpeningError::Inconsistent);
    }
    Ok((entry.clone(), contents))
}

fn check_state(record: &VerifiedRecord, state: &State) -> Result<(), OpeningError> {
    let shares = if record.custody == Custody::OneClick {
        0
    } else {
        usize::from(record.threshold)
    };
    let noted = state.factors.iter().map(|note| note.index);
    let fits = state.commitments.len() == shares
        && state.nonce_point.is_some() == record.nonce_hash.is_some()
        && noted.eq(record.factors.iter().map(|entry| entry.index))
        && record
            .factors
            .iter()
            .all(|entry| entry.index < state.next_index);
    if fits {
        Ok(())
    } else {
        Err(OpeningError::Inconsistent)
    }
}
