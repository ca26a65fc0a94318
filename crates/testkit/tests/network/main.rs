//! The network client against nodes over sockets that lie, hang, die and move from epoch to epoch.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod chains;
mod epochs;
mod liars;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use trefoil_client::network::{SocialError, SocialLogin, SocialSecret};
use trefoil_client::{CountingTransport, Environment, HttpTransport, NetworkClient, RoundTrips};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::social::{IdToken, VerifierId};
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::servers::MovingNetwork;

/// A client that was built with the manifest of this epoch.
fn client(network: &MovingNetwork, epoch: u32) -> NetworkClient {
    counted(network, epoch, &RoundTrips::new())
}

fn counted(network: &MovingNetwork, epoch: u32, trips: &RoundTrips) -> NetworkClient {
    let transport = CountingTransport::new(HttpTransport::new().unwrap(), trips.clone());
    let manifest = network.manifest(epoch).unwrap().trust_pinned().unwrap();
    NetworkClient::new(Arc::new(transport), manifest, Environment::system()).unwrap()
}

fn short(client: NetworkClient) -> NetworkClient {
    client.with_time_limit(Duration::from_millis(500))
}

/// Alice logs in.
async fn log_in(client: &NetworkClient) -> Result<SocialSecret, SocialError> {
    let key = client.ephemeral_key();
    let login = SocialLogin::new(
        &key,
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
        IdToken::new("alice".to_owned()),
    );
    client.social_secret(&login).await
}

/// What an honest network gives Alice in its first epoch.
async fn expected(network: &MovingNetwork) -> FactorSecret {
    log_in(&client(network, 1)).await.unwrap().secret
}
