//! The server's part of the accounts' slots: enrolling, lists that come with commits, and what ends them. What a slot's counters
//! do is the same at every evaluator and has tests of its own.

use trefoil_protocol::bytes::{AuthKey, Blob, SlotId, UnlockHash};
use trefoil_protocol::guess::{
    EnrolRequest, EvaluatorName, GuessList, OpenedEnrolment, Signed, SlotEnrolment, SlotError,
    SlotRecord, VERSION,
};
use trefoil_protocol::sign::AuthPrivateKey;

use super::Backend;
use super::fixture::{NOW, Owner, SESSION, assert_erased, assert_held, login, statement, tenant};
use crate::error::StoreError;
use crate::model::{Caller, SLOTS_EVER, SLOTS_HELD};
use crate::slot_store::SlotStore;
use crate::store::MetadataStore;

/// A slot as its owner sees it. Slots are told apart by number.
pub(crate) struct OwnSlot {
    pub(crate) id: SlotId,
    tenant: &'static str,
    admin: AuthPrivateKey,
    pub(crate) share: [u8; 32],
}

impl OwnSlot {
    pub(crate) fn new(tenant: &'static str, number: u16) -> Self {
        let mut seed = [9; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        // Small enough for a scalar, and nothing that would be found by chance.
        let mut share = [0x5a; 32];
        share[..2].copy_from_slice(&number.to_be_bytes());
        share[31] = 1;
        Self {
            id: SlotId::try_from(&seed[..16]).unwrap(),
            tenant,
            admin: AuthPrivateKey::from_seed(&seed),
            share,
        }
    }

    pub(crate) fn list(&self, number: u64, keys: &[u8]) -> Signed<GuessList> {
        let list = GuessList {
            version: VERSION,
            slot: self.id,
            number,
            keys: keys.iter().copied().map(guess_key).collect(),
        };
        Signed::sign(&list, &self.admin)
    }

    /// With the guess keys 1 and 2.
    fn enrolment(&self) -> OpenedEnrolment {
        let server = EvaluatorName::Server("https://meta.example".to_owned());
        let content = SlotEnrolment {
            version: VERSION,
            tenant: tenant(self.tenant),
            slot: self.id,
            evaluator: server.clone(),
            index: 0,
            share: Blob::new(self.share.to_vec()),
            unlock_hash: UnlockHash::from_bytes([3; 32]),
            allowed: 10,
            list: self.list(1, &[1, 2]),
        };
        let request = EnrolRequest {
            admin_key: self.admin.auth_key(),
            enrolment: Signed::sign(&content, &self.admin),
            permit: None,
            claim: None,
        };
        request.open(&server).unwrap()
    }

    pub(crate) async fn enrol(
        &self,
        store: &impl MetadataStore,
        caller: &Caller,
    ) -> Result<(), StoreError> {
        store.enrol_slot(caller.clone(), self.enrolment()).await
    }

    pub(crate) async fn record(&self, store: &impl MetadataStore) -> (u64, SlotRecord) {
        let stored = store.load_slot(self.id).await.unwrap().unwrap();
        (
            stored.version,
            SlotRecord::from_bytes(&stored.bytes).unwrap(),
        )
    }

    /// As a statement of the admin key would.
    pub(crate) async fn end(&self, store: &impl MetadataStore) {
        let (version, record) = self.record(store).await;
        let ended = record.ended().expose_bytes();
        store.replace_slot(self.id, version, ended).await.unwrap();
    }
}

fn guess_key(number: u8) -> AuthKey {
    AuthPrivateKey::from_seed(&[number; 32]).auth_key()
}

async fn listed(store: &impl MetadataStore, caller: &Caller) -> Vec<SlotId> {
    let held = store.list_slots(caller.clone()).await.unwrap();
    held.into_iter().map(|held| held.slot).collect()
}

fn assert_slot(result: Result<(), StoreError>, expected: SlotError) {
    match result {
        Err(StoreError::Slot(error)) if error == expected => {}
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

/// The same enrolment again changes nothing; anything else under its id is refused, by whomever, for ever.
pub async fn a_slot_is_enrolled_once<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice").create(&store).await;
    let bob = Owner::new("acme", "bob").create(&store).await;
    let carol = Owner::new("other", "carol").create(&store).await;
    let slot = OwnSlot::new("acme", 1);
    assert!(store.load_slot(slot.id).await.unwrap().is_none());
    slot.enrol(&store, &alice).await.unwrap();
    let enrolled = store.load_slot(slot.id).await.unwrap();
    assert_eq!(enrolled.as_ref().unwrap().version, 1);
    slot.enrol(&store, &alice).await.unwrap();
    assert_eq!(store.load_slot(slot.id).await.unwrap(), enrolled);

    let other_share = OwnSlot {
        share: [1; 32],
        ..OwnSlot::new("acme", 1)
    };
    assert_slot(other_share.enrol(&store, &alice).await, SlotError::Taken);
    let other_admin = OwnSlot {
        admin: AuthPrivateKey::from_seed(&[77; 32]),
        ..OwnSlot::new("acme", 1)
    };
    assert_slot(other_admin.enrol(&store, &bob).await, SlotError::Taken);
    assert_slot(slot.enrol(&store, &bob).await, SlotError::Taken);
    let elsewhere = OwnSlot::new("other", 1);
    assert_slot(elsewhere.enrol(&store, &carol).await, SlotError::Taken);
    assert_eq!(store.load_slot(slot.id).await.unwrap(), enrolled);

    assert_eq!(listed(&store, &alice).await, [slot.id]);
    let held = store.list_slots(alice.clone()).await.unwrap();
    assert_eq!(held[0].list, slot.list(1, &[1, 2]));
    for nobody in [bob, carol] {
        assert!(listed(&store, &nobody).await.is_empty());
    }

    slot.end(&store).await;
    assert!(listed(&store, &alice).await.is_empty());
    assert_slot(slot.enrol(&store, &alice).await, SlotError::Gone);
    assert_slot(other_share.enrol(&store, &alice).await, SlotError::Taken);
}

/// A share that is no scalar, and a session that is not good for the account, leave nothing behind.
pub async fn a_refused_slot_is_not_there<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice").create(&store).await;
    let bob = Owner::new("acme", "bob").create(&store).await;
    let slot = OwnSlot::new("acme", 1);
    let foreign = Caller {
        token: bob.token,
        ..alice.clone()
    };
    let late = Caller {
        now: NOW + SESSION + 1,
        ..alice.clone()
    };
    let elsewhere = Caller {
        tenant: tenant("other"),
        ..alice.clone()
    };
    for (caller, expected) in [
        (&foreign, "another account"),
        (&late, "expired"),
        (&elsewhere, "unknown session"),
    ] {
        let error = slot.enrol(&store, caller).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        let error = store.list_slots(caller.clone()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    for share in [[0; 32], [0xff; 32]] {
        let bad = OwnSlot {
            share,
            ..OwnSlot::new("acme", 1)
        };
        assert!(matches!(
            bad.enrol(&store, &alice).await,
            Err(StoreError::Slot(SlotError::BadSlot(_)))
        ));
    }
    assert!(store.load_slot(slot.id).await.unwrap().is_none());
    slot.enrol(&store, &alice).await.unwrap();
}

/// So many at once, and so many ids ever, for each account.
pub async fn an_account_has_so_many_slots<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice").create(&store).await;
    let bob = Owner::new("acme", "bob").create(&store).await;
    let (held, ever) = (
        u16::try_from(SLOTS_HELD).unwrap(),
        u16::try_from(SLOTS_EVER).unwrap(),
    );
    let mut slots: Vec<OwnSlot> = Vec::new();
    let full = |result| {
        assert!(
            matches!(result, Err(StoreError::TooManySlots)),
            "{result:?}"
        )
    };
    while slots.len() < usize::from(ever) {
        let begun = u16::try_from(slots.len()).unwrap();
        let fresh: Vec<OwnSlot> = (begun..begun + held)
            .map(|number| OwnSlot::new("acme", number))
            .collect();
        for slot in &fresh {
            slot.enrol(&store, &alice).await.unwrap();
        }
        full(OwnSlot::new("acme", 5000).enrol(&store, &alice).await);
        fresh[0].enrol(&store, &alice).await.unwrap();
        assert_eq!(listed(&store, &alice).await.len(), usize::from(held));
        if begun + held == ever {
            // Room among the held ones is no room among the ids.
            fresh[0].end(&store).await;
            full(OwnSlot::new("acme", 5000).enrol(&store, &alice).await);
        } else {
            for slot in &fresh {
                slot.end(&store).await;
            }
        }
        slots.extend(fresh);
    }
    OwnSlot::new("acme", 5000)
        .enrol(&store, &bob)
        .await
        .unwrap();
}

/// Lists are in force with the record they came with: whoever read the slot before writes nothing over them.
pub async fn a_commits_lists_are_in_force_with_it<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let alice = first.create(&store).await;
    let bob = Owner::new("acme", "bob").create(&store).await;
    let [changed, lower, ended, absent, foreign] =
        [1, 2, 3, 4, 5].map(|number| OwnSlot::new("acme", number));
    for slot in [&changed, &lower, &ended] {
        slot.enrol(&store, &alice).await.unwrap();
    }
    foreign.enrol(&store, &bob).await.unwrap();
    ended.end(&store).await;
    let (version, before) = changed.record(&store).await;
    let untouched = [&lower, &ended, &foreign];
    let mut as_they_were = Vec::new();
    for slot in untouched {
        as_they_were.push(slot.record(&store).await);
    }

    let second = first.update("second");
    let mut commit = second.commit(&first, &alice);
    commit.guess_lists = vec![
        changed.list(2, &[2, 3]),
        lower.list(1, &[7]),
        ended.list(2, &[7]),
        absent.list(2, &[7]),
        foreign.list(2, &[7]),
    ];
    store.commit_record(commit.clone()).await.unwrap();
    let (_, now) = changed.record(&store).await;
    assert_eq!(*now.list(), changed.list(2, &[2, 3]));
    for (slot, before) in untouched.into_iter().zip(as_they_were) {
        assert_eq!(slot.record(&store).await, before);
    }
    assert!(store.load_slot(absent.id).await.unwrap().is_none());

    // A guess that was under way.
    let late = store
        .replace_slot(changed.id, version, before.expose_bytes())
        .await;
    assert!(matches!(late, Err(StoreError::SlotChanged)), "{late:?}");
    // Again: nothing. With what it lacked the first time: that.
    store.commit_record(commit.clone()).await.unwrap();
    assert_eq!(changed.record(&store).await.1, now);
    commit.guess_lists = vec![lower.list(2, &[2])];
    store.commit_record(commit).await.unwrap();
    assert_eq!(*lower.record(&store).await.1.list(), lower.list(2, &[2]));
}

/// Neither the record nor any slot is changed, whatever is wrong.
pub async fn a_refused_commit_applies_no_list<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let alice = first.create(&store).await;
    let [good, other] = [1, 2].map(|number| OwnSlot::new("acme", number));
    for slot in [&good, &other] {
        slot.enrol(&store, &alice).await.unwrap();
    }
    let before = (good.record(&store).await, other.record(&store).await);

