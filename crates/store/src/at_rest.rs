//! Sealing at rest: what a server must be able to read lies in its database sealed under a key that does not.
//!
//! The keys carry ids, and a sealed row names the id of its key, so that keys can be replaced one row at a time. A row is bound
//! to its place and does not open in another. Sealing keeps secrets from whoever reads the database or a backup of it; it does
//! not stop whoever may write there from putting back an earlier row.
//!
//! A sealed row: [`PREFIX`], one byte with the length of the key's id, the id, then XChaCha20-Poly1305 as
//! [`trefoil_protocol::seal::aead`] has it. The associated data are everything before the ciphertext, then the place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand_core::CryptoRng;
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::seal::aead;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::error::StoreError;

/// What a sealed row starts with: 26 letters that carry the version, then 0xff.
///
/// A slot's record that is not sealed starts with a scalar of ristretto255, whose last byte is at most 0x10, so that neither is
/// ever taken for the other.
const PREFIX: [u8; 32] = *b"trefoil/v1/sealed-at-rest/\xff\xff\xff\xff\xff\xff";
/// Letters in the id of a key, at most.
const MAX_KEY_ID: usize = 32;

/// The keys under which a store seals, told apart by ids.
pub struct SealingKeys {
    current: String,
    keys: BTreeMap<String, Zeroizing<[u8; 32]>>,
}

/// What is no set of sealing keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealingKeysError {
    /// An id is none.
    #[error("the id of a sealing key has 1 to {MAX_KEY_ID} letters a-z, digits, `-`, `_` or `.`")]
    BadId,
    /// An id stands twice.
    #[error("the sealing key {0} stands twice")]
    Twice(String),
    /// The current key is not among them.
    #[error("the current sealing key {0} is not among the keys")]
    NoCurrent(String),
}

impl SealingKeys {
    /// Keys of 32 bytes by id, and the id of the one under which rows are sealed from now on.
    ///
    /// # Errors
    /// [`SealingKeysError`].
    pub fn new(
        current: &str,
        keys: impl IntoIterator<Item = (String, Zeroizing<[u8; 32]>)>,
    ) -> Result<Self, SealingKeysError> {
        let mut by_id = BTreeMap::new();
        for (id, key) in keys {
            if !is_key_id(&id) {
                return Err(SealingKeysError::BadId);
            }
            if by_id.insert(id.clone(), key).is_some() {
                return Err(SealingKeysError::Twice(id));
            }
        }
        if !by_id.contains_key(current) {
            return Err(SealingKeysError::NoCurrent(current.to_owned()));
        }
        Ok(Self {
            current: current.to_owned(),
            keys: by_id,
        })
    }

    /// Id of the key under which rows are sealed.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.current
    }

    /// Every id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}

fn is_key_id(id: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=MAX_KEY_ID).contains(&id.len()) && id.bytes().all(allowed)
}

impl ZeroizeOnDrop for SealingKeys {}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SealingKeys(redacted, current {}, {} in all)",
            self.current,
            self.keys.len()
        )
    }
}

/// Where a sealed row belongs: it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The record of this slot.
    Slot(SlotId),
}

impl Place {
    fn context(self) -> Vec<u8> {
        match self {
            Self::Slot(id) => [b"slot\0".as_slice(), id.as_bytes()].concat(),
        }
    }
}

/// How a store keeps what is to be sealed: under keys, or as it is where it has none. Every back end uses it on the bytes of a
/// row. Clones share the keys.
#[derive(Clone, Default)]
pub struct AtRest(Option<Arc<Sealer>>);

struct Sealer {
    keys: SealingKeys,
    rng: Mutex<Box<dyn CryptoRng + Send>>,
}

impl fmt::Debug for AtRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(sealer) => write!(f, "AtRest({:?})", sealer.keys),
            None => f.write_str("AtRest(not sealed)"),
        }
    }
}

impl AtRest {
    /// Seals under the current key of these; `rng` makes the nonces.
    pub fn sealing(keys: SealingKeys, rng: impl CryptoRng + Send + 'static) -> Self {
        Self(Some(Arc::new(Sealer {
            keys,
            rng: Mutex::new(Box::new(rng)),
        })))
    }

