//! schemathesis, which is not ours, against a running server and its own API document: whatever it makes up from the document is
//! answered, never with a fault of the server and never with something that the document does not promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::path::{Path, PathBuf};

use support::Server;
use support::slot::TestSlot;
use support::wallet::upgraded;
use trefoil_protocol::guess::EnrolResponse;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,allow_header_conformance,missing_required_header,ignored_auth";
/// Requests made up at random for each call, beside those that cover each rule of the document; a run by hand may ask for more.
const EXAMPLES: &str = "6";
/// `428` is what RFC 6585 has for a missing `If-Match`.
const EXPECTED: &str = "[checks.missing_required_header]\nexpected-statuses = [400, 401, 403, 404, 408, 413, 415, 422, 428]\n";

/// Where `cargo xtask test` puts it.
fn installed() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = std::env::var_os("TREFOIL_SCHEMATHESIS")
        .map_or_else(|| target.join("tools/schemathesis"), PathBuf::from);
    assert!(
        folder.join("installed.txt").is_file(),
        "{} does not hold schemathesis: `cargo xtask test` installs it, `cargo xtask schemathesis` it alone",
        folder.display()
    );
    folder
}

/// Runs it with these settings; fails with what it found.
async fn run(server: &Server, directory: &Path, settings: &str, more: &[String]) {
    let installed = installed();
    let examples = std::env::var("TREFOIL_SCHEMATHESIS_EXAMPLES");
    let examples = examples.unwrap_or_else(|_| EXAMPLES.to_owned());
    let config = directory.join("schemathesis.toml");
    std::fs::write(&config, format!("{settings}{EXPECTED}")).unwrap();
    let mut command = tokio::process::Command::new("python3");
    command
        .env("PYTHONPATH", &installed)
        .env("NO_COLOR", "1")
        .current_dir(directory)
        .arg(installed.join("bin/schemathesis"))
        .arg("--config-file")
        .arg(config)
        .args(["run", &format!("http://{}/openapi.json", server.address)])
        .args(["--checks", CHECKS, "--max-examples", &examples])
        .args(["--seed", "5", "--phases", "examples,coverage,fuzzing"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .args(["--continue-on-failure", "--request-timeout", "20"])
        .args(more);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // It must have come to the calls at all.
    assert!(said.contains("Tested: 21"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_nothing_but_what_the_document_says() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    run(&server, directory.path(), "", &[]).await;
}

/// With a session, and the names of things that are there: the requests come to where the others end early.
#[tokio::test(flavor = "multi_thread")]
async fn users_get_nothing_but_what_the_document_says() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    let (_, wallet, session) = upgraded(&server, "acme", 1).await;
    let slot = TestSlot::new(1, &[1, 2]);
    let enrolled = slot.enrol(&wallet, &session, &server).await;
    enrolled.ok::<EnrolResponse>();
    let settings = format!(
        "[parameters]\n\"path.tenant\" = \"acme\"\n\"path.account\" = \"{}\"\n\"path.slot\" = \"{}\"\n\"header.If-Match\" = '\"2\"'\n",
        wallet.id(),
        slot.id
    );
    let bearer = [
        "--header".to_owned(),
        format!("Authorization: {}", session.0),
    ];
    run(&server, directory.path(), &settings, &bearer).await;
    let read = wallet.session_call("GET", "/record", &session);
    assert_eq!(read.send(&server).await.status, 200, "nothing was changed");
}
