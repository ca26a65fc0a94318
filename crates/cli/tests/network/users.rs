//! What users do: whole logins through the SDK, and what an app sees of the network alone.

use std::sync::Arc;

use trefoil::{Environment, Opened, SignedManifest, Tenant, Trefoil, VerifierId};
use trefoil_client::network::{NetworkClient, SocialError, SocialLogin, SocialSecret};
use trefoil_client::{RetryPolicy, Transport};
use trefoil_protocol::social::IdToken;
use trefoil_testkit::oidc::OpenIdProvider;

pub(crate) const AUDIENCE: &str = "acme-app";

/// Makes apps of the tenant `acme`.
#[derive(Clone)]
pub(crate) struct Apps {
    metadata_url: String,
    provider: Arc<OpenIdProvider>,
}

/// On one device.
pub(crate) struct App {
    sdk: Trefoil,
    provider: Arc<OpenIdProvider>,
}

impl Apps {
    pub(crate) fn new(metadata_url: &str, provider: Arc<OpenIdProvider>) -> Self {
        Self {
            metadata_url: metadata_url.to_owned(),
            provider,
        }
    }

    pub(crate) fn install(&self, manifest: &SignedManifest) -> App {
        let builder = Trefoil::builder(self.metadata_url.clone(), manifest.clone());
        App {
            sdk: builder.tenant("acme").build().unwrap(),
            provider: Arc::clone(&self.provider),
        }
    }

    /// A client of the network alone, over a transport that may interfere.
    pub(crate) async fn secret(
        &self,
        manifest: &SignedManifest,
        transport: Arc<dyn Transport>,
        policy: RetryPolicy,
    ) -> Result<SocialSecret, SocialError> {
        let manifest = manifest.trust_pinned().unwrap();
        let client = NetworkClient::new(transport, manifest, Environment::system()).unwrap();
        let client = client.with_retry_policy(policy);
        let ephemeral = client.ephemeral_key();
        let token = token(&self.provider, &ephemeral.oidc_nonce());
        let (tenant, google) = (Tenant::new("acme"), VerifierId::new("google"));
        let login = SocialLogin::new(
            &ephemeral,
            tenant.unwrap(),
            google.unwrap(),
            IdToken::new(token),
        );
        client.social_secret(&login).await
    }
}

impl App {
    /// Alice logs in and opens her wallet; at the very first time she gets one. Her address.
    pub(crate) async fn log_in(&self) -> Result<String, String> {
        let login = self.sdk.begin_login();
        let token = token(&self.provider, &login.oidc_nonce());
        let google = VerifierId::new("google").unwrap();
        let locked = login.complete(&google, &token).await;
        let locked = locked.map_err(|error| format!("login: {error} ({error:?})"))?;
        let opened = locked.open().await;
        match opened.map_err(|error| format!("open: {error} ({error:?})"))? {
            Opened::Ready(account) => Ok(account.ethereum_address().to_string()),
            Opened::NoAccount(new) => match new.create().await {
                Ok(Opened::Ready(account)) => Ok(account.ethereum_address().to_string()),
                other => Err(format!("create: {other:?}")),
            },
            other => Err(format!("opened: {other:?}")),
        }
    }
}

fn token(provider: &OpenIdProvider, nonce: &str) -> String {
    let claims = provider.claims("alice").nonce(nonce);
    provider.id_token(&claims).unwrap()
}
