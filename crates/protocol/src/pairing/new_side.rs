//! The side that shows the code.

use alloc::string::String;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::code::{Purpose, RequestCode};
use super::mailbox::{Mailbox, OUTCOME, ended};
use super::message::{Outcome, Role, Step};
use super::reveal::{NewReveal, OldReveal, Opening, PublicFactor, check_label, sealed_info};
use super::{LentShare, PairingError, ShortString, wire::VERSION};
use crate::bytes::{Binding, Blob, EnvelopeKey, PairingCommitment, Signature};
use crate::factor::FactorKeys;
use crate::seal::hpke::EnvelopePrivateKey;

/// What is sealed to the old side after the comparison.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enrolment: Option<Enrolled>,
}

/// What of an enrolment was not revealed before.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolled {
    pub(super) binding: Binding,
    pub(super) proof: Signature,
}

/// A request that nobody has answered yet.
#[derive(Debug)]
pub struct NewSide {
    pub(super) code: RequestCode,
    pub(super) mailbox: Mailbox,
    pub(super) exchange: EnvelopePrivateKey,
    pub(super) own: Opening<NewReveal>,
    pub(super) factor: Option<FactorKeys>,
}

/// The own half is revealed, the other side's is not.
#[derive(Debug)]
pub struct NewRevealed {
    pub(super) side: NewSide,
    pub(super) theirs: PairingCommitment,
}

/// Both halves are open: the user compares the digits on both devices.
#[derive(Debug)]
#[must_use = "nothing is enrolled before the user has compared the digits"]
pub struct NewComparing {
    pub(super) side: NewSide,
    pub(super) old: Opening<OldReveal>,
}

/// The user has said that the digits are the same.
#[derive(Debug)]
pub struct NewConfirmed {
    mailbox: Mailbox,
    exchange: EnvelopePrivateKey,
    purpose: Purpose,
    info: alloc::vec::Vec<u8>,
}

