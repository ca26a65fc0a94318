//! What went wrong, as a user or a script needs it: an exit code by what to do next, a stable code, plain words.

mod pairing;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use trefoil::device::DeviceStoreError;
use trefoil::knowledge::{NormaliseError, PasswordError, PinError, QuestionsError};
use trefoil::{
    AccountError, BuildError, CommitError, CreateError, DraftError, DrillError, FactorNote,
    GuessError, KitError, LoginError, OfflineError, OpenError, PhraseError, ProvideError,
    RestoreError,
};
use trefoil_client::ceremony::CeremonyError;
use trefoil_client::metadata;
use trefoil_client::network::SocialError;
use trefoil_client::slots::EnrolError;
use trefoil_protocol::change::ChangeError;
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::rollback::RollbackError;

/// Exit codes, by what the caller can do next. `trefoil help exit-codes` and the help text of `trefoil` list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Success = 0,
    Other = 1,
    Usage = 2,
    Input = 3,
    MoreFactors = 4,
    Refused = 5,
    Offline = 6,
    Conflict = 7,
    Alarm = 8,
    Device = 9,
}

/// The list, as shown to users.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something unexpected, such as a file that cannot be written
  2  the arguments or a settings file are not understood
  3  a secret or file that was given is wrong: a mistyped phrase, an expired login, a damaged recovery kit
  4  more factors are needed to open the wallet
  5  refused: a login that was cancelled, no such account, a factor that was removed, a change that is not allowed
  6  a server cannot be reached: try again later
  7  the account was changed meanwhile: run the command again
  8  alarm: a server shows the past, another account, or data that was tampered with; nothing was done
  9  the device file is damaged, busy, or readable by others";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: &'static str,
    message: String,
    hints: Vec<String>,
    guesses_left: Option<u8>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Display) -> Self {
        Self {
            exit,
            code,
            message: message.to_string(),
            hints: Vec::new(),
            guesses_left: None,
        }
    }

    /// The arguments do not fit together or a settings file is not understood.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    pub(crate) fn io(action: &str, path: &Path, source: &std::io::Error) -> Self {
        Self::new(
            Exit::Other,
            "io",
            format!("cannot {action} {}: {source}", path.display()),
        )
    }

    /// `missing` factors are still needed, of those that are `known`.
    pub(crate) fn needs_factors<'a>(
        missing: usize,
        known: impl IntoIterator<Item = &'a FactorNote>,
    ) -> Self {
        let names: Vec<String> = known
            .into_iter()
            .map(|note| format!("{} \u{201c}{}\u{201d}", note.kind, note.label))
            .collect();
        let needed = if missing == 1 {
            "1 more factor is".to_owned()
        } else {
            format!("{missing} more factors are")
        };
        let message = format!("{needed} needed; the wallet has: {}", names.join(", "));
        Self::new(Exit::MoreFactors, "needs_factors", message)
    }

    /// Says first which setting it is about.
    pub(crate) fn of_setting(mut self, field: &str) -> Self {
        self.message = format!("{field}: {}", self.message);
        self
    }

    /// Something for the terminal only, never part of the message: suggestions for a mistyped word.
    pub(crate) fn hint(mut self, hint: String) -> Self {
        self.hints.push(hint);
        self
    }

    /// After a wrong guess: how many are left.
    pub(crate) const fn guesses_left(&self) -> Option<u8> {
        self.guesses_left
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// `(exit, code)` of each kind of error; the message is the error's own.
macro_rules! failure_from {
    ($($error:ty => $sort:expr;)*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let sort: fn(&$error) -> (Exit, &'static str) = $sort;
                let (exit, code) = sort(&error);
                Self::new(exit, code, &error)
            }
        })*
    };
}

failure_from! {
    LoginError => login;
    OpenError => open;
    ProvideError => provide;
    CreateError => create;
    RestoreError => restore;
    CommitError => commit;
    DraftError => |error| match error {
        DraftError::Drill(_) => (Exit::Input, "wrong_drill"),
        DraftError::DeviceStore => DEVICE,
        DraftError::Knowledge(_) => WEAK,
        _ => NOT_ALLOWED,
    };
    AccountError => account;
    KitError => |_| (Exit::Input, "bad_kit");
    BuildError => |error| match error {
        BuildError::Device(_) => DEVICE,
        _ => (Exit::Usage, "bad_network_file"),
    };
    DeviceStoreError => |_| DEVICE;
}

const WEAK: (Exit, &str) = (Exit::Input, "bad_secret");

