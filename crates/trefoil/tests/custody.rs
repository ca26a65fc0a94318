//! Second social logins: what is told of them, and what the user must accept.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use serde_json::json;
use trefoil::device::MemoryDeviceStore;
use trefoil::{
    Account, CommitError, Consequence, Draft, DraftError, LoginError, Opened, SocialLogin, Trefoil,
    VerifierId,
};
use trefoil_testkit::oidc::Claims;
use trefoil_testkit::servers::{Verifier, World, WorldOptions};

const GOOGLE: &str = "google";
const HOUSE: &str = "house";

struct Here {
    world: World,
    app: Trefoil,
}

impl Here {
    async fn new() -> Self {
        let world = World::with(WorldOptions {
            verifiers: vec![Verifier::new("acme", GOOGLE), Verifier::new("acme", HOUSE)],
            ..WorldOptions::default()
        })
        .await
        .unwrap();
        let app = Trefoil::builder(world.metadata_url(), world.manifest().clone())
            .tenant("acme")
            .device_store(Arc::new(MemoryDeviceStore::new()))
            .build()
            .unwrap();
        Self { world, app }
    }

    fn token(&self, verifier: &str, claims: Claims, nonce: &str) -> String {
        let claims = claims
            .audiences(&[&format!("acme-{verifier}")])
            .nonce(nonce);
        self.world.provider.id_token(&claims).unwrap()
    }

    /// A user with an e-mail address, or none where it is empty.
    fn user(&self, user: &str, email: &str) -> Claims {
        let claims = self.world.provider.claims(user);
        if email.is_empty() {
            claims
        } else {
            claims.email(email, true)
        }
    }

    async fn factor(&self, verifier: &str, claims: Claims, generation: u32) -> SocialLogin {
        let login = self.app.begin_login();
        let token = self.token(verifier, claims, &login.oidc_nonce());
        let id = VerifierId::new(verifier).unwrap();
        login.factor(&id, &token, generation).await.unwrap()
    }

    async fn log_in(&self, claims: Claims) -> Opened {
        let login = self.app.begin_login();
        let token = self.token(GOOGLE, claims, &login.oidc_nonce());
        let id = VerifierId::new(GOOGLE).unwrap();
        let locked = login.complete(&id, &token).await.unwrap();
        locked.open().await.unwrap()
    }

    /// One click at `google`.
    async fn one_click(&self, claims: Claims) -> Account {
        let Opened::NoAccount(new) = self.log_in(claims).await else {
            panic!("there is an account already");
        };
        ready(new.create().await.unwrap())
    }

    /// 2 of 3: `google`, device, phrase.
    async fn account(&self, user: &str, email: &str) -> Account {
        let mut account = self.one_click(self.user(user, email)).await;
        let mut draft = account.enable_mfa();
        draft.device("laptop").unwrap();
        phrase(&mut draft);
        draft.commit().await.unwrap();
        account
    }
}

fn ready(opened: Opened) -> Account {
    match opened {
        Opened::Ready(account) => account,
        other => panic!("not open: {other:?}"),
    }
}

fn phrase(draft: &mut Draft<'_>) {
    draft.recovery_phrase("paper").unwrap();
    let words = draft.recovery_phrase_words().unwrap();
    draft.prove_recovery_phrase(&words).unwrap();
}

/// Refused with the reason, and nothing was written; then accepted, and told from then on.
async fn is_asked_and_told(account: &mut Account, second: SocialLogin, told: Consequence) {
    let (revision, address) = (account.revision(), account.ethereum_address());
    let mut draft = account.change();
    draft.social("second", second).unwrap();
    assert_eq!(draft.consequences(), [told]);
    let known = matches!(told, Consequence::SameIdentity { .. });
    match draft.commit().await.unwrap_err() {
        CommitError::OneIdentity {
            factors,
            threshold: 2,
            certain,
        } => assert_eq!((factors, certain), (vec![1, 4], known)),
        other => panic!("{other}"),
    }
    draft.accept_one_identity().unwrap();
    draft.commit().await.unwrap();
    assert_eq!(account.consequences(), [told]);
    assert_eq!(account.revision(), revision + 1);
    assert_eq!(account.ethereum_address(), address);
}

