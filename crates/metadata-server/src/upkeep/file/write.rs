//! Write a backup: whole under its name, or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc::Receiver;
use trefoil_protocol::bytes::PayloadHash;

use super::{End, FORMAT, FileError, Header, Kind, Trailer, VERSION, Written, io};

/// Writes what comes, to a file that only its owner may read. `finish` is asked in the end whether everything has come; where
/// not, no file is left.
///
/// Blocks for file access.
pub(in crate::upkeep) fn write<T: Serialize, E>(
    path: &Path,
    kind: Kind,
    made_at: u64,
    mut entries: Receiver<T>,
    finish: impl FnOnce() -> Result<(), E>,
) -> Result<Written, E>
where
    E: From<FileError>,
{
    // A symbolic link that leads nowhere is there, too.
    if path.symlink_metadata().is_ok() {
        return Err(FileError::Exists(path.to_owned()).into());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Its mode is 0600, and it goes when this is left early.
    let file = NamedTempFile::new_in(directory).map_err(io("create a file in", directory))?;
    let mut lines = Lines {
        out: BufWriter::new(file),
        hash: Sha256::new(),
    };
    let written = io("write", path);
    let count = (|| {
        lines.push(&Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            kind,
            made_at,
        })?;
        let mut count = 0_u64;
        while let Some(entry) = entries.blocking_recv() {
            lines.push(&entry)?;
            count += 1;
        }
        Ok(count)
    })()
    .map_err(written)?;
    // Whoever still sends learns that nobody listens.
    drop(entries);
    finish()?;

    let sha256 = PayloadHash::from_bytes(lines.hash.clone().finalize().into());
    let end = End {
        entries: count,
        sha256,
    };
    let file = lines
        .push(&Trailer { end })
        .and_then(|()| lines.out.into_inner().map_err(|error| error.into_error()))
        .map_err(io("write", path))?;
    file.as_file().sync_all().map_err(io("write", path))?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
            _ => io("write", path)(error.error),
        })?;
    if cfg!(unix) {
        // The name is durable only once the directory is.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io("write", directory))?;
    }
    Ok(Written {
        path: path.to_owned(),
        entries: count,
        sha256,
    })
}

struct Lines<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Lines<W> {
    fn push(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.hash.update(&bytes);
        self.out.write_all(&bytes)
    }
}
