//! Sessions, kits and deletions.

use crate::support::wallet::{Session, Wallet, statement_at, upgraded};
use crate::support::{NOW, Server};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{SignedStatement, StatementBody};
use trefoil_protocol::wire::{DeleteRequest, KitRequest};

use crate::refused;

#[tokio::test]
async fn sessions_kits_and_deletions() {
    let server = Server::start().await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let other = Wallet::one_click("acme", 50, 50);
    let other_session = other.create(&server).await;
    let elsewhere = Wallet::one_click("other", 1, 1);
    let elsewhere_session = elsewhere.create(&server).await;
    let routes = |session: &Session| {
        vec![
            wallet.session_call("GET", "/record", session),
            wallet.session_call("GET", "/events", session),
            wallet.session_call("POST", "/nonce", session),
            wallet.kit_call(session, &server),
            wallet.delete_call(session, &server),
            wallet.update(9).commit_call(&wallet, session),
        ]
    };
    let text = |text: &str| Session(text.to_owned());
    let token = session.0.strip_prefix("Bearer ").unwrap();
    let cases = [
        ("no scheme", text(token), Code::UnknownSession),
        (
            "another scheme",
            text(&format!("Basic {token}")),
            Code::UnknownSession,
        ),
        ("a short token", text("Bearer AAAA"), Code::UnknownSession),
        (
            "an unknown token",
            text(&format!("Bearer {}", "A".repeat(43))),
            Code::UnknownSession,
        ),
        ("another tenant's", elsewhere_session, Code::UnknownSession),
        ("another account's", other_session, Code::WrongSession),
    ];
    for (what, session, code) in &cases {
        for call in routes(session) {
            refused(&server, what, &call, *code).await;
        }
    }
    for call in routes(&session) {
        refused(
            &server,
            "no session",
            &call.without("authorization"),
            Code::UnknownSession,
        )
        .await;
    }

    let sign =
        |body: StatementBody, signer: &AuthPrivateKey| wallet.statement(body, signer, &server);
    let kit = |statement: SignedStatement| {
        wallet
            .session_call("POST", "/kit", &session)
            .json(&KitRequest { statement })
    };
    let delete = |statement: SignedStatement| {
        wallet
            .session_call("DELETE", "", &session)
            .json(&DeleteRequest { statement })
    };
    let kit_body = StatementBody::Kit {
        account_id: wallet.id(),
    };
    let delete_body = StatementBody::Delete {
        account_id: wallet.id(),
    };
    let factor_key = wallet.factors[&1].auth();
    let cases = [
        (
            "a kit for a factor",
            kit(sign(kit_body.clone(), factor_key)),
            Code::WrongKey,
        ),
        (
            "a kit for another account's key",
            kit(sign(kit_body.clone(), &other.auth)),
            Code::WrongKey,
        ),
        (
            "a kit of another account",
            kit(sign(
                StatementBody::Kit {
                    account_id: other.id(),
                },
                &wallet.auth,
            )),
            Code::WrongKey,
        ),
        (
            "a kit by a deletion",
            kit(sign(delete_body.clone(), &wallet.auth)),
            Code::MalformedRequest,
        ),
        (
            "a deletion by a factor",
            delete(sign(delete_body.clone(), factor_key)),
            Code::WrongKey,
        ),
        (
            "a deletion by another account",
            delete(sign(delete_body.clone(), &other.auth)),
            Code::WrongKey,
        ),
        (
            "a deletion by a kit",
            delete(sign(kit_body, &wallet.auth)),
            Code::MalformedRequest,
        ),
        (
            "a deletion long ago",
            delete(statement_at(
                wallet.tenant(),
                delete_body,
                &wallet.auth,
                NOW - 200,
            )),
            Code::StatementExpired,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let call = wallet.kit_call(&session, &server);
    assert_eq!(call.send(&server).await.status, 200);
    refused(&server, "a replayed kit", &call, Code::ReplayedRequest).await;
    let (_, fresh) = other.login(&[1], &server).await;
    let call = other.delete_call(&fresh, &server);
    assert_eq!(call.send(&server).await.status, 204);
    refused(&server, "a replayed deletion", &call, Code::ReplayedRequest).await;
}
