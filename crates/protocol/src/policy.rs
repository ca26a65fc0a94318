//! Section 11: which level an action needs. The payload carries the policy; authenticators themselves come with the guard.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How strongly a session is assured.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A login with a factor.
    #[default]
    Primary,
    /// An authenticator within this session.
    Elevated,
    /// An authenticator again, for this one action.
    StepUp,
}

/// What a policy can put a level on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Action {
    /// State, vault or labels alone.
    Update,
    /// A new epoch and nothing else.
    Refresh,
    /// Another threshold.
    Reshare,
    /// A locator that was not there.
    AddFactor,
    /// A locator that is no longer there.
    RemoveFactor,
    /// Custody, policy, reset key or nonce.
    ChangePolicy,
    /// The account is erased.
    Delete,
    /// The recovery kit; the key handed out.
    Export,
    /// A signature with the wallet key.
    Sign,
    /// An authenticator enrolled, renamed or removed.
    ChangeAuthenticator,
    /// A new set of recovery codes.
    NewRecoveryCodes,
    /// The list of known destinations.
    ChangeWhitelist,
}

/// The account's own demands. A level above [`Level::Primary`] is demanded only while an authenticator is enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What the release of the nonce needs.
    #[serde(default, skip_serializing_if = "is_primary")]
    pub nonce_release: Level,
    /// What each action needs; one that is not named needs [`Level::Primary`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actions: BTreeMap<Action, Level>,
    /// Whether an authenticator must be enrolled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub authenticator_required: bool,
}

impl Policy {
    /// The level an action needs.
    #[must_use]
    pub fn required(&self, action: Action) -> Level {
        self.actions.get(&action).copied().unwrap_or_default()
    }
}

fn is_primary(level: &Level) -> bool {
    *level == Level::Primary
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}