failure_from! {
    NormaliseError => |_| WEAK;
    PasswordError => |_| WEAK;
    PinError => |_| WEAK;
    QuestionsError => |_| (Exit::Input, "bad_questions");
}

impl From<DrillError> for Failure {
    fn from(error: DrillError) -> Self {
        let (exit, code) = match error {
            DrillError::NotEnrolled => (Exit::Input, "not_this_account"),
            // It knows how many guesses are left.
            DrillError::Guess(error) => return error.into(),
            DrillError::Commit(ref error) => commit(error),
            _ => NOT_ALLOWED,
        };
        Self::new(exit, code, error)
    }
}

impl From<GuessError> for Failure {
    fn from(error: GuessError) -> Self {
        let (exit, code) = guess(&error);
        let mut failure = Self::new(exit, code, &error);
        failure.guesses_left = match error {
            GuessError::Wrong { left, .. } => Some(left),
            GuessError::LastWrong { .. } => Some(0),
            _ => None,
        };
        failure
    }
}

fn guess(error: &GuessError) -> (Exit, &'static str) {
    use trefoil_client::slots;
    match error {
        GuessError::Wrong { .. } | GuessError::LastWrong { .. } => (Exit::Input, "wrong_guess"),
        GuessError::NoSuchFactor(_) => (Exit::Refused, "unknown_factor"),
        GuessError::Text(_) | GuessError::Answers(_) => WEAK,
        GuessError::Guess(slots::GuessError::Unreachable { .. }) => OFFLINE,
        GuessError::Guess(slots::GuessError::Spent) => (Exit::Refused, "guesses_spent"),
        GuessError::Guess(slots::GuessError::Gone) => (Exit::Refused, "slot_gone"),
        GuessError::Guess(slots::GuessError::KeyRemoved) => (Exit::Refused, "factor_removed"),
        GuessError::Guess(slots::GuessError::ClockWrong) => CLOCK,
        GuessError::Guess(slots::GuessError::Misbehaved { .. }) => MISBEHAVED,
        GuessError::Provide(error) => provide(error),
        _ => OTHER,
    }
}

fn enrol(error: &EnrolError) -> (Exit, &'static str) {
    match error {
        EnrolError::Offline(_) => OFFLINE,
        EnrolError::TooFewNodes { .. } => (Exit::Offline, "too_few_nodes"),
        EnrolError::SessionEnded => CHANGED,
        EnrolError::TooManySlots => NOT_ALLOWED,
        EnrolError::ServerMisbehaved(_) => MISBEHAVED,
        EnrolError::Refused(_) => REFUSED,
        _ => OTHER,
    }
}

impl From<CeremonyError> for Failure {
    fn from(error: CeremonyError) -> Self {
        let (exit, code) = match &error {
            CeremonyError::Plan(_) => (Exit::Usage, "bad_plan"),
            CeremonyError::OtherNode { .. } => (Exit::Alarm, "other_node"),
            CeremonyError::Members(nodes) if nodes.iter().any(|node| node.problem.is_some()) => {
                (Exit::Refused, "nodes_refuse")
            }
            CeremonyError::Node(_) | CeremonyError::Members(_) | CeremonyError::NoChain(_) => {
                OFFLINE
            }
            CeremonyError::TooFewDealers { .. } | CeremonyError::TooFewSigners { .. } => {
                (Exit::Refused, "too_few_nodes")
            }
            CeremonyError::NotActivated(_) => OFFLINE,
            CeremonyError::Decided { .. } | CeremonyError::Overtaken => {
                (Exit::Conflict, "other_ceremony")
            }
            CeremonyError::Successor(_) | CeremonyError::Manifest(_) => {
                (Exit::Alarm, "nodes_misbehaved")
            }
            _ => OTHER,
        };
        Self::new(exit, code, &error)
    }
}

const OTHER: (Exit, &str) = (Exit::Other, "unexpected");
const OFFLINE: (Exit, &str) = (Exit::Offline, "offline");
const RELOGIN: (Exit, &str) = (Exit::Input, "login_again");
const MISBEHAVED: (Exit, &str) = (Exit::Alarm, "server_misbehaved");
const REFUSED: (Exit, &str) = (Exit::Refused, "refused");
const GONE: (Exit, &str) = (Exit::Refused, "account_deleted");
const LEVEL: (Exit, &str) = (Exit::Refused, "level_too_low");
const NOT_ALLOWED: (Exit, &str) = (Exit::Refused, "not_allowed");
const CHANGED: (Exit, &str) = (Exit::Conflict, "account_changed");
const DEVICE: (Exit, &str) = (Exit::Device, "device_file");
const CLOCK: (Exit, &str) = (Exit::Other, "clock_wrong");
const OTHER_ACCOUNT: (Exit, &str) = (Exit::Alarm, "other_account");

