//! Nodes and a provider on ephemeral loopback ports, under a clock that the test turns.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use trefoil_node::{
    Clock, FetchConfig, IdTokenVerifier, Limits, LimitsConfig, Metrics, Network, Node, NodeConfig,
    Stopwatch, VerifierConfig,
};
use trefoil_protocol::bytes::EnvelopeKey;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::problem::{CONTENT_TYPE, Problem};
use trefoil_protocol::social::{
    EphemeralKey, EvaluateResponse, Gathering, VerifiedManifest, VerifierId, deal_network,
};
use trefoil_protocol::tenant::Tenant;
use trefoil_testkit::oidc::{Claims, OpenIdProvider, ProviderOptions};

pub(crate) const START: u64 = 1_800_000_000;
/// The client id of the provider's honest tokens.
pub(crate) const APP: &str = "acme-app";
/// The client id of tenant `other`, where there is one.
pub(crate) const OTHER_APP: &str = "other-app";

pub(crate) struct World {
    pub(crate) provider: OpenIdProvider,
    pub(crate) manifest: VerifiedManifest,
    pub(crate) urls: Vec<String>,
    pub(crate) http: reqwest::Client,
    /// Of each node.
    pub(crate) metrics: Vec<Metrics>,
    time: Arc<AtomicU64>,
}

pub(crate) fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

