//! Reads and writes slots: sealed, by compare-and-set, durable before anything is answered.

use std::sync::Arc;

use rand_core::CryptoRng;
use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::{Changed, SlotError, SlotRecord};
use trefoil_protocol::social::NodeKey;
use trefoil_store::{NodeSlotStore, StoreError};
use zeroize::Zeroizing;

use super::SlotsError;

/// How often a slot that others change meanwhile is loaded again. More often than one guess key has guesses: whoever loses
/// every time finds them spent in the end.
const TRIES: u32 = 32;

#[derive(Clone)]
pub(crate) struct SlotKeeper {
    store: Arc<dyn NodeSlotStore>,
    key: NodeKey,
}

impl SlotKeeper {
    pub(crate) const fn new(store: Arc<dyn NodeSlotStore>, key: NodeKey) -> Self {
        Self { store, key }
    }

    pub(crate) const fn key(&self) -> &NodeKey {
        &self.key
    }

    /// Asks the slot for what it makes of a request and stores that; gives the answer, and whether anything was stored. `ask` is
    /// given `None` where there is no such slot.
    pub(super) async fn change<T: Send>(
        &self,
        slot: SlotId,
        rng: &mut (impl CryptoRng + Send),
        mut ask: impl FnMut(Option<&SlotRecord>) -> Result<Changed<T>, SlotsError> + Send,
    ) -> Result<(T, bool), SlotsError> {
        for _ in 0..TRIES {
            let stored = self.store.load_slot(slot).await.map_err(failed)?;
            let version = stored.as_ref().map(|stored| stored.version);
            let record = stored
                .map(|stored| self.open(slot, &stored.bytes))
                .transpose()?;
            let Changed {
                record: next,
                answer,
            } = ask(record.as_ref())?;
            let Some(next) = next else {
                return Ok((answer, false));
            };
            let sealed = Zeroizing::new(self.key.seal(&next.expose_bytes(), rng));
            let kept = match version {
                Some(version) => self.store.replace_slot(slot, version, sealed).await,
                None => self.store.create_slot(slot, sealed).await,
            };
            match kept {
                Ok(()) => return Ok((answer, true)),
                Err(StoreError::SlotChanged) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(SlotsError::Busy)
    }

    /// The same for a slot that must be there.
    pub(super) async fn change_held<T: Send>(
        &self,
        slot: SlotId,
        rng: &mut (impl CryptoRng + Send),
        mut ask: impl FnMut(&SlotRecord) -> Result<Changed<T>, SlotError> + Send,
    ) -> Result<(T, bool), SlotsError> {
        let ask = |record: Option<&SlotRecord>| {
            let record = record.ok_or(SlotError::NoSlot)?;
            Ok(ask(record)?)
        };
        self.change(slot, rng, ask).await
    }

    /// Rows cannot change places: the record says which slot it is.
    fn open(&self, slot: SlotId, sealed: &[u8]) -> Result<SlotRecord, SlotsError> {
        let opened = self.key.open(sealed).ok();
        let record = opened.and_then(|opened| SlotRecord::from_bytes(&opened).ok());
        record
            .filter(|record| record.slot() == slot)
            .ok_or_else(|| {
                tracing::error!("a stored slot does not open with this node's key, or is damaged");
                SlotsError::Damaged
            })
    }
}

fn failed(error: StoreError) -> SlotsError {
    tracing::error!(%error, "the store of the slots failed");
    error.into()
}