impl NewSide {
    /// A request to enrol a factor that this side made, as another device or as a trusted contact.
    ///
    /// # Errors
    /// [`PairingError::Label`].
    pub fn enrol(
        as_contact: bool,
        label: impl Into<String>,
        factor: FactorKeys,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, PairingError> {
        let purpose = if as_contact {
            Purpose::Contact
        } else {
            Purpose::Device
        };
        Self::begin(purpose, label.into(), Some(factor), rng)
    }

    /// A request to a trusted contact of the account.
    ///
    /// # Errors
    /// [`PairingError::Label`].
    pub fn help(
        account: crate::bytes::AccountId,
        label: impl Into<String>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, PairingError> {
        Self::begin(Purpose::Help { account }, label.into(), None, rng)
    }

    fn begin(
        purpose: Purpose,
        label: String,
        factor: Option<FactorKeys>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, PairingError> {
        check_label(&label)?;
        let exchange = fresh_key(rng);
        let own = Opening::make(
            NewReveal {
                version: VERSION,
                purpose,
                exchange_key: exchange.public(),
                label,
                factor: factor.as_ref().map(|keys| PublicFactor {
                    auth_key: keys.auth_key(),
                    envelope_key: keys.envelope_key(),
                }),
            },
            rng,
        );
        let code = RequestCode::new(purpose, own.commitment(Role::New), rng);
        Ok(Self {
            mailbox: Mailbox::of(&code),
            code,
            exchange,
            own,
            factor,
        })
    }

    /// To be shown to the other side and to nobody else.
    #[must_use]
    pub const fn code(&self) -> &RequestCode {
        &self.code
    }

    /// Where the answer will be.
    #[must_use]
    pub const fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Takes the other side's commitment ([`Step::OldCommitment`]); gives the message that reveals this side's half
    /// ([`Step::NewReveal`]).
    ///
    /// # Errors
    /// [`PairingError`] for a message that is not the other side's.
    pub fn reveal(
        self,
        commitment: &Blob,
        rng: &mut impl CryptoRng,
    ) -> Result<(NewRevealed, Blob), PairingError> {
        let plaintext = self.mailbox.open(Step::OldCommitment, commitment)?;
        let theirs = PairingCommitment::try_from(plaintext.as_slice())
            .map_err(|_| PairingError::Malformed)?;
        let message = self.mailbox.seal(Step::NewReveal, &self.own.bytes, rng);
        Ok((NewRevealed { side: self, theirs }, message))
    }
}

impl NewRevealed {
    /// Takes what the other side reveals ([`Step::OldReveal`]).
    ///
    /// # Errors
    /// [`PairingError`], [`PairingError::NotAsCommitted`] above all.
    pub fn compare(self, revealed: &Blob) -> Result<NewComparing, PairingError> {
        let bytes = self.side.mailbox.open(Step::OldReveal, revealed)?;
        let old = Opening::<OldReveal>::read(bytes, Role::Old, &self.theirs)?;
        old.content.check(self.side.code.purpose())?;
        Ok(NewComparing {
            side: self.side,
            old,
        })
    }
}

impl NewComparing {
    /// What the other device must show as well.
    #[must_use]
    pub fn digits(&self) -> ShortString {
        ShortString::of(&self.side.own.bytes, &self.old.bytes)
    }

    /// What the other side says of itself; believe it only when the digits are the same.
    #[must_use]
    pub const fn other(&self) -> &OldReveal {
        &self.old.content
    }

    /// The user has said that the digits are the same. Gives the message for [`Step::NewAnswer`].
    ///
    /// # Errors
    /// [`PairingError::UnusableKey`], which was checked before.
    pub fn confirm(self, rng: &mut impl CryptoRng) -> Result<(NewConfirmed, Blob), PairingError> {
        let Self { side, old } = self;
        let theirs = &old.content;
        let enrolment = side
            .factor
            .as_ref()
            .map(|keys| keys.enrol(&theirs.account_id, &theirs.account_auth_key));
        let answer = Answer {
            version: VERSION,
            enrolment: enrolment.map(|made| Enrolled {
                binding: made.binding,
                proof: made.proof,
            }),
        };
        // Strings and numbers only: serialising them cannot fail.
        let json = Zeroizing::new(serde_json::to_vec(&answer).unwrap_or_default());
        let info = sealed_info("mailbox/answer", &side.own.bytes, &old.bytes);
        let sealed = seal_to(&theirs.exchange_key, &info, &json, rng)?;
        let message = side.mailbox.seal(Step::NewAnswer, &sealed, rng);
        let confirmed = NewConfirmed {
            info: sealed_info("mailbox/outcome", &side.own.bytes, &old.bytes),
            purpose: side.code.purpose(),
            mailbox: side.mailbox,
            exchange: side.exchange,
        };
        Ok((confirmed, message))
    }
}

impl NewConfirmed {
    /// Takes the outcome ([`Step::OldOutcome`]).
    ///
    /// # Errors
    /// [`PairingError::Denied`], [`PairingError::Cancelled`], [`PairingError::Failed`], or what is wrong with the message.
    pub fn outcome(&self, message: &Blob) -> Result<Outcome, PairingError> {
        let plaintext = self.mailbox.open(Step::OldOutcome, message)?;
        let Some((&OUTCOME, sealed)) = plaintext.split_first() else {
            return Err(ended(&plaintext));
        };
        let opened = self
            .exchange
            .open(&self.info, sealed)
            .map_err(|_| PairingError::Sealed)?;
        match self.purpose {
            Purpose::Device | Purpose::Contact => {
                let revision = <[u8; 8]>::try_from(opened.as_slice());
                let revision = revision.map_err(|_| PairingError::Malformed)?;
                Ok(Outcome::Done {
                    revision: u64::from_be_bytes(revision),
                })
            }
            Purpose::Help { account } => {
                let lent = LentShare::read(&opened).ok_or(PairingError::Malformed)?;
                if lent.account_id != account {
                    return Err(PairingError::WrongAccount);
                }
                Ok(Outcome::Lent(lent))
            }
        }
    }
}

pub(super) fn fresh_key(rng: &mut impl CryptoRng) -> EnvelopePrivateKey {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut_slice());
    EnvelopePrivateKey::derive(&seed)
}

pub(super) fn seal_to(
    key: &EnvelopeKey,
    info: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<alloc::vec::Vec<u8>, PairingError> {
    key.seal(info, plaintext, rng)
        .map_err(|_| PairingError::UnusableKey)
}
