//! What is there after a kill: nothing acknowledged is lost, nothing is half done.

use std::collections::BTreeSet;

use trefoil_client::metadata::{LoginError, NonceError};
use trefoil_client::{Session, metadata::Events};
use trefoil_protocol::bytes::Locator;
use trefoil_protocol::event::EventBody;
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::record::VerifiedRecord;
use trefoil_protocol::wire::{LoginResponse, MAX_STATEMENTS};

use super::client::{Client, Trouble, complete, envelopes};
use super::ledger::{Account, Deletion, version};
use crate::Failure;
use crate::linear::{Verdict, check};

/// What was found amiss.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Acknowledged records, and records that were served as current, that are not in the history any more.
    pub(super) lost: usize,
    /// In words, one for each account that is half done or contradicts itself.
    pub(super) torn: Vec<String>,
}

impl Findings {
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.torn.extend(other.torn);
    }
}

/// Looks at one account while nobody changes it.
pub(super) async fn verify(client: &Client, account: &Account) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    match look(client, account, &mut findings).await {
        Ok(()) => {}
        Err(Trouble::Offline) => return Err("the server does not come back".into()),
        Err(Trouble::Overtaken) => findings.torn.push("the account does not settle".to_owned()),
        Err(Trouble::Fault(what)) => findings.torn.push(what),
    }
    let id = account.id;
    for what in &mut findings.torn {
        *what = format!("account {id}: {what}");
    }
    Ok(findings)
}

async fn look(client: &Client, account: &Account, findings: &mut Findings) -> Result<(), Trouble> {
    let all: Vec<FactorKeys> = account.ledger().keys.values().cloned().collect();
    // The social factor is in every login: it is never removed.
    let others = all
        .iter()
        .filter(|keys| keys.locator() != account.social.locator());
    let others: Vec<FactorKeys> = others.cloned().collect();
    let mut chunks: Vec<&[FactorKeys]> = others.chunks(MAX_STATEMENTS - 1).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let mut answers = Vec::new();
    for chunk in chunks {
        let keys = [std::slice::from_ref(&account.social), chunk].concat();
        match client.log_in(account, &keys).await {
            Ok(answer) => answers.push(answer),
            // Whether it is there is for the ledger to say.
            Err(Trouble::Fault(what)) if what.ends_with(&LoginError::NoAccount.to_string()) => {
                let mut ledger = account.ledger();
                if ledger.deletion == Deletion::Unasked {
                    drop(ledger);
                    findings.lost += lost(account, None);
                } else {
                    ledger.deletion = Deletion::Done;
                }
                return Ok(());
            }
            Err(trouble) => return Err(trouble),
        }
    }
    let Some((record, first)) = answers.first().cloned() else {
        return Ok(());
    };
    if answers
        .iter()
        .any(|(other, _)| other.hash() != record.hash())
    {
        return Err(Trouble::Overtaken);
    }
    if account.ledger().deletion == Deletion::Done {
        // It is the deletion that is lost.
        findings.lost += 1;
        return Ok(());
    }
    findings.lost += lost(account, Some(&record));
    if !account.ledger().attempts.contains_key(&record.hash()) {
        let text = "it serves a record that nobody sent";
        return Err(Trouble::Fault(text.to_owned()));
    }
    check_locators(account, &record, &answers)?;
    let mut merged = first;
    for (_, more) in answers.into_iter().skip(1) {
        merged.envelopes.extend(more.envelopes);
    }
    check_opening(&record, &merged, &all)?;
    let session = Session::of(&merged);
    check_nonce(client, &session, &record).await?;
    check_events(client, account, &session, &record).await?;
    check_order(account, &record)
}

/// How many records that must be in the history are not.
fn lost(account: &Account, current: Option<&VerifiedRecord>) -> usize {
    let ledger = account.ledger();
    let chain = current.map(|record| ledger.chain(&record.hash()));
    let kept: BTreeSet<_> = chain
        .iter()
        .flatten()
        .map(|kept| kept.version.hash)
        .collect();
    let must = ledger.attempts.values().filter(|attempt| attempt.seen);
    must.filter(|attempt| !kept.contains(&attempt.version.hash))
        .count()
}

