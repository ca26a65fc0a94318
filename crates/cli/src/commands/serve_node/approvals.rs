//! Plans that the operator of this node has approved, one a line in a file of the data directory.

use std::path::{Path, PathBuf};

use trefoil_protocol::bytes::CeremonyId;

use crate::failure::Failure;
use crate::files;

const FILE: &str = "approved-plans";

/// Read at each plan, so that an approval needs no restart.
#[derive(Debug, Clone)]
pub(crate) struct Approvals(PathBuf);

impl Approvals {
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Self(directory.join(FILE))
    }

    /// Whether the plan was approved; without a file none was.
    pub(crate) fn holds(&self, plan: &CeremonyId) -> bool {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().any(|line| line.trim().parse() == Ok(*plan))
    }

    /// Approves a plan for the node whose data lie here.
    pub(crate) fn add(&self, plan: &CeremonyId) -> Result<(), Failure> {
        let node_is_here = self.0.with_file_name("node.db").exists();
        if !node_is_here {
            return Err(Failure::usage(format!(
                "{} is no node's data directory: start the node once, or name the one of its settings",
                self.0.parent().unwrap_or(&self.0).display()
            )));
        }
        let mut text = match std::fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::io("read", &self.0, &error)),
        };
        if !self.holds(plan) {
            text.push_str(&format!("{plan}\n"));
            files::write(&self.0, &text)?;
        }
        Ok(())
    }
}
