//! Files with the bytes that are made now. Records and messages out there have them, too.

use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    folder.join(name)
}

pub(crate) fn committed(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// `TREFOIL_WRITE_SNAPSHOTS=1` rewrites the file on purpose.
pub(crate) fn snapshot(name: &str, made: &str) {
    if std::env::var_os("TREFOIL_WRITE_SNAPSHOTS").is_some() {
        std::fs::write(path(name), format!("{made}\n")).unwrap();
    }
    let kept = committed(name);
    assert_eq!(
        made,
        kept.trim_end(),
        "{name} differs from the bytes that are made now"
    );
}
