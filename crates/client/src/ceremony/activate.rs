//! Steps 5 and 6: everybody takes the new manifest; when every member serves it, the old shares get an end.

use core::time::Duration;

use trefoil_protocol::ceremony::{
    ActivateRequest, Active, FinishRequest, FinishResponse, NodeMessage,
};
use trefoil_protocol::social::VerifiedManifest;

use super::call::Refused;
use super::{CeremonyError, Coordinator, Outcome, Parties, Party};

/// Rounds in which members that did not confirm are asked again, and the time between.
const ROUNDS: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);

impl Coordinator {
    pub(super) async fn activate(
        &self,
        parties: &Parties,
        manifest: VerifiedManifest,
    ) -> Result<Outcome, CeremonyError> {
        let request = ActivateRequest {
            manifest: manifest.signed().clone(),
        };
        let key_of = |index: u16| manifest.node(index).map(|node| node.identity_key);
        let mut active: Vec<(u16, NodeMessage)> = Vec::new();
        let mut waiting: Vec<&Party> = parties.all();
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let answers: Vec<(Party, Result<Option<NodeMessage>, Refused>)> =
                self.caller.all(&waiting, "activate", &request).await;
            let mut confirmed = Vec::new();
            for (party, answer) in answers {
                let member = manifest.place_of(&party.identity_key).is_some();
                match answer {
                    Ok(Some(receipt)) => {
                        let said = Active::verify(&receipt, manifest.hash(), key_of);
                        if let Ok(index) = said
                            && key_of(index) == Some(party.identity_key)
                        {
                            active.push((index, receipt));
                            confirmed.push(party.identity_key);
                        }
                    }
                    // A node that leaves has nothing to confirm.
                    Ok(None) if !member => confirmed.push(party.identity_key),
                    Ok(None) => {}
                    Err(refused) => {
                        let trouble = refused.into_trouble(&party.url);
                        tracing::warn!(%trouble, "a node does not take the new manifest yet");
                    }
                }
            }
            waiting.retain(|party| !confirmed.contains(&party.identity_key));
            if waiting.is_empty() {
                break;
            }
        }
        let members_missing: Vec<String> = waiting
            .iter()
            .filter(|party| manifest.place_of(&party.identity_key).is_some())
            .map(|party| party.url.clone())
            .collect();
        if active.is_empty() {
            return Err(CeremonyError::NotActivated(members_missing));
        }
        if !members_missing.is_empty() {
            return Ok(Outcome {
                manifest,
                erase_at: None,
                waiting_for: members_missing,
            });
        }
        let request = FinishRequest {
            active: active.into_iter().map(|(_, receipt)| receipt).collect(),
        };
        let answers: Vec<(Party, Result<FinishResponse, Refused>)> =
            self.caller.all(&parties.all(), "finish", &request).await;
        let mut erase_at = None;
        let mut waiting_for = Vec::new();
        for (party, answer) in answers {
            match answer {
                Ok(answer) => erase_at = erase_at.max(answer.erase_at),
                Err(_) => waiting_for.push(party.url),
            }
        }
        Ok(Outcome {
            manifest,
            erase_at: if waiting_for.is_empty() {
                erase_at
            } else {
                None
            },
            waiting_for,
        })
    }
}
