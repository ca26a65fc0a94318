//! The e-mailed backup share: 24 words that the app mails to the user through a mail server of its choice. Whoever reads the
//! mailbox, the sender and the mail provider have it, too.
//!
//! Nothing secret is sent before the address was shown to be the user's: [`UnverifiedContact`] mails a code, and only the
//! [`VerifiedContact`] that it leads to can have the words.

use core::fmt;
use core::future::Future;
use core::pin::Pin;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use trefoil_protocol::factor::FactorSecret;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::recovery_phrase::DrillError;
use crate::words::{PhraseError, ShareWords};

/// Seconds for which a code is good.
pub const CODE_SECONDS: u64 = 600;
/// Tries that a code allows.
pub const CODE_TRIES: u8 = 5;
/// Bytes of an address at most (RFC 5321 section 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;

/// A backup share. Wiped when dropped; `Debug` is redacted.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct EmailBackup(ShareWords);

/// One message, in plain text.
pub struct Mail {
    /// One address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The text, which may hold the backup share.
    pub body: Zeroizing<String>,
}

/// What sending comes to.
pub type MailFuture<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Sends mail: by SMTP, or however the app does.
pub trait Mailer: Send + Sync {
    /// Sends one message. Returns once the mail server has taken it.
    fn send(&self, mail: Mail) -> MailFuture<'_>;
}

/// Why a message was not sent, by what can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The mail server cannot be reached, or has no time: try again later.
    #[error("the mail could not be sent now: {0}; try again later")]
    TryLater(String),
    /// The mail server does not take mail for the address: check it.
    #[error("the mail server refuses this address: {0}; check it")]
    Address(String),
    /// The app's settings are wrong: server, certificate, login.
    #[error("the mail server cannot be used like this: {0}")]
    Settings(String),
}

/// A text that is no mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no e-mail address")]
pub struct BadAddress;

/// An address that nobody has shown to be theirs yet.
pub struct UnverifiedContact {
    address: String,
    code: Zeroizing<[u8; 6]>,
    expires: u64,
    tries: u8,
}

/// An address whose owner has read what was sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedContact(String);

/// Why a contact is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Another code.
    #[error("this is not the code that was mailed; {left} tries are left")]
    Wrong {
        /// Tries that are left.
        left: u8,
    },
    /// Tried too often: have another code mailed.
    #[error("the code was tried too often: have another one mailed")]
    Spent,
    /// Too late: have another code mailed.
    #[error("the code is no longer good: have another one mailed")]
    Expired,
}

impl UnverifiedContact {
    /// Makes a code for the address, good for [`CODE_SECONDS`] from `now`, unix seconds.
    ///
    /// # Errors
    /// [`BadAddress`] for what is not one plain address.
    pub fn new(address: &str, now: u64, rng: &mut impl CryptoRng) -> Result<Self, BadAddress> {
        let address = address.trim();
        let (local, domain) = address.rsplit_once('@').ok_or(BadAddress)?;
        let plain = |byte: u8| {
            byte.is_ascii_graphic()
                && !matches!(
                    byte,
                    b',' | b';' | b':' | b'<' | b'>' | b'"' | b'(' | b')' | b'@' | b'\\'
                )
        };
        let fits = |part: &str| !part.is_empty() && part.bytes().all(plain);
        if address.len() > MAX_ADDRESS || !fits(local) || !fits(domain) {
            return Err(BadAddress);
        }
        let mut code = Zeroizing::new([0; 6]);
        for digit in code.iter_mut() {
            *digit = b'0' + uniform_digit(rng);
        }
        Ok(Self {
            address: address.to_owned(),
            code,
            expires: now.saturating_add(CODE_SECONDS),
            tries: 0,
        })
    }

    /// The message with the code, and nothing else of use to anybody.
    #[must_use]
    pub fn mail(&self) -> Mail {
        let code = core::str::from_utf8(self.code.as_slice()).unwrap_or_default();
        Mail {
            to: self.address.clone(),
            subject: "Your confirmation code".to_owned(),
            body: Zeroizing::new(format!(
                "Your confirmation code is {code}\n\nEnter it in your wallet within 10 minutes. If you did not ask for it, \
                 do nothing: somebody has mistyped an address.\n"
            )),
        }
    }

    /// Checks what the user has read in the mail. One use: a right code gives the contact and ends this.
    ///
    /// # Errors
    /// [`CodeError`].
    pub fn verify(&mut self, code: &str, now: u64) -> Result<VerifiedContact, CodeError> {
        if now > self.expires {
            return Err(CodeError::Expired);
        }
        if self.tries >= CODE_TRIES {
            return Err(CodeError::Spent);
        }
        self.tries += 1;
        let typed: Zeroizing<Vec<u8>> = Zeroizing::new(
            code.bytes()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect(),
        );
        if bool::from(typed.as_slice().ct_eq(self.code.as_slice())) {
            self.tries = CODE_TRIES;
            return Ok(VerifiedContact(self.address.clone()));
        }
        Err(CodeError::Wrong {
            left: CODE_TRIES.saturating_sub(self.tries),
        })
    }
}

/// Without the bias of a remainder.
fn uniform_digit(rng: &mut impl CryptoRng) -> u8 {
    loop {
        let mut byte = [0; 1];
        rng.fill_bytes(&mut byte);
        let [byte] = byte;
        if byte < 250 {
            return byte % 10;
        }
    }
}