    /// Whether there are keys.
    #[must_use]
    pub const fn is_sealing(&self) -> bool {
        self.0.is_some()
    }

    /// What is stored for `plain`.
    ///
    /// # Errors
    /// [`StoreError::UnknownSealingKey`] never happens with keys that [`SealingKeys::new`] has taken.
    pub fn seal(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let Some(sealer) = &self.0 else {
            return Ok(plain.to_vec());
        };
        let id = sealer.keys.current();
        let key = sealer.key(id)?;
        let head = head(id)?;
        let aad = [head.as_slice(), &place.context()].concat();
        let mut rng = sealer.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = aead::seal(key, &aad, plain, &mut *rng);
        Ok([head, sealed].concat())
    }

    /// What was stored. A row that was stored before there were keys is given as it is.
    ///
    /// # Errors
    /// [`StoreError::UnknownSealingKey`], [`StoreError::Unsealable`] for a row that was changed or belongs elsewhere.
    pub fn open(&self, place: Place, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let Some((id, sealed)) = split(stored)? else {
            return Ok(Zeroizing::new(stored.to_vec()));
        };
        let unknown = || StoreError::UnknownSealingKey { id: id.to_owned() };
        let sealer = self.0.as_ref().ok_or_else(unknown)?;
        let key = sealer.key(id)?;
        let aad = [head(id)?.as_slice(), &place.context()].concat();
        aead::open(key, &aad, sealed).map_err(|_| StoreError::Unsealable { id: id.to_owned() })
    }

    /// The row under the current key; `None` where it is.
    ///
    /// # Errors
    /// [`StoreError::NoSealingKeys`], and as [`Self::open`].
    pub fn reseal(&self, place: Place, stored: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let sealer = self.0.as_ref().ok_or(StoreError::NoSealingKeys)?;
        let plain = self.open(place, stored)?;
        if split(stored)?.is_some_and(|(id, _)| id == sealer.keys.current()) {
            return Ok(None);
        }
        self.seal(place, &plain).map(Some)
    }
}

impl Sealer {
    fn key(&self, id: &str) -> Result<&[u8; 32], StoreError> {
        let key = self.keys.keys.get(id);
        key.map(|key| &**key)
            .ok_or_else(|| StoreError::UnknownSealingKey { id: id.to_owned() })
    }
}

/// Id of the key under which a row is sealed; `None` where it is not sealed.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub fn sealing_key_of(stored: &[u8]) -> Result<Option<&str>, StoreError> {
    Ok(split(stored)?.map(|(id, _)| id))
}

fn head(id: &str) -> Result<Vec<u8>, StoreError> {
    let length = u8::try_from(id.len()).map_err(StoreError::backend)?;
    Ok([PREFIX.as_slice(), &[length], id.as_bytes()].concat())
}

