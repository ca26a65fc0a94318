//! Whatever is wrong with a request: a problem document with a stable code, and nothing changed in the databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod commits;
mod creations;
mod mailboxes;
mod sessions;
mod slots;
mod statements;
#[path = "../support/mod.rs"]
mod support;
mod transport;

use support::Server;
use support::http::Call;
use support::wallet::Wallet;
use trefoil_protocol::bytes::Blob;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::record::SignedPayload;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::SignedStatement;

/// Sends it and expects this refusal and the same databases before and after.
async fn refused(server: &Server, what: &str, call: &Call, code: Code) {
    let before = server.dump();
    let reply = call.send(server).await;
    assert!(
        reply.status >= 400,
        "{what}: accepted with {}",
        reply.status
    );
    let problem = reply.problem();
    assert_eq!(problem.code, code, "{what}: {problem}");
    assert_eq!(server.dump(), before, "{what}");
}

/// The same payload text with something replaced, signed again.
fn rewritten(wallet: &Wallet, from: &str, to: &str) -> SignedPayload {
    let text = String::from_utf8(wallet.record().payload.into_bytes()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    let payload = text.replacen(from, to, 1).into_bytes();
    SignedPayload {
        signature: wallet.auth.sign("record", &payload),
        payload: Blob::new(payload),
    }
}

fn rewritten_statement(
    signed: &SignedStatement,
    signer: &AuthPrivateKey,
    from: &str,
    to: &str,
) -> SignedStatement {
    let text = String::from_utf8(signed.statement.as_bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    let bytes = text.replacen(from, to, 1).into_bytes();
    SignedStatement {
        signature: signer.sign("statement", &bytes),
        statement: Blob::new(bytes),
    }
}