fn login(error: &LoginError) -> (Exit, &'static str) {
    match error {
        LoginError::Network(error) => social(error),
        LoginError::Metadata(error) => metadata_login(error),
        LoginError::NoFactor => (Exit::MoreFactors, "needs_factors"),
        LoginError::AllGenerationsRemoved => (Exit::Refused, "factor_removed"),
        LoginError::Rollback(error) => rollback(error),
        LoginError::OtherAccount { .. } => OTHER_ACCOUNT,
        LoginError::Record(_) | LoginError::Inconsistent => MISBEHAVED,
        LoginError::KeptRecord(_) | LoginError::Device(_) => DEVICE,
        _ => OTHER,
    }
}

pub(crate) fn rollback(error: &RollbackError) -> (Exit, &'static str) {
    match error {
        RollbackError::OtherAccount => OTHER_ACCOUNT,
        RollbackError::Older { .. } => (Exit::Alarm, "rolled_back"),
        RollbackError::Fork { .. } => (Exit::Alarm, "forked"),
        RollbackError::Gone { .. } => (Exit::Alarm, "account_gone"),
        _ => MISBEHAVED,
    }
}

fn social(error: &SocialError) -> (Exit, &'static str) {
    match error {
        SocialError::Unusable(_) => (Exit::Input, "bad_id_token"),
        SocialError::Offline { .. } => OFFLINE,
        SocialError::Relogin { .. } => RELOGIN,
        SocialError::Refused { .. } => REFUSED,
        SocialError::ManifestOutdated { .. } => (Exit::Offline, "manifest_outdated"),
        SocialError::TooFewHonest { .. } => (Exit::Alarm, "nodes_misbehaved"),
        _ => OTHER,
    }
}

fn metadata_login(error: &metadata::LoginError) -> (Exit, &'static str) {
    use metadata::LoginError;
    match error {
        LoginError::Offline(_) => OFFLINE,
        LoginError::NoAccount => (Exit::Refused, "no_account"),
        LoginError::FactorRemoved => (Exit::Refused, "factor_removed"),
        LoginError::SeveralAccounts => (Exit::Refused, "several_accounts"),
        LoginError::ClockWrong { .. } => CLOCK,
        LoginError::ServerMisbehaved(_) => MISBEHAVED,
        _ => REFUSED,
    }
}

fn open(error: &OpenError) -> (Exit, &'static str) {
    match error {
        OpenError::Opening(error) => opening(error),
        OpenError::Nonce(error) => match error {
            metadata::NonceError::Offline(_) => OFFLINE,
            metadata::NonceError::SessionEnded | metadata::NonceError::NoNonce => CHANGED,
            metadata::NonceError::LevelTooLow => LEVEL,
            metadata::NonceError::Gone => GONE,
            metadata::NonceError::ServerMisbehaved(_) => MISBEHAVED,
            _ => REFUSED,
        },
        OpenError::Device(_) => DEVICE,
        _ => OTHER,
    }
}

fn opening(error: &OpeningError) -> (Exit, &'static str) {
    match error {
        OpeningError::NotEnrolled | OpeningError::AlreadyGiven => {
            (Exit::Refused, "not_this_account")
        }
        OpeningError::NonceNeeded => (Exit::Refused, "nonce_needed"),
        // Everything else was signed by the account: it does not go wrong by itself.
        _ => (Exit::Alarm, "does_not_open"),
    }
}

fn provide(error: &ProvideError) -> (Exit, &'static str) {
    match error {
        ProvideError::NotOfThisAccount => (Exit::Refused, "not_this_account"),
        ProvideError::FactorRemoved => (Exit::Refused, "factor_removed"),
        ProvideError::AlreadyGiven => (Exit::Refused, "already_given"),
        ProvideError::Login(error) => login(error),
        ProvideError::Open(error) => open(error),
        _ => OTHER,
    }
}

fn create(error: &CreateError) -> (Exit, &'static str) {
    match error {
        CreateError::NotAKey => (Exit::Input, "not_a_key"),
        CreateError::Prepare(error) => change(error),
        CreateError::Metadata(error) => match error {
            metadata::CreateError::Offline(_) => OFFLINE,
            metadata::CreateError::LocatorTaken => CHANGED,
            metadata::CreateError::AccountExists => (Exit::Refused, "account_exists"),
            metadata::CreateError::AccountDeleted => GONE,
            metadata::CreateError::ClockWrong { .. } => CLOCK,
            metadata::CreateError::ServerMisbehaved(_) => MISBEHAVED,
            _ => REFUSED,
        },
        CreateError::Overtaken(_) | CreateError::ImportOvertaken => CHANGED,
        CreateError::Inconsistent => MISBEHAVED,
        CreateError::Device(_) => DEVICE,
        CreateError::Pin(_) => OTHER_ACCOUNT,
        _ => OTHER,
    }
}