    let second = first.update("second");
    let attempt = |lists: Vec<Signed<GuessList>>| {
        let mut commit = second.commit(&first, &alice);
        commit.guess_lists = lists;
        commit
    };
    let good_list = || good.list(2, &[2]);
    let not_its_key = OwnSlot {
        admin: AuthPrivateKey::from_seed(&[77; 32]),
        ..OwnSlot::new("acme", 2)
    };
    let mut stale = attempt(vec![good_list()]);
    stale.base = second.hash();
    let mut late = attempt(vec![good_list()]);
    late.caller.now = NOW + SESSION + 1;
    let third = first.next(&["alice social", "phone"]).without_nonce();
    let mut missing = third.commit(&first, &alice);
    missing.envelopes.clear();
    missing.guess_lists = vec![good_list()];
    let refused = [
        (
            "a bad signature",
            attempt(vec![good_list(), not_its_key.list(2, &[7])]),
        ),
        (
            "a key twice",
            attempt(vec![good_list(), other.list(2, &[7, 7])]),
        ),
        ("stale", stale),
        ("no session", late),
        ("an envelope missing", missing),
    ];
    for (what, commit) in refused {
        assert!(store.commit_record(commit).await.is_err(), "{what}");
        let read = store.read_record(alice.clone()).await.unwrap();
        assert_eq!(read.record.hash, first.hash(), "{what}");
        let now = (good.record(&store).await, other.record(&store).await);
        assert_eq!(now, before, "{what}");
    }
    store
        .commit_record(attempt(vec![good_list()]))
        .await
        .unwrap();
}

