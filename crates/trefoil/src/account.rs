//! An open account: the wallet key, what the user is shown, and where changes start.

use std::collections::BTreeSet;
use std::sync::Arc;

use k256::ecdsa::SigningKey;
use trefoil_client::{Session, metadata};
use trefoil_factors::device::{DeviceStoreError, DeviceStoreExt, PinConflict, UpdateError};
use trefoil_protocol::account::ed25519_wallet_seed;
use trefoil_protocol::bytes::{AccountId, PayloadHash, SlotId};
use trefoil_protocol::kit::{KitError, RecoveryKit};
use trefoil_protocol::opening::OpenAccount;
use trefoil_protocol::record::Custody;
use trefoil_protocol::state::FactorNote;
use trefoil_protocol::vault::Vault;
use trefoil_shares::PublicPoint;
use zeroize::Zeroizing;

use crate::core::Core;
use crate::draft::Draft;
use crate::ethereum::EthereumAddress;
use crate::guess::{GuessError, Known, RightGuess, Unfinished, guess};
use crate::mfa::{Circumstances, MfaPrompt};

/// An account whose key has been put together and proven.
#[derive(Debug)]
pub struct Account {
    core: Arc<Core>,
    open: OpenAccount,
    session: Session,
    logins: u64,
    dont_ask: bool,
    /// Retired slots that every server has ended; the next commit forgets them.
    ended_slots: BTreeSet<SlotId>,
    unfinished: Option<Box<Unfinished>>,
}

/// Events that a server keeps at least (protocol: the newest ones of an account).
const KEPT_EVENTS: usize = 128;

/// A recoverable ECDSA signature over secp256k1, with low `s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletSignature {
    /// `r || s`, 32 bytes each, big-endian.
    pub bytes: [u8; 64],
    /// 0 or 1: the parity of `R`'s y coordinate.
    pub recovery_id: u8,
}

impl WalletSignature {
    pub(crate) fn sign(key: &SigningKey, hash: &[u8; 32]) -> Self {
        let (signature, recovery) = key.sign_prehash_recoverable(hash);
        Self {
            bytes: signature.to_bytes().into(),
            recovery_id: recovery.to_byte(),
        }
    }
}

