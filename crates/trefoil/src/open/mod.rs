//! From a login to an open account, step by step: each type offers only what may come next.

mod error;
mod locked;
mod mfa_required;
mod new_account;
mod pending;
mod rolled_back;

pub use error::{CreateError, OpenError, ProvideError, RestoreError};
pub(crate) use locked::{Found, SocialIdentity, Standing};
pub use locked::{Locked, Opened};
pub use mfa_required::MfaRequired;
pub use new_account::NewAccount;
pub use pending::Pending;
pub use rolled_back::RolledBack;
