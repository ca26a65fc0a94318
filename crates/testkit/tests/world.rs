//! The servers start, die, come back with their data, and are set back to a copy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use trefoil_client::metadata::LoginError;
use trefoil_client::network::SocialLogin;
use trefoil_client::{
    Environment, HttpTransport, MetadataClient, NetworkClient, RetryPolicy, Session,
};
use trefoil_protocol::change::{self, Change, NewFactor};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::record::Custody;
use trefoil_protocol::social::{IdToken, VerifierId};
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::environment::{FixedClock, START, environment, os_rng};
use trefoil_testkit::servers::{World, WorldOptions};

fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

fn client(world: &World) -> MetadataClient {
    let transport = Arc::new(HttpTransport::new().unwrap());
    MetadataClient::new(
        transport,
        world.metadata_url(),
        tenant(),
        Environment::system(),
    )
    .unwrap()
    .with_retry(RetryPolicy::once(Duration::from_secs(10)))
}

async fn social(world: &World, environment: Environment) -> FactorKeys {
    let transport = Arc::new(HttpTransport::new().unwrap());
    let network = NetworkClient::new(
        transport,
        world.manifest().trust_pinned().unwrap(),
        environment,
    )
    .unwrap();
    let key = network.ephemeral_key();
    let token = world.id_token("alice", &key.oidc_nonce()).unwrap();
    let login = SocialLogin::new(
        &key,
        tenant(),
        VerifierId::new("google").unwrap(),
        IdToken::new(token),
    );
    FactorKeys::derive(
        &tenant(),
        &network.social_secret(&login).await.unwrap().secret,
    )
}

#[tokio::test]
async fn accounts_survive_the_death_of_servers_and_not_a_restored_backup() {
    let mut world = World::start().await.unwrap();
    let factor = social(&world, Environment::system()).await;
    let client = client(&world);
    assert!(matches!(
        client.login(&[factor.auth()]).await,
        Err(LoginError::NoAccount)
    ));
    let empty = world.backup().await.unwrap();

    let now = Environment::system().now();
    let prepared = change::create(
        &tenant(),
        factor.clone(),
        "google".into(),
        Default::default(),
        None,
        now,
        &mut os_rng(),
    )
    .unwrap();
    let created = client
        .create(
            factor.auth(),
            prepared.record(),
            &prepared.envelopes,
            prepared.sealed_nonce.as_ref(),
        )
        .await
        .unwrap();
    let session = Session::of(&created);

    world.metadata.kill().await;
    assert!(matches!(
        client.read(&session).await,
        Err(trefoil_client::metadata::ReadError::Offline(_))
    ));
    world.metadata.start_again().unwrap();
    assert_eq!(
        client.read(&session).await.unwrap().record,
        *prepared.record().signed()
    );

    let device = FactorKeys::derive(&tenant(), &FactorSecret::random(&mut os_rng()));
    let phrase = FactorKeys::derive(&tenant(), &FactorSecret::random(&mut os_rng()));
    let upgrade = Change {
        add: vec![
            NewFactor::present(FactorKind::Device, "this", device),
            NewFactor::present(FactorKind::RecoveryPhrase, "paper", phrase),
        ],
        custody: Some(Custody::SelfCustody),
        ..Change::default()
    };
    let upgraded = prepared
        .account
        .prepare(&upgrade, now, &mut os_rng())
        .unwrap();
    client
        .commit(&session, 1, upgraded.record(), &upgraded.commit_request())
        .await
        .unwrap();
    let events = client.events(&session).await.unwrap();
    assert_eq!(events.events.len(), 2);

    world.restore(&empty).await.unwrap();
    assert!(matches!(
        client.login(&[factor.auth()]).await,
        Err(LoginError::NoAccount)
    ));
}

#[tokio::test]
async fn a_node_may_be_dead_and_two_may_not() {
    let mut world = World::start().await.unwrap();
    let all = social(&world, Environment::system()).await.locator();
    world.nodes[0].kill().await;
    assert_eq!(social(&world, Environment::system()).await.locator(), all);
    world.nodes[0].start_again().unwrap();
    world.nodes[1].kill().await;
    assert_eq!(social(&world, Environment::system()).await.locator(), all);
    world.stop().await;
}

#[tokio::test]
async fn the_servers_live_on_the_clock_they_are_given() {
    let clock = FixedClock::default();
    let world = World::with(WorldOptions {
        clock: Arc::new(clock.clone()),
        ..WorldOptions::default()
    })
    .await
    .unwrap();
    let factor = social(&world, environment(clock.clone(), 1)).await;
    let transport = Arc::new(HttpTransport::new().unwrap());
    // The client's clock is most of a day away; the server's refusal tells it the time.
    let client = MetadataClient::new(
        transport,
        world.metadata_url(),
        tenant(),
        environment(FixedClock::at(START - 80_000), 2),
    )
    .unwrap();
    assert!(matches!(
        client.login(&[factor.auth()]).await,
        Err(LoginError::NoAccount)
    ));
    assert_eq!(client.server_time(), START);
}
