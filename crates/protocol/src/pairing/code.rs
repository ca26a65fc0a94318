//! The request code: what the new side shows and the old side reads, as text or as a QR code.
//!
//! `trefoil-request:` and the base64url of: version 1 (1 byte), purpose (1 byte), mailbox secret (32 bytes), commitment (32
//! bytes), for help the account id (16 bytes), the first 4 bytes of SHA-256 over label `mailbox/code` and all of that. The
//! last are against slips of whoever copies it, not against attackers.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::bytes::{AccountId, PairingCommitment, decode, encode};
use crate::kdf::{label, sha256};
use crate::secret::secret_bytes;

const PREFIX: &str = "trefoil-request:";
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;

secret_bytes!(
    /// From it come a mailbox's name and the key under which its messages are sealed. Only the two sides know it.
    MailboxSecret
);

/// What the new side asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// To become another device of the account.
    Device,
    /// To become a trusted contact of the account.
    Contact,
    /// The share that a trusted contact of this account holds.
    Help {
        /// Whose.
        account: AccountId,
    },
}

/// A text that is no request code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// It does not start as one.
    #[error("this is no request code: one starts with {PREFIX}")]
    NotACode,
    /// Cut off or mistyped.
    #[error("the request code is incomplete or mistyped; scan it, or copy all of it again")]
    Mistyped,
    /// Of a later version.
    #[error("the request code has version {0}, which this software does not know: update it")]
    UnknownVersion(u8),
    /// For something this version cannot do.
    #[error("the request code asks for something that this software does not know: update it")]
    UnknownPurpose,
}

/// A request code. Whoever sees it can pretend to be the other side until the digits are compared, so it is shown to
/// nobody else and in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestCode {
    pub(super) secret: MailboxSecret,
    pub(super) commitment: PairingCommitment,
    purpose: Purpose,
}

impl RequestCode {
    pub(super) fn new(
        purpose: Purpose,
        commitment: PairingCommitment,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self {
            secret: MailboxSecret::random(rng),
            commitment,
            purpose,
        }
    }

    /// What is asked for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The text to show, and to put into a QR code.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let (tag, account) = match &self.purpose {
            Purpose::Device => (1, None),
            Purpose::Contact => (2, None),
            Purpose::Help { account } => (3, Some(account)),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        bytes.extend_from_slice(&[VERSION, tag]);
        bytes.extend_from_slice(self.secret.expose_secret());
        bytes.extend_from_slice(self.commitment.as_bytes());
        if let Some(account) = account {
            bytes.extend_from_slice(account.as_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        let encoded = Zeroizing::new(encode(&bytes));
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + encoded.len()));
        text.push_str(PREFIX);
        text.push_str(&encoded);
        text
    }

    /// Reads what [`Self::expose_text`] gave; blanks around it are passed over.
    ///
    /// # Errors
    /// [`CodeError`].
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let encoded = text
            .trim()
            .strip_prefix(PREFIX)
            .ok_or(CodeError::NotACode)?;
        let bytes = Zeroizing::new(decode(encoded).map_err(|_| CodeError::Mistyped)?);
        let (body, sum) = bytes
            .split_last_chunk::<CHECKSUM>()
            .ok_or(CodeError::Mistyped)?;
        if checksum(body) != *sum {
            return Err(CodeError::Mistyped);
        }
        let ([version, tag], rest) = body.split_first_chunk().ok_or(CodeError::Mistyped)?;
        if *version != VERSION {
            return Err(CodeError::UnknownVersion(*version));
        }
        let (secret, rest) = rest.split_first_chunk::<32>().ok_or(CodeError::Mistyped)?;
        let (commitment, rest) = rest.split_first_chunk::<32>().ok_or(CodeError::Mistyped)?;
        let purpose = match (tag, rest.len()) {
            (1, 0) => Purpose::Device,
            (2, 0) => Purpose::Contact,
            (3, _) => Purpose::Help {
                account: rest.try_into().map_err(|_| CodeError::Mistyped)?,
            },
            (1 | 2, _) => return Err(CodeError::Mistyped),
            _ => return Err(CodeError::UnknownPurpose),
        };
        Ok(Self {
            secret: MailboxSecret::from_bytes(*secret),
            commitment: PairingCommitment::from_bytes(*commitment),
            purpose,
        })
    }
}

impl fmt::Debug for RequestCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestCode(redacted, {:?})", self.purpose)
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let [a, b, c, d, ..] = sha256(&[&label("mailbox/code", &[]), body]);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn code(purpose: Purpose) -> RequestCode {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        RequestCode::new(purpose, PairingCommitment::from_bytes([7; 32]), &mut rng)
    }

    const HELP: Purpose = Purpose::Help {
        account: AccountId::from_bytes([5; 16]),
    };

    /// The text for bytes with a right checksum.
    fn signed(body: &[u8]) -> String {
        let bytes = [body, &checksum(body)].concat();
        alloc::format!("{PREFIX}{}", encode(&bytes))
    }

    #[test]
    fn texts_are_read_back() {
        for purpose in [Purpose::Device, Purpose::Contact, HELP] {
            let code = code(purpose);
            let text = code.expose_text();
            assert_eq!(RequestCode::parse(&text), Ok(code.clone()));
            assert_eq!(
                RequestCode::parse(&alloc::format!(" {}\n", *text)),
                Ok(code.clone())
            );
            assert!(text.len() < 140, "a QR code that a terminal can show");
        }
    }

    #[test]
    fn every_cut_and_every_slip_is_told() {
        for purpose in [Purpose::Device, HELP] {
            let text = code(purpose).expose_text().to_string();
            for end in 0..text.len() {
                assert!(RequestCode::parse(&text[..end]).is_err(), "cut at {end}");
            }
            for at in PREFIX.len()..text.len() {
                let mut typed = text.clone().into_bytes();
                typed[at] = if typed[at] == b'A' { b'B' } else { b'A' };
                assert_eq!(
                    RequestCode::parse(core::str::from_utf8(&typed).unwrap()),
                    Err(CodeError::Mistyped),
                    "slip at {at}"
                );
            }
            let twice = alloc::format!("{text}{text}");
            assert_eq!(RequestCode::parse(&twice), Err(CodeError::Mistyped));
        }
        for no_code in ["", "hello", "otpauth://x", "TREFOIL-REQUEST:AAAA"] {
            assert_eq!(RequestCode::parse(no_code), Err(CodeError::NotACode));
        }
    }

    #[test]
    fn later_versions_and_purposes_are_told_apart_from_slips() {
        let body = |version: u8, tag: u8, rest: usize| {
            let mut body = alloc::vec![9; 66 + rest];
            (body[0], body[1]) = (version, tag);
            signed(&body)
        };
        assert_eq!(
            RequestCode::parse(&body(2, 1, 0)),
            Err(CodeError::UnknownVersion(2))
        );
        assert_eq!(
            RequestCode::parse(&body(1, 4, 0)),
            Err(CodeError::UnknownPurpose)
        );
        for (tag, rest) in [(1, 16), (2, 1), (3, 0), (3, 15), (3, 17)] {
            assert_eq!(
                RequestCode::parse(&body(1, tag, rest)),
                Err(CodeError::Mistyped)
            );
        }
        assert!(RequestCode::parse(&body(1, 3, 16)).is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(
            alloc::format!("{:?}", code(Purpose::Device)),
            "RequestCode(redacted, Device)"
        );
    }
}
