//! What an open account does for the slots of what its user knows: news for the servers that count guesses, and the end of
//! slots that nothing relies on.

use core::time::Duration;
use std::collections::BTreeSet;

use futures::future::join_all;
use trefoil_client::{RetryPolicy, SlotClient};
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::factor::FactorKind;
use trefoil_protocol::guess::{GuessList, HeldSlot, Retired, Slot, SlotDeletion, SlotNode};

use crate::account::Account;
use crate::draft::{CommitError, Draft};
use crate::guess::Used;

/// Longest time that a commit waits for nodes to be told.
const QUICK: Duration = Duration::from_secs(3);
/// Seconds after which a node that never answered is given up: it has left for good.
const GIVEN_UP: u64 = 400 * 24 * 60 * 60;

/// Seconds before a slot is enrolled anew because some nodes of the network do not have it.
const SETTLED: u64 = 24 * 60 * 60;

/// What was done for an account's slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tended {
    /// Retired slots that every server has ended.
    pub ended: usize,
    /// Retired slots of which some server has still to be told.
    pub waiting: usize,
    /// Slots that no record names, of a commit that never came.
    pub left_over: usize,
}

impl Account {
    /// Tells the servers that count guesses what they have to know: newer lists of guess keys, the end of slots that were
    /// replaced, and of slots that were enrolled for a change that was never committed. Each commit does so in short; an app
    /// calls it when there is time.
    pub async fn tend_slots(&mut self) -> Tended {
        let slots = self.core().slots.clone();
        self.tend(slots, true).await
    }

    pub(crate) async fn tend_slots_quickly(&mut self) {
        self.tend(self.quick_slots(), false).await;
    }

    /// Before a commit, which forgets those that are over.
    pub(crate) async fn end_retired_quickly(&mut self) {
        if !self.open().state().retired.is_empty() {
            self.tend_slots_quickly().await;
        }
    }

    /// After the account is gone, when nobody else can any more.
    pub(crate) async fn end_every_slot_quickly(&self) {
        let client = self.quick_slots();
        let (state, keys, now) = (self.open().state(), self.open().keys(), self.core().now());
        let live = state.slots.iter();
        let live = live.map(|slot| Retired::slot(slot, keys, now));
        let all: Vec<Retired> = state.retired.iter().cloned().chain(live).collect();
        join_all(all.iter().map(|slot| client.tell_retired(slot))).await;
    }

    fn quick_slots(&self) -> SlotClient {
        let policy = RetryPolicy::once(QUICK);
        self.core().slots.clone().with_retry(policy)
    }

    async fn tend(&mut self, client: SlotClient, thorough: bool) -> Tended {
        let state = self.open().state().clone();
        let mut tended = Tended::default();
        let lists = state.slots.iter().map(|slot| {
            let list = self.list_of(slot);
            let client = &client;
            async move { client.tell_list(slot, &list).await }
        });
        let ends = state
            .retired
            .iter()
            .map(|retired| client.tell_retired(retired));
        let (_, ends) = futures::join!(join_all(lists), join_all(ends));
        let now = self.core().now();
        for (retired, told) in state.retired.iter().zip(ends) {
            if told || now > retired.since.saturating_add(GIVEN_UP) {
                self.acknowledge(retired.slot);
                tended.ended += 1;
            } else {
                tended.waiting += 1;
            }
        }
        if thorough {
            for left in self.left_over().await {
                tended.left_over += usize::from(client.tell_retired(&left).await);
            }
        }
        tended
    }

    fn list_of(&self, slot: &Slot) -> trefoil_protocol::guess::Signed<GuessList> {
        let factors = self.factors().iter().map(|note| note.index);
        let keys = self.open().keys();
        GuessList::sign(keys, slot.id, slot.factor, factors, slot.list)
    }

    /// Slots of this account at the metadata server that the record does not name, although one that could have named them is
    /// current: the number of a slot's list is the revision of the record that was to bring it, signed by the account.
    async fn left_over(&self) -> Vec<Retired> {
        let Ok(held) = self.core().metadata.slots(self.session()).await else {
            return Vec::new();
        };
        let state = self.open().state();
        let named = state.slots.iter().map(|slot| slot.id);
        let named: BTreeSet<SlotId> = named
            .chain(state.retired.iter().map(|retired| retired.slot))
            .collect();
        let manifest = self.core().network.manifest();
        let members = manifest.nodes().iter().zip(1_u16..);
        let nodes: Vec<SlotNode> = members
            .map(|(node, index)| SlotNode {
                index,
                identity_key: node.identity_key,
                url: node.url.clone(),
            })
            .collect();
        let unnamed = held.into_iter().filter(|held| !named.contains(&held.slot));
        unnamed
            .filter(|held| self.was_overtaken(held))
            .map(|held| Retired {
                slot: held.slot,
                deletion: SlotDeletion::sign(held.slot, self.open().keys()),
                nodes: nodes.clone(),
                since: self.core().now(),
            })
            .collect()
    }

    fn was_overtaken(&self, held: &HeldSlot) -> bool {
        let admin = self.open().keys().slot_admin(held.slot.as_bytes());
        let list = held.list.verify(&admin.auth_key());
        list.is_ok_and(|list| list.slot == held.slot && list.number <= self.revision())
    }

    /// After an opening by a guess: a new slot with the same secret where the old one has become weak.
    pub(crate) async fn renew_slot(&mut self, used: Used) -> Result<(), CommitError> {
        if !self.needs_renewal(&used) {
            if !used.standing.behind.is_empty() {
                self.tend_slots_quickly().await;
            }
            return Ok(());
        }
        let Used {
            slot,
            kind,
            input,
            secret,
            ..
        } = used;
        let mut draft = Draft::new(self);
        draft.renew((slot.factor, kind), slot.knowledge, input, secret);
        draft.commit().await
    }

    /// Some nodes lack the slot, a counter is spent, the committee moved, or stretching is to cost more than it did. All
    /// security questions would have to be answered anew, so they are left as they are until the user changes them.
    fn needs_renewal(&self, used: &Used) -> bool {
        let core = self.core();
        let manifest = core.network.manifest();
        let holds = |identity| {
            used.slot
                .nodes
                .iter()
                .any(|node| node.identity_key == identity)
        };
        let moved = !manifest.nodes().iter().all(|node| holds(node.identity_key));
        // A node that is down whenever a slot is enrolled must not cost a new one at each use.
        let settled = core.now().saturating_sub(used.slot.created) >= SETTLED;
        let weak = !used.standing.without.is_empty()
            || used.standing.spent
            || (moved && settled)
            || core.stretch.is_above(&used.slot.stretch);
        weak && used.kind != FactorKind::SecurityQuestions
    }
}
