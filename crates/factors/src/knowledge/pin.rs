use core::fmt;

use trefoil_protocol::guess::Knowledge;
use zeroize::Zeroizing;

use super::normalise::{self, NormaliseError, RULE, check_rule};
use super::strength::{self, Weakness};
use super::stretch::Input;

/// Characters of a PIN at least.
const LEAST: usize = 6;
/// Characters of a PIN at most.
const MOST: usize = 64;
/// Tries within which a refused PIN would be guessed.
const GUESSES: u64 = 10_000;

/// A PIN of 6 to 64 letters and digits of ASCII; upper and lower case are different.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

/// Why a PIN cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// It cannot be used at all.
    #[error(transparent)]
    Text(#[from] NormaliseError),
    /// Too short or too long.
    #[error("a PIN has {LEAST} to {MOST} letters and digits")]
    Length,
    /// Something else than letters and digits.
    #[error("a PIN has letters (a to z, A to Z) and digits only")]
    Characters,
    /// It is one of the worst.
    #[error(transparent)]
    Weak(#[from] Weakness),
}

impl Pin {
    /// A PIN that is being chosen. `hints` are what an attacker would try first.
    ///
    /// # Errors
    /// [`PinError`] says why it is refused.
    pub fn choose(text: &str, hints: &[&str]) -> Result<Self, PinError> {
        let pin = Self::entered(text)?;
        let digits = pin.0.as_bytes();
        let step = |with: fn(u8, u8) -> bool| {
            digits
                .iter()
                .zip(digits.iter().skip(1))
                .all(|(a, b)| with(*a, *b))
        };
        let weak = |reason: &str| {
            let reason = reason.to_owned();
            Err(Weakness { reason }.into())
        };
        if step(|a, b| a == b) || step(next) || step(|a, b| next(b, a)) {
            return weak("Rows and repeated characters are tried first.");
        }
        if is_date(&pin.0) {
            return weak("It can be read as a date, and birthdays are tried first.");
        }
        strength::check(&pin.0, hints, GUESSES)?;
        Ok(pin)
    }

    /// A PIN as it is entered to open.
    ///
    /// # Errors
    /// [`PinError`] where it cannot be one.
    pub fn entered(text: &str) -> Result<Self, PinError> {
        let pin = normalise::pin(text)?;
        if !pin.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(PinError::Characters);
        }
        if !(LEAST..=MOST).contains(&pin.len()) {
            return Err(PinError::Length);
        }
        Ok(Self(pin))
    }

    /// How the state describes it.
    #[must_use]
    pub const fn knowledge() -> Knowledge {
        Knowledge::Pin { rule: RULE }
    }

    /// What is to be stretched, by the rule with which it was set up.
    ///
    /// # Errors
    /// [`NormaliseError::UnknownRule`].
    pub fn input(&self, rule: u8) -> Result<Input, NormaliseError> {
        check_rule(rule)?;
        Ok(Input::new("pin", 0, &[self.0.as_bytes()]))
    }
}

/// The next letter or digit; after 9 comes 0, as on a keyboard.
fn next(a: u8, b: u8) -> bool {
    a.checked_add(1) == Some(b) || (a == b'9' && b == b'0')
}

/// Six or eight digits that are day, month and year in an order that people write, or a month and a year. Whoever takes a
/// device often knows its owner's birthday, and ten guesses are enough for that.
fn is_date(digits: &str) -> bool {
    let in_range = |from: usize, to: usize, range: core::ops::RangeInclusive<u32>| {
        let part = digits.get(from..to).and_then(|part| part.parse().ok());
        part.is_some_and(|part: u32| range.contains(&part))
    };
    let day = |at| in_range(at, at + 2, 1..=31);
    let month = |at| in_range(at, at + 2, 1..=12);
    let year = |at| in_range(at, at + 4, 1900..=2099);
    let pair = |at| (day(at) && month(at + 2)) || (month(at) && day(at + 2));
    match digits.len() {
        _ if !digits.bytes().all(|byte| byte.is_ascii_digit()) => false,
        6 => pair(0) || (month(2) && day(4)) || (year(0) && month(4)) || (month(0) && year(2)),
        8 => (pair(0) && year(4)) || (year(0) && pair(4)),
        _ => false,
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_letters_or_digits_at_least() {
        assert_eq!(Pin::entered("12345").unwrap_err(), PinError::Length);
        assert_eq!(
            Pin::entered(&"1a".repeat(33)).unwrap_err(),
            PinError::Length
        );
        assert_eq!(Pin::entered("12 456").unwrap_err(), PinError::Characters);
        assert_eq!(Pin::entered("12345é").unwrap_err(), PinError::Characters);
        assert_eq!(
            Pin::entered("").unwrap_err(),
            PinError::Text(NormaliseError::Empty)
        );
        assert!(Pin::entered("７31842").is_ok());
    }

    #[test]
    fn the_worst_are_refused_with_a_reason() {
        for bad in [
            "000000", "123456", "654321", "abcdef", "121212", "112233", "123123", "qwerty",
            "aaaaaa", "password", "1q2w3e",
        ] {
            let error = Pin::choose(bad, &[]).unwrap_err();
            assert!(matches!(error, PinError::Weak(_)), "{bad}: {error}");
        }
        for (bad, reason) in [
            ("789012", "Rows"),
            ("210987", "Rows"),
            ("240683", "birthdays"),
            ("062483", "birthdays"),
            ("830624", "birthdays"),
            ("198306", "birthdays"),
            ("061983", "birthdays"),
            ("24061983", "birthdays"),
            ("19830624", "birthdays"),
        ] {
            let said = Pin::choose(bad, &[]).unwrap_err().to_string();
            assert!(
                said.contains(reason) && !said.contains(bad),
                "{bad}: {said}"
            );
        }
        // No dates: the 32nd, month 13, the year 1850, seven digits, a letter.
        for good in ["320683", "241383", "24061850", "2406198", "24o683"] {
            assert!(!is_date(good), "{good}");
        }
        for good in ["731842", "k7m2xq", "580293"] {
            assert!(Pin::choose(good, &[]).is_ok(), "{good}");
        }
        assert!(Pin::choose("alice7", &["alice7"]).is_err());
    }
}
