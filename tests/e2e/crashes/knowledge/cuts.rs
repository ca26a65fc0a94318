//! The ways in which a client is cut off, and what is left of it.

use std::fmt;

use futures::StreamExt;
use trefoil::{Account, CommitError};
use trefoil_testkit::faults::Fault;
use trefoil_testkit::servers::{World, WorldOptions};

use crate::common::Phone;
pub(super) use crate::common::keeper::*;

/// How many users go through their accident at once: they mostly wait.
const AT_ONCE: usize = 6;

/// Where a client is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Of the request, from 1.
    pub(super) number: u64,
    /// Whether the server still acts on it.
    pub(super) delivered: bool,
    /// Whether everything after it is cut off, too.
    pub(super) dies: bool,
}

impl Cut {
    /// Before and after each of `requests`, for good and for once.
    pub(super) fn all(requests: u64) -> impl Iterator<Item = Self> {
        (1..=requests).flat_map(|number| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(delivered, dies)| {
                Self {
                    number,
                    delivered,
                    dies,
                }
            })
        })
    }

    /// Only those after which nothing is sent any more.
    pub(super) fn deaths(requests: u64) -> impl Iterator<Item = Self> {
        Self::all(requests).filter(|cut| cut.dies)
    }

    /// Plans it on this phone's wire, counted from now on.
    pub(super) fn plan(self, phone: &Phone) {
        let wire = &phone.wire;
        wire.reset();
        match (self.dies, self.delivered) {
            (true, true) => wire.die_after(self.number),
            (true, false) => wire.die_before(self.number),
            (false, true) => wire.at(self.number, Fault::CutAfter),
            (false, false) => wire.at(self.number, Fault::CutBefore),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            delivered,
            dies,
        } = self;
        let side = if *delivered { "after" } else { "before" };
        let once = if *dies { "for good" } else { "once" };
        write!(f, "cut {side} request {number}, {once}")
    }
}

/// Two of three nodes; all three must take a slot.
pub(super) async fn world() -> World {
    World::with(WorldOptions::default()).await.unwrap()
}

/// Lets a user of its own go through each accident.
pub(super) async fn each<F: Future<Output = ()>>(
    cuts: impl Iterator<Item = Cut>,
    accident: impl Fn(Cut) -> F,
) {
    let mut accidents = futures::stream::iter(cuts.map(accident)).buffer_unordered(AT_ONCE);
    while accidents.next().await.is_some() {}
}

/// Once there is time, nothing is left at any server but what the account uses.
pub(super) async fn assert_tidy(account: &mut Account, cut: Cut) {
    account.tend_slots().await;
    let tended = account.tend_slots().await;
    assert_eq!((tended.waiting, tended.left_over), (0, 0), "{cut}");
}

pub(super) async fn change(account: &mut Account, to: &str) -> Result<(), CommitError> {
    let index = pin_of(account).unwrap();
    let mut draft = account.change();
    draft.change_pin(index, &pin(to)).unwrap();
    draft.commit().await
}
