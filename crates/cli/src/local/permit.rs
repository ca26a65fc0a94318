//! The key by which a metadata server permits slots at the nodes.

use std::path::{Path, PathBuf};

use rand_core::Rng as _;
use serde::Deserialize;
use trefoil::Environment;
use trefoil_metadata_server::LimitKey;
use trefoil_protocol::sign::AuthPrivateKey;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::files;

/// The version of the file's form.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    /// 32 bytes, hexadecimal.
    seed: String,
}

/// Where the key of a metadata server lies whose data directory this is, unless it is told otherwise.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("permit.key")
}

/// The permit key and what is derived from it.
#[derive(Debug)]
pub(crate) struct PermitKey {
    pub(crate) key: AuthPrivateKey,
    /// All processes of a deployment have the same permit key, so they name the buckets of limits alike.
    pub(crate) limit_key: LimitKey,
}

/// The key in this data directory, made at the first start.
pub(crate) fn permit_key(directory: &Path) -> Result<AuthPrivateKey, Failure> {
    read_or_make(&path(directory)).map(|permit| permit.key)
}

/// The key in this file, which is made where there is none. Only one process may do this at a time.
pub(crate) fn read_or_make(path: &Path) -> Result<PermitKey, Failure> {
    if !path.exists() {
        make(path)?;
    }
    read(path)
}

/// The key in this file.
pub(crate) fn read(path: &Path) -> Result<PermitKey, Failure> {
    let text = files::read_private(path)?;
    let file: Option<KeyFile> = serde_json::from_str(&text).ok();
    let seed = file
        .filter(|file| file.version == VERSION)
        .map(|file| Zeroizing::new(file.seed))
        .and_then(|seed| {
            let mut bytes = Zeroizing::new([0; 32]);
            hex::decode_to_slice(seed.as_bytes(), bytes.as_mut_slice()).ok()?;
            Some(bytes)
        });
    let seed = seed.ok_or_else(|| {
        let message = format!(
            "{} is no permit key of a form that is known here: put back the one that was there, or remove the file for a \
             new key, which the nodes have to be told",
            path.display()
        );
        Failure::new(Exit::Usage, "bad_settings", message)
    })?;
    Ok(PermitKey {
        key: AuthPrivateKey::from_seed(&seed),
        limit_key: LimitKey::derive(&seed),
    })
}

/// A start that is cut off leaves the whole file or none under its name.
fn make(path: &Path) -> Result<(), Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    Environment::system().rng().fill_bytes(seed.as_mut_slice());
    let seed = Zeroizing::new(hex::encode(seed.as_slice()));
    let text = Zeroizing::new(format!(
        "{{\"version\":{VERSION},\"seed\":\"{}\"}}",
        seed.as_str()
    ));
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    match std::fs::remove_file(&temporary) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::io("remove", &temporary, &source));
        }
        _ => files::write_new_private(&temporary, &text)?,
    }
    std::fs::rename(&temporary, path).map_err(|source| Failure::io("write", path, &source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let made = permit_key(directory.path()).unwrap();
        let read = permit_key(directory.path()).unwrap();
        assert_eq!(made.auth_key(), read.auth_key());
        let other = tempfile::tempdir().unwrap();
        assert_ne!(
            made.auth_key(),
            permit_key(other.path()).unwrap().auth_key()
        );
    }

    #[test]
    fn a_start_that_was_cut_off_is_made_up_for() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("permit.key.new"), "{\"vers").unwrap();
        let made = permit_key(directory.path()).unwrap();
        assert_eq!(
            made.auth_key(),
            permit_key(directory.path()).unwrap().auth_key()
        );
        assert!(!directory.path().join("permit.key.new").exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_key_or_open_to_others_is_refused_and_left_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        permit_key(directory.path()).unwrap();
        let file = path(directory.path());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let good = std::fs::read_to_string(&file).unwrap();
        for bad in [
            String::new(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("\"seed\":\"", "\"seed\":\"00"),
            good.replace("\"seed\":\"", "\"seed\":\"zz"),
            good.replace("{\"version\"", "{\"more\":1,\"version\""),
        ] {
            std::fs::write(&file, &bad).unwrap();
            let failure = permit_key(directory.path()).unwrap_err();
            assert_eq!(failure.code(), "bad_settings", "{bad}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), bad);
        }
        std::fs::write(&file, &good).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(
            permit_key(directory.path()).unwrap_err().code(),
            "bad_settings"
        );
    }
}
