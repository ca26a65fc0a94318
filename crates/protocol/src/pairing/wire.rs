//! Bodies of the mailbox calls (section 8). Unknown fields are refused.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::message::Role;
use crate::bytes::Blob;

/// The version of what travels in a mailbox.
pub(super) const VERSION: u32 = 1;

/// Bytes of a message at most.
pub const MAX_MESSAGE: usize = 4096;
/// For how long a mailbox is open, in seconds.
pub const MAILBOX_SECONDS: u64 = 10 * 60;

/// `PUT /v1/{tenant}/accounts/{id}/mailboxes/{mailbox}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateMailboxRequest {
    /// The old side's first message.
    pub message: Blob,
}

/// `PUT /v1/{tenant}/mailboxes/{mailbox}/{role}/{step}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PutMessageRequest {
    /// The message, sealed.
    pub message: Blob,
}

/// A message of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MailboxMessage {
    /// Whose.
    pub role: Role,
    /// Its number among that side's, from 1.
    pub step: u8,
    /// The message, sealed.
    pub message: Blob,
}

/// `GET /v1/{tenant}/mailboxes/{mailbox}`, and the answer to its creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MailboxResponse {
    /// Unix seconds after which it is closed.
    pub expires: u64,
    /// All messages so far, by side and step.
    pub messages: Vec<MailboxMessage>,
}
