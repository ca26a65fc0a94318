//! Limits at the real server: what the settings say is what clients meet.

use trefoil_protocol::problem::ProblemCode as Code;

use crate::world::{World, forged_login_body, get, login, login_body, send};

const NO_ADDRESS: &str = "[limits]\naddress_per_minute = 0\n";

#[test]
fn a_factor_is_limited_and_no_other_and_strangers_spend_nothing() {
    let world = World::new();
    let server = world.serve(&format!(
        "{NO_ADDRESS}locator_per_minute = 1\nlocator_burst = 2\n"
    ));
    // Cut off, or with a signature that does not hold.
    let good = login_body(1);
    let forged = forged_login_body(1);
    for body in [good.split_at(40).0, &forged] {
        for _ in 0..5 {
            let refused = send(&server, "POST", "/v1/acme/sessions", &[], body);
            assert!([400, 401].contains(&refused.status), "{refused:?}");
        }
    }
    for _ in 0..2 {
        assert_eq!(login(&server, 1, &[]).problem().code, Code::NoAccount);
    }
    let refused = login(&server, 1, &[]);
    assert_eq!(refused.status, 429);
    let problem = refused.problem();
    assert_eq!(problem.code, Code::TooManyRequests);
    assert!((50..=60).contains(&problem.retry_after.unwrap()));
    let seconds = problem.retry_after.unwrap().to_string();
    assert_eq!(refused.header("retry-after"), Some(seconds.as_str()));
    assert_eq!(login(&server, 2, &[]).problem().code, Code::NoAccount);
    server.stop();
}

#[test]
fn a_tenant_has_its_own_limits() {
    let world = World::new();
    let more = format!(
        "{NO_ADDRESS}locator_per_minute = 1\nlocator_burst = 1\n\
         [[tenant]]\nname = \"acme\"\n[tenant.limits]\nlocator_burst = 3\n"
    );
    let server = world.serve(&more);
    for _ in 0..3 {
        assert_eq!(login(&server, 1, &[]).status, 404);
    }
    assert_eq!(login(&server, 1, &[]).status, 429);
    server.stop();
}

#[test]
fn an_address_is_limited_by_what_the_trusted_proxy_says() {
    let world = World::new();
    let limits = "[limits]\naddress_per_minute = 1\naddress_burst = 2\n";
    let server = world.serve(&format!(
        "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n{limits}"
    ));
    let from = |server: &_, address: &str| {
        send(
            server,
            "GET",
            "/v1/permit_key",
            &[("x-forwarded-for", address)],
            "",
        )
    };
    for _ in 0..2 {
        assert_eq!(from(&server, "2001:db8:1:2::1").status, 200);
    }
    // Whoever has one address of a /64 has all of them.
    let refused = from(&server, "2001:db8:1:2:ffff::7");
    assert_eq!(refused.problem().code, Code::TooManyRequests);
    let seconds = refused.header("retry-after").unwrap();
    assert!((50..=60).contains(&seconds.parse::<u64>().unwrap()));
    assert_eq!(from(&server, "2001:db8:1:3::1").status, 200);
    // What the client itself wrote stands before what the proxy did.
    assert_eq!(from(&server, "203.0.113.3, 2001:db8:1:2::1").status, 429);
    // The operator's probes are not limited.
    for _ in 0..5 {
        assert_eq!(from_probe(&server), (200, 200));
    }
    server.stop();

    // A peer that is no proxy is counted itself, whatever it says.
    let server = world.serve(limits);
    assert_eq!(from(&server, "203.0.113.1").status, 200);
    assert_eq!(from(&server, "203.0.113.2").status, 200);
    assert_eq!(from(&server, "203.0.113.3").status, 429);
    server.stop();
}

fn from_probe(server: &crate::support::Server) -> (u16, u16) {
    (
        get(server, "/healthz").status,
        get(server, "/readyz").status,
    )
}