/// Key id and ciphertext.
fn split(stored: &[u8]) -> Result<Option<(&str, &[u8])>, StoreError> {
    const DAMAGED: StoreError = StoreError::Corrupt {
        what: "a sealed row",
    };
    let Some(rest) = stored.strip_prefix(&PREFIX) else {
        return Ok(None);
    };
    let (length, rest) = rest.split_first().ok_or(DAMAGED)?;
    let (id, sealed) = rest.split_at_checked(usize::from(*length)).ok_or(DAMAGED)?;
    let id = std::str::from_utf8(id).map_err(|_| DAMAGED)?;
    if !is_key_id(id) {
        return Err(DAMAGED);
    }
    Ok(Some((id, sealed)))
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    const SECRET: &[u8] = b"the server's part of a key, long enough to be found";

    fn key(byte: u8) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([byte; 32])
    }

    fn at_rest(current: &str, keys: &[(&str, u8)]) -> AtRest {
        let keys = keys.iter().map(|(id, byte)| ((*id).to_owned(), key(*byte)));
        let keys = SealingKeys::new(current, keys).unwrap();
        AtRest::sealing(keys, ChaCha20Rng::from_seed([1; 32]))
    }

    fn slot(byte: u8) -> Place {
        Place::Slot(SlotId::try_from([byte; 16].as_slice()).unwrap())
    }

    #[test]
    fn a_row_opens_under_its_key_in_its_place_only() {
        let first = at_rest("first", &[("first", 1)]);
        let sealed = first.seal(slot(1), SECRET).unwrap();
        assert!(
            !sealed
                .windows(SECRET.len() / 2)
                .any(|window| window == &SECRET[..SECRET.len() / 2])
        );
        assert_ne!(
            sealed,
            first.seal(slot(1), SECRET).unwrap(),
            "the nonce is fresh"
        );
        assert_eq!(*first.open(slot(1), &sealed).unwrap(), SECRET);
        let unsealable = |error| matches!(error, StoreError::Unsealable { id } if id == "first");
        assert!(unsealable(first.open(slot(2), &sealed).unwrap_err()));
        let other = at_rest("first", &[("first", 2)]);
        assert!(unsealable(other.open(slot(1), &sealed).unwrap_err()));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let opened = first.open(slot(1), &changed);
            // What no longer looks sealed is taken as it is: whoever reads it finds that it is no record.
            assert!(opened.is_err() || at < PREFIX.len(), "byte {at}");
        }
        for length in PREFIX.len()..sealed.len() {
            assert!(first.open(slot(1), &sealed[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_missing_key_is_named() {
        let sealed = at_rest("2026-11", &[("2026-11", 1)])
            .seal(slot(1), SECRET)
            .unwrap();
        for without in [AtRest::default(), at_rest("2027-01", &[("2027-01", 2)])] {
            let error = without.open(slot(1), &sealed).unwrap_err();
            assert!(error.to_string().contains("2026-11"), "{error}");
            assert!(error.is_fault());
        }
    }

    #[test]
    fn rows_move_to_the_current_key() {
        let old = at_rest("old", &[("old", 1)]);
        let both = at_rest("new", &[("old", 1), ("new", 2)]);
        let sealed = old.seal(slot(1), SECRET).unwrap();
        let moved = both.reseal(slot(1), &sealed).unwrap().unwrap();
        assert_eq!(sealing_key_of(&moved).unwrap(), Some("new"));
        assert_eq!(both.reseal(slot(1), &moved).unwrap(), None);
        let new = at_rest("new", &[("new", 2)]);
        assert_eq!(*new.open(slot(1), &moved).unwrap(), SECRET);
        // A row from before there were keys.
        let sealed = new.reseal(slot(1), SECRET).unwrap().unwrap();
        assert_eq!(*new.open(slot(1), &sealed).unwrap(), SECRET);
        assert_eq!(*new.open(slot(1), SECRET).unwrap(), SECRET);
        // Changed or moved rows are not taken over, under whatever key they are.
        assert!(new.reseal(slot(2), &sealed).is_err());
        assert!(matches!(
            AtRest::default().reseal(slot(1), SECRET),
            Err(StoreError::NoSealingKeys)
        ));
    }

    #[test]
    fn keys_are_named_and_one_is_current() {
        let one = |id: &str| [(id.to_owned(), key(1))];
        for bad in ["", "A", "a b", "über", "012345678901234567890123456789012"] {
            let error = SealingKeys::new(bad, one(bad)).unwrap_err();
            assert_eq!(error, SealingKeysError::BadId, "{bad}");
        }
        let error = SealingKeys::new("b", one("a")).unwrap_err();
        assert_eq!(error, SealingKeysError::NoCurrent("b".to_owned()));
        let twice = [("a".to_owned(), key(1)), ("a".to_owned(), key(2))];
        let error = SealingKeys::new("a", twice).unwrap_err();
        assert_eq!(error, SealingKeysError::Twice("a".to_owned()));
    }

    #[test]
    fn keys_are_not_shown_and_are_wiped() {
        fn wiped(_: &impl ZeroizeOnDrop) {}
        let keys = SealingKeys::new("a", [("a".to_owned(), key(0xab))]).unwrap();
        wiped(&keys);
        assert_eq!(
            format!("{keys:?}"),
            "SealingKeys(redacted, current a, 1 in all)"
        );
        let at_rest = AtRest::sealing(keys, ChaCha20Rng::from_seed([1; 32]));
        let shown = format!("{at_rest:?}");
        assert!(
            !shown.contains("171") && !shown.to_lowercase().contains("ab, ab"),
            "{shown}"
        );
    }
}
