//! Keys of a local network.

use std::path::{Path, PathBuf};

use trefoil::Environment;
use trefoil_protocol::social::{VerifiedManifest, deal_network};

use crate::failure::Failure;
use crate::files;

/// Where a node's secrets lie.
pub(super) fn path(directory: &Path, index: u16) -> PathBuf {
    directory
        .join("nodes")
        .join(format!("node-{index}.secret.json"))
}

/// Where a node keeps its slots.
pub(super) fn slots(directory: &Path, index: u16) -> PathBuf {
    directory.join("nodes").join(format!("node-{index}.slots"))
}

/// Deals a network and writes the secrets, in place of those of a start that was cut off.
pub(super) fn deal(
    directory: &Path,
    urls: &[String],
    threshold: u16,
) -> Result<VerifiedManifest, Failure> {
    let dealt = deal_network(urls, threshold, &mut Environment::system().rng())
        .map_err(|error| Failure::usage(format!("such a network cannot be made: {error}")))?;
    files::private_directory(&directory.join("nodes"))?;
    for node in &dealt.nodes {
        let path = path(directory, node.index().get());
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::io("remove", &path, &source));
            }
            _ => files::write_new_private(&path, &node.expose_json())?,
        }
    }
    dealt
        .manifest
        .trust_pinned()
        .map_err(|error| Failure::usage(format!("such a network cannot be made: {error}")))
}
