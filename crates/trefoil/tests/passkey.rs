//! Passkeys as factors, with a real software authenticator and real servers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use trefoil::passkey::{
    CreatePasskey, CreatedPasskey, CredentialId, GetPasskey, Passkey, PasskeyAuthenticator,
    PasskeyError, PasskeyFuture, PrfOutput, UsedPasskey,
};
use trefoil::{
    Account, DraftError, Factor, FactorKind, Opened, RecoveryPhrase, Tenant, Trefoil, VerifierId,
};
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::passkey::SoftwareAuthenticator;
use trefoil_testkit::servers::World;

const RP: &str = "wallet.example";

fn app(world: &World) -> Trefoil {
    Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .build()
        .unwrap()
}

async fn log_in(world: &World, app: &Trefoil) -> Opened {
    let login = app.begin_login();
    let token = world.id_token("alice", &login.oidc_nonce()).unwrap();
    let google = VerifierId::new("google").unwrap();
    let locked = login.complete(&google, &token).await.unwrap();
    locked.open().await.unwrap()
}

fn ready(opened: Opened) -> Account {
    match opened {
        Opened::Ready(account) => account,
        other => panic!("not open: {other:?}"),
    }
}

async fn create(world: &World) -> Account {
    match log_in(world, &app(world)).await {
        Opened::NoAccount(new) => ready(new.create().await.unwrap()),
        other => panic!("already there: {other:?}"),
    }
}

async fn open_with(world: &World, factor: impl Into<Factor>) -> Account {
    match log_in(world, &app(world)).await {
        Opened::NeedsFactors(mut pending) => {
            pending.provide(factor).await.unwrap();
            ready(pending.open().await.unwrap())
        }
        other => panic!("one factor is enough: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_passkeys_open_with_the_login_and_with_the_phrase() {
    let world = World::start().await.unwrap();
    let mut account = create(&world).await;
    let (phone, key) = (SoftwareAuthenticator::new(), SoftwareAuthenticator::new());
    let mut draft = account.enable_mfa();
    draft.recovery_phrase("paper").unwrap();
    let words = draft.recovery_phrase_words().unwrap();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.passkey("phone", RP, &phone).await.unwrap();
    draft.passkey("key ring", RP, &key).await.unwrap();
    draft.commit().await.unwrap();
    let kinds: Vec<_> = account.factors().iter().map(|note| note.kind).collect();
    assert_eq!(
        kinds,
        [
            FactorKind::Social,
            FactorKind::Passkey,
            FactorKind::Passkey,
            FactorKind::RecoveryPhrase
        ]
    );

    let address = account.ethereum_address();
    for authenticator in [&phone, &key] {
        let passkey = app(&world)
            .passkey(RP, authenticator, Vec::new())
            .await
            .unwrap();
        let opened = open_with(&world, passkey).await;
        assert_eq!(opened.ethereum_address(), address);
    }
    // The passkey first, whose account nobody has named yet.
    let app = app(&world);
    let passkey = app.passkey(RP, &phone, Vec::new()).await.unwrap();
    let locked = app.log_in_with([passkey.into()]).await.unwrap();
    let Opened::NeedsFactors(mut pending) = locked.open().await.unwrap() else {
        panic!("one factor is enough");
    };
    pending
        .provide(RecoveryPhrase::parse(&words).unwrap())
        .await
        .unwrap();
    let opened = ready(pending.open().await.unwrap());
    assert_eq!(opened.ethereum_address(), address);

    // A second one on the same authenticator would be lost with the first.
    let mut account = opened;
    let mut draft = account.change();
    assert!(matches!(
        draft.passkey("phone again", RP, &phone).await.unwrap_err(),
        DraftError::Passkey(PasskeyError::AlreadyThere)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_keep_a_secret_is_refused_before_anything_is_stored() {
    let world = World::start().await.unwrap();
    let mut account = create(&world).await;
    let cancelled = SoftwareAuthenticator::new();
    cancelled.cancel();
    let refusals: [(&dyn PasskeyAuthenticator, PasskeyError); 4] = [
        (&SoftwareAuthenticator::without_prf(), PasskeyError::NoPrf),
        (&cancelled, PasskeyError::Cancelled),
        (&Liar::new(false), PasskeyError::Unstable),
        (&Liar::new(true), PasskeyError::OtherCredential),
    ];
    let revision = account.revision();
    for (authenticator, expected) in refusals {
        let mut draft = account.enable_mfa();
        match draft.passkey("phone", RP, authenticator).await.unwrap_err() {
            DraftError::Passkey(error) => assert_eq!(error, expected),
            other => panic!("{other}"),
        }
    }
    let account = ready(log_in(&world, &app(&world)).await);
    assert_eq!((account.revision(), account.factors().len()), (revision, 1));
}

#[tokio::test]
async fn tenants_have_unrelated_secrets_and_one_gives_the_same_each_time() {
    let authenticator = SoftwareAuthenticator::new();
    let (acme, other) = (Tenant::new("acme").unwrap(), Tenant::new("other").unwrap());
    let mut rng = os_rng();
    let created = Passkey::create(&authenticator, &acme, (RP, "phone"), Vec::new(), &mut rng)
        .await
        .unwrap();
    let get = |tenant| Passkey::get(&authenticator, tenant, RP, Vec::new());
    let (here, there) = (get(&acme).await.unwrap(), get(&other).await.unwrap());
    assert_eq!(here.factor_secret(), created.factor_secret());
    assert_eq!(here.credential(), there.credential());
    assert_ne!(here.factor_secret(), there.factor_secret());

    let none = SoftwareAuthenticator::new();
    assert_eq!(
        Passkey::get(&none, &acme, RP, Vec::new())
            .await
            .unwrap_err(),
        PasskeyError::NoPasskey
    );
    assert_eq!(none.credentials().await, 0);
}

/// An authenticator that says it has a PRF.
struct Liar {
    uses: AtomicU8,
    another_credential: bool,
}

impl Liar {
    const fn new(another_credential: bool) -> Self {
        Self {
            uses: AtomicU8::new(0),
            another_credential,
        }
    }
}

impl PasskeyAuthenticator for Liar {
    fn create(&self, _: CreatePasskey) -> PasskeyFuture<'_, CreatedPasskey> {
        Box::pin(async {
            Ok(CreatedPasskey {
                credential: CredentialId::new(vec![1]),
                prf: true,
            })
        })
    }

    fn get(&self, _: GetPasskey) -> PasskeyFuture<'_, UsedPasskey> {
        let uses = self.uses.fetch_add(1, Ordering::Relaxed);
        let credential = CredentialId::new(vec![if self.another_credential { 2 } else { 1 }]);
        Box::pin(async move {
            Ok(UsedPasskey {
                credential,
                output: Some(PrfOutput::new([uses; 32])),
            })
        })
    }
}

#[test]
fn an_app_may_share_its_authenticator() {
    fn shared<T: Send + Sync>(_: T) {}
    shared(Arc::new(SoftwareAuthenticator::new()));
}
