//! Step 4: a quorum of the nodes before signs the manifest to come.

use trefoil_protocol::ceremony::{SignRequest, VerifiedPlan, check_successor};
use trefoil_protocol::social::{ManifestSignature, SignedManifest, VerifiedManifest};

use super::call::Refused;
use super::hold::Next;
use super::{CeremonyError, Chain, Coordinator, Parties, Party};

impl Coordinator {
    pub(super) async fn sign(
        &self,
        plan: &VerifiedPlan,
        parties: &Parties,
        next: Next,
        chain: Option<&Chain>,
    ) -> Result<VerifiedManifest, CeremonyError> {
        let planned = check_successor(plan, &next.manifest)?;
        let request = SignRequest::new(plan.ceremony(), next.manifest, next.held, &self.key);
        let signers: Vec<&Party> = parties.old.iter().collect();
        let answers: Vec<(Party, Result<ManifestSignature, Refused>)> =
            self.caller.all(&signers, "sign", &request).await;
        let mut signatures = Vec::new();
        let mut trouble = Vec::new();
        let before = chain.map_or(&planned, Chain::newest);
        for (party, answer) in answers {
            match answer {
                // One that does not hold would spoil the others.
                Ok(signature)
                    if signature.index == party.index
                        && before.signed_by(&request.manifest, &signature) =>
                {
                    signatures.push(signature);
                }
                Ok(_) => trouble.push(Refused::Form(http::StatusCode::OK).into_trouble(&party.url)),
                Err(refused) => trouble.push(refused.into_trouble(&party.url)),
            }
        }
        let (needed, given) = (usize::from(before.quorum()), signatures.len());
        if given < needed {
            return Err(CeremonyError::TooFewSigners {
                needed,
                given,
                trouble,
            });
        }
        let signed = SignedManifest {
            manifest: request.manifest,
            signatures,
        };
        Ok(match chain {
            Some(chain) => chain.newest().verify_next(&signed)?,
            None => signed.verify_first(&planned.network())?,
        })
    }
}
