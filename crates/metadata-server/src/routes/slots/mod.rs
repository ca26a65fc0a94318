//! The server's part of counted guesses: the evaluator at place 0 of every slot. One file per route.
//!
//! What a slot does is [`trefoil_protocol::guess::SlotRecord`]'s; here it is loaded, asked and put back by compare-and-set
//! before anything is answered.

pub(super) mod delete;
pub(super) mod enrol;
pub(super) mod guess;
pub(super) mod held;
pub(super) mod list;
pub(super) mod unlock;

use trefoil_protocol::bytes::SlotId;
use trefoil_protocol::guess::{Changed, SlotError, SlotRecord};
use trefoil_protocol::problem::ProblemCode as Code;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::tenant::Tenant;
use trefoil_store::StoreError;

use crate::refusal::{Answer, Refusal};
use crate::server::MetadataServer;

/// How often a slot that others change meanwhile is loaded again. More often than one guess key has guesses: whoever loses
/// every time finds them spent in the end.
const TRIES: u32 = 32;

/// Asks the slot for what it makes of a request and stores that; another tenant's slot is not there.
async fn change<T: Send>(
    server: &MetadataServer,
    tenant: &Tenant,
    slot: SlotId,
    ask: impl FnMut(&SlotRecord) -> Result<Changed<T>, SlotError> + Send,
) -> Answer<T> {
    change_after(server, tenant, slot, ask, || std::future::ready(Ok(()))).await
}

/// The same. `before` is asked once whether what is signed rightly may be carried out.
async fn change_after<T: Send, F: Future<Output = Answer<()>> + Send>(
    server: &MetadataServer,
    tenant: &Tenant,
    slot: SlotId,
    mut ask: impl FnMut(&SlotRecord) -> Result<Changed<T>, SlotError> + Send,
    before: impl FnOnce() -> F + Send,
) -> Answer<T> {
    let mut before = Some(before);
    for _ in 0..TRIES {
        let stored = server
            .store
            .load_slot(slot)
            .await?
            .ok_or(SlotError::NoSlot)?;
        let record = SlotRecord::from_bytes(&stored.bytes).map_err(|error| {
            tracing::error!(%error, "a stored slot does not parse; restore it from a backup");
            Refusal::from(Code::Internal)
        })?;
        if record.tenant() != tenant {
            return Err(SlotError::NoSlot.into());
        }
        let Changed {
            record: next,
            answer,
        } = ask(&record)?;
        if let Some(before) = before.take() {
            before().await?;
        }
        let Some(next) = next else {
            return Ok(answer);
        };
        let replaced = server
            .store
            .replace_slot(slot, stored.version, next.expose_bytes());
        match replaced.await {
            Ok(()) => return Ok(answer),
            Err(StoreError::SlotChanged) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::busy())
}

/// The key that signs permits.
pub(super) fn permit_key(server: &MetadataServer) -> Answer<&AuthPrivateKey> {
    server.permit_key.as_ref().ok_or_else(|| {
        Refusal::new(
            Code::Unavailable,
            "this server has no permit key, so it enrols no slots: its operator has to set one",
        )
    })
}
