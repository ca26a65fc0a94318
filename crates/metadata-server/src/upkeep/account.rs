//! Check one account: everything that can be checked without a secret of its owner.

use sha2::{Digest as _, Sha256};
use trefoil_protocol::event::{self, Event, EventBody};
use trefoil_protocol::guess::SlotRecord;
use trefoil_protocol::record::{SignedPayload, VerifiedRecord};
use trefoil_protocol::tenant::Tenant;
use trefoil_store::{AtRest, DumpedAccount, DumpedSlot, Place, sealing_key_of};

/// What is wrong with it, in plain words; nothing where all is well.
pub(super) fn problems(account: &DumpedAccount) -> Vec<String> {
    let mut problems = Vec::new();
    if Sha256::digest(account.payload.as_bytes()).as_slice() != account.payload_hash.as_bytes() {
        problems.push("the payload is not the one that its hash names".to_owned());
    }
    let signed = SignedPayload {
        payload: account.payload.clone(),
        signature: account.signature,
    };
    match signed.verify(&account.tenant) {
        Ok(record) => against_record(account, &record, &mut problems),
        Err(error) => problems.push(error.to_string()),
    }
    events(account, &mut problems);
    problems
}

fn against_record(account: &DumpedAccount, record: &VerifiedRecord, problems: &mut Vec<String>) {
    if record.account_id != account.account_id {
        problems.push("the record is that of another account".to_owned());
    }
    if record.revision != account.revision {
        problems.push(format!(
            "the record has revision {}, its row says {}",
            record.revision, account.revision
        ));
    }
    if record.nonce_hash != account.nonce_hash {
        problems.push("the row names another nonce than the record does".to_owned());
    }
    for entry in &record.factors {
        let row = account
            .factors
            .iter()
            .find(|factor| factor.locator == entry.locator);
        let index = entry.index;
        match row.and_then(|row| row.enrolled.as_ref()) {
            None => problems.push(format!("factor {index} does not lead to the account")),
            Some(held) if held.index != index => {
                problems.push(format!("factor {index} has the index {}", held.index));
            }
            Some(held)
                if held.hash != entry.envelope_hash
                    || held.envelope.hash() != entry.envelope_hash =>
            {
                problems.push(format!(
                    "the envelope of factor {index} is not the one that the record names"
                ));
            }
            Some(_) => {}
        }
    }
    for factor in account
        .factors
        .iter()
        .filter(|factor| factor.enrolled.is_some())
    {
        if record.factor_at(&factor.locator).is_none() {
            problems.push(format!(
                "the factor {} is not in the record",
                factor.locator
            ));
        }
    }
}

fn events(account: &DumpedAccount, problems: &mut Vec<String>) {
    let Some(head) = &account.event_head else {
        problems.push("the events have no head".to_owned());
        return;
    };
    let events = match event::verify_chain(&account.events, head) {
        Ok(events) => events,
        Err(error) => {
            problems.push(format!("events: {error}"));
            return;
        }
    };
    if events.last().map(|event| event.sequence) != Some(account.event_seq) {
        problems.push(format!(
            "the newest event has another number than {}",
            account.event_seq
        ));
    }
    let written = |event: &Event| match &event.body {
        EventBody::Created { payload_hash } | EventBody::Committed { payload_hash, .. } => {
            Some(*payload_hash)
        }
        _ => None,
    };
    // The event that wrote the record may be too old to be kept.
    if let Some(written) = events.iter().rev().find_map(written)
        && written != account.payload_hash
    {
        problems.push("the events tell of another record than the current one".to_owned());
    }
}

/// What is wrong with an account's slots, and how many could not be looked into for want of keys.
pub(super) fn slot_problems(
    tenant: &Tenant,
    slots: &[DumpedSlot],
    at_rest: &AtRest,
) -> (Vec<String>, u64) {
    let (mut problems, mut unread) = (Vec::new(), 0);
    for slot in slots {
        let id = slot.slot_id;
        let is_sealed = matches!(sealing_key_of(slot.record.as_bytes()), Ok(Some(_)));
        if is_sealed && !at_rest.is_sealing() {
            unread += 1;
            continue;
        }
        let record = match at_rest.open(Place::Slot(id), slot.record.as_bytes()) {
            Ok(bytes) => SlotRecord::from_bytes(&bytes).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match record {
            Err(error) => problems.push(format!("slot {id}: {error}")),
            Ok(record) if record.slot() != id || record.tenant() != tenant => {
                problems.push(format!("slot {id} holds the record of another slot"));
            }
            Ok(record) if record.is_held() != slot.held => {
                problems.push(format!("slot {id} is marked wrongly as held or ended"));
            }
            Ok(_) => {}
        }
    }
    (problems, unread)
}
