//! The metadata server itself, malicious: it can refuse, and show the past to who never saw newer. Nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, StatusCode};
use trefoil::device::{DeviceStore, FileDeviceStore};
use trefoil::{CommitError, LoginError, OpenError, Opened, RecoveryPhrase, RollbackError};
use trefoil_client::{Request, Response};
use trefoil_protocol::bytes::{Blob, Envelope, Signature};
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::record::{Payload, RecordError, SignedPayload};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::wire::LoginResponse;
use trefoil_testkit::faults::answer;
use trefoil_testkit::servers::World;

use super::toolkit::{Secrets, acme, social_secret};
use crate::common::{
    Owner, Phone, create, index_of, log_in, needs_factors, open, ready, rolled_back,
};

fn is_login(request: &Request) -> bool {
    request.method == Method::POST && request.url.path().ends_with("/sessions")
}

fn is_read(request: &Request) -> bool {
    request.method == Method::GET && request.url.path().ends_with("/record")
}

/// Changes every answer to a login on this phone.
fn alter_logins(phone: &Phone, change: impl Fn(&mut LoginResponse) + Send + Sync + 'static) {
    phone.wire.reset();
    phone.wire.alter(is_login, move |_, honest| {
        let mut response: LoginResponse = serde_json::from_slice(&honest.body).unwrap();
        change(&mut response);
        answer(honest.status, serde_json::to_vec(&response).unwrap())
    });
}

/// What a client with these lies on its wire gets.
async fn refused(phone: &Phone, world: &World, user: &str) -> String {
    match log_in(&phone.app(world), world, user).await {
        Err(error) => error.to_string(),
        Ok(locked) => match locked.open().await {
            Err(error) => error.to_string(),
            Ok(opened) => panic!("the lie was believed: {opened:?}"),
        },
    }
}

#[tokio::test]
async fn nothing_that_clients_send_holds_a_secret() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice-in-wonderland").await;
    let mut account = owner.account(&world).await;
    let mut draft = account.change();
    draft.recovery_phrase("second paper").unwrap();
    let second = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&second).unwrap();
    draft.commit().await.unwrap();
    let paper = index_of(&account, "paper");
    account
        .change()
        .remove(paper)
        .unwrap()
        .commit()
        .await
        .unwrap();
    account.change().refresh().unwrap().commit().await.unwrap();
    account.recovery_kit().await.unwrap();
    account.events().await.unwrap();

    let mut secrets = Secrets::default();
    secrets.text("user name", owner.name);
    secrets.bytes("wallet key", &account.wallet_key().to_bytes());
    secrets.bytes("public key", &account.public_key().to_bytes()[1..]);
    secrets.text("address", &account.ethereum_address().to_string());
    secrets.bytes("ed25519 seed", &*account.ed25519_seed());
    secrets.text("label", "second paper");
    for words in [&owner.words, &second] {
        secrets.text("phrase", words);
        let phrase = RecoveryPhrase::parse(words).unwrap();
        secrets.bytes("phrase factor", phrase.factor_secret().expose_secret());
    }
    secrets.bytes(
        "social factor",
        social_secret(&world, "acme", "google", owner.name)
            .await
            .expose_secret(),
    );
    let store = FileDeviceStore::in_directory(owner.phone.directory())
        .read()
        .unwrap();
    for secret in store.secrets(&acme()) {
        secrets.bytes("device factor", secret.factor_secret().expose_secret());
    }

    let exchanges = owner.phone.wire.exchanges();
    let to_server = |request: &Request| request.url.as_str().starts_with(world.metadata_url());
    let (to_metadata, to_nodes): (Vec<_>, Vec<_>) = exchanges
        .iter()
        .map(|exchange| &exchange.request)
        .partition(|request| to_server(request));
    assert!(to_metadata.len() > 8 && to_nodes.len() > 5);
    for request in &to_metadata {
        let mut sent = request.body.to_vec();
        sent.extend_from_slice(request.url.as_str().as_bytes());
        for value in request.headers.values() {
            sent.extend_from_slice(value.as_bytes());
        }
        secrets.assert_absent(request.url.path(), &sent);
    }
    // Nodes see the ID token and so the user, but nothing of the account.
    let mut account_side = Secrets::default();
    account_side.bytes("account id", account.id().as_bytes());
    account_side.bytes("wallet key", &account.wallet_key().to_bytes());
    account_side.bytes("public key", &account.public_key().to_bytes()[1..]);
    account_side.bytes(
        "social factor",
        social_secret(&world, "acme", "google", owner.name)
            .await
            .expose_secret(),
    );
    for request in &to_nodes {
        account_side.assert_absent(request.url.path(), &request.body);
    }
}

