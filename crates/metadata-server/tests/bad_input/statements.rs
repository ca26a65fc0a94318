//! Statements and logins.

use crate::support::wallet::{Wallet, statement_at, upgraded};
use crate::support::{AUDIENCE, NOW, Server, tenant};
use trefoil_protocol::bytes::Signature;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{SignedStatement, StatementBody};
use trefoil_protocol::wire::LoginRequest;

use crate::{refused, rewritten_statement};

#[tokio::test]
async fn statements() {
    let server = Server::start().await;
    let (_, wallet, _) = upgraded(&server, "acme", 1).await;
    let keys = &wallet.factors[&1];
    let good = wallet.login_request(&[keys], &server).statements.remove(0);
    let rewrite = |from: &str, to: &str| rewritten_statement(&good, keys.auth(), from, to);
    let at = |tenant_name: &str, time: u64| {
        statement_at(
            &tenant(tenant_name),
            StatementBody::Login {},
            keys.auth(),
            time,
        )
    };
    let other_key = AuthPrivateKey::from_seed(&[9; 32]);
    let mut flipped = *good.signature.as_bytes();
    flipped[40] ^= 1;
    let cases = [
        (
            "a flipped signature",
            SignedStatement {
                signature: Signature::from_bytes(flipped),
                ..good.clone()
            },
            Code::BadSignature,
        ),
        (
            "another signer",
            rewritten_statement(&good, &other_key, "acme", "acme"),
            Code::BadSignature,
        ),
        (
            "a signature for a record",
            SignedStatement {
                signature: keys.auth().sign("record", good.statement.as_bytes()),
                ..good.clone()
            },
            Code::BadSignature,
        ),
        ("too old", at("acme", NOW - 121), Code::StatementExpired),
        (
            "from the future",
            at("acme", NOW + 121),
            Code::StatementExpired,
        ),
        ("another tenant's", at("other", NOW), Code::WrongTenant),
        (
            "another server's",
            rewrite(AUDIENCE, "https://evil.example"),
            Code::WrongAudience,
        ),
        (
            "an unknown version",
            rewrite("\"version\":1", "\"version\":2"),
            Code::UnknownVersion,
        ),
        (
            "an unknown field",
            rewrite("{\"version\"", "{\"more\":1,\"version\""),
            Code::MalformedRequest,
        ),
        (
            "an unknown type",
            rewrite("\"login\"", "\"logout\""),
            Code::MalformedRequest,
        ),
        ("cut off", rewrite("}}", "}"), Code::MalformedRequest),
        (
            "too long",
            rewrite(
                "{\"version\"",
                &format!("{}{{\"version\"", " ".repeat(3000)),
            ),
            Code::MalformedRequest,
        ),
        (
            "of another type",
            wallet.statement(
                StatementBody::Kit {
                    account_id: wallet.id(),
                },
                keys.auth(),
                &server,
            ),
            Code::MalformedRequest,
        ),
        (
            "by a stranger",
            wallet.statement(StatementBody::Login {}, &other_key, &server),
            Code::NoAccount,
        ),
    ];
    for (what, statement, code) in cases {
        let call = wallet.login_call(&LoginRequest {
            statements: vec![statement.clone()],
        });
        refused(&server, what, &call, code).await;
        if code != Code::NoAccount {
            // One bad statement among good ones refuses them all.
            let fresh = wallet.login_request(&[keys], &server).statements.remove(0);
            let call = wallet.login_call(&LoginRequest {
                statements: vec![fresh, statement],
            });
            refused(&server, what, &call, code).await;
        }
    }
    let call = wallet.login_call(&LoginRequest {
        statements: vec![good.clone(), good.clone()],
    });
    refused(&server, "twice in one login", &call, Code::ReplayedRequest).await;
    let call = wallet.login_call(&LoginRequest {
        statements: vec![good],
    });
    assert_eq!(call.send(&server).await.status, 200);
    refused(&server, "replayed", &call, Code::ReplayedRequest).await;
    server.advance(120);
    refused(
        &server,
        "replayed at the last second",
        &call,
        Code::ReplayedRequest,
    )
    .await;
    server.advance(1);
    refused(
        &server,
        "replayed after the window",
        &call,
        Code::StatementExpired,
    )
    .await;

    let bob = Wallet::one_click("acme", 50, 50);
    bob.create(&server).await;
    let mixed =
        wallet.login_call(&wallet.login_request(&[&wallet.factors[&1], &bob.factors[&1]], &server));
    refused(&server, "two accounts", &mixed, Code::SeveralAccounts).await;
}
