//! The keys under which a metadata server seals what lies in its database.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rand_core::Rng as _;
use serde::Deserialize;
use tempfile::NamedTempFile;
use trefoil::Environment;
use trefoil_store::SealingKeys;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::files;

/// The version of the file's form.
const VERSION: u32 = 1;

/// Where the keys of a metadata server lie whose data directory this is, unless it is told otherwise.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("sealing.keys")
}

/// Every key that rows may be sealed under, oldest first, and the one for new rows.
pub(crate) struct KeyFile {
    current: String,
    keys: Vec<(String, Zeroizing<[u8; 32]>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    version: u32,
    /// Id of the key for new rows.
    current: String,
    keys: Vec<KeyForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyForm {
    id: String,
    /// 32 bytes, hexadecimal.
    key: String,
}

impl KeyFile {
    /// Reads the file; none where there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read_private(path)?;
        let form: Option<Form> = serde_json::from_str(&text).ok();
        let file = form
            .filter(|form| form.version == VERSION)
            .and_then(Self::of);
        let file = file.filter(|file| file.keys().is_ok());
        file.map(Some).ok_or_else(|| {
            let message = format!(
                "{} holds no sealing keys of a form that is known here: put back the file that was there",
                path.display()
            );
            Failure::new(Exit::Usage, "bad_settings", message)
        })
    }

    /// Reads the file, which is made with one key where there is none. Of two that make it at a time both get the same.
    pub(crate) fn read_or_make(path: &Path) -> Result<Self, Failure> {
        if let Some(file) = Self::read(path)? {
            return Ok(file);
        }
        let mut made = Self {
            current: String::new(),
            keys: Vec::new(),
        };
        made.current = made.add();
        match made.temporary(path)?.persist_noclobber(path) {
            Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(Failure::io("write", path, &error.error))
            }
            _ => {
                sync(path)?;
                Self::read(path)?.ok_or_else(|| {
                    Failure::new(Exit::Other, "io", format!("{} is gone", path.display()))
                })
            }
        }
    }

    fn of(form: Form) -> Option<Self> {
        let decode = |form: KeyForm| {
            let text = Zeroizing::new(form.key);
            let mut key = Zeroizing::new([0; 32]);
            hex::decode_to_slice(text.as_bytes(), key.as_mut_slice()).ok()?;
            Some((form.id, key))
        };
        Some(Self {
            current: form.current,
            keys: form.keys.into_iter().map(decode).collect::<Option<_>>()?,
        })
    }

    /// For the store.
    pub(crate) fn keys(&self) -> Result<SealingKeys, Failure> {
        SealingKeys::new(&self.current, self.keys.iter().cloned())
            .map_err(|error| Failure::new(Exit::Usage, "bad_settings", error))
    }

    pub(crate) fn current(&self) -> &str {
        &self.current
    }

    /// Ids of the keys that are not current.
    pub(crate) fn others(&self) -> Vec<String> {
        let ids = self.keys.iter().map(|(id, _)| id);
        ids.filter(|id| **id != self.current).cloned().collect()
    }

    /// Adds a key that is not current yet, and gives its id. An id is never used again, not even after the file was lost.
    pub(crate) fn add(&mut self) -> String {
        let mut rng = Environment::system().rng();
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut_slice());
        let mut id = [0; 6];
        rng.fill_bytes(&mut id);
        let id = hex::encode(id);
        self.keys.push((id.clone(), key));
        id
    }

    /// Whether no key was added since the current one.
    pub(crate) fn newest_is_current(&self) -> bool {
        let newest = self.keys.last();
        newest.is_none_or(|(newest, _)| *newest == self.current)
    }

    /// Makes the newest key current. Says whether it was not.
    pub(crate) fn use_newest(&mut self) -> bool {
        match self.keys.last() {
            Some((newest, _)) if *newest != self.current => {
                self.current.clone_from(newest);
                true
            }
            _ => false,
        }
    }

    /// Drops every key but the current one.
    pub(crate) fn forget_others(&mut self) {
        let current = self.current.clone();
        self.keys.retain(|(id, _)| *id == current);
    }

    /// Puts this in the place of the file. A crash leaves the old file or the new one.
    pub(crate) fn replace(&self, path: &Path) -> Result<(), Failure> {
        let written = self.temporary(path)?.persist(path);
        written.map_err(|error| Failure::io("write", path, &error.error))?;
        sync(path)
    }

    /// A file with the keys beside `path`, mode 0600, durable.
    fn temporary(&self, path: &Path) -> Result<NamedTempFile, Failure> {
        // Large enough for all, so that growing leaves no copy behind. Writing to a string cannot fail.
        let mut text = Zeroizing::new(String::with_capacity(200 + 200 * self.keys.len()));
        let _ = write!(
            text,
            "{{\"version\":{VERSION},\"current\":\"{}\",\"keys\":[",
            self.current
        );
        for (at, (id, key)) in self.keys.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let key = Zeroizing::new(hex::encode(key.as_slice()));
            let _ = write!(
                text,
                "{comma}{{\"id\":\"{id}\",\"key\":\"{}\"}}",
                key.as_str()
            );
        }
        text.push_str("]}\n");
        let file = NamedTempFile::new_in(directory(path));
        let write = |file: NamedTempFile| {
            file.as_file().write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        file.and_then(write)
            .map_err(|source| Failure::io("write", path, &source))
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The name of a new file is durable only once its directory is.
fn sync(path: &Path) -> Result<(), Failure> {
    if cfg!(unix) {
        let directory = directory(path);
        std::fs::File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| Failure::io("write", directory, &source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_added_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(directory.path());
        assert!(KeyFile::read(&path).unwrap().is_none());
        let mut made = KeyFile::read_or_make(&path).unwrap();
        let first = made.current().to_owned();
        assert_eq!(KeyFile::read_or_make(&path).unwrap().current(), first);
        assert!(!made.use_newest());
        let second = made.add();
        made.replace(&path).unwrap();
        let mut read = KeyFile::read(&path).unwrap().unwrap();
        assert_eq!(read.current(), first);
        assert_eq!(read.others(), [second.as_str()]);
        assert!(read.use_newest());
        assert_eq!(
            (read.current(), read.others()),
            (second.as_str(), vec![first])
        );
        read.forget_others();
        read.replace(&path).unwrap();
        let read = KeyFile::read(&path).unwrap().unwrap();
        assert_eq!(
            read.keys().unwrap().ids().collect::<Vec<_>>(),
            [second.as_str()]
        );
        // Nothing is left beside it.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_holds_no_keys_or_is_open_to_others_is_refused_and_left_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        let path = path(directory.path());
        let made = KeyFile::read_or_make(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let good = std::fs::read_to_string(&path).unwrap();
        for bad in [
            String::new(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("\"key\":\"", "\"key\":\"00"),
            good.replace("\"key\":\"", "\"key\":\"zz"),
            good.replace(
                &format!("\"current\":\"{}\"", made.current()),
                "\"current\":\"x\"",
            ),
            good.replace("{\"version\"", "{\"more\":1,\"version\""),
        ] {
            assert_ne!(bad, good);
            std::fs::write(&path, &bad).unwrap();
            for failure in [
                KeyFile::read(&path).err().unwrap(),
                KeyFile::read_or_make(&path).err().unwrap(),
            ] {
                assert_eq!(failure.code(), "bad_settings", "{bad}");
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
        std::fs::write(&path, &good).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(KeyFile::read(&path).err().unwrap().code(), "bad_settings");
    }
}