#[tokio::test]
async fn it_cannot_pass_off_an_account_of_its_own() {
    let world = World::start().await.unwrap();
    let victim = Owner::new(&world, "alice").await;
    // The server's own account, complete with one-click nonce.
    let own = Phone::new();
    create(&own.app(&world), &world, "mallory").await;
    own.wire.reset();
    drop(open(&own.app(&world), &world, "mallory").await);
    let login = own
        .wire
        .exchanges()
        .into_iter()
        .find(|exchange| is_login(&exchange.request))
        .unwrap();
    let forged: LoginResponse = serde_json::from_slice(&login.response.unwrap().body).unwrap();

    // To the phone that knows the account, and to one that never saw it.
    for phone in [&victim.phone, &Phone::new()] {
        let answer = forged.clone();
        alter_logins(phone, move |response| *response = answer.clone());
        let error = log_in(&phone.app(&world), &world, "alice")
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                LoginError::OtherAccount { .. } | LoginError::Inconsistent
            ),
            "{error}"
        );
    }

    // The server's own key over a record that lists the victim's public parts: proof and binding cannot be made.
    let evil = AuthPrivateKey::from_seed(&[0x66; 32]);
    let forge = move |response: &mut LoginResponse| {
        let mut payload: Payload =
            serde_json::from_slice(response.record.payload.as_bytes()).unwrap();
        payload.account_auth_key = evil.auth_key();
        payload.account_id = trefoil_protocol::bytes::AccountId::of(&evil.auth_key());
        response.account_id = payload.account_id;
        response.record = SignedPayload::sign(&payload, &evil);
    };
    let phone = Phone::new();
    alter_logins(&phone, forge);
    let error = log_in(&phone.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoginError::Record(RecordError::BadFactor { .. })),
        "{error}"
    );
    // No account that a lie named is remembered: the honest answer opens.
    phone.wire.reset();
    assert_eq!(
        needs_factors(open(&phone.app(&world), &world, "alice").await).missing(),
        1
    );
}

#[tokio::test]
async fn no_changed_byte_of_a_record_is_believed_or_remembered() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let stored = || std::fs::read(owner.phone.directory().join("device.json")).unwrap();
    let before = stored();
    let at = Arc::new(AtomicU64::new(0));
    let position = Arc::clone(&at);
    alter_logins(&owner.phone, move |response| {
        let mut bytes = response.record.payload.as_bytes().to_vec();
        let at = usize::try_from(position.load(Ordering::SeqCst)).unwrap() % bytes.len();
        bytes[at] ^= 1;
        response.record.payload = Blob::new(bytes);
    });
    for step in 0..40 {
        at.store(step * 97, Ordering::SeqCst);
        let error = log_in(&owner.phone.app(&world), &world, "alice")
            .await
            .unwrap_err();
        assert!(matches!(error, LoginError::Record(_)), "{step}: {error}");
        assert_eq!(stored(), before, "{step}");
    }
    for cut in [0, 1, 100, 1000] {
        alter_logins(&owner.phone, move |response| {
            let bytes = response.record.payload.as_bytes()[..cut].to_vec();
            response.record.payload = Blob::new(bytes);
        });
        let error = log_in(&owner.phone.app(&world), &world, "alice")
            .await
            .unwrap_err();
        assert!(
            matches!(error, LoginError::Record(RecordError::Malformed)),
            "{error}"
        );
    }
    alter_logins(&owner.phone, |response| {
        response.record.payload = Blob::new(vec![b' '; 200 * 1024])
    });
    let error = log_in(&owner.phone.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoginError::Record(RecordError::TooLarge)),
        "{error}"
    );
    alter_logins(&owner.phone, |response| {
        response.record.signature = Signature::from_bytes([0; 64])
    });
    let error = log_in(&owner.phone.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoginError::Record(RecordError::BadSignature)),
        "{error}"
    );
    assert_eq!(stored(), before);
}

