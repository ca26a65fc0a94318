//! What is sealed to one factor: its share, the state key, its guess seed.
//!
//! Plaintext, 98 bytes: version 1 (1 byte), 1 where a share follows and 0 in one-click (1 byte), share (32 bytes, big-endian,
//! zero where there is none), state key (32 bytes), guess seed (32 bytes). HPKE info: label `envelope`, account id, epoch, index.

use rand_core::CryptoRng;
use trefoil_shares::Share;
use zeroize::Zeroizing;

use crate::account::GuessSeed;
use crate::bytes::{AccountId, Envelope, EnvelopeKey};
use crate::factor::FactorKeys;
use crate::kdf::epoch_context;
use crate::seal::hpke::{OVERHEAD, SealError};
use crate::state::StateKey;

const VERSION: u8 = 1;
const PLAINTEXT: usize = 98;

/// Bytes of an envelope.
pub const LEN: usize = OVERHEAD + PLAINTEXT;

/// Where an envelope belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whose.
    pub account_id: AccountId,
    /// Of which polynomial.
    pub epoch: u32,
    /// For which factor.
    pub index: u32,
}

/// What one factor finds in its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// `f(index)`; none in one-click.
    pub share: Option<Share>,
    /// Opens the state of this epoch.
    pub state_key: StateKey,
    /// For this factor's guess keys.
    pub guess_seed: GuessSeed,
}

/// Why an envelope does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Cut off or longer than an envelope is.
    #[error("the envelope has {0} bytes instead of {LEN}")]
    Length(usize),
    /// Another factor, account, epoch or index, or changed bytes.
    #[error("the envelope does not open with this factor in this place")]
    Sealed,
    /// Opened, but of a form this software does not know.
    #[error("the envelope has a version or form that this software does not know: update it")]
    UnknownForm,
}

impl Place {
    fn info(&self) -> alloc::vec::Vec<u8> {
        epoch_context("envelope", &self.account_id, self.epoch, self.index)
    }
}

/// Seals to a factor that need not be present.
///
/// # Errors
/// [`SealError`] where the factor's envelope key is a point of small order.
pub fn seal(
    contents: &Contents,
    to: &EnvelopeKey,
    place: Place,
    rng: &mut impl CryptoRng,
) -> Result<Envelope, SealError> {
    let mut plaintext = Zeroizing::new(alloc::vec::Vec::with_capacity(PLAINTEXT));
    plaintext.extend_from_slice(&[VERSION, u8::from(contents.share.is_some())]);
    match &contents.share {
        Some(share) => plaintext.extend_from_slice(share.expose_secret().as_slice()),
        None => plaintext.extend_from_slice(&[0; 32]),
    }
    plaintext.extend_from_slice(contents.state_key.expose_secret());
    plaintext.extend_from_slice(contents.guess_seed.expose_secret());
    to.seal(&place.info(), &plaintext, rng).map(Envelope::new)
}

/// Opens with the factor at hand.
///
/// # Errors
/// [`EnvelopeError`] for wrong length, wrong place or key, unknown form.
pub fn open(
    envelope: &Envelope,
    keys: &FactorKeys,
    place: Place,
) -> Result<Contents, EnvelopeError> {
    let sealed = envelope.as_bytes();
    if sealed.len() != LEN {
        return Err(EnvelopeError::Length(sealed.len()));
    }
    let plaintext = keys
        .envelope
        .open(&place.info(), sealed)
        .map_err(|_| EnvelopeError::Sealed)?;
    parse(&plaintext, place.index).ok_or(EnvelopeError::UnknownForm)
}

fn parse(plaintext: &[u8], index: u32) -> Option<Contents> {
    let ([version, has_share], rest) = plaintext.split_first_chunk()?;
    let (share, rest) = rest.split_first_chunk::<32>()?;
    let (state_key, rest) = rest.split_first_chunk::<32>()?;
    let guess_seed = <&[u8; 32]>::try_from(rest).ok()?;
    let share = match (version, has_share) {
        (&VERSION, 0) if share == &[0; 32] => None,
        (&VERSION, 1) => Some(Share::from_parts(index, share).ok()?),
        _ => return None,
    };
    Some(Contents {
        share,
        state_key: StateKey::from_bytes(*state_key),
        guess_seed: GuessSeed::from_bytes(*guess_seed),
    })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::factor::FactorSecret;
    use crate::tenant::Tenant;

    const PLACE: Place = Place {
        account_id: AccountId::from_bytes([1; 16]),
        epoch: 2,
        index: 3,
    };

    fn keys(seed: u8) -> FactorKeys {
        FactorKeys::derive(
            &Tenant::new("acme").unwrap(),
            &FactorSecret::from_bytes([seed; 32]),
        )
    }

    fn contents(share: Option<Share>) -> Contents {
        Contents {
            share,
            state_key: StateKey::from_bytes([4; 32]),
            guess_seed: GuessSeed::from_bytes([5; 32]),
        }
    }

    #[test]
    fn opens_only_for_its_factor_account_epoch_and_index() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for share in [None, Some(Share::from_parts(3, &[9; 32]).unwrap())] {
            let contents = contents(share);
            let envelope = seal(&contents, &keys(1).envelope_key(), PLACE, &mut rng).unwrap();
            assert_eq!(envelope.as_bytes().len(), LEN);
            assert_eq!(open(&envelope, &keys(1), PLACE), Ok(contents));
            assert_eq!(open(&envelope, &keys(2), PLACE), Err(EnvelopeError::Sealed));
            for place in [
                Place {
                    account_id: AccountId::from_bytes([2; 16]),
                    ..PLACE
                },
                Place { epoch: 3, ..PLACE },
                Place { index: 4, ..PLACE },
            ] {
                assert_eq!(open(&envelope, &keys(1), place), Err(EnvelopeError::Sealed));
            }
        }
    }

    #[test]
    fn damage_is_named() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let good = seal(&contents(None), &keys(1).envelope_key(), PLACE, &mut rng).unwrap();
        for at in 0..LEN {
            let cut = Envelope::new(good.as_bytes()[..at].to_vec());
            assert_eq!(open(&cut, &keys(1), PLACE), Err(EnvelopeError::Length(at)));
            let mut flipped = good.as_bytes().to_vec();
            flipped[at] ^= 0x10;
            assert_eq!(
                open(&Envelope::new(flipped), &keys(1), PLACE),
                Err(EnvelopeError::Sealed),
                "byte {at}"
            );
        }
        let long = [good.as_bytes(), b"x"].concat();
        assert_eq!(
            open(&Envelope::new(long), &keys(1), PLACE),
            Err(EnvelopeError::Length(LEN + 1))
        );
    }

    #[test]
    fn a_newer_form_is_told_apart_from_damage() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut plaintext = [0; PLAINTEXT];
        for (version, has_share) in [(2, 0), (1, 2), (1, 1)] {
            (plaintext[0], plaintext[1]) = (version, has_share);
            // A share at or above the group order is no scalar.
            plaintext[2..34].fill(0xff);
            let sealed = keys(1)
                .envelope_key()
                .seal(&PLACE.info(), &plaintext, &mut rng)
                .unwrap();
            assert_eq!(
                open(&Envelope::new(sealed), &keys(1), PLACE),
                Err(EnvelopeError::UnknownForm)
            );
        }
    }
}
