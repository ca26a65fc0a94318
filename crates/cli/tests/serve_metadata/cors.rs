//! Web pages: those of a tenant's origins may call, and see what they need.

use crate::support::Server;
use crate::world::{Answer, World, login, send};

const TENANTS: &str = "[[tenant]]\nname = \"acme\"\norigins = [\"https://wallet.example\", \"http://localhost:3000\"]\n\
                       [[tenant]]\nname = \"other\"\norigins = [\"https://other.example\"]\n";

fn ask(server: &Server, path: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization, if-match"),
    ];
    send(server, "OPTIONS", path, &headers, "")
}

#[test]
fn a_browser_is_told_what_a_page_may_send() {
    let world = World::new();
    let server = world.serve(TENANTS);
    for origin in ["https://wallet.example", "http://localhost:3000"] {
        let answer = ask(&server, "/v1/acme/accounts/x/record", origin);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(
            answer.header("access-control-allow-methods"),
            Some("GET, POST, PUT, DELETE")
        );
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("authorization, content-type, if-match")
        );
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // Another tenant's page, a page that looks alike, no page, a tenant that is not there.
    for (path, origin) in [
        ("/v1/acme/sessions", "https://other.example"),
        ("/v1/acme/sessions", "https://wallet.example.evil.example"),
        ("/v1/acme/sessions", "https://wallet.example:8443"),
        ("/v1/acme/sessions", "http://wallet.example"),
        ("/v1/acme/sessions", "null"),
        ("/v1/other/sessions", "https://wallet.example"),
        ("/v1/nobody/sessions", "https://wallet.example"),
    ] {
        let answer = ask(&server, path, origin);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{path} {origin}"
        );
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // Not the question of a browser.
    let answer = send(&server, "OPTIONS", "/v1/acme/sessions", &[], "");
    assert_eq!(answer.status, 405);
    server.stop();
}

#[test]
fn a_page_sees_answers_and_refusals() {
    let world = World::new();
    let server = world.serve(TENANTS);
    let origin = ("origin", "https://wallet.example");
    let refused = login(&server, 1, &[origin]);
    assert_eq!(refused.status, 404);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some(origin.1)
    );
    assert_eq!(
        refused.header("access-control-expose-headers"),
        Some("etag, retry-after, x-request-id")
    );
    assert_eq!(refused.header("access-control-allow-credentials"), None);
    // Others are answered too: it is their browsers that keep the answer from them.
    for headers in [&[("origin", "https://evil.example")][..], &[]] {
        let answer = login(&server, 1, headers);
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    server.stop();
}