/// Why the server did not do what an open account asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The kit was not handed out.
    #[error(transparent)]
    Kit(#[from] metadata::KitError),
    /// The server handed out something else than the account's kit.
    #[error("the metadata server handed out a recovery kit that is not this account's: {0}")]
    WrongKit(#[from] KitError),
    /// The kit is not of the revision that is open here.
    #[error("the account has changed since it was opened; open it again")]
    Stale,
    /// The events were not shown.
    #[error(transparent)]
    Events(#[from] metadata::EventsError),
    /// The log does not continue the one that this device has seen.
    #[error("the metadata server's event list does not continue the one that this device has seen")]
    EventsRewritten,
    /// The account was not deleted.
    #[error(transparent)]
    Delete(#[from] metadata::DeleteError),
    /// The device store failed.
    #[error(transparent)]
    Device(#[from] DeviceStoreError),
}

pub(crate) fn store_error(error: UpdateError<PinConflict>) -> DeviceStoreError {
    match error {
        UpdateError::Store(error) => error,
        UpdateError::Refused(_) => DeviceStoreError::NotRun,
    }
}

impl Account {
    pub(crate) fn new(
        core: Arc<Core>,
        open: OpenAccount,
        session: Session,
        logins: u64,
        dont_ask: bool,
    ) -> Self {
        Self {
            core,
            open,
            session,
            logins,
            dont_ask,
            ended_slots: BTreeSet::new(),
            unfinished: None,
        }
    }

    /// The account's name at the server; unlinkable to the wallet's public key.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.open.keys().id()
    }

    /// The wallet's secp256k1 key.
    #[must_use]
    pub fn wallet_key(&self) -> k256::SecretKey {
        secret_key(&self.open)
    }

    /// The wallet's public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicPoint {
        self.open.public_key()
    }

    /// The wallet's Ethereum address.
    #[must_use]
    pub fn ethereum_address(&self) -> EthereumAddress {
        EthereumAddress::of(self.public_key())
    }

    /// The seed of the wallet's ed25519 key (RFC 8032), the same in every tenant.
    #[must_use]
    pub fn ed25519_seed(&self) -> Zeroizing<[u8; 32]> {
        ed25519_wallet_seed(self.open.key())
    }

    /// Signs a 32-byte hash with the wallet's secp256k1 key: deterministic (RFC 6979), low `s`, recoverable.
    #[must_use]
    pub fn sign_prehash(&self, hash: &[u8; 32]) -> WalletSignature {
        WalletSignature::sign(&SigningKey::from(self.wallet_key()), hash)
    }

    /// Imported keys and seeds.
    #[must_use]
    pub const fn vault(&self) -> &Vault {
        self.open.vault()
    }

    /// Who is needed for the key.
    #[must_use]
    pub fn custody(&self) -> Custody {
        self.open.record().custody
    }

    /// Whether the account left one-click.
    #[must_use]
    pub fn mfa_is_on(&self) -> bool {
        self.open.mfa_is_on()
    }

    /// Factors needed to open it.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.open.record().threshold
    }

    /// The record's revision, one more each commit.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.open.record().revision
    }

    /// The number of the current polynomial.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.open.record().epoch
    }

    /// The account's factors: kind, label, hints, when made and last proven.
    #[must_use]
    pub fn factors(&self) -> &[FactorNote] {
        &self.open.state().factors
    }

    /// Logins to this account so far, by the server's count.
    #[must_use]
    pub const fn logins(&self) -> u64 {
        self.logins
    }

    /// What to ask the user about MFA now.
    #[must_use]
    pub fn mfa_prompt(&self) -> MfaPrompt {
        self.core.level.prompt(&Circumstances {
            mfa_is_on: self.mfa_is_on(),
            spare_factors: self
                .factors()
                .len()
                .saturating_sub(usize::from(self.threshold())),
            logins: self.logins,
            dont_ask: self.dont_ask,
        })
    }

    /// The user does not want to be offered MFA on this device again. Demands are still made.
    ///
    /// # Errors
    /// [`DeviceStoreError`].
    pub fn dont_ask_again(&mut self) -> Result<(), DeviceStoreError> {
        let id = self.id();
        self.core
            .devices
            .update(|state| state.set_dont_ask_mfa(&id, true))?;
        self.dont_ask = true;
        Ok(())
    }

    /// Starts turning on MFA: the same key, spread 2 of n, the nonce deleted in the same write.
    pub fn enable_mfa(&mut self) -> Draft<'_> {
        Draft::upgrade(self)
    }

    /// Starts a change: factors, threshold, refresh, vault, labels, all in one commit.
    pub fn change(&mut self) -> Draft<'_> {
        Draft::new(self)
    }

    /// Everything the server holds of the account as armored text: useless without enough factors, and with enough factors
    /// that need no server it opens the account for ever. The one full copy: keep it like one.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn recovery_kit(&self) -> Result<RecoveryKit, AccountError> {
        let kit = self
            .core
            .metadata
            .kit(&self.session, self.open.keys().auth())
            .await?;
        let kit = RecoveryKit::new(&self.core.tenant, kit)?;
        if kit.record().hash() != self.open.record().hash() {
            return Err(AccountError::Stale);
        }
        Ok(kit)
    }

    /// The newest events of the account's audit log, oldest first, checked to be the end of one chain.
    ///
    /// # Errors
    /// [`AccountError::Events`].
    pub async fn events(&self) -> Result<Vec<trefoil_protocol::event::Event>, AccountError> {
        let listed = self.core.metadata.events(&self.session).await?;
        let id = self.id();
        let pinned = self
            .core
            .devices
            .read()?
            .account(&id)
            .and_then(|known| known.events_head());
        let continues = |pin: PayloadHash| {
            listed.head == pin
                || listed
                    .events
                    .iter()
                    .any(|event| event.previous == Some(pin))
        };
        // A server keeps the newest events only: a pin may have been dropped honestly, but not from a shorter list.
        if pinned.is_some_and(|pin| !continues(pin)) && listed.events.len() < KEPT_EVENTS {
            return Err(AccountError::EventsRewritten);
        }
        self.core
            .devices
            .update(|state| state.set_events_head(&id, listed.head))?;
        Ok(listed.events)
    }

    /// Erases the account for ever; the wallet key, if exported, stays valid on its chains. This device forgets it too, and the
    /// nodes are told that what they count guesses for is over: those that cannot be reached now keep parts of which nobody
    /// has the rest.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn delete(self) -> Result<(), AccountError> {
        self.core
            .metadata
            .delete(&self.session, self.open.keys().auth())
            .await?;
        let id = self.id();
        let forgotten = self.core.devices.update(|state| state.forget(&id));
        self.end_every_slot_quickly().await;
        Ok(forgotten?)
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) const fn open(&self) -> &OpenAccount {
        &self.open
    }

    pub(crate) const fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) const fn dont_ask(&self) -> bool {
        self.dont_ask
    }

    /// Logs in again with the factors at hand.
    pub(crate) async fn renew_session(&mut self) -> Result<(), metadata::LoginError> {
        let signers: Vec<_> = self
            .open
            .held()
            .iter()
            .map(|held| held.keys.auth())
            .collect();
        self.session = Session::of(&self.core.metadata.login(&signers).await?);
        Ok(())
    }

    /// After the server has acknowledged a commit.
    pub(crate) fn advance(&mut self, open: OpenAccount) {
        self.open = open;
        let retired = &self.open.state().retired;
        self.ended_slots
            .retain(|ended| retired.iter().any(|retired| retired.slot == *ended));
    }

    /// A guess at a factor of this kind with the guess keys of the others that are open: what was itself opened by a guess may be
    /// guessed at again.
    pub(crate) async fn guess(&mut self, known: &Known) -> Result<RightGuess, GuessError> {
        let (open, session) = (&self.open, &self.session);
        let (state, keys) = (open.state(), open.keys());
        let kind_of = |index| state.note(index).map(|note| note.kind);
        let held = open.held().iter();
        let seeds: Vec<_> = held
            .filter(|held| kind_of(held.index) != Some(known.kind()))
            .map(|held| (held.index, keys.guess_seed(held.index)))
            .collect();
        let unfinished = &mut self.unfinished;
        guess(&self.core, session, state, &seeds, None, known, unfinished).await
    }

    pub(crate) fn acknowledge(&mut self, slot: SlotId) {
        self.ended_slots.insert(slot);
    }

    pub(crate) fn ended_slots(&self) -> Vec<SlotId> {
        self.ended_slots.iter().copied().collect()
    }
}

pub(crate) fn secret_key(open: &OpenAccount) -> k256::SecretKey {
    let bytes = open.key().expose_secret();
    // A KeyScalar is in 1..n, which is exactly what a SecretKey holds.
    #[expect(clippy::expect_used, reason = "both types hold the scalars 1..n")]
    k256::SecretKey::from_slice(bytes.as_slice()).expect("a wallet key is a secp256k1 key")
}
