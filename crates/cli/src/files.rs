//! Files that commands write and read.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};

/// No file that a command reads is larger, unless it says so.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads a whole file; errors name the path and nothing of the content.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    read_at_most(path, MAX_FILE)
}

/// The same for files that may be larger.
pub(crate) fn read_at_most(path: &Path, max: u64) -> Result<Zeroizing<String>, Failure> {
    let file = File::open(path).map_err(|source| Failure::io("read", path, &source))?;
    read_open(path, file, max)
}

/// Reads a file with a secret; on Unix only where group and others have no right to it.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let file = File::open(path).map_err(|source| Failure::io("read", path, &source))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = file
            .metadata()
            .map_err(|source| Failure::io("read", path, &source))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            let message = format!(
                "{} may be read or changed by others: set its mode to 0600",
                path.display()
            );
            return Err(Failure::new(Exit::Usage, "bad_settings", message));
        }
    }
    read_open(path, file, MAX_FILE)
}

fn read_open(path: &Path, file: File, max: u64) -> Result<Zeroizing<String>, Failure> {
    let length = file
        .metadata()
        .map(|metadata| metadata.len())
        .unwrap_or_default()
        .min(max);
    // Reserved ahead, so that growing leaves no copy of a secret behind.
    let mut text = Zeroizing::new(String::with_capacity(
        usize::try_from(length).unwrap_or_default() + 1,
    ));
    let read = file
        .take(max + 1)
        .read_to_string(&mut text)
        .map_err(|source| Failure::io("read", path, &source))?;
    if read as u64 > max {
        let message = format!("{} is larger than {max} bytes", path.display());
        return Err(Failure::new(Exit::Input, "file_too_large", message));
    }
    Ok(text)
}

/// Says before the work what [`write_new_private`] would say after it.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    // A symbolic link that leads nowhere is there, too.
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    Ok(())
}

fn exists(path: &Path) -> Failure {
    let message = format!(
        "{} exists already and is not overwritten: name another file",
        path.display()
    );
    Failure::new(Exit::Usage, "file_exists", message)
}

/// Writes a new file that only its owner may read. Never overwrites.
pub(crate) fn write_new_private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::io("create", path, &source),
    })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(|source| Failure::io("write", path, &source))
}

/// Replaces a file that holds no secret.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    std::fs::write(temporary, text).map_err(|source| Failure::io("write", temporary, &source))?;
    std::fs::rename(temporary, path).map_err(|source| Failure::io("write", path, &source))
}

/// Makes a directory that only its owner may use.
pub(crate) fn private_directory(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|source| Failure::io("create", path, &source))
}
