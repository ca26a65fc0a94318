//! A metadata server that lies to a device that knows better.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use trefoil::device::{DeviceStore, MemoryDeviceStore};
use trefoil::{
    AccountError, HttpTransport, LoginError, Opened, RollbackError, Trefoil, VerifierId,
};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_testkit::faults::{Fault, FaultyTransport};
use trefoil_testkit::servers::World;

const VERIFIER: &str = "google";

type Faulty = FaultyTransport<HttpTransport>;

fn app(world: &World, device: &Arc<MemoryDeviceStore>) -> (Trefoil, Faulty) {
    let faults = FaultyTransport::new(HttpTransport::new().unwrap());
    let app = Trefoil::builder(world.metadata_url(), world.manifest().clone())
        .tenant("acme")
        .device_store(Arc::clone(device))
        .transport(faults.clone())
        .build()
        .unwrap();
    (app, faults)
}

async fn log_in(world: &World, app: &Trefoil) -> Result<Opened, LoginError> {
    let login = app.begin_login();
    let token = world.id_token("alice", &login.oidc_nonce()).unwrap();
    let locked = login
        .complete(&VerifierId::new(VERIFIER).unwrap(), &token)
        .await?;
    Ok(locked.open().await.unwrap())
}

async fn two_of_three(world: &World, app: &Trefoil) -> trefoil::Account {
    let Opened::NoAccount(new) = log_in(world, app).await.unwrap() else {
        panic!("alice is new")
    };
    let Opened::Ready(mut account) = new.create().await.unwrap() else {
        panic!("one click")
    };
    let mut draft = account.enable_mfa();
    draft
        .device("laptop")
        .unwrap()
        .recovery_phrase("paper")
        .unwrap();
    let words = draft.recovery_phrase_words().unwrap();
    draft
        .prove_recovery_phrase(&words)
        .unwrap()
        .commit()
        .await
        .unwrap();
    account
}

fn is_login(request: &trefoil_client::Request) -> bool {
    request.url.path().ends_with("/sessions")
}

fn refusal(mut answer: trefoil_client::Response, code: ProblemCode) -> trefoil_client::Response {
    answer.status = code.status().try_into().unwrap();
    answer.body = serde_json::to_vec(&Problem::from(code)).unwrap().into();
    answer
}

#[tokio::test]
async fn first_removed_then_unknown_does_not_make_a_second_wallet() {
    let world = World::start().await.unwrap();
    let device = Arc::new(MemoryDeviceStore::new());
    let (app, faults) = app(&world, &device);
    two_of_three(&world, &app).await;
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    faults.alter(is_login, move |_, answer| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        refusal(
            answer,
            if first {
                ProblemCode::FactorRemoved
            } else {
                ProblemCode::NoAccount
            },
        )
    });
    let refused = log_in(&world, &app).await.unwrap_err();
    assert!(
        matches!(refused, LoginError::Rollback(RollbackError::Gone { .. })),
        "{refused}"
    );
}

#[tokio::test]
async fn an_envelope_that_is_not_the_records_is_not_kept() {
    let world = World::start().await.unwrap();
    let device = Arc::new(MemoryDeviceStore::new());
    let (app, faults) = app(&world, &device);
    two_of_three(&world, &app).await;
    let before = device.read().unwrap();
    faults.alter(is_login, |_, mut answer| {
        let mut body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        for envelope in body["envelopes"].as_array_mut().unwrap() {
            envelope["envelope"] = "AAAA".into();
        }
        answer.body = serde_json::to_vec(&body).unwrap().into();
        answer
    });
    let login = app.begin_login();
    let token = world.id_token("alice", &login.oidc_nonce()).unwrap();
    let locked = login
        .complete(&VerifierId::new(VERIFIER).unwrap(), &token)
        .await
        .unwrap();
    assert!(locked.open().await.is_err());
    assert_eq!(device.read().unwrap(), before);
}

#[tokio::test]
async fn failed_upgrades_do_not_pile_up_device_secrets() {
    let world = World::start().await.unwrap();
    let device = Arc::new(MemoryDeviceStore::new());
    let (app, faults) = app(&world, &device);
    let Opened::NoAccount(new) = log_in(&world, &app).await.unwrap() else {
        panic!("alice is new")
    };
    let Opened::Ready(mut account) = new.create().await.unwrap() else {
        panic!("one click")
    };
    let address = account.ethereum_address();
    let is_commit = |request: &trefoil_client::Request| request.url.path().ends_with("/record");
    faults.when(
        is_commit,
        Fault::Alter(Arc::new(|_, answer| {
            refusal(answer, ProblemCode::LevelTooLow)
        })),
    );
    for _ in 0..20 {
        let mut draft = account.enable_mfa();
        draft
            .device("laptop")
            .unwrap()
            .recovery_phrase("paper")
            .unwrap();
        let words = draft.recovery_phrase_words().unwrap();
        assert!(
            draft
                .prove_recovery_phrase(&words)
                .unwrap()
                .commit()
                .await
                .is_err()
        );
    }
    assert_eq!(device.read().unwrap().secrets(app.tenant()).count(), 1);
    // The first of them had landed all the same; its device secret opens the account with the social login.
    let Opened::Ready(account) = log_in(&world, &app).await.unwrap() else {
        panic!("social and device are two")
    };
    assert_eq!(account.ethereum_address(), address);
}

#[tokio::test]
async fn a_rewritten_event_log_is_noticed() {
    let world = World::start().await.unwrap();
    let (app, faults) = app(&world, &Arc::new(MemoryDeviceStore::new()));
    let mut account = two_of_three(&world, &app).await;
    let seen = account.events().await.unwrap().len();
    account.change().refresh().unwrap().commit().await.unwrap();
    assert!(account.events().await.unwrap().len() > seen);
    faults.alter(
        |request| request.url.path().ends_with("/events"),
        |_, mut answer| {
            let mut body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let events = body["events"].as_array_mut().unwrap();
            events.truncate(1);
            let first = trefoil_protocol::bytes::Blob::new(Vec::new());
            let kept: trefoil_protocol::bytes::Blob =
                serde_json::from_value(events[0].clone()).unwrap_or(first);
            body["head"] = trefoil_protocol::event::hash(kept.as_bytes())
                .to_string()
                .into();
            answer.body = serde_json::to_vec(&body).unwrap().into();
            answer
        },
    );
    let refused = account.events().await.unwrap_err();
    assert!(
        matches!(refused, AccountError::EventsRewritten),
        "{refused}"
    );
}
