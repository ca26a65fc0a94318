use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::bytes::AuthKey;

/// Who counts guesses: what is said to one evaluator serves at no other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluatorName {
    /// The metadata server: its public base URL without a trailing slash.
    Server(String),
    /// A node: its identity key.
    Node(AuthKey),
}