async fn is_linked_unasked(account: &mut Account, second: SocialLogin, told: &[Consequence]) {
    let mut draft = account.change();
    draft.social("second", second).unwrap();
    assert_eq!(draft.consequences(), told);
    draft.commit().await.unwrap();
    assert_eq!(account.consequences(), told);
}

const SAME: Consequence = Consequence::SameIdentity { index: 1, other: 4 };
const UNKNOWN: Consequence = Consequence::UnknownIdentity { index: 1, other: 4 };
const PROVIDER: Consequence = Consequence::SameProvider { index: 1, other: 4 };

#[tokio::test]
async fn the_same_login_in_another_generation_is_the_same_identity() {
    let here = Here::new().await;
    let mut account = here.account("alice", "").await;
    let next = here.factor(GOOGLE, here.user("alice", ""), 1).await;
    is_asked_and_told(&mut account, next, SAME).await;

    // It was no empty warning: the identity opens the wallet without the device and the phrase.
    let next = here.factor(GOOGLE, here.user("alice", ""), 1).await;
    let elsewhere = Trefoil::builder(here.world.metadata_url(), here.world.manifest().clone())
        .tenant("acme")
        .build()
        .unwrap();
    let first = here.factor(GOOGLE, here.user("alice", ""), 0).await;
    let locked = elsewhere
        .log_in_with([first.into(), next.into()])
        .await
        .unwrap();
    let opened = ready(locked.open().await.unwrap());
    assert_eq!(opened.ethereum_address(), account.ethereum_address());
    // What was accepted is told there, too, and bars no other change.
    let mut account = opened;
    assert_eq!(account.consequences(), [SAME]);
    let mut draft = account.change();
    draft.label(4, "spare").unwrap();
    draft.commit().await.unwrap();

    // Removed, there is nothing to tell.
    let mut draft = account.change();
    draft.remove(4).unwrap();
    assert_eq!(draft.consequences(), []);
    draft.commit().await.unwrap();
    assert_eq!(account.consequences(), []);
}

#[tokio::test]
async fn the_same_address_at_another_verifier_is_the_same_identity_in_any_case() {
    let here = Here::new().await;
    let mut account = here.account("alice", "Alice@Example.com").await;
    let claims = here.user("77", " alice@example.COM ");
    let second = here.factor(HOUSE, claims, 0).await;
    is_asked_and_told(&mut account, second, SAME).await;
}

#[tokio::test]
async fn different_people_are_linked_unasked() {
    let here = Here::new().await;
    let mut account = here.account("alice", "alice@example.com").await;
    // The same user string at another verifier is nobody's proof of anything.
    let claims = here.user("alice", "bob@example.com");
    let second = here.factor(HOUSE, claims, 0).await;
    is_linked_unasked(&mut account, second, &[]).await;

    let mut account = here.account("carol", "").await;
    let second = here.factor(GOOGLE, here.user("dave", ""), 0).await;
    is_linked_unasked(&mut account, second, &[PROVIDER]).await;
}

#[tokio::test]
async fn what_cannot_be_told_counts_as_the_same() {
    let here = Here::new().await;
    let mut account = here.account("alice", "alice@example.com").await;
    let second = here.factor(HOUSE, here.user("77", ""), 0).await;
    is_asked_and_told(&mut account, second, UNKNOWN).await;

    // A claim without an address is none.
    let mut account = here.account("bob", "bob@example.com").await;
    for (user, empty) in [("78", json!(null)), ("79", json!(" \t "))] {
        let claims = here.user(user, "").with("email", empty);
        let second = here.factor(HOUSE, claims, 0).await;
        let mut draft = account.change();
        draft.social("second", second).unwrap();
        assert_eq!(draft.consequences(), [UNKNOWN], "{user}");
    }
    // So is it in accounts that were made by such a login.
    let claims = here.user("erin", "").with("email", json!(null));
    let account = here.one_click(claims).await;
    assert!(!account.factors()[0].hints.contains_key("email"));
}

