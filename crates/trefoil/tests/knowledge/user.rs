//! A user with an account whose factors are social login, recovery phrase and whatever the test adds.

use std::sync::Arc;

use trefoil::device::MemoryDeviceStore;
use trefoil::knowledge::{Answers, BANK, Cost, NewQuestion, Password, Pin, SecurityQuestions};
use trefoil::{
    Account, Draft, Environment, FactorKind, Opened, Pending, RecoveryPhrase, Trefoil, VerifierId,
};
use trefoil_testkit::servers::{World, WorldOptions};
use zeroize::Zeroizing;

pub(crate) const PIN: &str = "731842";
pub(crate) const WRONG_PIN: &str = "731843";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ANSWERS: [&str; 5] = [
    "Blue Heron",
    "Marzipan",
    "Quarry Lane",
    "the attic",
    "Otter 77",
];

pub(crate) struct User {
    pub(crate) world: World,
    pub(crate) phrase: Zeroizing<String>,
    pub(crate) address: String,
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin::entered(text).unwrap()
}

pub(crate) fn password(text: &str) -> Password {
    Password::entered(text).unwrap()
}

pub(crate) fn questions() -> SecurityQuestions {
    let questions = BANK.iter().take(5).map(NewQuestion::Bank);
    let answers = ANSWERS.map(|answer| Zeroizing::new(answer.to_owned()));
    SecurityQuestions::choose(3, questions.zip(answers)).unwrap()
}

/// Answers to these questions, by number.
pub(crate) fn answers(numbers: [usize; 3]) -> Answers {
    Answers::new(numbers.map(|number| (number, Zeroizing::new(ANSWERS[number - 1].to_owned()))))
}

impl User {
    /// With social login, recovery phrase and what `more` adds, any two of which open.
    pub(crate) async fn with(more: impl FnOnce(&mut Draft<'_>)) -> Self {
        Self::in_world(
            WorldOptions {
                nodes: 9,
                threshold: 5,
                ..WorldOptions::default()
            },
            more,
        )
        .await
    }

    pub(crate) async fn in_world(options: WorldOptions, more: impl FnOnce(&mut Draft<'_>)) -> Self {
        let mut user = Self {
            world: World::with(options).await.unwrap(),
            phrase: Zeroizing::default(),
            address: String::new(),
        };
        let Opened::NoAccount(new) = user.log_in(&user.app()).await else {
            panic!("there is an account already");
        };
        let mut account = ready(new.create().await.unwrap());
        user.address = account.ethereum_address().to_string();
        let mut draft = account.enable_mfa();
        draft.recovery_phrase("paper").unwrap();
        user.phrase = draft.recovery_phrase_words().unwrap();
        draft.prove_recovery_phrase(&user.phrase).unwrap();
        more(&mut draft);
        draft.commit().await.unwrap();
        user
    }

    /// The app on a device that never saw the account.
    pub(crate) fn app(&self) -> Trefoil {
        self.builder().build().unwrap()
    }

    pub(crate) fn builder(&self) -> trefoil::TrefoilBuilder {
        Trefoil::builder(self.world.metadata_url(), self.world.manifest().clone())
            .tenant("acme")
            .device_store(Arc::new(MemoryDeviceStore::new()))
            .environment(Environment::system())
            .stretch_cost(Cost::LEAST)
    }

    /// The social login alone.
    pub(crate) async fn log_in(&self, app: &Trefoil) -> Opened {
        let login = app.begin_login();
        let token = self.world.id_token("alice", &login.oidc_nonce()).unwrap();
        let google = VerifierId::new("google").unwrap();
        let locked = login.complete(&google, &token).await.unwrap();
        locked.open().await.unwrap()
    }

    /// The social login, which needs one factor more.
    pub(crate) async fn pending(&self, app: &Trefoil) -> Pending {
        needs_more(self.log_in(app).await)
    }

    /// The recovery phrase, which needs one factor more.
    pub(crate) async fn pending_by_phrase(&self, app: &Trefoil) -> Pending {
        let phrase = RecoveryPhrase::parse(&self.phrase).unwrap();
        let locked = app.log_in_with([phrase.into()]).await.unwrap();
        needs_more(locked.open().await.unwrap())
    }

    /// Social login and recovery phrase.
    pub(crate) async fn open(&self) -> Account {
        let mut pending = self.pending(&self.app()).await;
        let phrase = RecoveryPhrase::parse(&self.phrase).unwrap();
        pending.provide(phrase).await.unwrap();
        self.same(pending.open().await.unwrap())
    }

    pub(crate) fn same(&self, opened: Opened) -> Account {
        let account = ready(opened);
        assert_eq!(account.ethereum_address().to_string(), self.address);
        account
    }
}

pub(crate) fn needs_more(opened: Opened) -> Pending {
    match opened {
        Opened::NeedsFactors(pending) => pending,
        other => panic!("one factor is enough: {other:?}"),
    }
}

pub(crate) fn ready(opened: Opened) -> Account {
    match opened {
        Opened::Ready(account) => account,
        other => panic!("not open: {other:?}"),
    }
}

/// The index of the account's only factor of this kind.
pub(crate) fn index_of(account: &Account, kind: FactorKind) -> u32 {
    let mut notes = account.factors().iter().filter(|note| note.kind == kind);
    let index = notes.next().unwrap().index;
    assert!(notes.next().is_none(), "several");
    index
}
