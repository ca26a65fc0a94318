//! What went wrong between two devices.

use trefoil::{CodeError, PairError, PairingError};
use trefoil_client::metadata::MailboxError;

use super::{
    CHANGED, DEVICE, Exit, Failure, GONE, MISBEHAVED, NOT_ALLOWED, OFFLINE, OTHER, REFUSED, commit,
    login, metadata_login, opening,
};

impl From<CodeError> for Failure {
    fn from(error: CodeError) -> Self {
        Self::new(Exit::Input, "bad_request", error)
    }
}

impl From<PairError> for Failure {
    fn from(error: PairError) -> Self {
        let (exit, code) = match &error {
            PairError::WrongPurpose(_) => (Exit::Input, "wrong_request"),
            PairError::MfaOff => NOT_ALLOWED,
            PairError::NotAContact => (Exit::Refused, "not_a_contact"),
            PairError::Pairing(error) => pairing(error),
            PairError::Mailbox(error) => mailbox(error),
            PairError::Login(error) | PairError::NotSeen(error) => login(error),
            PairError::Session(error) => metadata_login(error),
            PairError::NotListed => MISBEHAVED,
            PairError::Share(error) => opening(error),
            PairError::Draft(_) => NOT_ALLOWED,
            PairError::Commit(error) => commit(error),
            PairError::Device(_) | PairError::DeviceDrill => DEVICE,
            _ => OTHER,
        };
        Self::new(exit, code, &error)
    }
}

const fn pairing(error: &PairingError) -> (Exit, &'static str) {
    match error {
        PairingError::Denied => (Exit::Refused, "denied"),
        PairingError::Cancelled => (Exit::Refused, "cancelled"),
        PairingError::Failed => (Exit::Refused, "other_device_failed"),
        PairingError::Label => (Exit::Usage, "usage"),
        PairingError::UnknownVersion(_) => OTHER,
        // Whoever follows the protocol causes none of the others.
        _ => (Exit::Alarm, "interference"),
    }
}

const fn mailbox(error: &MailboxError) -> (Exit, &'static str) {
    match error {
        MailboxError::Offline(_) => OFFLINE,
        MailboxError::SessionEnded => CHANGED,
        MailboxError::NobodyThere => (Exit::Refused, "nobody_there"),
        MailboxError::Expired | MailboxError::NoMailbox => (Exit::Refused, "request_expired"),
        MailboxError::Closed => (Exit::Refused, "request_over"),
        MailboxError::Taken => (Exit::Refused, "request_taken"),
        MailboxError::TooMany => NOT_ALLOWED,
        MailboxError::Gone => GONE,
        MailboxError::ServerMisbehaved(_) => MISBEHAVED,
        _ => REFUSED,
    }
}