#[tokio::test]
async fn wrong_stale_missing_and_swapped_envelopes_are_named() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    owner.phone.wire.reset();
    let mut account = owner.account(&world).await;
    let login = owner
        .phone
        .wire
        .exchanges()
        .into_iter()
        .find(|exchange| is_login(&exchange.request))
        .unwrap();
    let earlier: LoginResponse = serde_json::from_slice(&login.response.unwrap().body).unwrap();
    account.change().refresh().unwrap().commit().await.unwrap();
    drop(account);
    let opening_error = async || match log_in(&owner.phone.app(&world), &world, "alice")
        .await
        .unwrap()
        .open()
        .await
    {
        Err(OpenError::Opening(error)) => error,
        other => panic!("{other:?}"),
    };

    // Of the epoch before.
    let stale = earlier.envelopes.clone();
    alter_logins(&owner.phone, move |response| {
        response.envelopes = stale.clone()
    });
    assert!(matches!(
        opening_error().await,
        OpeningError::StaleEnvelope { .. }
    ));
    // Of each other.
    alter_logins(&owner.phone, |response| {
        let (one, other) = (
            response.envelopes[0].envelope.clone(),
            response.envelopes[1].envelope.clone(),
        );
        response.envelopes[0].envelope = other;
        response.envelopes[1].envelope = one;
    });
    assert!(matches!(
        opening_error().await,
        OpeningError::StaleEnvelope { .. }
    ));
    // Cut off, emptied, flipped.
    for damage in [0, 1, 60] {
        alter_logins(&owner.phone, move |response| {
            for held in &mut response.envelopes {
                let bytes = held.envelope.as_bytes()[..damage].to_vec();
                held.envelope = Envelope::new(bytes);
            }
        });
        assert!(matches!(
            opening_error().await,
            OpeningError::StaleEnvelope { .. }
        ));
    }
    // Not there.
    alter_logins(&owner.phone, |response| response.envelopes.clear());
    assert!(matches!(
        opening_error().await,
        OpeningError::StaleEnvelope { .. }
    ));
    owner.phone.wire.reset();
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn a_wrong_or_missing_nonce_is_named_and_never_gives_another_key() {
    let world = World::start().await.unwrap();
    let (alice, bob) = (Phone::new(), Phone::new());
    let address = create(&alice.app(&world), &world, "alice")
        .await
        .ethereum_address();
    create(&bob.app(&world), &world, "bob").await;
    bob.wire.reset();
    drop(open(&bob.app(&world), &world, "bob").await);
    let login = bob
        .wire
        .exchanges()
        .into_iter()
        .find(|exchange| is_login(&exchange.request))
        .unwrap();
    let bobs: LoginResponse = serde_json::from_slice(&login.response.unwrap().body).unwrap();

    let nonce = bobs.sealed_nonce.unwrap();
    alter_logins(&alice, move |response| {
        response.sealed_nonce = Some(nonce.clone())
    });
    let opened = log_in(&alice.app(&world), &world, "alice")
        .await
        .unwrap()
        .open()
        .await;
    assert!(
        matches!(opened, Err(OpenError::Opening(OpeningError::WrongNonce))),
        "{opened:?}"
    );
    // Left out of the login, it is asked for and released.
    alter_logins(&alice, |response| response.sealed_nonce = None);
    assert_eq!(
        ready(open(&alice.app(&world), &world, "alice").await).ethereum_address(),
        address
    );
}

