//! What all ceremonies have in common: a plan that lies in a file until it is carried out, so that whoever starts the
//! same command again goes on where it stopped.

use std::path::{Path, PathBuf};

use serde_json::json;
use trefoil_client::ceremony::{CeremonyError, Chain, Coordinator, Member, Outcome};
use trefoil_protocol::ceremony::{PlanNode, SignedPlan, VerifiedPlan};

use crate::failure::{Exit, Failure};
use crate::files;
use crate::ui::Ui;

pub(super) struct PlanFile(PathBuf);

impl PlanFile {
    /// `<file>.plan`.
    pub(super) fn beside(file: &Path) -> Self {
        let mut name = file.as_os_str().to_owned();
        name.push(".plan");
        Self(name.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The plan that an earlier run of the same command left. One that the network has left behind is worth nothing and
    /// is dropped; one of another command is not carried out in this one's name.
    pub(super) fn resume(
        &self,
        chain: Option<&Chain>,
        same: impl Fn(&VerifiedPlan) -> bool,
    ) -> Result<Option<SignedPlan>, Failure> {
        if !self.0.exists() {
            return Ok(None);
        }
        let (signed, plan) = read_plan(&self.0)?;
        if chain.is_some_and(|chain| is_left_behind(&plan, chain)) {
            self.done()?;
            return Ok(None);
        }
        if same(&plan) {
            return Ok(Some(signed));
        }
        let message = format!(
            "{} is the plan of another ceremony, which may have begun: run the command that made it again, or remove the \
             file to give it up",
            self.0.display()
        );
        Err(Failure::new(Exit::Conflict, "other_plan", message))
    }

    pub(super) fn write(&self, plan: &SignedPlan) -> Result<(), Failure> {
        let text = serde_json::to_string(plan)
            .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?;
        files::write(&self.0, &text)
    }

    /// The plan is carried out.
    pub(super) fn done(&self) -> Result<(), Failure> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::io("remove", &self.0, &error))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the network reached the plan's epoch without it.
fn is_left_behind(plan: &VerifiedPlan, chain: &Chain) -> bool {
    let newest = chain.newest();
    plan.network() == Some(newest.network())
        && plan.epoch() <= newest.epoch()
        && newest.ceremony() != Some(plan.ceremony())
}

/// Whether a plan is for these members, in this order.
pub(super) fn is_for(plan: &VerifiedPlan, members: &[Member], threshold: u16) -> bool {
    let fits = |(node, member): (&PlanNode, &Member)| {
        node.url == member.url
            && member
                .identity_key
                .is_none_or(|key| key == node.identity_key)
    };
    plan.threshold() == threshold
        && plan.nodes().len() == members.len()
        && plan.nodes().iter().zip(members).all(fits)
}

pub(super) fn read_plan(path: &Path) -> Result<(SignedPlan, VerifiedPlan), Failure> {
    let bad = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Input,
            "bad_plan",
            format!("{}: {error}", path.display()),
        )
    };
    let plan: SignedPlan =
        serde_json::from_str(&files::read(path)?).map_err(|error| bad(&error))?;
    let verified = plan.verify().map_err(|error| bad(&error))?;
    Ok((plan, verified))
}

/// Carries a plan out; where another has gone too far to be left, that one is finished first, and this one fails.
pub(super) async fn carry_out(
    ui: Ui,
    coordinator: &Coordinator,
    plan: &SignedPlan,
    chain: Option<&Chain>,
) -> Result<Outcome, Failure> {
    let outcome = match coordinator.carry_out(plan, chain).await {
        Err(CeremonyError::Decided { plan: decided }) => {
            let finished = coordinator.carry_out(&decided, chain).await?;
            let message = format!(
                "an earlier ceremony had gone so far that it was finished instead: the network is in epoch {} now; run \
                 the command again if that is not what you wanted",
                finished.manifest.epoch()
            );
            return Err(Failure::new(Exit::Conflict, "other_ceremony", message));
        }
        outcome => outcome?,
    };
    if !outcome.waiting_for.is_empty() {
        ui.note(format_args!(
            "The new manifest is in force, but these nodes have not confirmed it: {}. Until they do, shares of the epoch \
             before are kept; run the command again when they are back.",
            outcome.waiting_for.join(", ")
        ));
    }
    Ok(outcome)
}

/// Of a refresh or a move, whose plan lies beside the manifest.
pub(super) async fn report(
    ui: Ui,
    step: &str,
    outcome: &Outcome,
    manifest_path: &Path,
) -> Result<(), Failure> {
    let manifest = &outcome.manifest;
    let text = serde_json::to_string(manifest.signed())
        .map_err(|error| Failure::new(Exit::Other, "unexpected", error))?;
    files::write(manifest_path, &text)?;
    let (nodes, threshold, epoch) = (
        manifest.nodes().len(),
        manifest.threshold(),
        manifest.epoch(),
    );
    let end = match outcome.erase_at {
        Some(at) => format!("Shares of earlier epochs are erased at unix second {at}."),
        None if outcome.waiting_for.is_empty() => {
            "There are no shares of earlier epochs.".to_owned()
        }
        None => "Shares of earlier epochs are kept until every node has confirmed.".to_owned(),
    };
    ui.step(
        step,
        json!({
            "nodes": nodes,
            "threshold": threshold,
            "group_key": manifest.network(),
            "epoch": epoch,
            "erase_at": outcome.erase_at,
            "waiting_for": outcome.waiting_for,
            "manifest": manifest_path.display().to_string(),
        }),
        format!(
            "Epoch {epoch}: {threshold} of {nodes} nodes must answer; the group key is the same: {}\n{end}\n\
             Back up every node again: what was backed up before belongs to the epoch before.",
            manifest.network()
        ),
    );
    Ok(())
}
