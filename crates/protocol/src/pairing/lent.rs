//! A share that a trusted contact lends for one opening.

use alloc::vec::Vec;

use trefoil_shares::Share;
use zeroize::Zeroizing;

use crate::bytes::AccountId;
use crate::state::StateKey;

const VERSION: u8 = 1;
/// Version, account id, revision, epoch, index, share, state key.
const LEN: usize = 1 + 16 + 8 + 4 + 4 + 32 + 32;

/// The share of one factor in one epoch, with the epoch's state key: what its envelope holds but for the guess seed. It
/// opens nothing by itself, and nothing of a later epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentShare {
    /// Whose account.
    pub account_id: AccountId,
    /// The revision that the contact saw.
    pub revision: u64,
    /// Of which polynomial.
    pub epoch: u32,
    pub(crate) share: Share,
    pub(crate) state_key: StateKey,
}

impl LentShare {
    /// The index of the factor that lends it.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.share.index().get()
    }

    pub(super) fn expose_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LEN));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.account_id.as_bytes());
        bytes.extend_from_slice(&self.revision.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.index().to_be_bytes());
        bytes.extend_from_slice(self.share.expose_secret().as_slice());
        bytes.extend_from_slice(self.state_key.expose_secret());
        bytes
    }

    /// `None` for another length, version, index zero or what is no scalar.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[version], rest) = bytes.split_first_chunk()?;
        let (account_id, rest) = rest.split_first_chunk::<16>()?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<4>()?;
        let (index, rest) = rest.split_first_chunk::<4>()?;
        let (share, rest) = rest.split_first_chunk::<32>()?;
        let state_key = <&[u8; 32]>::try_from(rest).ok()?;
        if version != VERSION {
            return None;
        }
        Some(Self {
            account_id: AccountId::from_bytes(*account_id),
            revision: u64::from_be_bytes(*revision),
            epoch: u32::from_be_bytes(*epoch),
            share: Share::from_parts(u32::from_be_bytes(*index), share).ok()?,
            state_key: StateKey::from_bytes(*state_key),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_back_whole_or_not_at_all() {
        let lent = LentShare {
            account_id: AccountId::from_bytes([1; 16]),
            revision: 7,
            epoch: 3,
            share: Share::from_parts(2, &[9; 32]).unwrap(),
            state_key: StateKey::from_bytes([4; 32]),
        };
        let bytes = lent.expose_bytes();
        assert_eq!(bytes.len(), LEN);
        assert_eq!(LentShare::read(&bytes), Some(lent));
        for end in 0..LEN {
            assert_eq!(LentShare::read(&bytes[..end]), None);
        }
        assert_eq!(LentShare::read(&[bytes.as_slice(), b"x"].concat()), None);
        let mut newer = bytes.to_vec();
        newer[0] = 2;
        assert_eq!(LentShare::read(&newer), None);
        let mut zero_index = bytes.to_vec();
        zero_index[29..33].fill(0);
        assert_eq!(LentShare::read(&zero_index), None);
        let mut no_scalar = bytes.to_vec();
        no_scalar[33..65].fill(0xff);
        assert_eq!(LentShare::read(&no_scalar), None);
    }
}
