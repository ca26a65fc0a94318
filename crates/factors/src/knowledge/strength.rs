//! How easily something is guessed, by `zxcvbn`. Guesses are counted and stretched, so only the worst is refused.

use zxcvbn::zxcvbn;

/// Why something would be guessed. In plain words, and without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this would be guessed too easily: {reason}")]
pub struct Weakness {
    /// What makes it weak, and what would make it stronger.
    pub reason: String,
}

/// Tries within which it is guessed by somebody who also knows `hints`, at least 1.
pub(super) fn tries(text: &str, hints: &[&str]) -> u64 {
    zxcvbn(text, hints).guesses().max(1)
}

/// Refuses what is guessed within `guesses` tries by somebody who also knows `hints`, such as a name or an address.
pub(super) fn check(text: &str, hints: &[&str], guesses: u64) -> Result<(), Weakness> {
    let estimate = zxcvbn(text, hints);
    if estimate.guesses() >= guesses {
        return Ok(());
    }
    let feedback = estimate.feedback();
    let warning = feedback.and_then(zxcvbn::feedback::Feedback::warning);
    let suggestions = feedback.map(zxcvbn::feedback::Feedback::suggestions);
    let said = warning.map(|warning| warning.to_string()).into_iter();
    let said = said.chain(suggestions.into_iter().flatten().map(ToString::to_string));
    let reason = said.collect::<Vec<_>>().join(" ");
    Err(Weakness {
        reason: if reason.is_empty() {
            "Choose something longer and less common.".to_owned()
        } else {
            reason
        },
    })
}