pub(crate) fn verifier_id(name: &str) -> VerifierId {
    VerifierId::new(name).unwrap()
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The verifier `acme/google` for the provider's honest tokens.
pub(crate) fn acme(provider: &OpenIdProvider) -> VerifierConfig {
    VerifierConfig::new(
        tenant("acme"),
        verifier_id("google"),
        provider.issuer(),
        APP,
    )
}

pub(crate) fn client() -> reqwest::Client {
    let tls =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}

impl World {
    /// One node with the verifier `acme/google`.
    pub(crate) async fn small() -> Self {
        Self::with(
            1,
            1,
            |provider| vec![acme(provider)],
            FetchConfig::default(),
        )
        .await
    }

    /// One node with these limits behind these proxies, for the verifiers `acme/google` and `other/google`.
    pub(crate) async fn limited(limits: &LimitsConfig, proxies: Vec<Network>) -> Self {
        let verifiers = |provider: &OpenIdProvider| {
            let mut other = acme(provider);
            other.tenant = tenant("other");
            other.audiences = vec![OTHER_APP.to_owned()];
            vec![acme(provider), other]
        };
        let limits = Some((limits, proxies));
        Self::start(1, 1, verifiers, FetchConfig::default(), limits).await
    }

    pub(crate) async fn with(
        threshold: u16,
        count: u16,
        verifiers: impl FnOnce(&OpenIdProvider) -> Vec<VerifierConfig>,
        fetching: FetchConfig,
    ) -> Self {
        Self::start(threshold, count, verifiers, fetching, None).await
    }

    async fn start(
        threshold: u16,
        count: u16,
        verifiers: impl FnOnce(&OpenIdProvider) -> Vec<VerifierConfig>,
        fetching: FetchConfig,
        limits: Option<(&LimitsConfig, Vec<Network>)>,
    ) -> Self {
        let time = Arc::new(AtomicU64::new(START));
        let clock = {
            let time = Arc::clone(&time);
            move || time.load(Ordering::SeqCst)
        };
        let options = ProviderOptions::new(APP, Arc::new(clock.clone()));
        let provider = OpenIdProvider::start(options, &mut rng(1)).await.unwrap();
        let config = NodeConfig {
            permits: Vec::new(),
            verifiers: verifiers(&provider),
            fetching,
        };

        let mut listeners = Vec::new();
        for _ in 0..count {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let urls: Vec<String> = listeners
            .iter()
            .map(|listener| format!("http://{}", listener.local_addr().unwrap()))
            .collect();
        let dealt = deal_network(&urls, threshold, &mut rng(2)).unwrap();
        let manifest = dealt.manifest.trust_pinned().unwrap();
        let mut metrics = Vec::new();
        for (listener, secrets) in listeners.into_iter().zip(&dealt.nodes) {
            let verifier = IdTokenVerifier::new(config.clone()).unwrap();
            let random = rng(100 + u64::from(secrets.index().get()));
            let node = Node::new(
                secrets.clone(),
                &manifest,
                verifier,
                Clock::new(clock.clone()),
                random,
            )
            .unwrap();
            let node = match &limits {
                None => node,
                Some((config, proxies)) => {
                    let clock = clock.clone();
                    let stopwatch = Stopwatch::new(move || Duration::from_secs(clock()));
                    let limits = Limits::new(config, proxies.clone(), &stopwatch, &mut rng(3));
                    node.limited(limits.unwrap())
                }
            };
            metrics.push(node.metrics());
            let service = node
                .router()
                .into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, service).await });
        }
        Self {
            provider,
            manifest,
            urls,
            http: client(),
            metrics,
            time,
        }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, seconds: u64) {
        self.time.fetch_sub(seconds, Ordering::SeqCst);
    }

    /// Honest claims of a user, bound to an ephemeral key.
    pub(crate) fn claims(&self, user: &str, key: &EphemeralKey) -> Claims {
        self.provider.claims(user).nonce(&key.oidc_nonce())
    }

    /// An honest token.
    pub(crate) fn token(&self, user: &str, key: &EphemeralKey) -> String {
        self.provider.id_token(&self.claims(user, key)).unwrap()
    }

    /// Posts any JSON to one node's `/v1/evaluate`.
    pub(crate) async fn post(
        &self,
        node: usize,
        body: &Value,
    ) -> Result<EvaluateResponse, Problem> {
        answer(
            self.http
                .post(format!("{}/v1/evaluate", self.urls[node]))
                .json(body),
        )
        .await
    }

    /// Asks the first node for `acme/google`, generation 0.
    pub(crate) async fn ask(
        &self,
        token: &str,
        key: &EnvelopeKey,
    ) -> Result<EvaluateResponse, Problem> {
        self.post(0, &request("acme", "google", token, key)).await
    }

    /// The code with which the first node refuses a token for `acme/google`.
    pub(crate) async fn refusal(&self, token: &str, key: &EphemeralKey) -> &'static str {
        self.ask(token, &key.public())
            .await
            .expect_err("refused")
            .code
            .as_str()
    }

    /// A whole login at the given nodes: who the user is and the factor secret.
    pub(crate) async fn login(
        &self,
        nodes: &[usize],
        body: &Value,
        key: &EphemeralKey,
    ) -> (String, FactorSecret) {
        let name = |field: &str| body[field].as_str().unwrap().to_owned();
        let generation = u32::try_from(body["generation"].as_u64().unwrap()).unwrap();
        let (tenant, verifier) = (tenant(&name("tenant")), verifier_id(&name("verifier")));
        let mut gathering = Gathering::new(&self.manifest, key, tenant, verifier, generation);
        for node in nodes {
            let response = self.post(*node, body).await.unwrap();
            let found = gathering
                .add(self.manifest.nodes()[*node].index, &response)
                .unwrap();
            if let Some((identity, secret)) = found {
                return (identity.user().to_owned(), secret);
            }
        }
        panic!("{} answers are missing", gathering.missing())
    }
}

pub(crate) fn request(tenant: &str, verifier: &str, token: &str, key: &EnvelopeKey) -> Value {
    json!({
        "version": 1, "tenant": tenant, "verifier": verifier, "id_token": token, "ephemeral_key": key, "generation": 0, "epoch": 1,
    })
}

/// Sends a request; whatever is refused must be a problem document whose parts agree.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Result<EvaluateResponse, Problem> {
    let response = request.send().await.unwrap();
    let status = response.status();
    let content_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let retry_after = response
        .headers()
        .get("retry-after")
        .map(|value| value.to_str().unwrap().parse().unwrap());
    let body = response.bytes().await.unwrap();
    if status == StatusCode::OK {
        assert_eq!(content_type, "application/json");
        return Ok(EvaluateResponse::from_json(&body).unwrap());
    }
    assert_eq!(content_type, CONTENT_TYPE);
    let problem: Problem = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (problem.status, problem.code.status()),
        (status.as_u16(), status.as_u16())
    );
    assert_eq!(
        problem.kind,
        format!("urn:trefoil:problem:{}", problem.code)
    );
    assert_eq!(
        (problem.title.as_str(), problem.retry_after),
        (problem.code.title(), retry_after)
    );
    assert!(!problem.detail.is_empty());
    Err(problem)
}
