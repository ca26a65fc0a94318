//! The parts that travel beside a payload, and the way of records to and from the store.

use trefoil_protocol::bytes::{Envelope, SealedNonce};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::record::SignedPayload;
use trefoil_protocol::record::{MAX_ENVELOPE, MAX_SEALED_NONCE, VerifiedRecord};
use trefoil_protocol::wire::{IndexedEnvelope, LoginResponse, SessionGrant};
use trefoil_store::{HeldEnvelope, NewEntry, NewRecord, OpenedSession, StoredRecord};

use crate::refusal::{Answer, Refusal};

/// The envelopes are those of entries of `record`, each at most once, and every entry that `current` does not already
/// have in exactly this form is among them.
pub(crate) fn check_envelopes(
    record: &VerifiedRecord,
    current: Option<&VerifiedRecord>,
    given: Vec<IndexedEnvelope>,
) -> Answer<Vec<Envelope>> {
    let refuse = |detail: String| Refusal::new(Code::BadEnvelopes, detail);
    let mut indexes = Vec::with_capacity(given.len());
    let mut envelopes = Vec::with_capacity(given.len());
    for IndexedEnvelope { index, envelope } in given {
        if envelope.as_bytes().len() > MAX_ENVELOPE {
            return Err(refuse(format!(
                "the envelope of factor {index} has more than {MAX_ENVELOPE} bytes"
            )));
        }
        let named = record
            .factor(index)
            .is_some_and(|entry| entry.envelope_hash == envelope.hash());
        if !named || indexes.contains(&index) {
            return Err(refuse(format!(
                "the envelope for factor {index} is not the one that the record names"
            )));
        }
        indexes.push(index);
        envelopes.push(envelope);
    }
    for entry in &record.factors {
        let held = current
            .and_then(|current| current.factor_at(&entry.locator))
            .is_some_and(|held| {
                held.index == entry.index && held.envelope_hash == entry.envelope_hash
            });
        if !held && !indexes.contains(&entry.index) {
            return Err(refuse(format!(
                "the envelope of factor {} is missing",
                entry.index
            )));
        }
    }
    Ok(envelopes)
}

/// The sealed nonce is given exactly where the record names one that `current` does not.
pub(crate) fn check_nonce(
    record: &VerifiedRecord,
    current: Option<&VerifiedRecord>,
    given: Option<&SealedNonce>,
) -> Answer<()> {
    let wanted = record
        .nonce_hash
        .filter(|hash| current.is_none_or(|current| current.nonce_hash != Some(*hash)));
    let fits = match (wanted, given) {
        (None, None) => true,
        (Some(hash), Some(sealed)) => {
            sealed.as_bytes().len() <= MAX_SEALED_NONCE && sealed.hash() == hash
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Code::BadNonce.into())
    }
}

pub(crate) fn new_record(record: &VerifiedRecord) -> NewRecord {
    let signed = record.signed().clone();
    NewRecord {
        payload: signed.payload,
        signature: signed.signature,
        hash: record.hash(),
        revision: record.revision,
        entries: record
            .factors
            .iter()
            .map(|entry| NewEntry {
                index: entry.index,
                locator: entry.locator,
                envelope_hash: entry.envelope_hash,
            })
            .collect(),
        nonce_hash: record.nonce_hash,
    }
}

pub(crate) fn signed_payload(record: StoredRecord) -> SignedPayload {
    SignedPayload {
        payload: record.payload,
        signature: record.signature,
    }
}

pub(crate) fn indexed(envelopes: Vec<HeldEnvelope>) -> Vec<IndexedEnvelope> {
    envelopes
        .into_iter()
        .map(|HeldEnvelope { index, envelope }| IndexedEnvelope { index, envelope })
        .collect()
}

pub(crate) fn login_response(
    opened: OpenedSession,
    session: SessionGrant,
    server_time: u64,
) -> LoginResponse {
    LoginResponse {
        account_id: opened.account_id,
        record: signed_payload(opened.record),
        envelopes: indexed(opened.envelopes),
        sealed_nonce: opened.sealed_nonce,
        session,
        logins: opened.logins,
        unknown: opened.unknown,
        removed: opened.removed,
        server_time,
    }
}
