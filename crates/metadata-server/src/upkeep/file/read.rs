//! Read a backup.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use trefoil_protocol::bytes::PayloadHash;

use super::{FORMAT, FileError, Header, Kind, MAX_LINE, Trailer, VERSION, io};

/// A backup whose first line was read.
pub(in crate::upkeep) struct Opened<T> {
    /// Unix seconds at which it was begun.
    pub(in crate::upkeep) made_at: u64,
    /// What it holds.
    pub(in crate::upkeep) entries: Entries<T>,
}

/// Opens a backup of this kind. Blocks for file access, as reading its entries does.
pub(in crate::upkeep) fn open<T: DeserializeOwned>(
    path: &Path,
    wanted: Kind,
) -> Result<Opened<T>, FileError> {
    let (found, made_at, entries) = open_any(path)?;
    if found != wanted {
        return Err(FileError::OtherKind {
            path: path.to_owned(),
            found,
            wanted,
        });
    }
    Ok(Opened { made_at, entries })
}

#[derive(Deserialize)]
struct AnyVersion {
    format: String,
    version: u32,
}

fn open_any<T: DeserializeOwned>(path: &Path) -> Result<(Kind, u64, Entries<T>), FileError> {
    let file = File::open(path).map_err(io("read", path))?;
    let mut entries = Entries {
        path: path.to_owned(),
        file: BufReader::new(file),
        hash: Sha256::new(),
        count: 0,
        end: None,
        of: PhantomData,
    };
    let not_one = || FileError::NotABackup(path.to_owned());
    let line = match entries.line() {
        Ok(Some(line)) => line,
        Ok(None) | Err(FileError::Damaged(_)) => return Err(not_one()),
        Err(error) => return Err(error),
    };
    let any: AnyVersion = serde_json::from_slice(&line).map_err(|_| not_one())?;
    if any.format != FORMAT {
        return Err(not_one());
    }
    if any.version != VERSION {
        return Err(FileError::UnknownVersion {
            path: path.to_owned(),
            version: any.version,
        });
    }
    let header: Header = serde_json::from_slice(&line).map_err(|_| not_one())?;
    entries.hash.update(&line);
    Ok((header.kind, header.made_at, entries))
}

/// The entries of a backup, one after the other. `None` comes only after an end that fits all that came before.
pub(in crate::upkeep) struct Entries<T> {
    path: PathBuf,
    file: BufReader<File>,
    hash: Sha256,
    count: u64,
    end: Option<PayloadHash>,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Entries<T> {
    pub(in crate::upkeep) fn next(&mut self) -> Result<Option<T>, FileError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let line = self.line()?.ok_or_else(|| self.damaged())?;
        if let Ok(Trailer { end }) = serde_json::from_slice(&line) {
            let sha256 = PayloadHash::from_bytes(self.hash.clone().finalize().into());
            if end.entries != self.count || end.sha256 != sha256 || self.line()?.is_some() {
                return Err(self.damaged());
            }
            self.end = Some(sha256);
            return Ok(None);
        }
        let entry = serde_json::from_slice(&line).map_err(|_| self.damaged())?;
        self.hash.update(&line);
        self.count += 1;
        Ok(Some(entry))
    }

    /// At most so many entries; none at the end.
    pub(in crate::upkeep) fn some(&mut self, limit: usize) -> Result<Vec<T>, FileError> {
        let mut some = Vec::new();
        while some.len() < limit {
            match self.next()? {
                Some(entry) => some.push(entry),
                None => break,
            }
        }
        Ok(some)
    }

    /// Its SHA-256, once the end was read.
    pub(in crate::upkeep) const fn sha256(&self) -> Option<PayloadHash> {
        self.end
    }

    /// The next line with its end; none at the end of the file.
    fn line(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let mut line = Vec::new();
        self.file
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .map_err(io("read", &self.path))?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(self.damaged()),
        }
    }

    fn damaged(&self) -> FileError {
        FileError::Damaged(self.path.clone())
    }
}
