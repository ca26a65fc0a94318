//! From what the next record shall say to its sealed, signed and self-checked form.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use trefoil_shares::{
    Commitments, KeyScalar, Nonce, Polynomial, PublicPoint, Share, ShareIndex, SharedSecret,
    Threshold, interpolate_at, reconstruct,
};

use super::slots::NextSlots;
use super::{ChangeError, Prepared};
use crate::account::{AccountKeys, reset_key};
use crate::bytes::{Blob, EnvelopeHash, NonceHash, PayloadHash, SealedNonce};
use crate::envelope::{self, Contents, Place};
use crate::factor::Enrolment;
use crate::nonce::NonceKey;
use crate::opening::{HeldFactor, OpenAccount, Opening, OpeningError};
use crate::policy::Policy;
use crate::record::{Custody, FactorEntry, Payload, SignedPayload, VERSION};
use crate::state::{self, FactorNote, MfaSettings, State, StateKey};
use crate::tenant::Tenant;
use crate::vault::Vault;
use crate::wire::IndexedEnvelope;

/// One factor of the next record.
pub(super) struct Seat {
    pub(super) enrolment: Enrolment,
    pub(super) note: FactorNote,
    /// The envelope that is carried over within an epoch; `None` has one made.
    pub(super) carried: Option<EnvelopeHash>,
}

/// Where the next record's shares come from.
pub(super) enum Shares {
    /// A new polynomial, or in one-click none.
    NewEpoch,
    /// The current polynomial; new factors get their share by interpolation from these.
    SameEpoch {
        state_key: StateKey,
        commitments: Vec<PublicPoint>,
        shares: Vec<Share>,
    },
}

/// The nonce of the next record.
pub(super) enum NoncePlan {
    None,
    /// Carried over: its hash stands.
    Keep(Nonce, NonceHash),
    /// To be sealed anew.
    Seal(Nonce),
}

pub(super) struct Blueprint {
    pub(super) tenant: Tenant,
    pub(super) revision: u64,
    pub(super) previous: Option<PayloadHash>,
    pub(super) epoch: u32,
    pub(super) restore: bool,
    pub(super) custody: Custody,
    pub(super) threshold: u8,
    pub(super) policy: Policy,
    pub(super) mfa: MfaSettings,
    pub(super) next_index: u32,
    pub(super) seats: Vec<Seat>,
    pub(super) slots: NextSlots,
    pub(super) shares: Shares,
    pub(super) secret: SharedSecret,
    pub(super) nonce: NoncePlan,
    pub(super) vault: (Vault, Option<Blob>),
    pub(super) held: Vec<HeldFactor>,
    pub(super) key: KeyScalar,
}

/// The polynomial's public side and the shares needed now.
struct Sharing {
    state_key: StateKey,
    commitments: Vec<PublicPoint>,
    /// One per seat that gets an envelope.
    dealt: Vec<Share>,
    /// At least `t` for the open account.
    kept: Vec<Share>,
}

