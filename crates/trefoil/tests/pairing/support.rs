//! Alice's devices, Bob's, and the world between them.

use std::sync::Arc;

use trefoil::device::MemoryDeviceStore;
use trefoil::{
    Account, EnrolComparing, EnrolRequest, Enrolled, HttpTransport, Joined, Opened, PairError,
    Pending, RequestCode, Trefoil, VerifierId,
};
use trefoil_client::Clock;
use trefoil_testkit::environment::environment;
use trefoil_testkit::faults::FaultyTransport;
use trefoil_testkit::servers::World;

pub(crate) type Faulty = FaultyTransport<HttpTransport>;

const VERIFIER: &str = "google";

/// A device with an app.
pub(crate) struct Device {
    pub(crate) app: Trefoil,
    pub(crate) store: Arc<MemoryDeviceStore>,
    pub(crate) faults: Faulty,
}

impl Device {
    pub(crate) fn new(world: &World) -> Self {
        Self::built(world, |builder| builder)
    }

    /// By a clock of the test's own.
    pub(crate) fn at(world: &World, clock: impl Clock + 'static, seed: u64) -> Self {
        Self::built(world, |builder| {
            builder.environment(environment(clock, seed))
        })
    }

    fn built(
        world: &World,
        build: impl FnOnce(trefoil::TrefoilBuilder) -> trefoil::TrefoilBuilder,
    ) -> Self {
        let store = Arc::new(MemoryDeviceStore::new());
        let faults = FaultyTransport::new(HttpTransport::new().unwrap());
        let builder = Trefoil::builder(world.metadata_url(), world.manifest().clone())
            .tenant("acme")
            .device_store(Arc::clone(&store))
            .transport(faults.clone());
        Self {
            app: build(builder).build().unwrap(),
            store,
            faults,
        }
    }

    pub(crate) async fn log_in(&self, world: &World, user: &str) -> Opened {
        let login = self.app.begin_login();
        let token = world.id_token(user, &login.oidc_nonce()).unwrap();
        let locked = login
            .complete(&VerifierId::new(VERIFIER).unwrap(), &token)
            .await
            .unwrap();
        locked.open().await.unwrap()
    }

    /// Opens with social login and whatever this device has.
    pub(crate) async fn open(&self, world: &World, user: &str) -> Account {
        match self.log_in(world, user).await {
            Opened::Ready(account) => account,
            other => panic!("not open: {other:?}"),
        }
    }

    pub(crate) async fn needs_factors(&self, world: &World, user: &str) -> Pending {
        match self.log_in(world, user).await {
            Opened::NeedsFactors(pending) => pending,
            other => panic!("no factors needed: {other:?}"),
        }
    }

    /// A new account with social login, this device and a phrase.
    pub(crate) async fn two_of_three(&self, world: &World, user: &str) -> Account {
        let mut account = self.one_click(world, user).await;
        let mut draft = account.enable_mfa();
        draft
            .device("laptop")
            .unwrap()
            .recovery_phrase("paper")
            .unwrap();
        let words = draft.recovery_phrase_words().unwrap();
        draft.prove_recovery_phrase(&words).unwrap();
        draft.commit().await.unwrap();
        account
    }

    pub(crate) async fn one_click(&self, world: &World, user: &str) -> Account {
        let Opened::NoAccount(new) = self.log_in(world, user).await else {
            panic!("{user} is new");
        };
        match new.create().await.unwrap() {
            Opened::Ready(account) => account,
            other => panic!("not open: {other:?}"),
        }
    }
}

/// The code as it gets from one device to the other.
pub(crate) fn scanned(code: &RequestCode) -> RequestCode {
    RequestCode::parse(&code.expose_text()).unwrap()
}

/// The new side up to the comparison, for use beside the old side.
pub(crate) fn waiting(
    request: EnrolRequest,
) -> tokio::task::JoinHandle<Result<EnrolComparing, PairError>> {
    tokio::spawn(request.wait())
}

/// Both users compare and agree.
pub(crate) async fn pair(
    account: &mut Account,
    request: EnrolRequest,
    as_contact: bool,
) -> (Result<Enrolled, PairError>, Result<Joined, PairError>) {
    let code = scanned(request.code());
    let new = waiting(request);
    let approval = if as_contact {
        account.enrol_contact(&code, "Alice").await
    } else {
        account.approve_device(&code, "Alice").await
    };
    let approval = approval.unwrap();
    let comparing = new.await.unwrap().unwrap();
    assert_eq!(approval.digits(), comparing.digits());
    assert_eq!(comparing.whose(), "Alice");
    let new = tokio::spawn(comparing.confirm());
    let enrolled = approval.confirm().await;
    (enrolled, new.await.unwrap())
}
