//! What an operator does with a server's store, whatever its back end: check it, back it up, restore it
//! (protocol section 7).
//!
//! A backup is two files, [records and nonces](file), because a backup of nonces must not be kept longer than the stated
//! horizon: what an account has ended must end in its backups too.

mod account;
mod backup;
mod erase;
mod file;
mod nonces;
mod restore;
mod verify;

pub use backup::{BackedUp, BackupError, back_up};
pub use erase::erase_old_nonces;
pub use file::{FileError, Kind, Written};
pub use restore::{Restore, RestoreError, RestoreReport, restore};
pub use verify::{Problem, VerifyError, VerifyReport, verify, verify_files};

use serde::{Deserialize, Serialize};
use trefoil_protocol::bytes::{AccountId, NonceHash};
use trefoil_protocol::tenant::Tenant;

/// For how long a backup of nonces may be kept unless a deployment says otherwise: seven days, in seconds.
pub const NONCE_HORIZON: u64 = 7 * 24 * 3600;

/// An account as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountName {
    /// Name space.
    pub tenant: Tenant,
    /// The account.
    pub account_id: AccountId,
}

/// A nonce as a record names it.
type NamedNonce = (Tenant, AccountId, NonceHash);
