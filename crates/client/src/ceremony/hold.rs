//! Step 3: `T` dealings to every member, without those of dealers who are found to lie.

use std::collections::BTreeSet;

use trefoil_protocol::bytes::Blob;
use trefoil_protocol::ceremony::{Held, HoldRequest, HoldResponse, NodeMessage, VerifiedPlan};
use trefoil_protocol::problem::ProblemCode;
use trefoil_protocol::social::SignedManifest;

use super::call::Refused;
use super::{CeremonyError, Chain, Coordinator, NodeTrouble, Parties, Party};

/// The manifest to come, which every member holds its share of.
#[derive(Clone)]
pub(super) struct Next {
    pub(super) manifest: Blob,
    pub(super) held: Vec<NodeMessage>,
}

impl Coordinator {
    pub(super) async fn hold(
        &self,
        plan: &VerifiedPlan,
        parties: &Parties,
        joins: Vec<NodeMessage>,
        dealings: Vec<(u16, NodeMessage)>,
        chain: Option<&Chain>,
    ) -> Result<Next, CeremonyError> {
        let needed = match chain {
            Some(chain) => usize::from(chain.newest().threshold()),
            None => plan.nodes().len(),
        };
        let mut liars: BTreeSet<u16> = BTreeSet::new();
        let mut accusers: BTreeSet<String> = BTreeSet::new();
        loop {
            let honest = dealings
                .iter()
                .filter(|(dealer, _)| !liars.contains(dealer));
            let chosen: Vec<(u16, NodeMessage)> = honest.take(needed).cloned().collect();
            if chosen.len() < needed {
                return Err(CeremonyError::TooFewDealers {
                    needed,
                    given: chosen.len(),
                    liars: liars.into_iter().collect(),
                    accusers: accusers.into_iter().collect(),
                });
            }
            let asked: Vec<u16> = chosen.iter().map(|(dealer, _)| *dealer).collect();
            let chosen = chosen.into_iter().map(|(_, dealing)| dealing).collect();
            let request = HoldRequest::new(plan.ceremony(), joins.clone(), chosen, &self.key);
            let members: Vec<&Party> = parties.members.iter().collect();
            let answers = self.caller.all(&members, "hold", &request).await;
            let found = accused(&answers, &asked);
            if found.is_empty() {
                return agreed(plan, answers);
            }
            tracing::warn!(dealers = ?found, "members refuse what these nodes dealt; going on without them");
            accusers.extend(accusing(&answers));
            liars.extend(found);
        }
    }
}

/// The dealers of those asked whom a member refuses.
fn accused(answers: &[(Party, Result<HoldResponse, Refused>)], asked: &[u16]) -> Vec<u16> {
    let problems = answers.iter().filter_map(|(_, answer)| match answer {
        Err(Refused::Problem(problem)) if problem.code == ProblemCode::BadDealing => Some(problem),
        _ => None,
    });
    problems
        .flat_map(|problem| problem.nodes.iter().copied())
        .filter(|dealer| asked.contains(dealer))
        .collect()
}

/// The members who refuse dealings: it may be they who lie, which only the people behind both can find out.
fn accusing(answers: &[(Party, Result<HoldResponse, Refused>)]) -> impl Iterator<Item = String> {
    answers.iter().filter_map(|(party, answer)| match answer {
        Err(Refused::Problem(problem)) if problem.code == ProblemCode::BadDealing => {
            Some(party.url.clone())
        }
        _ => None,
    })
}

/// Every member holds its share, and they all speak of one manifest. Where they do not, those are named who stand alone.
fn agreed(
    plan: &VerifiedPlan,
    answers: Vec<(Party, Result<HoldResponse, Refused>)>,
) -> Result<Next, CeremonyError> {
    let mut trouble = Vec::new();
    let mut said: Vec<(String, Blob, Option<NodeMessage>)> = Vec::new();
    for (party, answer) in answers {
        match answer {
            Err(refused) => trouble.push(refused.into_trouble(&party.url)),
            Ok(HoldResponse { manifest, held }) => {
                let signed = holds(plan, &party, &manifest, &held);
                said.push((party.url, manifest, signed.then_some(held)));
            }
        }
    }
    let votes = |manifest: &Blob| {
        said.iter()
            .filter(|(_, other, _)| other == manifest)
            .count()
    };
    let manifest = said
        .iter()
        .max_by_key(|(_, manifest, _)| votes(manifest))
        .map(|(_, manifest, _)| manifest.clone());
    let Some(manifest) = manifest else {
        return Err(CeremonyError::Members(trouble));
    };
    let mut held = Vec::new();
    for (url, spoken, signed) in said {
        match signed {
            Some(signed) if spoken == manifest => held.push(signed),
            _ => trouble.push(NodeTrouble {
                url,
                what: "speaks of another manifest than the others, or not for itself".to_owned(),
                problem: None,
            }),
        }
    }
    if trouble.is_empty() {
        Ok(Next { manifest, held })
    } else {
        Err(CeremonyError::Members(trouble))
    }
}

fn holds(plan: &VerifiedPlan, party: &Party, manifest: &Blob, held: &NodeMessage) -> bool {
    let hash = SignedManifest {
        manifest: manifest.clone(),
        signatures: Vec::new(),
    }
    .hash();
    let key = |index| plan.node(index).map(|node| node.identity_key);
    Held::verify(held, hash, key) == Ok(party.index)
}