fn change(error: &ChangeError) -> (Exit, &'static str) {
    match error {
        ChangeError::UnknownFactor(_) => (Exit::Refused, "unknown_factor"),
        ChangeError::NoSpareFactor => (Exit::Refused, "no_spare_factor"),
        ChangeError::NoPrimaryFactor | ChangeError::OnePrimaryFactor => {
            (Exit::Refused, "no_primary_factor")
        }
        ChangeError::DegenerateKey => (Exit::Input, "not_a_key"),
        ChangeError::SelfCheckOpening(_)
        | ChangeError::SelfCheckShares(_)
        | ChangeError::SelfCheckRecord(_)
        | ChangeError::SelfCheckCommit(_) => OTHER,
        _ => NOT_ALLOWED,
    }
}

fn metadata_commit(error: &metadata::CommitError) -> (Exit, &'static str) {
    match error {
        metadata::CommitError::Offline(_) => OFFLINE,
        metadata::CommitError::Stale { .. } | metadata::CommitError::SessionEnded => CHANGED,
        metadata::CommitError::LocatorTaken => (Exit::Refused, "factor_taken"),
        metadata::CommitError::LevelTooLow => LEVEL,
        metadata::CommitError::Gone => GONE,
        metadata::CommitError::ServerMisbehaved(_) => MISBEHAVED,
        _ => REFUSED,
    }
}

fn commit(error: &CommitError) -> (Exit, &'static str) {
    match error {
        CommitError::NotProven(_) => (Exit::Input, "not_proven"),
        CommitError::Change(error) => change(error),
        CommitError::OneIdentity { .. } => (Exit::Refused, "one_identity"),
        CommitError::Metadata(error) => metadata_commit(error),
        CommitError::Enrol(error) => enrol(error),
        // The change has landed; opening the account again shows it.
        CommitError::Reread(_) => CHANGED,
        CommitError::NotKept | CommitError::Record(_) => MISBEHAVED,
        CommitError::Device(_) | CommitError::DeviceDrill => DEVICE,
        CommitError::Pin(_) => OTHER_ACCOUNT,
        _ => OTHER,
    }
}

fn restore(error: &RestoreError) -> (Exit, &'static str) {
    match error {
        RestoreError::Open(error) => open(error),
        RestoreError::Provide(error) => provide(error),
        RestoreError::NeedsFactors { .. } => (Exit::MoreFactors, "needs_factors"),
        RestoreError::NoOwnFactor => NOT_ALLOWED,
        RestoreError::OwnRecord(_) | RestoreError::Device(_) => DEVICE,
        RestoreError::Prepare(error) => change(error),
        RestoreError::Commit(error) => metadata_commit(error),
        _ => OTHER,
    }
}

fn account(error: &AccountError) -> (Exit, &'static str) {
    match error {
        AccountError::Kit(error) => match error {
            metadata::KitError::Offline(_) => OFFLINE,
            metadata::KitError::SessionEnded => CHANGED,
            metadata::KitError::LevelTooLow => LEVEL,
            metadata::KitError::Gone => GONE,
            metadata::KitError::ClockWrong { .. } => CLOCK,
            metadata::KitError::ServerMisbehaved(_) => MISBEHAVED,
            _ => REFUSED,
        },
        AccountError::WrongKit(_) => MISBEHAVED,
        AccountError::Stale => CHANGED,
        AccountError::Device(_) => DEVICE,
        _ => OTHER,
    }
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Self {
        let (exit, code) = match &error {
            OfflineError::NeedsFactors { missing, known } => {
                return Self::needs_factors(*missing, known);
            }
            OfflineError::NoFactor => (Exit::MoreFactors, "needs_factors"),
            OfflineError::Opening(error) => opening(error),
            _ => OTHER,
        };
        Self::new(exit, code, &error)
    }
}

impl From<PhraseError> for Failure {
    fn from(error: PhraseError) -> Self {
        let failure = Self::new(Exit::Input, "bad_phrase", &error);
        match &error {
            PhraseError::UnknownWord(word) if !word.suggestions().is_empty() => {
                failure.hint(format!("did you mean: {}?", word.suggestions().join(", ")))
            }
            _ => failure,
        }
    }
}
