//! Creations.

use crate::support::http::Call;
use crate::support::wallet::{Wallet, factor, upgraded};
use crate::support::{Server, tenant};
use trefoil_protocol::bytes::{Blob, Envelope, Locator, SealedNonce};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::record::{Custody, MAX_ENVELOPE, MAX_PAYLOAD, SignedPayload};
use trefoil_protocol::statement::StatementBody;

use crate::{refused, rewritten};

#[tokio::test]
async fn creations() {
    let server = Server::start().await;
    let (_, taken, _) = upgraded(&server, "acme", 1).await;
    let good = Wallet::one_click("acme", 50, 50);
    let base = good.create_request(&server);
    // A change to the wallet, signed by it.
    let changed = |change: &dyn Fn(&mut Wallet)| {
        let mut wallet = good.clone();
        change(&mut wallet);
        wallet.create_call(&wallet.create_request(&server))
    };
    let of_record = |record: SignedPayload| {
        let mut request = base.clone();
        let body = StatementBody::Create {
            payload_hash: record.hash(),
        };
        request.statement = good.statement(body, good.factors[&1].auth(), &server);
        request.record = record;
        good.create_call(&request)
    };
    let with = |change: &dyn Fn(&mut trefoil_protocol::wire::CreateRequest)| {
        let mut request = base.clone();
        change(&mut request);
        good.create_call(&request)
    };
    let create = StatementBody::Create {
        payload_hash: good.record().hash(),
    };
    let by_login = good.statement(StatementBody::Login {}, good.factors[&1].auth(), &server);
    let by_account = good.statement(create.clone(), &good.auth, &server);
    let by_stranger = good.statement(create, factor("acme", 60).auth(), &server);
    let other_record = Wallet::one_click("acme", 51, 50).record();
    let cases: Vec<(&str, Call, Code)> = vec![
        (
            "another statement type",
            with(&|r| r.statement = by_login.clone()),
            Code::MalformedRequest,
        ),
        (
            "signed by the account",
            with(&|r| r.statement = by_account.clone()),
            Code::WrongKey,
        ),
        (
            "signed by a stranger",
            with(&|r| r.statement = by_stranger.clone()),
            Code::WrongKey,
        ),
        (
            "a statement for another record",
            with(&|r| r.record = other_record.clone()),
            Code::BadRecord,
        ),
        (
            "a changed record",
            of_record(SignedPayload {
                signature: good.record().signature,
                ..rewritten(&good, "\"epoch\":", "\"epoch\":1")
            }),
            Code::BadSignature,
        ),
        (
            "a record signed by a factor",
            of_record(SignedPayload::sign(&good.payload, good.factors[&1].auth())),
            Code::BadSignature,
        ),
        (
            "an unknown record version",
            of_record(rewritten(&good, "\"version\":1", "\"version\":2")),
            Code::UnknownVersion,
        ),
        (
            "an unknown record field",
            of_record(rewritten(&good, "{\"version\"", "{\"more\":1,\"version\"")),
            Code::MalformedRequest,
        ),
        (
            "an unknown custody",
            of_record(rewritten(&good, "one_click", "two_click")),
            Code::MalformedRequest,
        ),
        (
            "a record cut off",
            of_record(rewritten(&good, "\"}", "")),
            Code::MalformedRequest,
        ),
        (
            "an over-long record",
            changed(&|w| w.payload.state = Blob::new(vec![0; MAX_PAYLOAD / 4 * 3])),
            Code::RecordTooLarge,
        ),
        (
            "another tenant's record",
            of_record({
                let payload = trefoil_protocol::record::Payload {
                    tenant: tenant("other"),
                    ..good.payload.clone()
                };
                SignedPayload::sign(&payload, &good.auth)
            }),
            Code::WrongTenant,
        ),
        (
            "revision 2",
            changed(&|w| {
                w.payload.revision = 2;
                w.payload.previous = Some(w.record().hash());
            }),
            Code::BadRecord,
        ),
        (
            "a previous record",
            changed(&|w| w.payload.previous = Some(w.record().hash())),
            Code::BadRecord,
        ),
        (
            "epoch 2",
            changed(&|w| w.payload.epoch = 2),
            Code::BadRecord,
        ),
        (
            "a restore",
            changed(&|w| w.payload.restore = true),
            Code::BadRecord,
        ),
        (
            "another account's id",
            changed(&|w| w.payload.account_id = taken.id()),
            Code::BadRecord,
        ),
        (
            "one-click with two factors",
            changed(&|w| {
                w.factors.insert(2, factor("acme", 61));
                w.seal_envelopes();
            }),
            Code::BadRecord,
        ),
        (
            "one-click without a nonce",
            changed(&|w| {
                w.payload.nonce_hash = None;
                w.nonce = None;
            }),
            Code::BadRecord,
        ),
        (
            "a proof for another account",
            changed(&|w| {
                w.payload.factors[0].proof = taken.payload.factors[0].proof;
            }),
            Code::BadRecord,
        ),
        (
            "a locator that is not the key's",
            changed(&|w| {
                w.payload.factors[0].locator = Locator::from_bytes([5; 32]);
            }),
            Code::BadRecord,
        ),
        (
            "guarded",
            changed(&|w| {
                w.payload.custody = Custody::Guarded;
                w.payload.threshold = 2;
                w.factors.insert(2, factor("acme", 61));
                w.factors.insert(3, factor("acme", 62));
                w.seal_envelopes();
            }),
            Code::AuthenticatorRequired,
        ),
        (
            "an authenticator demanded",
            changed(&|w| w.payload.policy.authenticator_required = true),
            Code::AuthenticatorRequired,
        ),
        (
            "2 of 2",
            changed(&|w| {
                w.payload.custody = Custody::SelfCustody;
                w.payload.threshold = 2;
                w.payload.nonce_hash = None;
                w.nonce = None;
                w.factors.insert(2, factor("acme", 61));
                w.seal_envelopes();
            }),
            Code::NoSpareFactor,
        ),
        (
            "no envelopes",
            with(&|r| r.envelopes.clear()),
            Code::BadEnvelopes,
        ),
        (
            "an envelope of another hash",
            with(&|r| r.envelopes[0].envelope = Envelope::new(vec![1; 178])),
            Code::BadEnvelopes,
        ),
        (
            "an envelope of another index",
            with(&|r| r.envelopes[0].index = 2),
            Code::BadEnvelopes,
        ),
        (
            "an envelope twice",
            with(&|r| r.envelopes.push(r.envelopes[0].clone())),
            Code::BadEnvelopes,
        ),
        (
            "an over-long envelope",
            changed(&|w| {
                let envelope = Envelope::new(vec![1; MAX_ENVELOPE + 1]);
                w.payload.factors[0].envelope_hash = envelope.hash();
                w.envelopes.insert(1, envelope);
            }),
            Code::BadEnvelopes,
        ),
        ("no nonce", with(&|r| r.sealed_nonce = None), Code::BadNonce),
        (
            "another nonce",
            with(&|r| r.sealed_nonce = Some(SealedNonce::new(vec![1; 73]))),
            Code::BadNonce,
        ),
        (
            "an over-long nonce",
            changed(&|w| {
                let nonce = SealedNonce::new(vec![1; 257]);
                w.payload.nonce_hash = Some(nonce.hash());
                w.nonce = Some(nonce);
            }),
            Code::BadNonce,
        ),
        (
            "a taken locator",
            {
                let thief = Wallet::one_click("acme", 52, 1);
                thief.create_call(&thief.create_request(&server))
            },
            Code::LocatorTaken,
        ),
        (
            "a key that has an account",
            {
                let again = Wallet::one_click("acme", 1, 70);
                again.create_call(&again.create_request(&server))
            },
            Code::AccountExists,
        ),
    ];
    for (what, call, code) in cases {
        refused(&server, what, &call, code).await;
    }
    let call = good.create_call(&base);
    assert_eq!(call.send(&server).await.status, 201);
    refused(&server, "a replayed creation", &call, Code::ReplayedRequest).await;
}