/// The server's parts of the keys go with the account; the ids stay refused.
pub async fn deletion_ends_the_slots<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice").create(&store).await;
    let bob = Owner::new("acme", "bob").create(&store).await;
    let [first, second, of_bob] = [1, 2, 3].map(|number| OwnSlot::new("acme", number));
    first.enrol(&store, &alice).await.unwrap();
    second.enrol(&store, &alice).await.unwrap();
    of_bob.enrol(&store, &bob).await.unwrap();
    for slot in [&first, &second] {
        assert_held(backend.record_bytes(), &slot.share);
    }
    let kept = of_bob.record(&store).await;
    store.delete_account(alice, statement(NOW)).await.unwrap();
    for slot in [&first, &second] {
        assert!(!slot.record(&store).await.1.is_held());
        assert_erased(|| backend.record_bytes(), &slot.share).await;
    }
    assert_eq!(of_bob.record(&store).await, kept);

    // Who starts over with the same factor has another account.
    let mut again = Owner::new("acme", "alice again");
    again.factors = vec![(1, "alice social".to_owned())];
    let again = again.create(&store).await;
    assert!(listed(&store, &again).await.is_empty());
    assert_slot(first.enrol(&store, &again).await, SlotError::Taken);
}

/// Nothing of a destroyed key is left in the files.
pub async fn an_ended_slot_is_erased<B: Backend>(backend: &B) {
    let store = backend.open();
    let alice = Owner::new("acme", "alice").create(&store).await;
    let slot = OwnSlot::new("acme", 1);
    slot.enrol(&store, &alice).await.unwrap();
    assert_held(backend.record_bytes(), &slot.share);
    slot.end(&store).await;
    assert_erased(|| backend.record_bytes(), &slot.share).await;
}

/// Slots and their lists are there again after the store was dropped.
pub async fn slots_are_there_after_reopening<B: Backend>(backend: &B) {
    let store = backend.open();
    let first = Owner::new("acme", "alice");
    let alice = first.create(&store).await;
    let slot = OwnSlot::new("acme", 1);
    slot.enrol(&store, &alice).await.unwrap();
    let mut commit = first.update("second").commit(&first, &alice);
    commit.guess_lists = vec![slot.list(2, &[2])];
    store.commit_record(commit).await.unwrap();
    let before = slot.record(&store).await;
    drop(store);
    let store = backend.open();
    assert_eq!(slot.record(&store).await, before);
    let (_, caller) = login(&store, "acme", &["alice social"], NOW).await.unwrap();
    assert_eq!(listed(&store, &caller).await, [slot.id]);
    slot.enrol(&store, &caller).await.unwrap();
    assert_eq!(slot.record(&store).await, before);
}
