//! How nodes make and move the network's key: over real sockets, with nodes and a coordinator that die or lie.

mod interrupted;
mod keygen;
mod liars;
mod moves;

use std::collections::BTreeMap;

use trefoil_client::Environment;
use trefoil_client::HttpTransport;
use trefoil_client::network::{NetworkClient, SocialLogin};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::social::{IdToken, VerifiedManifest, VerifierId};
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::servers::NodeNetwork;

/// Bob's social secret, asked of the manifest's nodes.
pub(crate) async fn secret(network: &NodeNetwork, manifest: &VerifiedManifest) -> FactorSecret {
    login(network, manifest).await.unwrap()
}

pub(crate) async fn login(
    network: &NodeNetwork,
    manifest: &VerifiedManifest,
) -> Result<FactorSecret, trefoil_client::network::SocialError> {
    let transport = std::sync::Arc::new(HttpTransport::new().unwrap());
    let client = NetworkClient::new(transport, manifest.clone(), Environment::system()).unwrap();
    let ephemeral = client.ephemeral_key();
    let claims = network
        .provider
        .claims("bob")
        .nonce(&ephemeral.oidc_nonce());
    let token = network.provider.id_token(&claims).unwrap();
    let login = SocialLogin::new(
        &ephemeral,
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
        IdToken::new(token),
    );
    client.social_secret(&login).await.map(|found| found.secret)
}

/// What each node holds, by its place among all nodes.
pub(crate) async fn epochs(network: &NodeNetwork) -> BTreeMap<usize, Vec<u32>> {
    let mut held = BTreeMap::new();
    for (place, node) in network.nodes.iter().enumerate() {
        if let Some(node) = node.node() {
            held.insert(place, node.status().await.unwrap().epochs);
        }
    }
    held
}
