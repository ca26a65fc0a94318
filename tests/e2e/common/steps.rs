//! What users do in most tests, in one call each.

use trefoil::{
    Account, EthereumAddress, Factor, Locked, LoginError, MfaRequired, NewAccount, Opened, Pending,
    RecoveryPhrase, RolledBack, SocialLogin, Trefoil, VerifierId,
};
use trefoil_testkit::servers::World;

use super::Phone;

pub(crate) fn google() -> VerifierId {
    VerifierId::new("google").unwrap()
}

/// Logs a user in with the provider `google`.
pub(crate) async fn log_in(app: &Trefoil, world: &World, user: &str) -> Result<Locked, LoginError> {
    let login = app.begin_login();
    let token = world
        .id_token_for(app.tenant().as_str(), "google", user, &login.oidc_nonce())
        .unwrap();
    login.complete(&google(), &token).await
}

/// Obtains a user's social factor alone.
pub(crate) async fn social_factor(app: &Trefoil, world: &World, user: &str) -> SocialLogin {
    let login = app.begin_login();
    let token = world
        .id_token_for(app.tenant().as_str(), "google", user, &login.oidc_nonce())
        .unwrap();
    login.factor(&google(), &token, 0).await.unwrap()
}

/// Logs in and opens, whatever comes of it.
pub(crate) async fn open(app: &Trefoil, world: &World, user: &str) -> Opened {
    log_in(app, world, user)
        .await
        .unwrap()
        .open()
        .await
        .unwrap()
}

/// Logs in and creates the one-click wallet.
pub(crate) async fn create(app: &Trefoil, world: &World, user: &str) -> Account {
    ready(
        no_account(open(app, world, user).await)
            .create()
            .await
            .unwrap(),
    )
}

/// Takes the opened account, and nothing else.
pub(crate) fn ready(opened: Opened) -> Account {
    match opened {
        Opened::Ready(account) => account,
        other => panic!("expected an open account, got {other:?}"),
    }
}

pub(crate) fn needs_factors(opened: Opened) -> Pending {
    match opened {
        Opened::NeedsFactors(pending) => pending,
        other => panic!("expected a demand for factors, got {other:?}"),
    }
}

pub(crate) fn needs_mfa(opened: Opened) -> MfaRequired {
    match opened {
        Opened::NeedsMfa(required) => required,
        other => panic!("expected a demand for MFA, got {other:?}"),
    }
}

pub(crate) fn no_account(opened: Opened) -> NewAccount {
    match opened {
        Opened::NoAccount(new) => new,
        other => panic!("expected no account, got {other:?}"),
    }
}

pub(crate) fn rolled_back(opened: Opened) -> RolledBack {
    match opened {
        Opened::RolledBack(rolled_back) => rolled_back,
        other => panic!("expected a rollback, got {other:?}"),
    }
}

/// A user whose account has MFA on: social login, one device, one recovery phrase, 2 of 3.
pub(crate) struct Owner {
    pub(crate) name: &'static str,
    pub(crate) phone: Phone,
    pub(crate) words: String,
    pub(crate) address: EthereumAddress,
}

impl Owner {
    /// Creates the account and turns MFA on.
    pub(crate) async fn new(world: &World, name: &'static str) -> Self {
        let phone = Phone::new();
        let app = phone.app(world);
        let mut account = create(&app, world, name).await;
        let address = account.ethereum_address();
        let words = upgrade(&mut account).await;
        assert_eq!(account.ethereum_address(), address);
        Self {
            name,
            phone,
            words,
            address,
        }
    }

    /// The recovery phrase as typed in.
    pub(crate) fn phrase(&self) -> Factor {
        RecoveryPhrase::parse(&self.words).unwrap().into()
    }

    /// Logs in on the own phone: two factors at once.
    pub(crate) async fn account(&self, world: &World) -> Account {
        ready(open(&self.phone.app(world), world, self.name).await)
    }

    /// Opens on a factory-new phone with social login and phrase.
    pub(crate) async fn account_elsewhere(&self, world: &World) -> Account {
        let mut pending = needs_factors(open(&Phone::new().app(world), world, self.name).await);
        pending.provide(self.phrase()).await.unwrap();
        ready(pending.open().await.unwrap())
    }
}

/// Turns MFA on with this device and a phrase; returns the words.
pub(crate) async fn upgrade(account: &mut Account) -> String {
    let mut draft = account.enable_mfa();
    draft
        .device("phone")
        .unwrap()
        .recovery_phrase("paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();
    words
}

/// The index of the factor with this label.
pub(crate) fn index_of(account: &Account, label: &str) -> u32 {
    account
        .factors()
        .iter()
        .find(|note| note.label == label)
        .unwrap()
        .index
}