#[tokio::test]
async fn a_token_whose_address_is_no_text_is_refused_by_the_nodes() {
    let here = Here::new().await;
    for odd in [json!(["bob@example.com"]), json!({ "of": "bob" }), json!(7)] {
        let login = here.app.begin_login();
        let claims = here.user("bob", "").with("email", odd);
        let token = here.token(HOUSE, claims, &login.oidc_nonce());
        let id = VerifierId::new(HOUSE).unwrap();
        assert!(matches!(
            login.factor(&id, &token, 0).await.unwrap_err(),
            LoginError::Network(_)
        ));
    }
}

#[tokio::test]
async fn turning_mfa_on_and_lowering_the_threshold_ask_as_well() {
    let here = Here::new().await;
    let mut account = here.one_click(here.user("alice", "")).await;
    let next = || here.factor(GOOGLE, here.user("alice", ""), 1);
    let refused = |error: CommitError| matches!(error, CommitError::OneIdentity { factors, .. } if factors == [1, 2]);
    let mut draft = account.enable_mfa();
    draft.social("again", next().await).unwrap();
    phrase(&mut draft);
    assert!(refused(draft.commit().await.unwrap_err()));
    assert!(!account.mfa_is_on());

    // With three needed, one identity is not enough.
    let mut draft = account.enable_mfa();
    draft.social("again", next().await).unwrap();
    draft.device("laptop").unwrap();
    phrase(&mut draft);
    draft.threshold(3).unwrap();
    draft.commit().await.unwrap();
    assert_eq!(
        account.consequences(),
        [Consequence::SameIdentity { index: 1, other: 2 }]
    );

    let mut draft = account.change();
    draft.threshold(2).unwrap();
    assert!(refused(draft.commit().await.unwrap_err()));
    draft.accept_one_identity().unwrap();
    draft.commit().await.unwrap();
    assert_eq!(account.threshold(), 2);

    // What was accepted of two logins does not hold for a third.
    let third = here.factor(GOOGLE, here.user("alice", ""), 2).await;
    let mut draft = account.change();
    draft.remove(1).unwrap().social("third", third).unwrap();
    assert!(matches!(
        draft.commit().await.unwrap_err(),
        CommitError::OneIdentity { certain: true, .. }
    ));
}

#[tokio::test]
async fn acceptance_comes_before_the_commit_is_sent() {
    let mut here = Here::new().await;
    let mut account = here.account("alice", "").await;
    let next = here.factor(GOOGLE, here.user("alice", ""), 1).await;
    here.world.stop().await;
    let mut draft = account.change();
    draft.social("again", next).unwrap();
    // Told without asking any server.
    assert!(matches!(
        draft.commit().await.unwrap_err(),
        CommitError::OneIdentity { .. }
    ));
    draft.accept_one_identity().unwrap();
    assert!(matches!(
        draft.commit().await.unwrap_err(),
        CommitError::Metadata(_)
    ));
    assert_eq!(draft.accept_one_identity().unwrap_err(), DraftError::Sent);
}

#[tokio::test]
async fn nothing_of_a_person_can_be_read_from_the_hints() {
    let here = Here::new().await;
    let mut account = here.account("alice-in-chains", "alice@example.com").await;
    let claims = here.user("bobs-number-77", "bob@example.com");
    let second = here.factor(HOUSE, claims, 0).await;
    is_linked_unasked(&mut account, second, &[]).await;
    let hints = |index: usize| account.factors()[index].hints.clone();
    for (index, verifier) in [(0, GOOGLE), (3, HOUSE)] {
        let hints = hints(index);
        let names: Vec<&str> = hints.keys().map(String::as_str).collect();
        assert_eq!(names, ["email", "generation", "identity", "verifier"]);
        assert_eq!(
            (hints["verifier"].as_str(), hints["generation"].as_str()),
            (verifier, "0")
        );
        for name in ["identity", "email"] {
            let hint = &hints[name];
            assert_eq!(hint.len(), 43, "a hash, whatever the text's length");
            for readable in ["alice", "chains", "number", "example", "@"] {
                assert!(!hint.contains(readable));
            }
        }
        assert_ne!(hints["identity"], hints["email"]);
    }
    // Not in anything else that is kept of the factors.
    let kept = format!("{:?}", account.factors());
    for text in [
        "alice-in-chains",
        "alice@example.com",
        "bobs-number-77",
        "bob@example.com",
    ] {
        assert!(!kept.contains(text) && !kept.contains(&hex::encode(text)));
    }
}
