//! Argon2id (RFC 9106) over what the user knows.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use core::fmt;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::guess::StretchCost;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a salt that is made here.
const SALT: usize = 16;

/// How much work one guess is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// KiB of memory, 8 times `lanes` to 1 GiB.
    pub memory_kib: u32,
    /// Passes, 1 to 16.
    pub passes: u32,
    /// Lanes, 1 to 16.
    pub lanes: u32,
}

/// What is stretched: a text with its purpose in front, and which questions it answers.
pub struct Input {
    subset: u16,
    bytes: Zeroizing<Vec<u8>>,
}

/// What came of it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Stretched([u8; 32]);

/// Why something was not stretched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StretchError {
    /// The cost is out of range.
    #[error(
        "the stored cost of stretching is out of range: the account's state is damaged, or was made by other software"
    )]
    OutOfRange,
    /// The memory that the cost asks for is not there.
    #[error("stretching needs {0} KiB of memory: close other programs, or use another device")]
    NoMemory(u32),
    /// The thread that did the work has ended.
    #[error("stretching was interrupted: try again")]
    Interrupted,
}

impl Cost {
    /// RFC 9106 section 4, the second recommendation, with one lane: 64 MiB, three passes.
    pub const DEFAULT: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
    };
    /// The least that an app may ask for: 19 MiB, two passes.
    pub const LEAST: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
        lanes: 1,
    };

    /// With a fresh salt, as it is stored.
    #[must_use]
    pub fn with_salt(self, rng: &mut impl CryptoRng) -> StretchCost {
        let mut salt = vec![0; SALT];
        rng.fill_bytes(&mut salt);
        StretchCost {
            memory_kib: self.memory_kib,
            passes: self.passes,
            lanes: self.lanes,
            salt: Blob::new(salt),
        }
    }

    /// Whether what is stored is less work than this.
    #[must_use]
    pub fn is_above(&self, stored: &StretchCost) -> bool {
        let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
        work(stored.memory_kib, stored.passes) < work(self.memory_kib, self.passes)
            || stored.memory_kib < self.memory_kib
    }
}

impl Input {
    pub(super) fn new(purpose: &str, subset: u16, parts: &[&[u8]]) -> Self {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        // Reserved whole: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 + len));
        bytes.extend_from_slice(b"trefoil/v1/");
        bytes.extend_from_slice(purpose.as_bytes());
        bytes.push(0);
        for part in parts {
            bytes.extend_from_slice(part);
        }
        Self { subset, bytes }
    }

    /// Which questions it answers, as a bit mask; 0 where there are none.
    #[must_use]
    pub const fn subset(&self) -> u16 {
        self.subset
    }

    /// Stretches it; takes as long as `cost` says and belongs on a thread that may block.
    ///
    /// # Errors
    /// [`StretchError`] for a cost that is out of range, or memory that is not there.
    pub fn stretch(&self, cost: &StretchCost) -> Result<Stretched, StretchError> {
        let bounds = (8..=1024 * 1024).contains(&cost.memory_kib)
            && (1..=16).contains(&cost.passes)
            && (1..=16).contains(&cost.lanes)
            && (SALT..=64).contains(&cost.salt.as_bytes().len());
        if !bounds {
            return Err(StretchError::OutOfRange);
        }
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32));
        let params = params.map_err(|_| StretchError::OutOfRange)?;
        // The crate's own memory is given back unwiped; what is left there tests guesses without any server.
        let mut memory = blocks(&params).ok_or(StretchError::NoMemory(cost.memory_kib))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut out = Stretched([0; 32]);
        argon2
            .hash_password_into_with_memory(
                &self.bytes,
                cost.salt.as_bytes(),
                &mut out.0,
                memory.as_mut_slice(),
            )
            .map_err(|_| StretchError::OutOfRange)?;
        Ok(out)
    }
}

/// Wiped when dropped. `None` where there is not enough memory.
fn blocks(params: &Params) -> Option<Zeroizing<Vec<Block>>> {
    let mut memory = Zeroizing::new(Vec::new());
    memory.try_reserve_exact(params.block_count()).ok()?;
    memory.resize(params.block_count(), Block::new());
    Some(memory)
}