impl VerifiedContact {
    /// The address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0
    }

    /// Enough of it for its owner to know it again: the first letter and the domain.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or_default();
        let first: String = local.chars().take(1).collect();
        format!("{first}\u{2026}@{domain}")
    }
}

impl EmailBackup {
    /// A fresh share.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(ShareWords::generate(rng))
    }

    /// Reads the 24 words as they are copied from the mail, in any case and with any white space between them.
    ///
    /// # Errors
    /// [`PhraseError`].
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        ShareWords::parse(text).map(Self)
    }

    /// The message with the words.
    #[must_use]
    pub fn mail(&self, contact: &VerifiedContact) -> Mail {
        let words = self.0.expose_words();
        Mail {
            to: contact.address().to_owned(),
            subject: "Your wallet's backup words".to_owned(),
            body: Zeroizing::new(format!(
                "These 24 words are one of the factors of your wallet. Keep this mail: together with another factor they \
                 open the wallet.\n\n{}\n\nAlone they open nothing. Your wallet will never ask you to send them to \
                 anybody.\n",
                wrapped(&words).as_str()
            )),
        }
    }

    /// The factor secret: the 32 bytes behind the words.
    #[must_use]
    pub fn factor_secret(&self) -> FactorSecret {
        self.0.factor_secret()
    }

    /// The drill: checks in constant time that what the user copied from the mail is this share.
    ///
    /// # Errors
    /// [`DrillError`] when it is no phrase, or another one.
    pub fn prove(&self, copied: &str) -> Result<(), DrillError> {
        self.0.prove(copied)
    }
}

/// Six words to a line, which no mail server breaks.
fn wrapped(words: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(words.len() + 8));
    for (number, word) in words.split(' ').enumerate() {
        text.push_str(match number {
            0 => "",
            number if number % 6 == 0 => "\n",
            _ => " ",
        });
        text.push_str(word);
    }
    text
}

impl fmt::Debug for EmailBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailBackup(redacted)")
    }
}

impl fmt::Debug for UnverifiedContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedContact(redacted)")
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn contact() -> (UnverifiedContact, String) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let contact = UnverifiedContact::new("alice@example.com", NOW, &mut rng).unwrap();
        let code = String::from_utf8(contact.code.to_vec()).unwrap();
        (contact, code)
    }

    fn other(code: &str) -> String {
        format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
    }

    #[test]
    fn a_right_code_in_time_and_once() {
        let (mut asked, code) = contact();
        assert!(asked.mail().body.contains(&code));
        assert_eq!(
            asked.verify(&other(&code), NOW),
            Err(CodeError::Wrong { left: 4 })
        );
        assert_eq!(asked.verify("", NOW), Err(CodeError::Wrong { left: 3 }));
        let spaced = format!(" {} {}\n", &code[..3], &code[3..]);
        let verified = asked.verify(&spaced, NOW + CODE_SECONDS).unwrap();
        assert_eq!(verified.address(), "alice@example.com");
        assert_eq!(verified.masked(), "a\u{2026}@example.com");
        assert_eq!(asked.verify(&code, NOW), Err(CodeError::Spent));
    }

    #[test]
    fn five_tries_and_ten_minutes() {
        let (mut asked, code) = contact();
        for left in (0..5).rev() {
            assert_eq!(
                asked.verify(&other(&code), NOW),
                Err(CodeError::Wrong { left })
            );
        }
        assert_eq!(asked.verify(&code, NOW), Err(CodeError::Spent));
        let (mut asked, code) = contact();
        assert_eq!(
            asked.verify(&code, NOW + CODE_SECONDS + 1),
            Err(CodeError::Expired)
        );
    }

    #[test]
    fn one_plain_address() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for bad in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "a@b@c",
            "alice@example.com, eve@example.com",
            "alice@example.com\r\nBcc: eve@example.com",
            "Alice <alice@example.com>",
            "al ice@example.com",
            &format!("{}@example.com", "a".repeat(250)),
        ] {
            assert_eq!(
                UnverifiedContact::new(bad, NOW, &mut rng).unwrap_err(),
                BadAddress,
                "{bad}"
            );
        }
        assert!(UnverifiedContact::new(" a.b+c@sub.example.org ", NOW, &mut rng).is_ok());
    }

    #[test]
    fn the_words_come_back_from_the_mail_and_nothing_is_shown() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let backup = EmailBackup::generate(&mut rng);
        let (mut asked, code) = contact();
        let verified = asked.verify(&code, NOW).unwrap();
        let mail = backup.mail(&verified);
        let paragraph = mail.body.split("\n\n").nth(1).unwrap();
        assert_eq!(paragraph.lines().count(), 4);
        assert_eq!(EmailBackup::parse(paragraph), Ok(backup.clone()));
        assert_eq!(backup.prove(paragraph), Ok(()));
        let another = EmailBackup::generate(&mut rng);
        assert_eq!(another.prove(paragraph), Err(DrillError::Different));
        assert_eq!(
            format!("{backup:?} {mail:?} {asked:?}"),
            "EmailBackup(redacted) Mail(redacted) UnverifiedContact(redacted)"
        );
        assert_eq!(asked.mail().to, "alice@example.com");
        assert!(!asked.mail().body.contains(paragraph));
    }
}
