use std::sync::Arc;

use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::guess::Knowledge;
use trefoil_protocol::opening::Opening;
use trefoil_protocol::pairing::LentShare;
use trefoil_protocol::state::FactorNote;

use super::locked::{begin, complete, ready};
use super::{Found, OpenError, Opened, ProvideError, Standing};
use crate::core::Core;
use crate::factor::Factor;
use crate::guess::{GuessError, Known, RightGuess, Unfinished, Used, guess};
use crate::login::{LoginError, authenticate};
use crate::pairing::{ContactShare, HelpRequest, PairError};

/// Some factors were accepted, more are needed.
#[derive(Debug)]
pub struct Pending {
    core: Arc<Core>,
    found: Box<Found>,
    opening: Opening,
    /// A guess that came to no end.
    unfinished: Option<Box<Unfinished>>,
    /// A right guess whose factor could not be provided yet.
    right: Option<Box<RightGuess>>,
    /// Factors that were opened by a guess.
    used: Vec<Used>,
    /// Shares that contacts lent.
    lent: Vec<LentShare>,
}

impl Pending {
    pub(super) fn new(core: Arc<Core>, found: Found, opening: Opening) -> Self {
        Self {
            core,
            found: found.into(),
            opening,
            unfinished: None,
            right: None,
            used: Vec::new(),
            lent: Vec::new(),
        }
    }

    /// How many more factors are needed.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.opening.missing()
    }

    /// The factors that could help: kind, label, hints and when they were last proven.
    pub fn available(&self) -> impl Iterator<Item = &FactorNote> {
        let (held, lent) = (self.opening.held(), self.opening.lent());
        let given = move |note: &&FactorNote| {
            held.iter().all(|held| held.index != note.index) && !lent.contains(&note.index)
        };
        self.opening.state().factors.iter().filter(given)
    }

    /// Adds a factor: the server proves that it is enrolled and hands out its envelope.
    ///
    /// # Errors
    /// [`ProvideError`]; the factors accepted before stay accepted.
    pub async fn provide(&mut self, factor: impl Into<Factor>) -> Result<&mut Self, ProvideError> {
        let found = with_factor(&self.core, &self.found, &factor.into()).await?;
        if let Standing::Older { error, .. } = found.standing {
            return Err(LoginError::from(error).into());
        }
        let mut opening = begin(&found)?;
        // A share of an epoch that is over meanwhile is worth nothing any more: the contact has to be asked again.
        self.lent.retain(|lent| {
            let taken = opening.add_share(lent);
            if let Err(error) = &taken {
                tracing::warn!(%error, "a contact's share does not fit any more");
            }
            taken.is_ok()
        });
        self.opening = opening;
        self.found = found.into();
        Ok(self)
    }

    /// Asks a trusted contact of the account for its share. `label` is this user's name for the contact.
    ///
    /// # Errors
    /// [`PairError::Pairing`] for a label that is too long.
    pub fn ask_contact(&self, label: impl Into<String>) -> Result<HelpRequest, PairError> {
        let account = self.found.served.account_id;
        HelpRequest::begin(Arc::clone(&self.core), account, label.into())
    }

    /// Adds the share that a contact lent.
    ///
    /// # Errors
    /// [`OpenError::Opening`] for a share that is wrong, of another epoch or account, or of a factor that was given already;
    /// what was accepted before stays accepted.
    pub fn accept(&mut self, share: ContactShare) -> Result<&mut Self, OpenError> {
        self.opening.add_share(&share.0)?;
        self.lent.push(share.0);
        Ok(self)
    }

    /// The security questions of the account, and how many of them have to be answered.
    #[must_use]
    pub fn security_questions(&self) -> Option<(usize, Vec<&str>)> {
        self.opening
            .state()
            .slots
            .iter()
            .find_map(|slot| match &slot.knowledge {
                Knowledge::Questions {
                    needed, questions, ..
                } => {
                    let texts = questions.iter().map(|question| question.text.as_str());
                    Some((usize::from(*needed), texts.collect()))
                }
                _ => None,
            })
    }

    /// Adds a factor that the user knows, at the price of one guess: [`Password::entered`](trefoil_factors::knowledge::Password::entered),
    /// [`Pin::entered`](trefoil_factors::knowledge::Pin::entered) or answers. After an error that says so, the same again costs
    /// no further guess.
    ///
    /// # Errors
    /// [`GuessError`]; the factors accepted before stay accepted.
    pub async fn guess(&mut self, known: impl Into<Known>) -> Result<&mut Self, GuessError> {
        self.guess_one(None, &known.into()).await
    }

    /// As [`Self::guess`], at the factor of this index, where the account has several of a kind.
    ///
    /// # Errors
    /// [`GuessError`].
    pub async fn guess_at(
        &mut self,
        index: u32,
        known: impl Into<Known>,
    ) -> Result<&mut Self, GuessError> {
        self.guess_one(Some(index), &known.into()).await
    }

    async fn guess_one(
        &mut self,
        index: Option<u32>,
        known: &Known,
    ) -> Result<&mut Self, GuessError> {
        // A right guess that could not be provided was counted, and may have been the last one: it is not made again.
        let made = self.right.take_if(|right| right.used.kind == known.kind());
        let right = match made {
            Some(right) => *right,
            None => {
                let (state, seeds) = (self.opening.state(), self.opening.guess_seeds());
                let session = &self.found.session;
                let unfinished = &mut self.unfinished;
                guess(&self.core, session, state, seeds, index, known, unfinished).await?
            }
        };
        let factor = Factor::new(known.kind(), right.secret.clone());
        if let Err(error) = self.provide(factor).await {
            self.right = Some(Box::new(right));
            return Err(error.into());
        }
        self.used.push(right.used);
        Ok(self)
    }

    /// Opens the account if enough factors were given; otherwise comes back as [`Opened::NeedsFactors`].
    ///
    /// # Errors
    /// [`OpenError`] where the factors do not give the account's key.
    pub async fn open(self) -> Result<Opened, OpenError> {
        if self.missing() > 0 {
            return Ok(Opened::NeedsFactors(self));
        }
        let mut account = complete(self.core, &self.found, &self.opening).await?;
        for used in self.used {
            // What was used still works as it did; the next use tries again.
            if let Err(error) = account.renew_slot(used).await {
                tracing::warn!(%error, "what the user knows could not be set up anew");
            }
        }
        Ok(ready(account))
    }
}

/// Logs in anew with one factor more.
pub(super) async fn with_factor(
    core: &Arc<Core>,
    found: &Found,
    factor: &Factor,
) -> Result<Found, ProvideError> {
    let keys: FactorKeys = factor.keys(&core.tenant);
    if found
        .factors
        .iter()
        .any(|known| known.locator() == keys.locator())
    {
        return Err(ProvideError::AlreadyGiven);
    }
    let mut factors = found.factors.clone();
    factors.push(keys.clone());
    let anew = match authenticate(core, factors, &[]).await {
        Err(LoginError::Metadata(trefoil_client::metadata::LoginError::SeveralAccounts)) => {
            return Err(ProvideError::NotOfThisAccount);
        }
        Err(LoginError::OtherAccount { .. }) => return Err(ProvideError::NotOfThisAccount),
        other => other?.into_found().ok_or(ProvideError::NotOfThisAccount)?,
    };
    if anew.response.removed.contains(&keys.locator()) {
        return Err(ProvideError::FactorRemoved);
    }
    if anew.served.factor_at(&keys.locator()).is_none() {
        return Err(ProvideError::NotOfThisAccount);
    }
    Ok(anew)
}
