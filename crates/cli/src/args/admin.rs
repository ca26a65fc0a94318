//! `trefoil admin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is done to a metadata server's store.
#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Count accounts, factors, nonces, slots, events and what is short-lived; also beside a running server
    Stats(AdminStats),
    /// Check every signature, hash, envelope, event and slot, and list the accounts without their nonce; also beside a running
    /// server
    Verify(AdminVerify),
    /// Clear away ended sessions, old request ids, old mailboxes, and nonces that no record names
    Prune(AdminPrune),
    /// Write a backup of the records and one of the nonces; also beside a running server
    Backup(AdminBackup),
    /// Restore a backup into an empty store, and list the accounts without their nonce before anybody is served
    Restore(AdminRestore),
    /// Seal what the server must read under a new key
    Rotate(AdminRotate),
}

/// Which store.
#[derive(Debug, Args)]
pub(crate) struct StorePlace {
    /// The server's settings, of which is read where its store is; arguments go first
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the two database files lie
    #[arg(long, value_name = "DIR", env = "TREFOIL_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The keys under which the server seals; `sealing.keys` in the data directory unless set
    #[arg(long, value_name = "FILE", env = "TREFOIL_SEALING_KEYS_FILE")]
    pub(crate) sealing_keys_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AdminStats {
    #[command(flatten)]
    pub(crate) place: StorePlace,
}

#[derive(Debug, Args)]
pub(crate) struct AdminVerify {
    #[command(flatten)]
    pub(crate) place: StorePlace,
    /// Check this backup of records instead of a store
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "config"])]
    pub(crate) records: Option<PathBuf>,
    /// With nonces from this backup; may be repeated
    #[arg(long, value_name = "FILE", requires = "records")]
    pub(crate) nonces: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AdminPrune {
    #[command(flatten)]
    pub(crate) place: StorePlace,
}

#[derive(Debug, Args)]
pub(crate) struct AdminBackup {
    #[command(flatten)]
    pub(crate) place: StorePlace,
    /// Write the backup of the records here, a file that does not exist
    #[arg(long, value_name = "FILE", required_unless_present_any = ["nonces", "erase_old_nonces"])]
    pub(crate) records: Option<PathBuf>,
    /// Write the backup of the nonces here, a file that does not exist; keep it apart and not longer than the horizon
    #[arg(long, value_name = "FILE")]
    pub(crate) nonces: Option<PathBuf>,
    /// Afterwards remove the backups of nonces in this directory that are older than the horizon
    #[arg(long, value_name = "DIR")]
    pub(crate) erase_old_nonces: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) horizon: Horizon,
}

/// For how long nonces live on in backups.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Horizon {
    /// For how many days a backup of nonces may be kept
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub(crate) horizon_days: u32,
}

impl Horizon {
    pub(crate) fn seconds(self) -> u64 {
        u64::from(self.horizon_days) * 24 * 3600
    }
}

#[derive(Debug, Args)]
pub(crate) struct AdminRestore {
    #[command(flatten)]
    pub(crate) place: StorePlace,
    /// The backup of the records
    #[arg(long, value_name = "FILE")]
    pub(crate) records: PathBuf,
    /// A backup of nonces; may be repeated. Nonces that the store still holds are used as they are
    #[arg(long, value_name = "FILE")]
    pub(crate) nonces: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) horizon: Horizon,
    /// Take nonces also from backups that should have been erased
    #[arg(long)]
    pub(crate) allow_old_nonces: bool,
    /// Restore also a backup in which something does not hold together
    #[arg(long)]
    pub(crate) accept_problems: bool,
    /// Let the store serve although accounts lack their nonce
    #[arg(long)]
    pub(crate) accept_missing_nonces: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AdminRotate {
    #[command(flatten)]
    pub(crate) place: StorePlace,
    /// Only add a key, which nobody uses yet: the first of three runs where several servers share a database
    #[arg(long, conflicts_with_all = ["use_new", "no_new_key", "forget_old"])]
    pub(crate) prepare: bool,
    /// Only make the newest key that of new rows: the second run, when every server was restarted with the new key
    #[arg(long = "use", conflicts_with_all = ["no_new_key", "forget_old"])]
    pub(crate) use_new: bool,
    /// Add no key: seal what is not yet under the current one. On a database no run without --prepare adds one
    #[arg(long)]
    pub(crate) no_new_key: bool,
    /// Remove every other key from the file once nothing in the store is under it; earlier backups need them still. On a
    /// database only in a run that finds nothing under them
    #[arg(long)]
    pub(crate) forget_old: bool,
}
