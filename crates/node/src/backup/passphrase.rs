//! The operator's passphrase, and what it costs to try one.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::BackupError;

/// Characters of a passphrase at least.
const LEAST: usize = 12;
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;

/// What an operator seals a backup with: at least 12 characters, taken as they are.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text without the line end that files and terminals put behind it.
    ///
    /// # Errors
    /// [`BackupError::WeakPassphrase`].
    pub fn new(text: &str) -> Result<Self, BackupError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.chars().count() < LEAST {
            return Err(BackupError::WeakPassphrase { least: LEAST });
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Argon2id (RFC 9106) at this cost.
    pub(super) fn key(
        &self,
        cost: KdfCost,
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, BackupError> {
        let mut key = Zeroizing::new([0; 32]);
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(key.len()))
            .map_err(|_| BackupError::Kdf)?;
        // Asked for first: what is missing is an error then, and no end of the process.
        let mut memory = Zeroizing::new(Vec::new());
        memory
            .try_reserve_exact(params.block_count())
            .map_err(|_| BackupError::Kdf)?;
        memory.resize(params.block_count(), Block::default());
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(self.0.as_bytes(), salt, key.as_mut(), &mut *memory)
            .map_err(|_| BackupError::Kdf)?;
        Ok(key)
    }
}

impl ZeroizeOnDrop for Passphrase {}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// What one try of a passphrase costs with Argon2id; the default is RFC 9106's second recommendation with one lane:
/// 64 MiB, three passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl KdfCost {
    /// `memory_kib`: from 8 for each lane to 1 GiB; 1 to 16 `passes` and `lanes`. Whoever reads a backup does that work, so
    /// no file may ask for more.
    ///
    /// # Errors
    /// [`BackupError::Cost`].
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, BackupError> {
        let fits = passes >= 1
            && passes <= MAX_PASSES
            && lanes >= 1
            && lanes <= MAX_LANES
            && memory_kib >= 8 * lanes
            && memory_kib <= MAX_MEMORY_KIB;
        if fits {
            Ok(Self {
                memory_kib,
                passes,
                lanes,
            })
        } else {
            Err(BackupError::Cost {
                memory_kib,
                passes,
                lanes,
            })
        }
    }
}

impl Default for KdfCost {
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}
