use alloc::vec::Vec;

use crate::bytes::SealedNonce;
use crate::guess::{GuessList, Signed};
use crate::opening::OpenAccount;
use crate::record::VerifiedRecord;
use crate::wire::{CommitRequest, IndexedEnvelope};

/// A record ready to be committed, and the account as it will be once it is.
#[derive(Debug)]
pub struct Prepared {
    /// Envelopes whose hash is new.
    pub envelopes: Vec<IndexedEnvelope>,
    /// The sealed nonce where its hash is new.
    pub sealed_nonce: Option<SealedNonce>,
    /// Lists of guess keys for the slots that the metadata server holds.
    pub guess_lists: Vec<Signed<GuessList>>,
    /// The account after the commit; use it only once the server has acknowledged.
    pub account: OpenAccount,
}

impl Prepared {
    /// The new record.
    #[must_use]
    pub const fn record(&self) -> &VerifiedRecord {
        self.account.record()
    }

    /// The body of the commit.
    #[must_use]
    pub fn commit_request(&self) -> CommitRequest {
        CommitRequest {
            record: self.record().signed().clone(),
            envelopes: self.envelopes.clone(),
            sealed_nonce: self.sealed_nonce.clone(),
            guess_lists: self.guess_lists.clone(),
        }
    }
}
