//! A user whose account has a PIN, and the ways in which a client is cut off.

use std::fmt;

use futures::StreamExt;
use trefoil::knowledge::{Cost, Pin};
use trefoil::{
    Account, CommitError, EthereumAddress, Factor, FactorKind, GuessError, Pending, RecoveryPhrase,
    Trefoil,
};
use trefoil_testkit::faults::Fault;
use trefoil_testkit::servers::{World, WorldOptions};

use crate::common::{Phone, create, needs_factors, open, ready};

pub(super) const OLD: &str = "731842";
pub(super) const NEW: &str = "k7m2xq";
pub(super) const THIRD: &str = "94h1sz";
pub(super) const WRONG: &str = "000731";

/// How many users go through their accident at once: they mostly wait.
const AT_ONCE: usize = 6;

/// A user whose account has social login, recovery phrase and a PIN or, where a test is to enrol one, a tablet; any two open.
/// The phone never saw the account before.
pub(super) struct Keeper<'a> {
    pub(super) world: &'a World,
    pub(super) name: String,
    pub(super) phone: Phone,
    words: String,
    pub(super) address: EthereumAddress,
}

/// Where a client is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Of the request, from 1.
    pub(super) number: u64,
    /// Whether the server still acts on it.
    pub(super) delivered: bool,
    /// Whether everything after it is cut off, too.
    pub(super) dies: bool,
}

impl Cut {
    /// Before and after each of `requests`, for good and for once.
    pub(super) fn all(requests: u64) -> impl Iterator<Item = Self> {
        (1..=requests).flat_map(|number| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(delivered, dies)| {
                Self {
                    number,
                    delivered,
                    dies,
                }
            })
        })
    }

    /// Only those after which nothing is sent any more.
    pub(super) fn deaths(requests: u64) -> impl Iterator<Item = Self> {
        Self::all(requests).filter(|cut| cut.dies)
    }

    /// Plans it on this phone's wire, counted from now on.
    pub(super) fn plan(self, phone: &Phone) {
        let wire = &phone.wire;
        wire.reset();
        match (self.dies, self.delivered) {
            (true, true) => wire.die_after(self.number),
            (true, false) => wire.die_before(self.number),
            (false, true) => wire.at(self.number, Fault::CutAfter),
            (false, false) => wire.at(self.number, Fault::CutBefore),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            delivered,
            dies,
        } = self;
        let side = if *delivered { "after" } else { "before" };
        let once = if *dies { "for good" } else { "once" };
        write!(f, "cut {side} request {number}, {once}")
    }
}

/// Two of three nodes; all three must take a slot.
pub(super) async fn world() -> World {
    World::with(WorldOptions::default()).await.unwrap()
}

/// Lets a user of its own go through each accident.
pub(super) async fn each<F: Future<Output = ()>>(
    cuts: impl Iterator<Item = Cut>,
    accident: impl Fn(Cut) -> F,
) {
    let mut accidents = futures::stream::iter(cuts.map(accident)).buffer_unordered(AT_ONCE);
    while accidents.next().await.is_some() {}
}

pub(super) fn pin(text: &str) -> Pin {
    Pin::entered(text).unwrap()
}

pub(super) fn app(phone: &Phone, world: &World) -> Trefoil {
    phone.app_with(world, |builder| builder.stretch_cost(Cost::LEAST))
}

impl<'a> Keeper<'a> {
    pub(super) async fn without_pin(world: &'a World, name: String) -> Self {
        Self::with(world, name, None).await
    }

    pub(super) async fn with_pin(world: &'a World, name: String) -> Self {
        Self::with(world, name, Some(OLD)).await
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

    pub(super) fn phrase(&self) -> Factor {
        RecoveryPhrase::parse(&self.words).unwrap().into()
    }

    /// The social login, which needs one factor more.
    pub(super) async fn pending(&self, phone: &Phone) -> Pending {
        needs_factors(open(&app(phone, self.world), self.world, &self.name).await)
    }

    /// Social login and recovery phrase.
    pub(super) async fn open(&self, phone: &Phone) -> Account {
        let mut pending = self.pending(phone).await;
        pending.provide(self.phrase()).await.unwrap();
        self.same(ready(pending.open().await.unwrap()))
    }

    /// Social login and PIN, on a device that never saw the account.
    pub(super) async fn open_by(&self, known: &str) -> Result<Account, GuessError> {
        let mut pending = self.pending(&Phone::new()).await;
        pending.guess(pin(known)).await?;
        Ok(self.same(ready(pending.open().await.unwrap())))
    }

    pub(super) fn same(&self, account: Account) -> Account {
        assert_eq!(account.ethereum_address(), self.address);
        account
    }

    /// Guesses that the social login has left after one that is wrong, and is counted, too.
    pub(super) async fn left_after_a_wrong_one(&self) -> u8 {
        match self.open_by(WRONG).await.unwrap_err() {
            GuessError::Wrong { left, .. } => left,
            other => panic!("{other}"),
        }
    }

    /// Once there is time, nothing is left at any server but what the account uses.
    pub(super) async fn assert_tidy(&self, account: &mut Account, cut: Cut) {
        account.tend_slots().await;
        let tended = account.tend_slots().await;
        assert_eq!((tended.waiting, tended.left_over), (0, 0), "{cut}");
    }
}

pub(super) async fn change(account: &mut Account, to: &str) -> Result<(), CommitError> {
    let index = pin_of(account).unwrap();
    let mut draft = account.change();
    draft.change_pin(index, &pin(to)).unwrap();
    draft.commit().await
}

pub(super) fn pin_of(account: &Account) -> Option<u32> {
    let notes = account.factors().iter();
    let mut pins = notes.filter(|note| note.kind == FactorKind::Pin);
    let index = pins.next().map(|note| note.index);
    assert!(pins.next().is_none(), "several");
    index
}
