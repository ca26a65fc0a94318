//! Who says what when.

use serde::{Deserialize, Serialize};

use super::lent::LentShare;

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Shows the code.
    New,
    /// Reads the code, has the session.
    Old,
}

impl Role {
    /// Its name in addresses and under seals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Old => "old",
        }
    }
}

/// The places of a mailbox, each for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The old side's commitment: the mailbox is made with it.
    OldCommitment,
    /// What the new side reveals.
    NewReveal,
    /// What the old side reveals.
    OldReveal,
    /// The new side's enrolment, or its word that it compared.
    NewAnswer,
    /// The outcome, or the old side's end.
    OldOutcome,
    /// The new side's end.
    NewEnd,
}

impl Step {
    /// Messages of one side at most.
    pub const LAST: u8 = 3;

    /// Whose it is.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::OldCommitment | Self::OldReveal | Self::OldOutcome => Role::Old,
            Self::NewReveal | Self::NewAnswer | Self::NewEnd => Role::New,
        }
    }

    /// Its number among that side's, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::OldCommitment | Self::NewReveal => 1,
            Self::OldReveal | Self::NewAnswer => 2,
            Self::OldOutcome | Self::NewEnd => 3,
        }
    }

    /// Where each side puts its end.
    #[must_use]
    pub const fn end_of(role: Role) -> Self {
        match role {
            Role::New => Self::NewEnd,
            Role::Old => Self::OldOutcome,
        }
    }
}

/// Why a side ends a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The digits differ, or the user does not want this.
    Denied,
    /// The user gave it up.
    Cancelled,
    /// It cannot be carried out.
    Failed,
}

/// What a pairing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The factor is enrolled by the record of this revision.
    Done {
        /// Of the record that lists it.
        revision: u64,
    },
    /// A contact lends its share.
    Lent(LentShare),
}
