//! How often an address, a factor and a slot may ask: token buckets that all processes of a deployment share.
//!
//! The address is looked at before anything else of a request; a factor and a slot are counted only when a signature holds, so
//! that nobody spends what is another's. Where the buckets cannot be asked, requests are let through to where the store itself
//! would refuse them, and logins, creations and guesses are told to come back: without their limit guesses would be free.

mod config;
mod key;
mod leases;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request};
use http::request::Parts;
use http::{Extensions, HeaderMap};
use trefoil_protocol::bytes::{Locator, SlotId};
use trefoil_protocol::tenant::Tenant;
use trefoil_server_kit::{Network, Proxies, is_probe, subnet};
use trefoil_store::{LimitDraw, LimitDrawn, LimitStore, MemoryLimits, StoreError};

use self::config::Rate;
pub use self::config::{LimitsConfig, LimitsError, TenantLimits};
pub use self::key::LimitKey;
use self::leases::Leases;
use crate::metrics::Limited;
use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;

/// The limits of one server process.
pub struct Limits {
    config: LimitsConfig,
    proxies: Proxies,
    store: Arc<dyn LimitStore>,
    key: LimitKey,
    leases: Leases,
}

impl Limits {
    /// Limits whose buckets lie in `store`, named under `key`. Of these proxies `X-Forwarded-For` is believed. The server must
    /// say who the peer is, as `axum`'s `ConnectInfo<SocketAddr>`.
    #[must_use]
    pub fn new(
        config: LimitsConfig,
        proxies: Vec<Network>,
        store: Arc<dyn LimitStore>,
        key: LimitKey,
    ) -> Self {
        Self {
            config,
            proxies: Proxies::new(proxies),
            store,
            key,
            leases: Leases::default(),
        }
    }

    /// No limits.
    pub(crate) fn none() -> Self {
        let config = LimitsConfig {
            address_per_minute: 0,
            creations_per_minute: 0,
            locator_per_minute: 0,
            slot_per_minute: 0,
            ..LimitsConfig::default()
        };
        let store = Arc::new(MemoryLimits::default());
        Self::new(config, Vec::new(), store, LimitKey::derive(&[0; 32]))
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("config", &self.config)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

/// What a limit counts of the client's address. Where nobody says who the peer is, all requests count as one address's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(u128);

impl FromRequestParts<Arc<MetadataServer>> for ClientAddress {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<MetadataServer>) -> Answer<Self> {
        Ok(Self::of(server, &parts.extensions, &parts.headers))
    }
}

impl ClientAddress {
    /// Where requests like this one are counted: the operator's probes, and what no route is for, are not.
    pub(crate) fn counted(server: &MetadataServer, request: &Request) -> Option<Self> {
        let route = request.extensions().get::<MatchedPath>()?;
        let is_call = !is_probe(route.as_str());
        is_call.then(|| Self::of(server, request.extensions(), request.headers()))
    }

    fn of(server: &MetadataServer, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| {
            peer.ip()
        });
        Self(subnet(server.limits.proxies.client(peer, headers)))
    }
}

/// Before anything else of a request is looked at.
pub(crate) async fn limit_address(
    server: &MetadataServer,
    ClientAddress(client): ClientAddress,
) -> Answer<()> {
    let limits = &server.limits;
    let Some(rate) = limits.config.address() else {
        return Ok(());
    };
    let subject = limits.key.subject("address", &[&client.to_be_bytes()]);
    let store = limits.store.as_ref();
    let drawn = limits
        .leases
        .spend(store, subject, rate, server.now_millis())
        .await;
    match drawn {
        Ok(drawn) => server.granted(drawn, Limited::Address),
        Err(error) => {
            server.limits_failed(&error, Limited::Address);
            Ok(())
        }
    }
}

impl MetadataServer {
    /// Counts a login with each of these factors, whose signatures hold.
    pub(crate) async fn limit_locators(&self, tenant: &Tenant, locators: &[Locator]) -> Answer<()> {
        let rate = self.tenant_limits(tenant).locator();
        for (place, locator) in locators.iter().enumerate() {
            if !locators.iter().take(place).any(|before| before == locator) {
                let parts = [tenant.as_str().as_bytes(), locator.as_bytes()];
                self.limit(rate, Limited::Locator, &parts).await?;
            }
        }
        Ok(())
    }

    /// Counts a guess, whose signature holds.
    pub(crate) async fn limit_slot(&self, tenant: &Tenant, slot: &SlotId) -> Answer<()> {
        let rate = self.tenant_limits(tenant).slot();
        let parts: [&[u8]; 1] = [slot.as_bytes()];
        self.limit(rate, Limited::Slot, &parts).await
    }

    /// Counts an account that is about to be created.
    pub(crate) async fn limit_creation(
        &self,
        tenant: &Tenant,
        ClientAddress(client): ClientAddress,
    ) -> Answer<()> {
        let rate = self.tenant_limits(tenant).creations();
        let parts: [&[u8]; 2] = [tenant.as_str().as_bytes(), &client.to_be_bytes()];
        self.limit(rate, Limited::Creation, &parts).await
    }

    fn tenant_limits(&self, tenant: &Tenant) -> LimitsConfig {
        match self.config.tenant(tenant) {
            Some(config) => self.limits.config.with(&config.limits),
            None => self.limits.config,
        }
    }

    async fn limit(&self, rate: Option<Rate>, kind: Limited, parts: &[&[u8]]) -> Answer<()> {
        let Some(rate) = rate else {
            return Ok(());
        };
        let draw = LimitDraw {
            subject: self.limits.key.subject(kind.as_str(), parts),
            tokens: NonZeroU32::MIN,
            burst: rate.burst,
            interval: rate.interval,
            now: self.now_millis(),
        };
        match self.limits.store.draw(draw).await {
            Ok(drawn) => self.granted(drawn, kind),
            Err(error) => {
                self.limits_failed(&error, kind);
                Err(Refusal::busy())
            }
        }
    }

    fn granted(&self, drawn: LimitDrawn, kind: Limited) -> Answer<()> {
        match drawn {
            LimitDrawn::Granted => Ok(()),
            LimitDrawn::Later(later) => {
                self.metrics.limited(kind);
                Err(Refusal::too_many(kind, later.div_ceil(1000).max(1)))
            }
        }
    }

    fn limits_failed(&self, error: &StoreError, kind: Limited) {
        self.metrics.limits_failed(kind);
        let kind = kind.as_str();
        tracing::error!(%error, kind, "the limits cannot be asked");
    }
}