/// Enrolled, removed or never heard of: as the history has it.
fn check_locators(
    account: &Account,
    record: &VerifiedRecord,
    answers: &[(VerifiedRecord, LoginResponse)],
) -> Result<(), Trouble> {
    let ledger = account.ledger();
    let enrolled: BTreeSet<Locator> = record.factors.iter().map(|entry| entry.locator).collect();
    let ever: BTreeSet<Locator> = ledger
        .chain(&record.hash())
        .into_iter()
        .flat_map(|attempt| attempt.locators.iter().copied())
        .collect();
    let said = |list: fn(&LoginResponse) -> &Vec<Locator>| -> BTreeSet<Locator> {
        answers
            .iter()
            .flat_map(|(_, answer)| list(answer))
            .copied()
            .collect()
    };
    let removed: BTreeSet<Locator> = ever.difference(&enrolled).copied().collect();
    let unknown = ledger.keys.keys().filter(|locator| !ever.contains(locator));
    let unknown: BTreeSet<Locator> = unknown.copied().collect();
    if said(|answer| &answer.removed) != removed || said(|answer| &answer.unknown) != unknown {
        let text = "its removed and unknown factors are not those of its history";
        return Err(Trouble::Fault(text.to_owned()));
    }
    Ok(())
}

/// Every enrolled factor has the envelope that the record names, and together they open the account.
fn check_opening(
    record: &VerifiedRecord,
    response: &LoginResponse,
    keys: &[FactorKeys],
) -> Result<(), Trouble> {
    let held = envelopes(record, response, keys);
    if held.len() != record.factors.len() {
        let text = format!("{} of {} envelopes", held.len(), record.factors.len());
        return Err(Trouble::Fault(text));
    }
    complete(record.clone(), response, held).map(drop)
}

/// The nonce that the record names is released; without one, none is.
async fn check_nonce(
    client: &Client,
    session: &Session,
    record: &VerifiedRecord,
) -> Result<(), Trouble> {
    match (client.metadata()?.nonce(session).await, record.nonce_hash) {
        (Ok(nonce), Some(hash)) if nonce.hash() == hash => Ok(()),
        (Err(NonceError::NoNonce), None) => Ok(()),
        (Err(NonceError::Offline(_)), _) => Err(Trouble::Offline),
        (Err(error), _) => Err(Trouble::Fault(format!("its nonce: {error}"))),
        (Ok(_), _) => Err(Trouble::Fault("another nonce is released".to_owned())),
    }
}

/// The events tell the history: each commit once, in order, the current one last.
async fn check_events(
    client: &Client,
    account: &Account,
    session: &Session,
    record: &VerifiedRecord,
) -> Result<(), Trouble> {
    let Events { events, .. } = client
        .metadata()?
        .events(session)
        .await
        .map_err(|error| Trouble::Fault(format!("its events: {error}")))?;
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::Created { payload_hash } => Some((1, *payload_hash)),
            EventBody::Committed {
                revision,
                payload_hash,
                ..
            } => Some((*revision, *payload_hash)),
            _ => None,
        })
        .rev()
        .collect();
    let ledger = account.ledger();
    let chain = ledger.chain(&record.hash());
    let happened = chain.iter().map(|attempt| {
        let version = attempt.version;
        (version.revision, version.hash)
    });
    // Servers may drop the oldest.
    if told.is_empty() || !happened.take(told.len()).eq(told) {
        let text = "its events are not its history";
        return Err(Trouble::Fault(text.to_owned()));
    }
    Ok(())
}

/// What all clients saw since the last look can have happened in one order.
fn check_order(account: &Account, record: &VerifiedRecord) -> Result<(), Trouble> {
    let mut ledger = account.ledger();
    // The first record is there before any other: every reader has waited for its acknowledgement.
    let first = ledger
        .chain(&record.hash())
        .last()
        .map(|first| first.version);
    let Some(start) = ledger.settled.or(first) else {
        return Ok(());
    };
    let verdict = check(start, &ledger.operations);
    let count = ledger.operations.len();
    ledger.settle(version(record));
    match verdict {
        Verdict::Linear => Ok(()),
        Verdict::NotLinear => Err(Trouble::Fault(format!(
            "what clients saw of it in {count} calls has no order"
        ))),
        Verdict::Undecided => Err(Trouble::Fault(format!(
            "{count} calls are too many to find their order"
        ))),
    }
}
