//! What a device keeps: its factor secrets, which accounts it has seen, and the newest record of each.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use trefoil_protocol::bytes::{AccountId, Envelope, Locator, PayloadHash};
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::record::{SignedPayload, VerifiedRecord};
use trefoil_protocol::tenant::Tenant;

/// The secret of one device factor.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceSecret {
    pub(crate) account_id: AccountId,
    pub(crate) tenant: Tenant,
    pub(crate) locator: Locator,
    pub(crate) secret: FactorSecret,
    pub(crate) created: u64,
    pub(crate) pending: Option<u64>,
    pub(crate) contact: Option<String>,
}

impl DeviceSecret {
    /// A secret that a commit on top of revision `base_revision` is about to enrol. It stays pending until
    /// [`DeviceState::settle`] sees a newer record. `created` is in unix seconds.
    #[must_use]
    pub fn pending(
        tenant: Tenant,
        account_id: AccountId,
        secret: FactorSecret,
        created: u64,
        base_revision: u64,
    ) -> Self {
        let locator = FactorKeys::derive(&tenant, &secret).locator();
        Self {
            account_id,
            tenant,
            locator,
            secret,
            created,
            pending: Some(base_revision),
            contact: None,
        }
    }

    /// The secret that this device keeps as a trusted contact of somebody else's account; `whose` is what its user is shown.
    /// It never takes part in this device's own logins.
    #[must_use]
    pub fn as_contact(self, whose: impl Into<String>) -> Self {
        Self {
            contact: Some(whose.into()),
            ..self
        }
    }

    /// Whose account it is, where this device is its trusted contact.
    #[must_use]
    pub fn contact_of(&self) -> Option<&str> {
        self.contact.as_deref()
    }

    /// The account in which the factor is, or is about to be, enrolled.
    #[must_use]
    pub const fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// The account's name space.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Under which the factor's entry is found.
    #[must_use]
    pub const fn locator(&self) -> Locator {
        self.locator
    }

    /// The factor secret.
    #[must_use]
    pub const fn factor_secret(&self) -> &FactorSecret {
        &self.secret
    }

    /// When it was made, in unix seconds.
    #[must_use]
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// While it is unknown whether the enrolling commit landed: the revision that this commit was built on.
    #[must_use]
    pub const fn pending_since(&self) -> Option<u64> {
        self.pending
    }
}

impl fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSecret")
            .field("account_id", &self.account_id)
            .field("tenant", &self.tenant)
            .field("locator", &self.locator)
            .field("secret", &"redacted")
            .field("created", &self.created)
            .field("pending", &self.pending)
            .field("contact", &self.contact)
            .finish()
    }
}

/// What the device knows of one account. Holds nothing that opens it: the record is sealed, and of the envelopes only
/// the device's own is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAccount {
    pub(crate) tenant: Tenant,
    pub(crate) revision: u64,
    pub(crate) record: SignedPayload,
    pub(crate) own_envelope: Option<Envelope>,
    pub(crate) events_head: Option<PayloadHash>,
    pub(crate) dont_ask_mfa: bool,
}

impl DeviceAccount {
    /// The account's name space.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Revision of [`Self::record`].
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The newest verified record that this device has seen. Verify it again before use: the file is not the server.
    #[must_use]
    pub const fn record(&self) -> &SignedPayload {
        &self.record
    }

    /// The envelope of this device's own factor in that record.
    #[must_use]
    pub const fn own_envelope(&self) -> Option<&Envelope> {
        self.own_envelope.as_ref()
    }

    /// Head of the newest audit log that this device has seen.
    #[must_use]
    pub const fn events_head(&self) -> Option<PayloadHash> {
        self.events_head
    }

    /// The user asked not to be offered MFA on this device again.
    #[must_use]
    pub const fn dont_ask_mfa(&self) -> bool {
        self.dont_ask_mfa
    }
}

/// What became of a record that was to be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Remembered {
    /// It is the newest one and was kept.
    Kept,
    /// The device already knows a newer one (another process was faster); that one stays.
    Older,
    /// The device knows another record of the same revision; that one stays. The server shows different histories.
    Fork,
}

/// What [`DeviceState::settle`] found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Pending secrets whose commit landed.
    pub enrolled: Vec<Locator>,
    /// Pending secrets whose commit did not land and never will; they were erased.
    pub erased: Vec<Locator>,
}

