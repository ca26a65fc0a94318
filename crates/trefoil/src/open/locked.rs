use std::sync::Arc;

use trefoil_client::Session;
use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::opening::Opening;
use trefoil_protocol::record::VerifiedRecord;
use trefoil_protocol::rollback::{Freshness, RollbackError};
use trefoil_protocol::social::VerifierId;
use trefoil_protocol::wire::LoginResponse;

use super::{MfaRequired, NewAccount, OpenError, Pending, RolledBack};
use crate::account::Account;
use crate::core::Core;
use crate::mfa::MfaLevel;

/// Logged in, nothing opened yet.
#[derive(Debug)]
pub struct Locked {
    core: Arc<Core>,
    outcome: Outcome,
    /// The social login that led here, and its keys.
    social: Option<(FactorKeys, SocialIdentity)>,
}

/// Which social login it was; stands in the factor's hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SocialIdentity {
    pub(crate) verifier: VerifierId,
    pub(crate) generation: u32,
    /// A hash of the user as the nodes name it.
    pub(crate) identity: String,
    /// A hash of the e-mail address, where the ID token carries one.
    pub(crate) email: Option<String>,
}

#[derive(Debug)]
enum Outcome {
    Found(Box<Found>),
    NoAccount,
}

/// What the server showed, verified as far as no key is needed.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) session: Session,
    pub(crate) served: VerifiedRecord,
    /// All factors at hand, enrolled or not.
    pub(crate) factors: Vec<FactorKeys>,
    pub(crate) standing: Standing,
    pub(crate) response: LoginResponse,
}

/// How the served record stands to the newest one this device knows.
#[derive(Debug)]
pub(crate) enum Standing {
    /// The same or a later one; `None` where the device knows none.
    Current(Option<Freshness>),
    /// An older one: refused unless the user decides to restore.
    Older {
        error: RollbackError,
        newer: Box<VerifiedRecord>,
    },
}

/// What an opening came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Opened {
    /// One-click, or enough factors were at hand.
    Ready(Account),
    /// More factors are needed.
    NeedsFactors(Pending),
    /// MFA is mandatory and off: nothing but turning it on is possible.
    NeedsMfa(MfaRequired),
    /// Nobody has an account under this login: creating one is a step of its own, which the app may announce or forbid.
    NoAccount(NewAccount),
    /// The server shows an older record than this device has seen. Warn the user before anything else.
    RolledBack(RolledBack),
}

impl Locked {
    pub(crate) fn found(core: Arc<Core>, found: Found) -> Self {
        Self {
            core,
            outcome: Outcome::Found(found.into()),
            social: None,
        }
    }

    pub(crate) fn no_account(core: Arc<Core>) -> Self {
        Self {
            core,
            outcome: Outcome::NoAccount,
            social: None,
        }
    }

    pub(crate) fn with_identity(mut self, keys: FactorKeys, identity: SocialIdentity) -> Self {
        self.social = Some((keys, identity));
        self
    }

    /// Whether the server says that this factor was removed from the account that was found.
    pub(crate) fn was_removed(&self, keys: &FactorKeys) -> bool {
        matches!(&self.outcome, Outcome::Found(found) if found.response.removed.contains(&keys.locator()))
    }

    pub(crate) fn into_found(self) -> Option<Found> {
        match self.outcome {
            Outcome::Found(found) => Some(*found),
            Outcome::NoAccount => None,
        }
    }

    /// The account that was found.
    #[must_use]
    pub fn account_id(&self) -> Option<AccountId> {
        match &self.outcome {
            Outcome::Found(found) => Some(found.served.account_id),
            Outcome::NoAccount => None,
        }
    }

    /// The revision and number of factors that the server shows, for a device that sees the account for the first time.
    #[must_use]
    pub fn first_sight(&self) -> Option<(u64, usize)> {
        match &self.outcome {
            Outcome::Found(found) if matches!(found.standing, Standing::Current(None)) => {
                Some((found.served.revision, found.served.factors.len()))
            }
            _ => None,
        }
    }

    /// Whether another device has restored this account since this device last saw it. Show it to the user.
    #[must_use]
    pub fn was_restored(&self) -> bool {
        matches!(&self.outcome, Outcome::Found(found)
            if matches!(found.standing, Standing::Current(Some(Freshness::Restored))))
    }

    /// Opens as far as the factors at hand allow.
    ///
    /// # Errors
    /// [`OpenError`] where what the server holds does not open with factors that should open it.
    pub async fn open(self) -> Result<Opened, OpenError> {
        match self.outcome {
            Outcome::NoAccount => Ok(Opened::NoAccount(NewAccount::new(self.core, self.social))),
            Outcome::Found(found) => match found.standing {
                Standing::Older { .. } => {
                    Ok(Opened::RolledBack(RolledBack::new(self.core, *found)))
                }
                Standing::Current(_) => open_found(self.core, *found).await,
            },
        }
    }
}

/// Opens a found account whose standing is settled.
pub(super) async fn open_found(core: Arc<Core>, found: Found) -> Result<Opened, OpenError> {
    let opening = begin(&found)?;
    if opening.missing() > 0 {
        return Ok(Opened::NeedsFactors(Pending::new(core, found, opening)));
    }
    let account = complete(core, &found, &opening).await?;
    Ok(ready(account))
}

/// Every factor at hand that the record lists takes part.
pub(super) fn begin(found: &Found) -> Result<Opening, OpenError> {
    let mut opening: Option<Opening> = None;
    for keys in &found.factors {
        let Some(entry) = found.served.factor_at(&keys.locator()) else {
            continue;
        };
        let envelope = found
            .response
            .envelopes
            .iter()
            .find(|envelope| envelope.index == entry.index);
        let envelope = &envelope
            .ok_or(trefoil_protocol::opening::OpeningError::StaleEnvelope { index: entry.index })?
            .envelope;
        match &mut opening {
            None => {
                opening = Some(Opening::begin(
                    found.served.clone(),
                    keys.clone(),
                    envelope,
                )?)
            }
            Some(opening) => opening.add(keys.clone(), envelope)?,
        }
    }
    opening.ok_or(OpenError::Opening(
        trefoil_protocol::opening::OpeningError::NotEnrolled,
    ))
}

/// Puts the key together; asks for the nonce where the login did not bring it.
pub(super) async fn complete(
    core: Arc<Core>,
    found: &Found,
    opening: &Opening,
) -> Result<Account, OpenError> {
    let nonce = match &found.response.sealed_nonce {
        None if opening.needs_nonce() => Some(core.metadata.nonce(&found.session).await?),
        brought => brought.clone(),
    };
    let open = opening.complete(nonce.as_ref())?;
    let dont_ask = core.dont_ask(&found.served.account_id)?;
    Ok(Account::new(
        core,
        open,
        found.session.clone(),
        found.response.logins,
        dont_ask,
    ))
}

/// With MFA mandatory and off, no account that hands out its key.
pub(super) fn ready(account: Account) -> Opened {
    if account.core().level == MfaLevel::Mandatory && !account.mfa_is_on() {
        Opened::NeedsMfa(MfaRequired::new(account))
    } else {
        Opened::Ready(account)
    }
}
