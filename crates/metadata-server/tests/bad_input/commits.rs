//! Commits.

use crate::support::Server;
use crate::support::http::Call;
use crate::support::wallet::{Wallet, factor, upgraded};
use trefoil_protocol::bytes::{Envelope, SealedNonce};
use trefoil_protocol::policy::Level;
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::record::{Custody, SignedPayload};
use trefoil_protocol::wire::IndexedEnvelope;

use crate::{refused, rewritten};

#[tokio::test]
async fn commits() {
    let server = Server::start().await;
    let (_, base, session) = upgraded(&server, "acme", 1).await;
    let other = Wallet::one_click("acme", 50, 50);
    let other_session = other.create(&server).await;
    let good = base.update(9);
    let changed = |change: &dyn Fn(&mut Wallet)| {
        let mut wallet = base.next();
        change(&mut wallet);
        // Whatever the change breaks, the envelopes come along.
        let mut request = wallet.commit_request(&base);
        request
            .envelopes
            .retain(|given| wallet.payload.factor(given.index).is_some());
        wallet
            .commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let of_record = |record: SignedPayload| {
        let request = trefoil_protocol::wire::CommitRequest {
            record,
            ..good.commit_request(&base)
        };
        good.commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let tag = |value: &str| {
        good.commit_call(&base, &session)
            .without("if-match")
            .header("if-match", value)
    };
    let refreshed = base.with_factors(&[(1, 1), (2, 2), (3, 3)]);
    let with_envelopes = |change: &dyn Fn(&mut Vec<IndexedEnvelope>)| {
        let mut request = refreshed.commit_request(&base);
        change(&mut request.envelopes);
        refreshed
            .commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let with_nonce = |sealed: &SealedNonce| {
        let mut request = good.commit_request(&base);
        request.sealed_nonce = Some(sealed.clone());
        good.commit_call(&base, &session)
            .without("content-type")
            .json(&request)
    };
    let foreign = other.update(9);
    let cases: Vec<(&str, Call, Code)> = vec![
        (
            "no If-Match",
            good.commit_call(&base, &session).without("if-match"),
            Code::PreconditionRequired,
        ),
        ("any revision", tag("*"), Code::MalformedRequest),
        ("a bare number", tag("2"), Code::MalformedRequest),
        ("a weak tag", tag("W/\"2\""), Code::MalformedRequest),
        ("two tags", tag("\"2\", \"3\""), Code::MalformedRequest),
        (
            "two headers",
            tag("\"2\"").header("if-match", "\"3\""),
            Code::MalformedRequest,
        ),
        ("no number", tag("\"two\""), Code::MalformedRequest),
        ("a signed number", tag("\"+2\""), Code::MalformedRequest),
        ("an empty tag", tag("\"\""), Code::MalformedRequest),
        (
            "too large a number",
            tag("\"99999999999999999999\""),
            Code::MalformedRequest,
        ),
        ("an older revision", tag("\"1\""), Code::StaleRevision),
        ("a newer revision", tag("\"3\""), Code::StaleRevision),
        (
            "a changed record",
            of_record(SignedPayload {
                signature: good.record().signature,
                ..rewritten(&good, "\"epoch\":", "\"epoch\":1")
            }),
            Code::BadSignature,
        ),
        (
            "an unknown record version",
            of_record(rewritten(&good, "\"version\":1", "\"version\":9")),
            Code::UnknownVersion,
        ),
        (
            "an unknown record field",
            of_record(rewritten(&good, "{\"version\"", "{\"more\":1,\"version\"")),
            Code::MalformedRequest,
        ),
        (
            "another account's record",
            of_record(foreign.record()),
            Code::WrongAccountKey,
        ),
        (
            "another key's record of this account",
            of_record({
                let mut payload = good.payload.clone();
                payload.account_auth_key = other.auth.auth_key();
                SignedPayload::sign(&payload, &other.auth)
            }),
            Code::BadRecord,
        ),
        (
            "a revision left out",
            changed(&|w| w.payload.revision = 4),
            Code::WrongRevision,
        ),
        (
            "the same revision",
            changed(&|w| w.payload.revision = 2),
            Code::WrongRevision,
        ),
        (
            "the last revision there is",
            changed(&|w| w.payload.revision = u64::MAX),
            Code::WrongRevision,
        ),
        (
            "another previous",
            changed(&|w| w.payload.previous = Some(w.record().hash())),
            Code::WrongPrevious,
        ),
        (
            "a restore that goes back",
            changed(&|w| {
                w.payload.restore = true;
                w.payload.revision = 2;
            }),
            Code::WrongRevision,
        ),
        (
            "back to one-click",
            changed(&|w| {
                let nonce = SealedNonce::new(vec![7; 73]);
                w.payload.custody = Custody::OneClick;
                w.payload.threshold = 1;
                w.payload.epoch += 1;
                w.payload.nonce_hash = Some(nonce.hash());
                w.nonce = Some(nonce);
                w.factors.retain(|index, _| *index == 1);
                w.seal_envelopes();
            }),
            Code::CustodyReversed,
        ),
        (
            "guarded",
            changed(&|w| {
                let nonce = SealedNonce::new(vec![7; 73]);
                w.payload.custody = Custody::Guarded;
                w.payload.epoch += 1;
                w.payload.nonce_hash = Some(nonce.hash());
                w.nonce = Some(nonce);
                w.seal_envelopes();
            }),
            Code::AuthenticatorRequired,
        ),
        (
            "a removal within the epoch",
            changed(&|w| {
                w.payload.factors.remove(1);
            }),
            Code::WrongEpoch,
        ),
        (
            "an epoch left out",
            changed(&|w| {
                w.payload.epoch += 2;
                w.seal_envelopes();
            }),
            Code::WrongEpoch,
        ),
        (
            "another envelope hash within the epoch",
            changed(&|w| {
                w.payload.factors[0].envelope_hash = Envelope::new(vec![1]).hash();
            }),
            Code::EnvelopeHashMismatch,
        ),
        (
            "the old envelope hash in a new epoch",
            changed(&|w| w.payload.epoch += 1),
            Code::EnvelopeHashMismatch,
        ),
        (
            "a changed binding",
            changed(&|w| {
                w.payload.factors[0].binding = w.payload.factors[1].binding;
            }),
            Code::ChangedEntry,
        ),
        (
            "a new factor at an old index",
            changed(&|w| {
                w.factors = [
                    (1, factor("acme", 80)),
                    (2, factor("acme", 2)),
                    (3, factor("acme", 3)),
                ]
                .into();
                w.payload.epoch += 1;
                w.seal_envelopes();
            }),
            Code::ChangedEntry,
        ),
        (
            "a threshold of all factors",
            changed(&|w| {
                w.payload.threshold = 3;
                w.payload.epoch += 1;
                w.seal_envelopes();
            }),
            Code::NoSpareFactor,
        ),
        (
            "a threshold above all factors",
            changed(&|w| w.payload.threshold = 4),
            Code::BadRecord,
        ),
        (
            "an envelope missing",
            with_envelopes(&|envelopes| drop(envelopes.remove(1))),
            Code::BadEnvelopes,
        ),
        (
            "an envelope twice",
            with_envelopes(&|envelopes| envelopes.push(envelopes[0].clone())),
            Code::BadEnvelopes,
        ),
        (
            "envelopes of the epoch before",
            with_envelopes(&|envelopes| *envelopes = base.indexed()),
            Code::BadEnvelopes,
        ),
        (
            "an envelope for nobody",
            with_envelopes(&|envelopes| {
                envelopes.push(IndexedEnvelope {
                    index: 9,
                    envelope: Envelope::new(vec![1; 178]),
                });
            }),
            Code::BadEnvelopes,
        ),
        (
            "a nonce that the record does not name",
            with_nonce(&SealedNonce::new(vec![1; 73])),
            Code::BadNonce,
        ),
        (
            "a factor of another account",
            changed(&|w| {
                w.factors.insert(4, factor("acme", 50));
                w.payload.epoch += 1;
                w.seal_envelopes();
            }),
            Code::LocatorTaken,
        ),
        (
            "no session",
            good.commit_call(&base, &session).without("authorization"),
            Code::UnknownSession,
        ),
        (
            "another account's session",
            good.commit_call(&base, &other_session),
            Code::WrongSession,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let stale = tag("\"1\"").send(&server).await.problem();
    assert_eq!(stale.revision, Some(2));
    assert_eq!(good.commit(&base, &session, &server).await.status, 200);
}

#[tokio::test]
async fn one_click_nonces() {
    let server = Server::start().await;
    let base = Wallet::one_click("acme", 1, 1);
    let session = base.create(&server).await;
    let mut replaced = base.next();
    let nonce = SealedNonce::new(vec![7; 73]);
    replaced.payload.nonce_hash = Some(nonce.hash());
    replaced.nonce = Some(nonce);
    let mut request = replaced.commit_request(&base);
    request.sealed_nonce = None;
    let call = replaced
        .commit_call(&base, &session)
        .without("content-type")
        .json(&request);
    refused(&server, "a nonce that was not sent", &call, Code::BadNonce).await;
    request.sealed_nonce = base.nonce.clone();
    let call = replaced
        .commit_call(&base, &session)
        .without("content-type")
        .json(&request);
    refused(&server, "the old nonce", &call, Code::BadNonce).await;
    assert_eq!(replaced.commit(&base, &session, &server).await.status, 200);
    let nonces: Vec<_> = server
        .dump()
        .into_iter()
        .filter(|row| row.starts_with("nonces "))
        .collect();
    assert_eq!(nonces.len(), 1);
    assert_eq!(
        replaced.login(&[1], &server).await.0.sealed_nonce,
        replaced.nonce
    );
    assert_eq!(replaced.payload.policy.nonce_release, Level::Primary);
}
