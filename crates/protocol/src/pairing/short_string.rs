//! What both users see and compare.

use core::fmt;

use crate::kdf::{Prk, label, lp};

/// Six digits that come from everything both sides revealed. Shown as `123 456`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortString(u32);

const MODULUS: u128 = 1_000_000;

impl ShortString {
    /// HKDF over both openings, the new side's first, modulo a million.
    pub(super) fn of(new: &[u8], old: &[u8]) -> Self {
        let openings = zeroize::Zeroizing::new([lp(new), lp(old)].concat());
        let bytes = Prk::extract(None, &openings).expand::<16>(&label("mailbox/sas", &[]));
        let number = u128::from_be_bytes(*bytes) % MODULUS;
        Self(u32::try_from(number).unwrap_or_default())
    }

    /// The digits without the blank.
    #[must_use]
    pub fn digits(self) -> alloc::string::String {
        alloc::format!("{:06}", self.0)
    }
}

impl fmt::Display for ShortString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_with_a_blank() {
        assert_eq!(alloc::format!("{}", ShortString(42)), "000 042");
        assert_eq!(ShortString(7_001).digits(), "007001");
        assert_eq!(alloc::format!("{}", ShortString(999_999)), "999 999");
    }

    #[test]
    fn both_openings_and_their_order_count() {
        let all = [
            ShortString::of(b"a", b"b"),
            ShortString::of(b"b", b"a"),
            ShortString::of(b"ab", b""),
            ShortString::of(b"", b"ab"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one));
        }
        // Over many openings all digits come up in every place.
        let mut seen = [[false; 10]; 6];
        for number in 0_u32..2000 {
            let digits = ShortString::of(&number.to_be_bytes(), b"x").digits();
            for (place, digit) in digits.bytes().enumerate() {
                seen[place][usize::from(digit - b'0')] = true;
            }
        }
        assert_eq!(seen, [[true; 10]; 6]);
    }
}