impl Blueprint {
    pub(super) fn build(self, rng: &mut impl CryptoRng) -> Result<Prepared, ChangeError> {
        let keys = AccountKeys::derive(&self.tenant, &self.key);
        let sharing = self.share(rng)?;
        let envelopes = self.seal_envelopes(&keys, &sharing, rng)?;
        let (nonce, nonce_hash, sealed_nonce) = self.seal_nonce(&keys, rng);
        let state = self.state(&sharing, nonce.as_ref());
        let entries = self.seats.iter().map(|seat| {
            let made = envelopes.iter().find(|made| made.index == seat.note.index);
            let hash = made.map(|made| made.envelope.hash()).or(seat.carried);
            hash.map(|hash| FactorEntry::new(seat.note.index, &seat.enrolment, hash))
        });
        let factors: Option<Vec<FactorEntry>> = entries.collect();
        let (vault, sealed_vault) = self.vault;
        let payload = Payload {
            version: VERSION,
            account_id: keys.id(),
            account_auth_key: keys.auth_key(),
            revision: self.revision,
            previous: self.previous,
            epoch: self.epoch,
            restore: self.restore,
            custody: self.custody,
            threshold: self.threshold,
            reset_key: match (self.custody, self.held.first()) {
                (Custody::OneClick, Some(social)) => social.keys.auth_key(),
                _ => reset_key(&self.tenant, &self.secret).auth_key(),
            },
            policy: self.policy,
            nonce_hash,
            factors: factors.ok_or(ChangeError::UpgradeFirst)?,
            state: state.seal(&sharing.state_key, &keys.id(), self.epoch, rng),
            vault: sealed_vault.unwrap_or_else(|| vault.seal(&keys, rng)),
            tenant: self.tenant,
        };
        // The exact bytes that will be sent are read back before anything relies on them.
        let record = SignedPayload::sign(&payload, keys.auth()).verify(&payload.tenant)?;
        let account = OpenAccount {
            record,
            state,
            state_key: sharing.state_key,
            held: self.held,
            shares: sharing.kept,
            secret: self.secret,
            nonce,
            key: self.key,
            keys,
            vault,
        };
        let prepared = Prepared {
            envelopes,
            sealed_nonce,
            guess_lists: self.slots.lists,
            account,
        };
        prepared.self_check()?;
        Ok(prepared)
    }

    fn share(&self, rng: &mut impl CryptoRng) -> Result<Sharing, ChangeError> {
        match &self.shares {
            Shares::NewEpoch if self.custody == Custody::OneClick => Ok(Sharing {
                state_key: StateKey::random(rng),
                commitments: Vec::new(),
                dealt: Vec::new(),
                kept: Vec::new(),
            }),
            Shares::NewEpoch => {
                let threshold =
                    Threshold::new(self.threshold.into()).map_err(|_| ChangeError::Threshold {
                        factors: self.seats.len(),
                    })?;
                let polynomial = Polynomial::generate(&self.secret, threshold, rng);
                let dealt: Vec<Share> = self
                    .indices(|_| true)
                    .map(|index| polynomial.share_at(index))
                    .collect();
                Ok(Sharing {
                    state_key: StateKey::random(rng),
                    commitments: polynomial.commitments().points().to_vec(),
                    kept: dealt.clone(),
                    dealt,
                })
            }
            Shares::SameEpoch {
                state_key,
                commitments,
                shares,
            } => {
                let mut dealt = Vec::new();
                for index in self.indices(|seat| seat.carried.is_none()) {
                    let committed = Commitments::from_points(commitments.clone());
                    let committed = committed.map_err(|_| ChangeError::UpgradeFirst)?;
                    dealt.push(interpolate_at(&committed, shares, index)?.into_share());
                }
                Ok(Sharing {
                    state_key: state_key.clone(),
                    commitments: commitments.clone(),
                    kept: shares.iter().chain(&dealt).cloned().collect(),
                    dealt,
                })
            }
        }
    }

    fn indices(&self, wanted: impl Fn(&Seat) -> bool) -> impl Iterator<Item = ShareIndex> {
        let seats = self.seats.iter().filter(move |seat| wanted(seat));
        seats.filter_map(|seat| ShareIndex::new(seat.note.index).ok())
    }

