//! Limits and policies: what counts, what is refused, what happens when the buckets cannot be asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use support::http::{Reply, call};
use support::slot::{TestSlot, attempt};
use support::wallet::{Wallet, upgraded};
use support::{Server, tenant};
use trefoil_metadata_server::{LimitsConfig, TenantConfig, TenantLimits, Tenants};
use trefoil_protocol::guess::EnrolResponse;
use trefoil_protocol::pairing::CreateMailboxRequest;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_store::{LimitDraw, LimitDrawn, LimitStore, MemoryLimits, StoreError, StoreFuture};

/// Real buckets that can be out of reach, as a database is whose connection broke.
#[derive(Default)]
struct Buckets {
    limits: MemoryLimits,
    away: AtomicBool,
    draws: AtomicU32,
}

impl LimitStore for Buckets {
    fn draw(&self, draw: LimitDraw) -> StoreFuture<'_, LimitDrawn> {
        self.draws.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            Box::pin(async { Err(StoreError::Closed) })
        } else {
            self.limits.draw(draw)
        }
    }
}

fn tenants(config: TenantConfig) -> Tenants {
    Tenants::Configured([(tenant("acme"), config)].into())
}

const UNLIMITED: LimitsConfig = LimitsConfig {
    address_per_minute: 0,
    address_burst: 1,
    creations_per_minute: 0,
    creations_burst: 1,
    locator_per_minute: 0,
    locator_burst: 1,
    slot_per_minute: 0,
    slot_burst: 1,
};

async fn limited(limits: LimitsConfig) -> (Server, Arc<Buckets>) {
    let buckets = Arc::new(Buckets::default());
    let server = Server::start_limited(
        tenants(TenantConfig::default()),
        limits,
        Arc::<Buckets>::clone(&buckets),
    )
    .await;
    (server, buckets)
}

fn refused(reply: &Reply, seconds: u64) {
    let problem = reply.problem();
    assert_eq!(problem.code, Code::TooManyRequests);
    assert_eq!(problem.retry_after, Some(seconds));
    assert_eq!(
        reply.header("retry-after"),
        Some(seconds.to_string().as_str())
    );
}

async fn create(server: &Server, seed: u8) -> Reply {
    let wallet = Wallet::one_click("acme", seed, seed);
    let request = wallet.create_request(server);
    wallet.create_call(&request).send(server).await
}

#[tokio::test]
async fn an_address_creates_so_many_accounts() {
    let limits = LimitsConfig {
        creations_per_minute: 2,
        creations_burst: 2,
        ..UNLIMITED
    };
    let (server, _) = limited(limits).await;
    let first = create(&server, 1).await;
    assert_eq!(first.status, 201);
    // What is refused for another reason does not count.
    let mut bad = Wallet::one_click("acme", 9, 9);
    bad.payload.custody = trefoil_protocol::record::Custody::Guarded;
    let request = bad.create_request(&server);
    for _ in 0..3 {
        assert!(bad.create_call(&request).send(&server).await.status >= 400);
    }
    assert_eq!(create(&server, 2).await.status, 201);
    refused(&create(&server, 3).await, 30);
    server.advance(30);
    assert_eq!(create(&server, 3).await.status, 201);
    refused(&create(&server, 4).await, 30);
}

#[tokio::test]
async fn each_factor_of_a_login_counts_once_and_only_when_its_signature_holds() {
    let limits = LimitsConfig {
        locator_per_minute: 1,
        locator_burst: 2,
        ..UNLIMITED
    };
    let (server, _) = limited(limits).await;
    let (_, wallet, _) = upgraded(&server, "acme", 1).await;
    let mut forged = wallet.login_request(&[&wallet.factors[&1]], &server);
    forged.statements[0].signature = wallet.record().signature;
    for _ in 0..5 {
        let reply = wallet.login_call(&forged).send(&server).await;
        assert_eq!(reply.code(), Code::BadSignature);
    }
    assert_eq!(wallet.try_login(&[1, 1], &server).await.status, 200);
    assert_eq!(wallet.try_login(&[1, 2], &server).await.status, 200);
    refused(&wallet.try_login(&[1], &server).await, 60);
    refused(&wallet.try_login(&[3, 1], &server).await, 60);
    assert_eq!(wallet.try_login(&[2, 3], &server).await.status, 200);
    server.advance(60);
    assert_eq!(wallet.try_login(&[1], &server).await.status, 200);
}

#[tokio::test]
async fn guesses_count_per_slot_and_a_refused_one_costs_none() {
    let limits = LimitsConfig {
        slot_per_minute: 1,
        slot_burst: 2,
        ..UNLIMITED
    };
    let (server, _) = limited(limits).await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let slot = TestSlot::new(1, &[1, 2]);
    let other = TestSlot::new(2, &[1]);
    for slot in [&slot, &other] {
        let reply = slot.enrol(&wallet, &session, &server).await;
        reply.ok::<EnrolResponse>();
    }
    // Nobody's guesses spend what the owner has.
    for _ in 0..5 {
        let reply = slot.guess(9, attempt(), &server).await;
        assert_eq!(reply.code(), Code::UnknownGuessKey);
    }
    assert_eq!(slot.guess(1, attempt(), &server).await.status, 200);
    assert_eq!(slot.guess(2, attempt(), &server).await.status, 200);
    let before = server.dump_all();
    refused(&slot.guess(1, attempt(), &server).await, 60);
    assert_eq!(server.dump_all(), before, "no guess was counted");
    assert_eq!(other.guess(1, attempt(), &server).await.status, 200);
}