impl Stretched {
    /// The bytes: keep them out of logs, errors and arguments.
    #[must_use]
    pub const fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Stretched {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Stretched {}

impl fmt::Debug for Stretched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stretched(redacted)")
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(memory_kib: u32, passes: u32, lanes: u32) -> StretchCost {
        StretchCost {
            memory_kib,
            passes,
            lanes,
            salt: Blob::new(vec![2; 16]),
        }
    }

    /// RFC 9106 section 5.3, the vector of Argon2id, through the crate that is used here.
    #[test]
    fn argon2id_vector() {
        let mut builder = argon2::ParamsBuilder::new();
        builder
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap());
        let params = builder.build().unwrap();
        let argon2 =
            Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2
            .hash_password_into(&[1; 32], &[2; 16], &mut tag)
            .unwrap();
        assert_eq!(
            hex::encode(tag),
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
        );
    }

    /// The memory that is made here gives what the crate's own does.
    #[test]
    fn as_the_crate_does_it() {
        let input = Input::new("pin", 0, &[b"731842"]);
        for (memory, passes, lanes) in [(8, 1, 1), (67, 2, 1), (130, 3, 4)] {
            let params = Params::new(memory, passes, lanes, Some(32)).unwrap();
            let mut expected = [0; 32];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(b"trefoil/v1/pin\x00731842", &[2; 16], &mut expected)
                .unwrap();
            let stretched = input.stretch(&cost(memory, passes, lanes)).unwrap();
            assert_eq!(*stretched.expose_secret(), expected);
        }
    }

    /// Pinned at the default cost: a change here locks everybody out.
    #[test]
    fn the_default_gives_this() {
        let stored = StretchCost {
            memory_kib: Cost::DEFAULT.memory_kib,
            passes: Cost::DEFAULT.passes,
            lanes: Cost::DEFAULT.lanes,
            salt: Blob::new((0..16).collect()),
        };
        let input = Input::new("password", 0, &["correct horse battery".as_bytes()]);
        assert_eq!(
            hex::encode(input.stretch(&stored).unwrap().expose_secret()),
            "35bf609ef5981a57a2e95e3f5f92c0ba3bd318e605d5013933ec5d71cc6421b7"
        );
    }

    #[test]
    fn purposes_salts_and_costs_keep_results_apart() {
        let one = Input::new("password", 0, &[b"secret"]);
        let base = one.stretch(&cost(64, 1, 1)).unwrap();
        assert_eq!(one.stretch(&cost(64, 1, 1)).unwrap(), base);
        assert_ne!(
            Input::new("pin", 0, &[b"secret"])
                .stretch(&cost(64, 1, 1))
                .unwrap(),
            base
        );
        for other in [cost(65, 1, 1), cost(64, 2, 1), cost(64, 1, 2)] {
            assert_ne!(one.stretch(&other).unwrap(), base);
        }
        let mut salted = cost(64, 1, 1);
        salted.salt = Blob::new(vec![3; 16]);
        assert_ne!(one.stretch(&salted).unwrap(), base);
        assert_eq!(
            hex::encode(base.expose_secret()),
            "e9257129e66b905f9663d7527abfcf89c1f61f6474cba07bd385e64200cab0d2"
        );
        assert_eq!(
            format!("{base:?} {one:?}"),
            "Stretched(redacted) Input(redacted)"
        );
    }

    #[test]
    fn a_hostile_state_cannot_make_a_client_work_for_ever() {
        let input = Input::new("pin", 0, &[b"123456"]);
        for bad in [
            cost(u32::MAX, 1, 1),
            cost(1024 * 1024 + 1, 1, 1),
            cost(64, 17, 1),
            cost(64, 0, 1),
            cost(64, 1, 0),
            cost(64, 1, 17),
            cost(7, 1, 1),
        ] {
            assert_eq!(input.stretch(&bad), Err(StretchError::OutOfRange));
        }
        let mut salt = cost(64, 1, 1);
        salt.salt = Blob::new(vec![1; 7]);
        assert_eq!(input.stretch(&salt), Err(StretchError::OutOfRange));
    }

    #[test]
    fn a_default_that_rose_is_noticed() {
        let stored = cost(19 * 1024, 2, 1);
        assert!(Cost::DEFAULT.is_above(&stored));
        assert!(!Cost::LEAST.is_above(&stored));
        assert!(!Cost::LEAST.is_above(&cost(64 * 1024, 3, 1)));
    }
}
