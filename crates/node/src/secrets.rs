//! Loading a node's secret file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use trefoil_protocol::social::{NodeSecrets, NodeSecretsError, VerifiedManifest};
use zeroize::Zeroizing;

/// Bytes that are read at most; the protocol's own limit is lower.
const MAX_FILE: usize = 8 * 1024;

/// Why a secret file is refused. Never holds anything from the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadSecretsError {
    /// It cannot be read.
    #[error("the node's secret file cannot be read")]
    Read(#[source] io::Error),
    /// Others than its owner may read or write it.
    #[error("the node's secret file may be read or changed by others: set its mode to 0600")]
    Exposed,
    /// Damaged, or not the keys that the manifest names for this node.
    #[error(transparent)]
    Secrets(#[from] NodeSecretsError),
}

/// Reads the file that the dealer wrote for one node, and checks that the manifest names its keys.
///
/// # Errors
/// [`LoadSecretsError`]; on Unix also where group or others have any right to the file.
pub fn load_secrets(
    path: &Path,
    manifest: &VerifiedManifest,
) -> Result<NodeSecrets, LoadSecretsError> {
    let mut file = File::open(path).map_err(LoadSecretsError::Read)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file
            .metadata()
            .map_err(LoadSecretsError::Read)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(LoadSecretsError::Exposed);
        }
    }
    // Of full size from the start: growing would leave copies behind.
    let mut buffer = Zeroizing::new(vec![0; MAX_FILE]);
    let mut length = 0;
    while let Some(free) = buffer.get_mut(length..).filter(|free| !free.is_empty()) {
        match file.read(free) {
            Ok(0) => break,
            Ok(read) => length = length.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(LoadSecretsError::Read(error)),
        }
    }
    let secrets = NodeSecrets::from_json(buffer.get(..length).unwrap_or_default())?;
    secrets.check_against(manifest)?;
    Ok(secrets)
}
