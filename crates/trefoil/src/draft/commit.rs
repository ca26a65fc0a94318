//! From a draft to a committed record.

use trefoil_client::metadata;
use trefoil_protocol::change::ChangeError;
use trefoil_protocol::factor::FactorKeys;

use super::{CommitError, Draft};

impl Draft<'_> {
    ///
    /// # Errors
    /// [`CommitError`]; every factor that worked before still works.
    pub async fn commit(&mut self) -> Result<(), CommitError> {
        self.check_proven()?;
        if self.prepared.is_none() {
            // Before slots are enrolled for nothing.
            self.account.open().check(&self.change_without_slots())?;
            self.check_identities()?;
            self.account.end_retired_quickly().await;
            let change = self.with_slots().await?;
            let prepared = self.account.open().prepare(
                &change,
                self.account.core().now(),
                &mut self.account.core().environment.rng(),
            )?;
            // Stored before anything is sent: the commit may land although the answer is lost.
            self.store_pending_device()?;
            self.prepared = Some(Box::new(prepared));
        }
        match self.send().await {
            // Writing down 24 words may take longer than a session lasts.
            Err(CommitError::Metadata(metadata::CommitError::SessionEnded)) => {
                self.account.renew_session().await?;
                self.send().await?;
            }
            sent => sent?,
        }
        if let Some(prepared) = self.prepared.take() {
            self.account.advance(prepared.account);
        }
        self.account.tend_slots_quickly().await;
        Ok(())
    }

    async fn send(&self) -> Result<(), CommitError> {
        let Some(prepared) = &self.prepared else {
            return Err(ChangeError::Nothing.into());
        };
        let core = self.account.core();
        let (session, record) = (self.account.session(), prepared.record());
        let replaces = self.account.revision();
        core.metadata
            .commit(session, replaces, record, &prepared.commit_request())
            .await?;
        let own = self.own_envelope(prepared)?;
        let held: Vec<FactorKeys> = prepared
            .account
            .held()
            .iter()
            .map(|held| held.keys.clone())
            .collect();
        core.remember(record, &held, own.as_ref())?;
        let shown = core
            .metadata
            .read(session)
            .await?
            .record
            .verify(&core.tenant)?;
        // Another device may have committed on top of ours in between; anything else is a lie.
        let ours = shown.hash() == record.hash();
        let ours_or_later =
            ours || (shown.account_id == record.account_id && shown.revision > record.revision);
        if ours_or_later {
            Ok(())
        } else {
            Err(CommitError::NotKept)
        }
    }
}