/// The locator is pinned to another account. A server that answers with another account under a known factor is
/// wrong or lying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this factor belongs to account {pinned}, but account {found} was shown for it")]
pub struct PinConflict {
    /// The account that the device knows.
    pub pinned: AccountId,
    /// The account that was to be pinned.
    pub found: AccountId,
}

/// Everything that a [`DeviceStore`](crate::device::DeviceStore) holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceState {
    pub(crate) secrets: BTreeMap<Locator, DeviceSecret>,
    pub(crate) pins: BTreeMap<(Tenant, Locator), AccountId>,
    pub(crate) accounts: BTreeMap<AccountId, DeviceAccount>,
    /// Indexed, but the keychain no longer has the secret. Filled when read, kept when written.
    pub(crate) lost: BTreeMap<Locator, LostSecret>,
    /// Erased from the index, to be erased from the keychain too.
    pub(crate) erase: BTreeSet<(Tenant, Locator)>,
}

/// A device secret that is in the index but no longer in the keychain (a restored or cloned device). The factor
/// cannot be used from here: enrol this device again and remove the old factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostSecret {
    pub(crate) account_id: AccountId,
    pub(crate) tenant: Tenant,
    pub(crate) created: u64,
    pub(crate) pending: Option<u64>,
    pub(crate) contact: Option<String>,
}

impl LostSecret {
    /// The account in which the factor was enrolled.
    #[must_use]
    pub const fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// The account's name space.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

impl DeviceState {
    /// The device secrets of a tenant, pending ones included, oldest first.
    pub fn secrets(&self, tenant: &Tenant) -> impl Iterator<Item = &DeviceSecret> {
        let mut found: Vec<&DeviceSecret> = self
            .secrets
            .values()
            .filter(|secret| secret.tenant == *tenant)
            .collect();
        found.sort_by_key(|secret| (secret.created, secret.locator));
        found.into_iter()
    }

    /// The device secret under this locator.
    #[must_use]
    pub fn secret(&self, locator: &Locator) -> Option<&DeviceSecret> {
        self.secrets.get(locator)
    }

    /// Secrets that the index names but the keychain no longer holds. Empty for other stores.
    pub fn lost_secrets(&self) -> impl Iterator<Item = (&Locator, &LostSecret)> {
        self.lost.iter()
    }

    /// Whether the device knows the account only as its trusted contact: none of its own secrets is of it, and none of its
    /// own factors has led to it.
    #[must_use]
    pub fn is_contact_only(&self, account_id: &AccountId) -> bool {
        let of_account = |secret: &&DeviceSecret| secret.account_id == *account_id;
        let mut secrets = self.secrets.values().filter(of_account).peekable();
        let is_contact = secrets.peek().is_some() && secrets.all(|secret| secret.contact.is_some());
        let own_pin = |((_, locator), pinned): (&(Tenant, Locator), &AccountId)| {
            let secret = self.secrets.get(locator);
            pinned == account_id && secret.is_none_or(|secret| secret.contact.is_none())
        };
        is_contact && !self.pins.iter().any(own_pin)
    }

    /// Keeps a secret. One already under its locator is replaced.
    pub fn insert_secret(&mut self, secret: DeviceSecret) {
        self.lost.remove(&secret.locator);
        self.erase.remove(&(secret.tenant.clone(), secret.locator));
        self.secrets.insert(secret.locator, secret);
    }

    /// Erases the secret, also a lost one's index entry, and tells whether there was one. Before calling this for a
    /// pending secret hold a verified record of a higher revision that lacks it: see [`Self::settle`].
    pub fn remove_secret(&mut self, locator: &Locator) -> bool {
        let secret = self.secrets.remove(locator).map(|secret| secret.tenant);
        let lost = self.lost.remove(locator).map(|lost| lost.tenant);
        let Some(tenant) = secret.or(lost) else {
            return false;
        };
        self.erase.insert((tenant, *locator));
        true
    }

    /// Decides the pending secrets of the account by its verified record: one whose locator is listed is enrolled; one
    /// that is not, and was built on an older revision, is erased; one that was built on this or a newer revision stays
    /// pending, since its commit may still land.
    pub fn settle(&mut self, record: &VerifiedRecord) -> Settled {
        let listed: Vec<Locator> = record.factors.iter().map(|entry| entry.locator).collect();
        self.settle_parts(&record.account_id, record.revision, &listed)
    }

