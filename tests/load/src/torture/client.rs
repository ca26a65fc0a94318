//! A wallet app as far as servers see it: opens accounts, changes them by compare-and-set, keeps account of all it saw.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use trefoil_client::metadata::{CommitError, CreateError, DeleteError, LoginError};
use trefoil_client::{Environment, HttpTransport, MetadataClient, RetryPolicy, Session};
use trefoil_protocol::bytes::{Envelope, Locator};
use trefoil_protocol::change::{Change, NewFactor, Prepared, create};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::opening::{OpenAccount, Opening};
use trefoil_protocol::record::{Custody, VerifiedRecord};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::LoginResponse;

use super::ledger::{Account, Deletion, Timeline, version};
use crate::linear::{Operation, Seen};
use crate::{Failure, fresh_rng, now, tenant};

/// Factors of an account at most: each login proves all of them.
const MOST_FACTORS: usize = 6;

/// Why a step came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer; whether the server acted is not known.
    Offline,
    /// A right answer, but somebody else was faster.
    Overtaken,
    /// What no right server does.
    Fault(String),
}

#[derive(Clone)]
pub(super) struct Client {
    servers: Vec<MetadataClient>,
    turn: Arc<AtomicUsize>,
    timeline: Timeline,
}

/// Prefixes what went wrong.
fn fault(what: &str, error: impl std::fmt::Display) -> Trouble {
    Trouble::Fault(format!("{what}: {error}"))
}

impl Client {
    /// Of servers on one store. One attempt for each call, so that what was asked when is known.
    pub(super) fn new(urls: &[String], timeline: Timeline) -> Result<Self, Failure> {
        let transport = HttpTransport::builder()
            .total_timeout(Duration::from_secs(20))
            .build()?;
        let transport = Arc::new(transport);
        let mut servers = Vec::new();
        for url in urls {
            let (transport, environment) = (Arc::clone(&transport), Environment::system());
            let server = MetadataClient::new(transport, url, tenant()?, environment)?;
            servers.push(server.with_retry(RetryPolicy::once(Duration::from_secs(20))));
        }
        Ok(Self {
            servers,
            turn: Arc::default(),
            timeline,
        })
    }

    /// The same, but it waits for a server that is coming up.
    pub(super) fn patient(&self) -> Self {
        let policy = RetryPolicy {
            attempts: 200,
            first_delay: Duration::from_millis(50),
            longest_delay: Duration::from_millis(500),
            total: Duration::from_secs(60),
        };
        let servers = self.servers.iter().cloned();
        Self {
            servers: servers.map(|server| server.with_retry(policy)).collect(),
            ..self.clone()
        }
    }

    /// The servers in turn, whatever was asked of whom before: nothing may depend on which process answers.
    pub(super) fn metadata(&self) -> Result<&MetadataClient, Trouble> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let server = self.servers.get(turn % self.servers.len().max(1));
        server.ok_or_else(|| Trouble::Fault("there is no server".to_owned()))
    }

    pub(super) fn count(&self) -> usize {
        self.servers.len()
    }

    /// Makes an account; it is known to `announce` before it is sent.
    pub(super) async fn create(
        &self,
        announce: impl FnOnce(Arc<Account>),
    ) -> Result<Arc<Account>, Trouble> {
        let server = self.metadata()?;
        let (tenant, mut rng) = (server.tenant().clone(), fresh_rng());
        let social = FactorKeys::derive(&tenant, &FactorSecret::random(&mut rng));
        let (label, hints) = ("a social login".to_owned(), BTreeMap::new());
        let prepared = create(&tenant, social.clone(), label, hints, None, now(), &mut rng)
            .map_err(|error| fault("preparing an account", error))?;
        let record = prepared.record();
        let account = Arc::new(Account::new(social, record));
        announce(Arc::clone(&account));
        let Prepared {
            envelopes,
            sealed_nonce,
            ..
        } = &prepared;
        let auth = account.social.auth();
        let created = server.create(auth, record, envelopes, sealed_nonce.as_ref());
        match created.await {
            Ok(_) => account.ledger().acknowledged(&record.hash()),
            Err(CreateError::Offline(_)) => return Err(Trouble::Offline),
            Err(error) => return Err(fault("creating an account", error)),
        }
        Ok(account)
    }

    /// Logs in and puts the key together, as the account is now.
    pub(super) async fn open(&self, account: &Account) -> Result<(OpenAccount, Session), Trouble> {
        // The factors may change between the look and the login: then again with those that there are.
        for _ in 0..20 {
            let keys: Vec<FactorKeys> = {
                let ledger = account.ledger();
                let newest = ledger.newest.1.iter();
                let known = newest.filter_map(|locator| ledger.keys.get(locator));
                known.take(MOST_FACTORS).cloned().collect()
            };
            let keys = if keys.is_empty() {
                vec![account.social.clone()]
            } else {
                keys
            };
            let (record, response) = self.log_in(account, &keys).await?;
            let held: Vec<(FactorKeys, Envelope)> = envelopes(&record, &response, &keys);
            if held.len() >= usize::from(record.threshold) {
                let session = Session::of(&response);
                return Ok((complete(record, &response, held)?, session));
            }
        }
        Err(Trouble::Overtaken)
    }

    /// The current record, as a login gives it.
    pub(super) async fn log_in(
        &self,
        account: &Account,
        keys: &[FactorKeys],
    ) -> Result<(VerifiedRecord, LoginResponse), Trouble> {
        let auths: Vec<_> = keys.iter().map(FactorKeys::auth).collect();
        let begun = self.timeline.now();
        let server = self.metadata()?;
        let response = match server.login(&auths).await {
            Ok(response) => response,
            Err(LoginError::Offline(_)) => return Err(Trouble::Offline),
            Err(error) => return Err(fault("a login", error)),
        };
        let ended = self.timeline.now();
        let record = response
            .record
            .verify(server.tenant())
            .map_err(|error| fault("the served record", error))?;
        if record.account_id != account.id {
            return Err(Trouble::Fault("another account was served".to_owned()));
        }
        account.ledger().served(&record, begun, ended);
        Ok((record, response))
    }

    /// Opens the account and commits some change.
    pub(super) async fn change(
        &self,
        account: &Account,
        rng: &mut ChaCha20Rng,
    ) -> Result<(), Trouble> {
        let (open, session) = self.open(account).await?;
        let from = version(open.record());
        let server = self.metadata()?;
        let (change, new) = some_change(server.tenant(), &open, rng);
        let prepared = open
            .prepare(&change, now(), rng)
            .map_err(|error| fault("preparing a change", error))?;
        let to = version(prepared.record());
        account.ledger().attempt(prepared.record(), &new);
        let begun = self.timeline.now();
        let request = prepared.commit_request();
        let committed = server
            .commit(&session, from.revision, prepared.record(), &request)
            .await;
        let mut ended = Some(self.timeline.now());
        let (seen, result) = match committed {
            Ok(_) => (Seen::Swapped { from, to }, Ok(())),
            Err(CommitError::Stale { revision }) => {
                let current = revision;
                (Seen::Refused { from, current }, Err(Trouble::Overtaken))
            }
            Err(CommitError::Offline(offline)) if offline.may_have_arrived => {
                ended = None;
                (Seen::Unknown { from, to }, Err(Trouble::Offline))
            }
            Err(CommitError::Offline(_)) => return Err(Trouble::Offline),
            // Another client removed a factor, which ends sessions.
            Err(CommitError::SessionEnded) => return Err(Trouble::Overtaken),
            Err(error) => return Err(fault("a commit", error)),
        };
        let mut ledger = account.ledger();
        if result.is_ok() {
            ledger.acknowledged(&to.hash);
        }
        ledger.operations.push(Operation { begun, ended, seen });
        result
    }

    /// Deletes the account.
    pub(super) async fn delete(&self, account: &Account) -> Result<(), Trouble> {
        let (open, session) = self.open(account).await?;
        account.ledger().deletion = Deletion::Sent;
        let auth = open.keys().auth();
        match self.metadata()?.delete(&session, auth).await {
            Ok(()) => account.ledger().deletion = Deletion::Done,
            Err(DeleteError::Offline(_)) => return Err(Trouble::Offline),
            Err(error) => return Err(fault("deleting an account", error)),
        }
        Ok(())
    }
}

