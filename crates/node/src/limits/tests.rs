use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use rand_core::SeedableRng;

use super::*;

struct World {
    limits: Limits,
    millis: Arc<AtomicU64>,
}

fn world(config: &LimitsConfig) -> World {
    let millis = Arc::new(AtomicU64::new(5000));
    let source = Arc::clone(&millis);
    let stopwatch = Stopwatch::new(move || Duration::from_millis(source.load(Ordering::SeqCst)));
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let limits = Limits::new(config, Vec::new(), &stopwatch, &mut rng).unwrap();
    World { limits, millis }
}

impl World {
    fn advance(&self, millis: u64) {
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    fn address(&self, address: &str) -> Result<(), u64> {
        self.ip(address.parse().unwrap())
    }

    fn ip(&self, address: IpAddr) -> Result<(), u64> {
        let checked = self.limits.check_address(Some(address), &HeaderMap::new());
        checked.map_err(|too_many| {
            assert_eq!(too_many.of, Limited::Address);
            too_many.retry_after
        })
    }

    fn user(&self, tenant: &str, verifier: &str, user: &str) -> Result<(), u64> {
        let (tenant, verifier) = (
            Tenant::new(tenant).unwrap(),
            VerifierId::new(verifier).unwrap(),
        );
        let checked = self.limits.check_user(&tenant, &verifier, user);
        checked.map_err(|too_many| {
            assert_eq!(too_many.of, Limited::User);
            too_many.retry_after
        })
    }
}

fn config(per_minute: u32, burst: u32) -> LimitsConfig {
    LimitsConfig {
        address_per_minute: per_minute,
        address_burst: burst,
        user_per_minute: per_minute,
        user_burst: burst,
    }
}

#[test]
fn a_burst_then_one_at_a_time() {
    let world = world(&config(20, 3));
    for _ in 0..3 {
        world.address("192.0.2.1").unwrap();
    }
    assert_eq!(world.address("192.0.2.1"), Err(3));
    world.advance(2000);
    assert_eq!(world.address("192.0.2.1"), Err(1));
    world.advance(1000);
    world.address("192.0.2.1").unwrap();
    assert_eq!(world.address("192.0.2.1"), Err(3));
    // The whole burst is back after a pause, and no more than that.
    world.advance(3_600_000);
    for _ in 0..3 {
        world.address("192.0.2.1").unwrap();
    }
    assert_eq!(world.address("192.0.2.1"), Err(3));
}

#[test]
fn addresses_are_told_apart_by_what_one_client_has() {
    let world = world(&config(1, 1));
    world.address("192.0.2.1").unwrap();
    world.address("192.0.2.2").unwrap();
    world.address("2001:db8:0:1::1").unwrap();
    world.address("2001:db8:0:2::1").unwrap();
    world.address("::1").unwrap();
    for same in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:0:1:ffff::9"] {
        assert_eq!(world.address(same), Err(60), "{same}");
    }
}

#[test]
fn an_unknown_peer_is_limited_too() {
    let world = world(&config(1, 1));
    let unknown = || world.limits.check_address(None, &HeaderMap::new());
    unknown().unwrap();
    assert_eq!(unknown().unwrap_err().retry_after, 60);
}

#[test]
fn users_are_told_apart_by_tenant_verifier_and_name() {
    let world = world(&config(1, 1));
    world.user("acme", "google", "alice").unwrap();
    assert_eq!(world.user("acme", "google", "alice"), Err(60));
    for (tenant, verifier, user) in [
        ("acme", "google", "bob"),
        ("acme", "house", "alice"),
        ("other", "google", "alice"),
        // The parts do not run into each other.
        ("acme", "googlea", "lice"),
        ("acmeg", "oogle", "alice"),
    ] {
        world.user(tenant, verifier, user).unwrap();
    }
    // An address does not share buckets with users.
    world.address("192.0.2.1").unwrap();
}

#[test]
fn zero_a_minute_is_no_limit_and_a_rate_needs_a_burst() {
    let world = world(&config(0, 0));
    for _ in 0..1000 {
        world.address("192.0.2.1").unwrap();
        world.user("acme", "google", "alice").unwrap();
    }
    let error = config(1, 0).check().unwrap_err();
    assert_eq!(error.field(), "address_burst");
    let no_user_burst = LimitsConfig {
        user_burst: 0,
        ..LimitsConfig::default()
    };
    assert_eq!(no_user_burst.check().unwrap_err().field(), "user_burst");
    LimitsConfig::default().check().unwrap();
}

/// An attacker with a /32 of IPv6 sends from ever new networks.
#[test]
fn memory_is_bounded_and_known_clients_notice_nothing() {
    let world = world(&config(60, 2));
    let limiter = world.limits.addresses.as_ref().unwrap();
    world.address("192.0.2.1").unwrap();
    let network = |number: u64| {
        IpAddr::V6(Ipv6Addr::from_bits(
            (0x2001_0db8 << 96) | (u128::from(number) << 64),
        ))
    };
    let count = u64::try_from(CAPACITY).unwrap() * 2;
    let refused = (0..count)
        .filter(|number| world.ip(network(*number)).is_err())
        .count();
    assert_eq!(limiter.buckets.len(), CAPACITY);
    assert!(
        refused > CAPACITY / 2,
        "what finds no room shares few buckets: {refused}"
    );
    // One that is known has its own bucket still.
    world.address("192.0.2.1").unwrap();
    assert!(world.address("192.0.2.1").is_err());
    // When the flood is over there is room again.
    world.advance(3000);
    world.address("192.0.2.77").unwrap();
    assert_eq!(limiter.buckets.len(), 1);
}

#[test]
fn full_buckets_are_forgotten_and_empty_ones_are_not() {
    let world = world(&config(1, 2));
    let limiter = world.limits.addresses.as_ref().unwrap();
    world.address("192.0.2.1").unwrap();
    world.advance(30_000);
    world.address("192.0.2.2").unwrap();
    world.address("192.0.2.2").unwrap();
    world.advance(90_000);
    world.address("192.0.2.3").unwrap();
    assert_eq!(limiter.buckets.len(), 2, "the first is as if it never was");
    world.address("192.0.2.2").unwrap();
    assert_eq!(world.address("192.0.2.2"), Err(30));
}

#[test]
fn debug_names_nobody() {
    let world = world(&config(1, 1));
    world.user("acme", "google", "alice").unwrap();
    world.address("192.0.2.1").unwrap();
    let text = format!("{:?}", world.limits);
    assert_eq!(
        text,
        "Limits { addresses: true, users: true, proxies: Proxies([]), .. }"
    );
}