    pub(crate) fn settle_parts(
        &mut self,
        account_id: &AccountId,
        revision: u64,
        listed: &[Locator],
    ) -> Settled {
        let mut settled = Settled::default();
        for secret in self
            .secrets
            .values_mut()
            .filter(|secret| secret.account_id == *account_id)
        {
            let Some(base) = secret.pending else { continue };
            if listed.contains(&secret.locator) {
                secret.pending = None;
                settled.enrolled.push(secret.locator);
            } else if revision > base {
                settled.erased.push(secret.locator);
            }
        }
        for locator in &settled.erased {
            self.remove_secret(locator);
        }
        settled
    }

    /// The account that this device has seen under a locator.
    #[must_use]
    pub fn pinned(&self, tenant: &Tenant, locator: &Locator) -> Option<AccountId> {
        // The key owns its tenant, so it is built once more for the look-up.
        self.pins.get(&(tenant.clone(), *locator)).copied()
    }

    /// Pins a locator to an account. Pinning it again to the same account changes nothing.
    ///
    /// # Errors
    /// [`PinConflict`] when it is pinned to another account; the pin stays.
    pub fn pin(
        &mut self,
        tenant: &Tenant,
        locator: Locator,
        account_id: AccountId,
    ) -> Result<(), PinConflict> {
        let pinned = *self
            .pins
            .entry((tenant.clone(), locator))
            .or_insert(account_id);
        if pinned == account_id {
            Ok(())
        } else {
            Err(PinConflict {
                pinned,
                found: account_id,
            })
        }
    }

    /// What the device knows of an account.
    #[must_use]
    pub fn account(&self, account_id: &AccountId) -> Option<&DeviceAccount> {
        self.accounts.get(account_id)
    }

    /// All known accounts.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountId, &DeviceAccount)> {
        self.accounts.iter()
    }

    /// Keeps a record as the newest one, with the envelope of this device's own factor if it is at hand.
    /// An older one never replaces a newer one, so that two processes cannot roll each other back.
    pub fn remember(
        &mut self,
        record: &VerifiedRecord,
        own_envelope: Option<&Envelope>,
    ) -> Remembered {
        self.remember_parts(
            &record.tenant,
            record.account_id,
            record.revision,
            record.signed(),
            own_envelope,
        )
    }

    pub(crate) fn remember_parts(
        &mut self,
        tenant: &Tenant,
        account_id: AccountId,
        revision: u64,
        record: &SignedPayload,
        own_envelope: Option<&Envelope>,
    ) -> Remembered {
        let Some(known) = self.accounts.get_mut(&account_id) else {
            let account = DeviceAccount {
                tenant: tenant.clone(),
                revision,
                record: record.clone(),
                own_envelope: own_envelope.cloned(),
                events_head: None,
                dont_ask_mfa: false,
            };
            self.accounts.insert(account_id, account);
            return Remembered::Kept;
        };
        if revision < known.revision {
            return Remembered::Older;
        }
        if revision == known.revision {
            if record.payload != known.record.payload {
                return Remembered::Fork;
            }
            // A login without the device factor brings the same record without its envelope: keep what there is.
            if let Some(envelope) = own_envelope {
                known.own_envelope = Some(envelope.clone());
            }
            return Remembered::Kept;
        }
        known.revision = revision;
        known.record = record.clone();
        known.own_envelope = own_envelope.cloned();
        Remembered::Kept
    }

    /// Pins the head of an account's audit log. Does nothing for an account that the device has not seen.
    pub fn set_events_head(&mut self, account_id: &AccountId, head: PayloadHash) {
        if let Some(account) = self.accounts.get_mut(account_id) {
            account.events_head = Some(head);
        }
    }

    /// Remembers whether to offer MFA on this device again. Does nothing for an account that the device has not seen.
    pub fn set_dont_ask_mfa(&mut self, account_id: &AccountId, dont_ask: bool) {
        if let Some(account) = self.accounts.get_mut(account_id) {
            account.dont_ask_mfa = dont_ask;
        }
    }

    /// Forgets an account that its owner deleted: its secrets, pins and record.
    pub fn forget(&mut self, account_id: &AccountId) {
        let gone: Vec<Locator> = (self
            .secrets
            .values()
            .map(|secret| (secret.account_id, secret.locator)))
        .chain(
            self.lost
                .iter()
                .map(|(locator, lost)| (lost.account_id, *locator)),
        )
        .filter(|(owner, _)| owner == account_id)
        .map(|(_, locator)| locator)
        .collect();
        for locator in gone {
            self.remove_secret(&locator);
        }
        self.pins.retain(|_, pinned| pinned != account_id);
        self.accounts.remove(account_id);
    }
}
