//! The mailbox's name and the seal of its messages.

use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::code::{MailboxSecret, RequestCode};
use super::message::{End, Role, Step};
use super::{PairingError, wire::VERSION};
use crate::bytes::{Blob, MailboxId};
use crate::kdf::{Prk, label, sha256};
use crate::seal::aead;
use crate::versioned;

/// A mailbox as those who know the code know it.
#[derive(Clone)]
pub struct Mailbox {
    id: MailboxId,
    key: Zeroizing<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    version: u32,
    end: End,
}

impl Mailbox {
    /// The mailbox of a code.
    #[must_use]
    pub fn of(code: &RequestCode) -> Self {
        Self::derive(&code.secret)
    }

    fn derive(secret: &MailboxSecret) -> Self {
        let hash = sha256(&[&label("mailbox/id", &[]), secret.expose_secret()]);
        let mut id = [0; MailboxId::LEN];
        for (byte, hashed) in id.iter_mut().zip(hash) {
            *byte = hashed;
        }
        let prk = Prk::extract(None, secret.expose_secret());
        Self {
            id: MailboxId::from_bytes(id),
            key: prk.expand(&label("mailbox/key", &[])),
        }
    }

    /// Under which the server knows it.
    #[must_use]
    pub const fn id(&self) -> MailboxId {
        self.id
    }

    /// Says the end of the pairing.
    #[must_use]
    pub fn end(&self, role: Role, end: End, rng: &mut impl CryptoRng) -> Blob {
        let ended = Ended {
            version: VERSION,
            end,
        };
        // A number and a word: serialising them cannot fail.
        let json = serde_json::to_vec(&ended).unwrap_or_default();
        self.seal(
            Step::end_of(role),
            &[&[ENDED], json.as_slice()].concat(),
            rng,
        )
    }

    /// Reads what the other side put at its last place; `Ok` where it is no end but the outcome.
    ///
    /// # Errors
    /// [`PairingError::Denied`], [`PairingError::Cancelled`], [`PairingError::Failed`], or what is wrong with the message.
    pub fn check_end(&self, role: Role, sealed: &Blob) -> Result<(), PairingError> {
        let plaintext = self.open(Step::end_of(role), sealed)?;
        if plaintext.first() == Some(&OUTCOME) && role == Role::Old {
            return Ok(());
        }
        Err(ended(&plaintext))
    }

    pub(super) fn seal(&self, step: Step, plaintext: &[u8], rng: &mut impl CryptoRng) -> Blob {
        Blob::new(aead::seal(&self.key, &self.place(step), plaintext, rng))
    }

    pub(super) fn open(
        &self,
        step: Step,
        sealed: &Blob,
    ) -> Result<Zeroizing<alloc::vec::Vec<u8>>, PairingError> {
        aead::open(&self.key, &self.place(step), sealed.as_bytes())
            .map_err(|_| PairingError::Sealed)
    }

    /// Label, mailbox, side and step: no message opens in another place.
    fn place(&self, step: Step) -> alloc::vec::Vec<u8> {
        label(
            "mailbox/message",
            &[
                self.id.as_bytes(),
                step.role().as_str().as_bytes(),
                &[step.number()],
            ],
        )
    }
}

/// First byte of a last message that says an end.
const ENDED: u8 = 0;
/// First byte of a last message that holds the outcome.
pub(super) const OUTCOME: u8 = 1;

/// The end that a last message says.
pub(super) fn ended(plaintext: &[u8]) -> PairingError {
    let Some((&ENDED, json)) = plaintext.split_first() else {
        return PairingError::Malformed;
    };
    match versioned::read::<Ended>(json, VERSION) {
        Ok(Ended { end, .. }) => match end {
            End::Denied => PairingError::Denied,
            End::Cancelled => PairingError::Cancelled,
            End::Failed => PairingError::Failed,
        },
        Err(unread) => unread.into_error(PairingError::Malformed, PairingError::UnknownVersion),
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox(redacted, id {})", self.id)
    }
}