    fn seal_envelopes(
        &self,
        keys: &AccountKeys,
        sharing: &Sharing,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<IndexedEnvelope>, ChangeError> {
        let mut envelopes = Vec::new();
        for seat in self.seats.iter().filter(|seat| seat.carried.is_none()) {
            let index = seat.note.index;
            let contents = Contents {
                share: sharing
                    .dealt
                    .iter()
                    .find(|share| share.index().get() == index)
                    .cloned(),
                state_key: sharing.state_key.clone(),
                guess_seed: keys.guess_seed(index),
            };
            let place = Place {
                account_id: keys.id(),
                epoch: self.epoch,
                index,
            };
            let envelope = envelope::seal(&contents, &seat.enrolment.envelope_key, place, rng)
                .map_err(|_| ChangeError::BadFactorKey(index))?;
            envelopes.push(IndexedEnvelope { index, envelope });
        }
        Ok(envelopes)
    }

    fn seal_nonce(
        &self,
        keys: &AccountKeys,
        rng: &mut impl CryptoRng,
    ) -> (Option<Nonce>, Option<NonceHash>, Option<SealedNonce>) {
        match &self.nonce {
            NoncePlan::None => (None, None, None),
            NoncePlan::Keep(nonce, hash) => (Some(nonce.clone()), Some(*hash), None),
            NoncePlan::Seal(nonce) => {
                let key = nonce_key(self.custody, &self.held, &self.tenant, &self.secret);
                let sealed = key.seal(nonce, &keys.id(), rng);
                (Some(nonce.clone()), Some(sealed.hash()), Some(sealed))
            }
        }
    }

    fn state(&self, sharing: &Sharing, nonce: Option<&Nonce>) -> State {
        State {
            version: state::VERSION,
            public_key: self.key.public_point(),
            commitments: sharing.commitments.clone(),
            nonce_point: nonce.map(Nonce::public_point),
            next_index: self.next_index,
            factors: self.seats.iter().map(|seat| seat.note.clone()).collect(),
            slots: self.slots.slots.clone(),
            retired: self.slots.retired.clone(),
            mfa: self.mfa,
        }
    }
}

impl Prepared {
    /// Opens every new envelope whose factor is at hand, reads the state with it, and reconstructs from several
    /// `t`-subsets of the shares.
    fn self_check(&self) -> Result<(), ChangeError> {
        let account = &self.account;
        let record = &account.record;
        for made in &self.envelopes {
            let held = account.held.iter().find(|held| held.index == made.index);
            if let Some(held) = held {
                let opening = Opening::begin(record.clone(), held.keys.clone(), &made.envelope)?;
                if *opening.state() != account.state {
                    return Err(OpeningError::Inconsistent.into());
                }
            }
        }
        self.check_sealed()?;
        if record.custody == Custody::OneClick {
            return Ok(());
        }
        let commitments = Commitments::from_points(account.state.commitments.clone())
            .map_err(|_| OpeningError::Inconsistent)?;
        let t = usize::from(record.threshold);
        let wrapped: Vec<Share> = account
            .shares
            .iter()
            .chain(account.shares.iter().take(t - 1))
            .cloned()
            .collect();
        for subset in wrapped
            .windows(t)
            .take(MAX_SUBSETS.min(account.shares.len()))
        {
            let mut subset = subset.to_vec();
            subset.sort_by_key(Share::index);
            subset.dedup_by_key(|share| share.index());
            if subset.len() == t && reconstruct(&commitments, &subset)? != account.secret {
                return Err(OpeningError::WrongKey.into());
            }
        }
        Ok(())
    }

    /// Opens what only this commit holds: the sealed nonce, without which the key would be gone, and the vault.
    fn check_sealed(&self) -> Result<(), ChangeError> {
        let account = &self.account;
        let record = &account.record;
        if let Some(sealed) = &self.sealed_nonce {
            let key = nonce_key(
                record.custody,
                &account.held,
                &record.tenant,
                &account.secret,
            );
            let opened = key.open(sealed, &record.account_id);
            let nonce = opened.map_err(|_| OpeningError::WrongNonce)?;
            let again = KeyScalar::from_parts(&account.secret, &nonce);
            if again.map_err(|_| OpeningError::WrongKey)? != account.key {
                return Err(OpeningError::WrongKey.into());
            }
        }
        if Vault::open(&record.vault, &account.keys).map_err(OpeningError::from)? != account.vault {
            return Err(OpeningError::Inconsistent.into());
        }
        Ok(())
    }
}

/// What the nonce of this custody is sealed under. In one-click the first factor is the only one.
fn nonce_key(
    custody: Custody,
    held: &[HeldFactor],
    tenant: &Tenant,
    secret: &SharedSecret,
) -> NonceKey {
    match (custody, held.first()) {
        (Custody::OneClick, Some(social)) => NonceKey::one_click(&social.keys),
        _ => NonceKey::guarded(tenant, secret),
    }
}

/// Subsets that the self-check reconstructs from; each further one would only repeat the same polynomial.
const MAX_SUBSETS: usize = 8;
