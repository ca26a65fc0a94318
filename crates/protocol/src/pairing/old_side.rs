//! The side that reads the code.

use alloc::string::String;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::code::RequestCode;
use super::mailbox::{Mailbox, OUTCOME};
use super::message::{Outcome, Role, Step};
use super::new_side::{Answer, fresh_key, seal_to};
use super::reveal::{NewReveal, OldReveal, Opening, PublicFactor, check_label, sealed_info};
use super::{PairingError, ShortString, wire::VERSION};
use crate::bytes::{AccountId, AuthKey, Blob, Locator};
use crate::factor::Enrolment;
use crate::seal::hpke::EnvelopePrivateKey;
use crate::versioned;

/// A request that was read and is to be answered.
#[derive(Debug)]
pub struct OldSide {
    code: RequestCode,
    mailbox: Mailbox,
    exchange: EnvelopePrivateKey,
    own: Opening<OldReveal>,
}

/// Both halves are open: the user compares the digits on both devices.
#[derive(Debug)]
#[must_use = "nothing is enrolled before the user has compared the digits"]
pub struct OldComparing {
    side: OldSide,
    new: Opening<NewReveal>,
}

/// The user has said that the digits are the same.
#[derive(Debug)]
pub struct OldApproved {
    side: OldSide,
    new: Opening<NewReveal>,
}

impl OldSide {
    /// Answers a request on behalf of an account; gives the message with which the mailbox is made
    /// ([`Step::OldCommitment`]). `revision` is that of the record on top of which a commit will be made, `label` what the
    /// other side is told whose account it is.
    ///
    /// # Errors
    /// [`PairingError::Label`], [`PairingError::WrongAccount`] where help is asked for another account.
    pub fn answer(
        code: &RequestCode,
        (account_id, account_auth_key): (AccountId, AuthKey),
        revision: u64,
        label: impl Into<String>,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Blob), PairingError> {
        let label = label.into();
        check_label(&label)?;
        let exchange = fresh_key(rng);
        let content = OldReveal {
            version: VERSION,
            purpose: code.purpose(),
            exchange_key: exchange.public(),
            label,
            account_id,
            account_auth_key,
            revision,
        };
        content.check(code.purpose())?;
        let own = Opening::make(content, rng);
        let mailbox = Mailbox::of(code);
        let commitment = own.commitment(Role::Old);
        let message = mailbox.seal(Step::OldCommitment, commitment.as_bytes(), rng);
        let side = Self {
            code: code.clone(),
            mailbox,
            exchange,
            own,
        };
        Ok((side, message))
    }

    /// Where the exchange goes on.
    #[must_use]
    pub const fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Takes what the new side reveals ([`Step::NewReveal`]); gives the message that reveals this side's half
    /// ([`Step::OldReveal`]).
    ///
    /// # Errors
    /// [`PairingError`], [`PairingError::NotAsCommitted`] above all: then this side reveals nothing.
    pub fn reveal(
        self,
        revealed: &Blob,
        rng: &mut impl CryptoRng,
    ) -> Result<(OldComparing, Blob), PairingError> {
        let bytes = self.mailbox.open(Step::NewReveal, revealed)?;
        let new = Opening::<NewReveal>::read(bytes, Role::New, &self.code.commitment)?;
        new.content.check(self.code.purpose())?;
        let message = self.mailbox.seal(Step::OldReveal, &self.own.bytes, rng);
        Ok((OldComparing { side: self, new }, message))
    }
}

impl OldComparing {
    /// What the other device must show as well.
    #[must_use]
    pub fn digits(&self) -> ShortString {
        ShortString::of(&self.new.bytes, &self.side.own.bytes)
    }

    /// What the other side says of itself; believe it only when the digits are the same.
    #[must_use]
    pub const fn other(&self) -> &NewReveal {
        &self.new.content
    }

    /// Where the exchange goes on.
    #[must_use]
    pub const fn mailbox(&self) -> &Mailbox {
        self.side.mailbox()
    }

    /// The user has said that the digits are the same.
    #[must_use]
    pub fn approve(self) -> OldApproved {
        OldApproved {
            side: self.side,
            new: self.new,
        }
    }
}

impl OldApproved {
    /// Takes the new side's answer ([`Step::NewAnswer`]): the public parts of the factor that was compared, checked to have
    /// been made for this account; none for help.
    ///
    /// # Errors
    /// [`PairingError::Enrolment`], or what is wrong with the message.
    pub fn enrolment(&self, answer: &Blob) -> Result<Option<Enrolment>, PairingError> {
        let sealed = self.side.mailbox.open(Step::NewAnswer, answer)?;
        let info = sealed_info("mailbox/answer", &self.new.bytes, &self.side.own.bytes);
        let opened = self
            .side
            .exchange
            .open(&info, &sealed)
            .map_err(|_| PairingError::Sealed)?;
        let answer: Answer = versioned::read(&opened, VERSION).map_err(|unread| {
            unread.into_error(PairingError::Malformed, PairingError::UnknownVersion)
        })?;
        match (self.new.content.factor, answer.enrolment) {
            (None, None) => Ok(None),
            (
                Some(PublicFactor {
                    auth_key,
                    envelope_key,
                }),
                Some(made),
            ) => {
                let enrolment = Enrolment {
                    locator: Locator::of(&auth_key),
                    auth_key,
                    envelope_key,
                    binding: made.binding,
                    proof: made.proof,
                };
                let own = &self.side.own.content;
                enrolment.verify(&own.account_id, &own.account_auth_key)?;
                Ok(Some(enrolment))
            }
            _ => Err(PairingError::Malformed),
        }
    }

    /// What the other side says of itself.
    #[must_use]
    pub const fn other(&self) -> &NewReveal {
        &self.new.content
    }

    /// Where the exchange goes on.
    #[must_use]
    pub const fn mailbox(&self) -> &Mailbox {
        self.side.mailbox()
    }

    /// The message that tells the new side the outcome ([`Step::OldOutcome`]).
    ///
    /// # Errors
    /// [`PairingError::UnusableKey`], which was checked before; [`PairingError::WrongPurpose`] for an outcome that was not
    /// asked for.
    pub fn outcome(
        &self,
        outcome: &Outcome,
        rng: &mut impl CryptoRng,
    ) -> Result<Blob, PairingError> {
        let plaintext = match (outcome, self.new.content.factor.is_some()) {
            (Outcome::Done { revision }, true) => Zeroizing::new(revision.to_be_bytes().to_vec()),
            (Outcome::Lent(lent), false) => lent.expose_bytes(),
            _ => return Err(PairingError::WrongPurpose),
        };
        let info = sealed_info("mailbox/outcome", &self.new.bytes, &self.side.own.bytes);
        let sealed = seal_to(&self.new.content.exchange_key, &info, &plaintext, rng)?;
        let message = [&[OUTCOME], sealed.as_slice()].concat();
        Ok(self.side.mailbox.seal(Step::OldOutcome, &message, rng))
    }
}
