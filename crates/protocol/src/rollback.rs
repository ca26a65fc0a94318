//! What a device that has seen an account before makes of the record that a server shows now.

use crate::record::VerifiedRecord;

/// How a served record stands to the newest one this device has verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// The same record.
    Same,
    /// A later one.
    Newer,
    /// A later one by which another device restored what the server had lost; show it to the user.
    Restored,
}

/// The server shows a past or another history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// Another account stands where this device knows one.
    #[error("the server shows another account than the one this device knows")]
    OtherAccount,
    /// An older revision.
    #[error(
        "the server shows revision {served} but this device has seen revision {seen}: it was set back, or it lies"
    )]
    Older {
        /// What the server shows.
        served: u64,
        /// What this device has seen.
        seen: u64,
    },
    /// The same revision with other content, or a successor of something else.
    #[error(
        "the server shows a history that splits from the one this device knows, at revision {revision}"
    )]
    Fork {
        /// Where they part.
        revision: u64,
    },
    /// No account at all.
    #[error(
        "the server knows no account where this device has seen revision {seen}: it has lost it, or it lies"
    )]
    Gone {
        /// What this device has seen.
        seen: u64,
    },
}

/// Compares the record a server shows with the newest one this device has verified.
///
/// # Errors
/// [`RollbackError`] names what the server did.
pub fn compare(seen: &VerifiedRecord, served: &VerifiedRecord) -> Result<Freshness, RollbackError> {
    if seen.account_auth_key != served.account_auth_key {
        return Err(RollbackError::OtherAccount);
    }
    let (then, now) = (seen.revision, served.revision);
    if now < then {
        return Err(RollbackError::Older {
            served: now,
            seen: then,
        });
    }
    if now == then {
        let same = seen.hash() == served.hash();
        return if same {
            Ok(Freshness::Same)
        } else {
            Err(RollbackError::Fork { revision: now })
        };
    }
    if served.restore {
        return Ok(Freshness::Restored);
    }
    if then.checked_add(1) == Some(now) && served.previous != Some(seen.hash()) {
        return Err(RollbackError::Fork { revision: now });
    }
    Ok(Freshness::Newer)
}
