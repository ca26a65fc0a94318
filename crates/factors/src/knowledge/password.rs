use core::fmt;

use trefoil_protocol::guess::Knowledge;
use zeroize::Zeroizing;

use super::normalise::{self, NormaliseError, RULE, check_rule};
use super::strength::{self, Weakness};
use super::stretch::Input;

/// Tries within which a refused password would be guessed.
const GUESSES: u64 = 1_000_000;

/// A password, normalised by RFC 8265 OpaqueString.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It cannot be used at all.
    #[error(transparent)]
    Text(#[from] NormaliseError),
    /// It is one of the worst.
    #[error(transparent)]
    Weak(#[from] Weakness),
}

impl Password {
    /// A password that is being chosen. `hints` are what an attacker would try first: name, e-mail address, the app's name.
    ///
    /// # Errors
    /// [`PasswordError`] says why it is refused.
    pub fn choose(text: &str, hints: &[&str]) -> Result<Self, PasswordError> {
        let password = normalise::password(text)?;
        strength::check(&password, hints, GUESSES)?;
        Ok(Self(password))
    }

    /// A password as it is entered to open.
    ///
    /// # Errors
    /// [`NormaliseError`] where it cannot be one.
    pub fn entered(text: &str) -> Result<Self, NormaliseError> {
        normalise::password(text).map(Self)
    }

    /// How the state describes it.
    #[must_use]
    pub const fn knowledge() -> Knowledge {
        Knowledge::Password { rule: RULE }
    }

    /// What is to be stretched, by the rule with which it was set up.
    ///
    /// # Errors
    /// [`NormaliseError::UnknownRule`].
    pub fn input(&self, rule: u8) -> Result<Input, NormaliseError> {
        check_rule(rule)?;
        Ok(Input::new("password", 0, &[self.0.as_bytes()]))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_are_refused_with_a_reason() {
        for bad in [
            "Princess1",
            "dragon12",
            "qwertyuiop",
            "letmein",
            "aaaaaaaa",
            "alice1987",
        ] {
            let error = Password::choose(bad, &["alice"]).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("guessed too easily: "), "{said}");
            assert!(said.len() > 45 && !said.contains(bad), "{said}");
        }
        assert!(Password::choose("correct horse battery", &[]).is_ok());
        // What was chosen before is not judged again.
        assert!(Password::entered("password").is_ok());
        // Hints count.
        assert!(Password::choose("alice.liddell@example.org", &[]).is_ok());
        assert!(
            Password::choose("alice.liddell@example.org", &["alice.liddell@example.org"]).is_err()
        );
    }

    #[test]
    fn debug_is_redacted() {
        let password = Password::entered("hunter2").unwrap();
        assert_eq!(format!("{password:?}"), "Password(redacted)");
        assert_eq!(
            password.input(2).unwrap_err(),
            NormaliseError::UnknownRule(2)
        );
    }
}
