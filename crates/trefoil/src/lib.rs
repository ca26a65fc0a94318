#![doc = include_str!("../README.md")]

mod account;
mod builder;
mod core;
mod custody;
mod draft;
mod ethereum;
mod factor;
mod guess;
mod health;
mod login;
mod mfa;
mod offline;
mod open;
mod pairing;
mod slots;

pub use account::{Account, AccountError, WalletSignature};
pub use builder::{BuildError, Trefoil, TrefoilBuilder};
pub use custody::Consequence;
pub use draft::{CommitError, Draft, DraftError};
pub use ethereum::EthereumAddress;
pub use factor::Factor;
pub use guess::{GuessError, Known};
pub use health::{DrillError, FactorHealth};
pub use login::{Login, LoginError, SocialLogin};
pub use mfa::{MfaLevel, MfaPrompt};
pub use offline::{OfflineError, OfflineWallet, open_kit};
pub use open::{
    CreateError, Locked, MfaRequired, NewAccount, OpenError, Opened, Pending, ProvideError,
    RestoreError, RolledBack,
};
pub use slots::Tended;

pub use pairing::{
    Approval, Canceller, ContactOf, ContactShare, EnrolComparing, EnrolRequest, Enrolled, Help,
    HelpComparing, HelpRequest, Joined, PairError,
};

pub use trefoil_client::{Clock, Environment, HttpTransport, RoundTrips, Transport};
pub use trefoil_factors::device;
pub use trefoil_factors::email;
pub use trefoil_factors::knowledge;
pub use trefoil_factors::passkey;
pub use trefoil_factors::{DappShare, EmailBackup, PhraseError, RecoveryPhrase, WordCount};
pub use trefoil_protocol::bytes::{AccountId, NetworkKey};
pub use trefoil_protocol::event::Event;
pub use trefoil_protocol::factor::FactorKind;
pub use trefoil_protocol::kit::{KitError, RecoveryKit};
pub use trefoil_protocol::pairing::{CodeError, PairingError, Purpose, RequestCode, ShortString};
pub use trefoil_protocol::record::Custody;
pub use trefoil_protocol::rollback::RollbackError;
pub use trefoil_protocol::social::{SignedManifest, VerifierId};
pub use trefoil_protocol::state::FactorNote;
pub use trefoil_protocol::tenant::Tenant;
pub use trefoil_protocol::vault::{Vault, VaultItem, VaultKind, VaultSecret};
pub use trefoil_shares::{KeyScalar, PublicPoint};
