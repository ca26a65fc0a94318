//! A user whose account has a PIN, used on devices that never saw it.

use trefoil::knowledge::{Cost, Pin};
use trefoil::{
    Account, EthereumAddress, Factor, FactorKind, GuessError, Pending, RecoveryPhrase, Trefoil,
};
use trefoil_testkit::servers::World;

use super::{Phone, create, needs_factors, open, ready};

pub(crate) const OLD: &str = "731842";
pub(crate) const NEW: &str = "k7m2xq";
pub(crate) const THIRD: &str = "94h1sz";
pub(crate) const WRONG: &str = "000731";

/// A user whose account has social login, recovery phrase and a PIN or, where a test is to enrol one, a tablet; any two open.
/// The phone never saw the account before.
pub(crate) struct Keeper<'a> {
    pub(crate) world: &'a World,
    pub(crate) name: String,
    pub(crate) phone: Phone,
    words: String,
    pub(crate) address: EthereumAddress,
}

impl<'a> Keeper<'a> {
    pub(crate) async fn without_pin(world: &'a World, name: String) -> Self {
        Self::with(world, name, None).await
    }

    pub(crate) async fn with_pin(world: &'a World, name: String) -> Self {
        Self::with(world, name, Some(OLD)).await
    }

    pub(crate) async fn with_this_pin(world: &'a World, name: String, known: &str) -> Self {
        Self::with(world, name, Some(known)).await
    }

    async fn with(world: &'a World, name: String, enrolled: Option<&str>) -> Self {
        let tablet = Phone::new();
        let mut account = create(&app(&tablet, world), world, &name).await;
        let mut draft = account.enable_mfa();
        draft.recovery_phrase("paper").unwrap();
        let words = draft.recovery_phrase_words().unwrap().to_string();
        draft.prove_recovery_phrase(&words).unwrap();
        if let Some(enrolled) = enrolled {
            draft.pin("phone PIN", &pin(enrolled)).unwrap();
        } else {
            draft.device("tablet").unwrap();
        }
        draft.commit().await.unwrap();
        Self {
            world,
            name,
            words,
            address: account.ethereum_address(),
            phone: Phone::new(),
        }
    }

    /// The recovery phrase as written down.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    pub(crate) fn phrase(&self) -> Factor {
        RecoveryPhrase::parse(&self.words).unwrap().into()
    }

    /// The social login, which needs one factor more.
    pub(crate) async fn pending(&self, phone: &Phone) -> Pending {
        needs_factors(open(&app(phone, self.world), self.world, &self.name).await)
    }

    /// Social login and recovery phrase.
    pub(crate) async fn open(&self, phone: &Phone) -> Account {
        let mut pending = self.pending(phone).await;
        pending.provide(self.phrase()).await.unwrap();
        self.same(ready(pending.open().await.unwrap()))
    }

    /// Social login and PIN, on a device that never saw the account.
    pub(crate) async fn open_by(&self, known: &str) -> Result<Account, GuessError> {
        let mut pending = self.pending(&Phone::new()).await;
        pending.guess(pin(known)).await?;
        Ok(self.same(ready(pending.open().await.unwrap())))
    }

    pub(crate) fn same(&self, account: Account) -> Account {
        assert_eq!(account.ethereum_address(), self.address);
        account
    }

    /// Guesses that the social login has left after one that is wrong, and is counted, too.
    pub(crate) async fn left_after_a_wrong_one(&self) -> u8 {
        match self.open_by(WRONG).await.unwrap_err() {
            GuessError::Wrong { left, .. } => left,
            other => panic!("{other}"),
        }
    }
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin::entered(text).unwrap()
}

pub(crate) fn app(phone: &Phone, world: &World) -> Trefoil {
    phone.app_with(world, |builder| builder.stretch_cost(Cost::LEAST))
}

pub(crate) fn pin_of(account: &Account) -> Option<u32> {
    let notes = account.factors().iter();
    let mut pins = notes.filter(|note| note.kind == FactorKind::Pin);
    let index = pins.next().map(|note| note.index);
    assert!(pins.next().is_none(), "several");
    index
}