#[tokio::test]
async fn an_address_seldom_asks_the_shared_buckets() {
    let limits = LimitsConfig {
        address_per_minute: 60,
        address_burst: 80,
        ..UNLIMITED
    };
    let (server, buckets) = limited(limits).await;
    let read = call("GET", "/v1/permit_key");
    for _ in 0..80 {
        assert_eq!(read.send(&server).await.status, 200);
    }
    assert_eq!(buckets.draws.load(Ordering::SeqCst), 8);
    for _ in 0..50 {
        refused(&read.send(&server).await, 1);
    }
    assert_eq!(buckets.draws.load(Ordering::SeqCst), 10);
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(call("GET", probe).send(&server).await.status, 200);
    }
}

/// Requests in general are let through; what the other limits protect is told to come back.
#[tokio::test]
async fn buckets_out_of_reach_open_no_guesses_and_lock_nobody_out_silently() {
    let limits = LimitsConfig::default();
    let (server, buckets) = limited(limits).await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let slot = TestSlot::new(1, &[1]);
    let reply = slot.enrol(&wallet, &session, &server).await;
    reply.ok::<EnrolResponse>();
    buckets.away.store(true, Ordering::SeqCst);
    server.advance(60);
    let read = wallet.session_call("GET", "/record", &session);
    for _ in 0..60 {
        assert_eq!(read.send(&server).await.status, 200);
    }
    for reply in [
        wallet.try_login(&[1], &server).await,
        slot.guess(1, attempt(), &server).await,
        create(&server, 7).await,
    ] {
        let problem = reply.problem();
        assert_eq!(problem.code, Code::Unavailable);
        assert_eq!(problem.retry_after, Some(1));
    }
    buckets.away.store(false, Ordering::SeqCst);
    assert_eq!(wallet.try_login(&[1], &server).await.status, 200);
    assert_eq!(slot.guess(1, attempt(), &server).await.status, 200);
}

#[tokio::test]
async fn a_tenant_offers_what_it_wants() {
    let server = Server::start_limited(
        tenants(TenantConfig::default()),
        UNLIMITED,
        Arc::new(MemoryLimits::default()),
    )
    .await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let slot = TestSlot::new(1, &[1]);
    let reply = slot.enrol(&wallet, &session, &server).await;
    reply.ok::<EnrolResponse>();
    let (login, _) = wallet.login(&[1], &server).await;
    assert_eq!(login.session.expires, server.now() + 900);

    // The same accounts, under another policy.
    let mut config = TenantConfig {
        limits: TenantLimits::default(),
        ..TenantConfig::default()
    };
    config.policy.create = false;
    config.policy.slots = false;
    config.policy.mailboxes = false;
    config.policy.session_seconds = 60;
    let server = server.restart_with(tenants(config)).await;
    let (login, session) = wallet.login(&[1], &server).await;
    assert_eq!(login.session.expires, server.now() + 60);
    assert_eq!(create(&server, 7).await.code(), Code::NotOffered);
    let another = TestSlot::new(2, &[1]);
    let reply = another.enrol(&wallet, &session, &server).await;
    assert_eq!(reply.code(), Code::NotOffered);
    // What is there keeps working.
    assert_eq!(slot.guess(1, attempt(), &server).await.status, 200);
    let id = "A".repeat(22);
    let make = wallet.session_call("PUT", &format!("/mailboxes/{id}"), &session);
    let message = trefoil_protocol::bytes::Blob::new(vec![1; 16]);
    let make = make.json(&CreateMailboxRequest { message });
    assert_eq!(make.send(&server).await.code(), Code::NotOffered);
    for (method, path) in [
        ("GET", format!("/v1/acme/mailboxes/{id}")),
        ("DELETE", format!("/v1/acme/mailboxes/{id}")),
        ("PUT", format!("/v1/acme/mailboxes/{id}/old/1")),
    ] {
        let reply = call(method, &path).send(&server).await;
        assert_eq!(reply.code(), Code::NotOffered, "{method} {path}");
    }
    server.advance(61);
    let read = wallet.session_call("GET", "/record", &session);
    assert_eq!(read.send(&server).await.code(), Code::UnknownSession);
}

/// Buckets that are never heard of again.
struct Silent;

impl LimitStore for Silent {
    fn draw(&self, _: LimitDraw) -> StoreFuture<'_, LimitDrawn> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn whoever_hangs_up_is_counted() {
    let limits = LimitsConfig {
        address_per_minute: 1,
        ..UNLIMITED
    };
    let config = tenants(TenantConfig::default());
    let server = Server::start_limited(config, limits, Arc::new(Silent)).await;
    let route = "/v1/permit_key";
    let counted = || {
        let text = server.metrics.encode();
        let mut lines = text.lines();
        lines.any(|line| line.contains(route) && line.contains("code=\"hung_up\""))
    };
    let unheard = call("GET", "/v1/permit_key").send_unheard(&server).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!counted());
    drop(unheard);
    let begun = std::time::Instant::now();
    while !counted() {
        assert!(
            begun.elapsed().as_secs() < 20,
            "{}",
            server.metrics.encode()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