#[tokio::test]
async fn the_past_is_refused_by_who_saw_more() {
    let mut world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let past = world.backup().await.unwrap();
    let mut account = owner.account(&world).await;
    account.change().refresh().unwrap().commit().await.unwrap();
    let present = world.backup().await.unwrap();
    drop(account);
    world.restore(&past).await.unwrap();

    let refused = rolled_back(open(&owner.phone.app(&world), &world, "alice").await);
    assert!(matches!(
        refused.reason(),
        Some(RollbackError::Older { .. })
    ));
    // Not even a further factor opens the past.
    let mut locked = match open(&owner.phone.app(&world), &world, "alice").await {
        Opened::RolledBack(rolled_back) => rolled_back,
        other => panic!("{other:?}"),
    };
    locked.provide(owner.phrase()).await.unwrap();
    drop(locked);

    // The server gives the present back: all is well, and nothing was pinned meanwhile.
    world.restore(&present).await.unwrap();
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}

#[tokio::test]
async fn two_histories_are_told_apart() {
    let mut world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let fork_point = world.backup().await.unwrap();
    // One history for the phone, …
    let mut account = owner.account(&world).await;
    account
        .change()
        .label(1, "one")
        .unwrap()
        .commit()
        .await
        .unwrap();
    drop(account);
    // … another one for everybody else: at the same revision, and one later.
    world.restore(&fork_point).await.unwrap();
    let mut elsewhere = owner.account_elsewhere(&world).await;
    for label in ["other", "later"] {
        elsewhere
            .change()
            .label(1, label)
            .unwrap()
            .commit()
            .await
            .unwrap();
        let error = log_in(&owner.phone.app(&world), &world, "alice")
            .await
            .unwrap_err();
        assert!(
            matches!(error, LoginError::Rollback(RollbackError::Fork { .. })),
            "{error}"
        );
    }
}

#[tokio::test]
async fn withholding_an_account_does_not_lead_to_a_new_one() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let gone = |_: &Request, _: Response| {
        let problem = trefoil_protocol::problem::Problem::from(
            trefoil_protocol::problem::ProblemCode::NoAccount,
        );
        answer(StatusCode::NOT_FOUND, serde_json::to_vec(&problem).unwrap())
    };
    owner.phone.wire.reset();
    owner.phone.wire.alter(is_login, gone);
    let error = log_in(&owner.phone.app(&world), &world, "alice")
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoginError::Rollback(RollbackError::Gone { seen: 2 })),
        "{error}"
    );
}

#[tokio::test]
async fn an_acknowledgement_that_was_a_lie_is_found_out() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let mut account = owner.account(&world).await;
    let revision = account.revision();
    // The commit never reaches the store, but is acknowledged.
    owner.phone.wire.reset();
    let body = format!(r#"{{"revision":{},"actions":["refresh"]}}"#, revision + 1);
    owner.phone.wire.when(
        |request| request.method == Method::PUT,
        trefoil_testkit::faults::Fault::Answer(StatusCode::OK, body.into()),
    );
    let error = account
        .change()
        .refresh()
        .unwrap()
        .commit()
        .await
        .unwrap_err();
    assert!(matches!(error, CommitError::NotKept), "{error}");
    // Its answers to the re-read do not help it: they are not signed.
    owner.phone.wire.alter(is_read, |_, _| {
        answer(StatusCode::OK, r#"{"record":{},"envelopes":[]}"#)
    });
    assert!(account.change().refresh().unwrap().commit().await.is_err());
}

#[tokio::test]
async fn answers_that_are_no_answers_are_errors() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    for (status, body) in [
        (200, String::new()),
        (200, "{}".to_owned()),
        (200, "[".repeat(100_000)),
        (200, "x".repeat(2 << 20)),
        (404, "{}".to_owned()),
        (418, "I am a teapot".to_owned()),
        (302, String::new()),
    ] {
        owner.phone.wire.reset();
        let status = StatusCode::from_u16(status).unwrap();
        owner.phone.wire.when(
            is_login,
            trefoil_testkit::faults::Fault::Answer(status, body.into()),
        );
        let error = refused(&owner.phone, &world, "alice").await;
        assert!(error.contains("metadata server"), "{error}");
    }
    owner.phone.wire.reset();
    assert_eq!(
        owner.account(&world).await.ethereum_address(),
        owner.address
    );
}