/// An upgrade, a label, a refresh, a new factor, one factor less.
fn some_change(
    tenant: &Tenant,
    open: &OpenAccount,
    rng: &mut ChaCha20Rng,
) -> (Change, Vec<FactorKeys>) {
    let mut new = Vec::new();
    let mut phrase = |rng: &mut ChaCha20Rng| {
        let keys = FactorKeys::derive(tenant, &FactorSecret::random(rng));
        new.push(keys.clone());
        NewFactor::present(FactorKind::RecoveryPhrase, "paper", keys)
    };
    let record = open.record();
    let count = record.factors.len();
    let spare = count > usize::from(record.threshold) + 1;
    let last = record.factors.last().map(|entry| entry.index);
    let choice = rng.next_u32() % 10;
    let change = match (record.custody, choice) {
        // The nonce is dropped.
        (Custody::OneClick, 0..=4) => Change {
            add: vec![phrase(rng), phrase(rng)],
            threshold: Some(2),
            custody: Some(Custody::SelfCustody),
            ..Change::default()
        },
        (Custody::SelfCustody, 0..=1) => Change {
            refresh: true,
            ..Change::default()
        },
        (Custody::SelfCustody, 2..=3) if count < MOST_FACTORS => Change {
            add: vec![phrase(rng)],
            ..Change::default()
        },
        (Custody::SelfCustody, 2..=5) if spare => Change {
            remove: last.into_iter().collect(),
            ..Change::default()
        },
        _ => Change {
            labels: [(1, format!("label {}", rng.next_u32()))].into(),
            ..Change::default()
        },
    };
    (change, new)
}

/// The factors that have an envelope in the answer.
pub(super) fn envelopes(
    record: &VerifiedRecord,
    response: &LoginResponse,
    keys: &[FactorKeys],
) -> Vec<(FactorKeys, Envelope)> {
    let by_locator: BTreeMap<Locator, &FactorKeys> =
        keys.iter().map(|keys| (keys.locator(), keys)).collect();
    let entries = record.factors.iter();
    let held = entries.filter_map(|entry| {
        let keys = by_locator.get(&entry.locator)?;
        let given = response.envelopes.iter();
        let envelope = given.clone().find(|given| given.index == entry.index)?;
        Some((FactorKeys::clone(keys), envelope.envelope.clone()))
    });
    held.collect()
}

/// Every envelope is the one that the record names, and the key is the account's.
pub(super) fn complete(
    record: VerifiedRecord,
    response: &LoginResponse,
    held: Vec<(FactorKeys, Envelope)>,
) -> Result<OpenAccount, Trouble> {
    let mut opening: Option<Opening> = None;
    for (keys, envelope) in held {
        let accepted = match &mut opening {
            Some(opening) => opening.add(keys, &envelope),
            None => Opening::begin(record.clone(), keys, &envelope).map(|begun| {
                opening = Some(begun);
            }),
        };
        accepted.map_err(|error| fault("an envelope", error))?;
    }
    let opening = opening.ok_or_else(|| Trouble::Fault("no envelope was served".to_owned()))?;
    opening
        .complete(response.sealed_nonce.as_ref())
        .map_err(|error| fault("opening", error))
}
