//! Files that are no whole backup.

use std::path::Path;

use trefoil_metadata_server::upkeep::{self, BackupError, FileError, RestoreError};
use trefoil_store::{AtRest, MetadataStore as _, StoreReader as _};

use crate::support::NOW;
use crate::support::wallet::Wallet;
use crate::world::{Place, create, plan, restore};

async fn backed_up() -> Place {
    let place = Place::new();
    let store = place.open();
    for seed in 1..4 {
        create(&store, &Wallet::one_click("acme", seed, seed)).await;
    }
    let done = place.back_up(&store, "whole", 0).await;
    assert_eq!(done.records.unwrap().entries, 3);
    assert_eq!(done.nonces.unwrap().entries, 3);
    place
}

/// The file as it is refused, wherever it is named; nothing is changed by it.
async fn refused(place: &Place, records: &Path, nonces: &Path) -> FileError {
    let target = Place::new();
    let store = target.to_restore();
    let error = restore(&store, plan(records).nonces(nonces)).await;
    let Err(RestoreError::File(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(store.stats().await.unwrap().accounts, 0);
    store.check_ready(NOW).await.unwrap();
    let verified = upkeep::verify_files(records, &[nonces.to_owned()], &AtRest::default()).await;
    assert!(verified.is_err());
    assert!(place.data().exists());
    error
}

#[tokio::test]
async fn a_cut_or_changed_file_is_refused_before_anything_is_changed() {
    let place = backed_up().await;
    let (records, nonces) = (place.file("whole.records"), place.file("whole.nonces"));
    let whole = std::fs::read(&records).unwrap();
    let of_nonces = std::fs::read(&nonces).unwrap();
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 5);
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("without its end", lines[..4].concat()),
        ("cut in its last line", whole[..whole.len() - 2].to_vec()),
        (
            "cut in an entry",
            whole[..lines[0].len() + lines[1].len() / 2].to_vec(),
        ),
        (
            "an entry missing",
            [lines[0], lines[1], lines[3], lines[4]].concat(),
        ),
        (
            "an entry twice",
            [&lines[..2], &lines[1..]].concat().concat(),
        ),
        (
            "entries exchanged",
            [lines[0], lines[2], lines[1], lines[3], lines[4]].concat(),
        ),
        ("more behind its end", [&whole[..], lines[1]].concat()),
        ("a changed digit", flip(lines[0].len() - 3)),
        ("a changed entry", flip(lines[0].len() + 400)),
        ("a changed end", flip(whole.len() - 12)),
    ];
    for (what, bytes) in bad {
        std::fs::write(&records, bytes).unwrap();
        let error = refused(&place, &records, &nonces).await;
        assert!(matches!(error, FileError::Damaged(_)), "{what}: {error}");
    }
    std::fs::write(&records, &whole).unwrap();
    std::fs::write(&nonces, &of_nonces[..of_nonces.len() / 2]).unwrap();
    let error = refused(&place, &records, &nonces).await;
    assert!(matches!(error, FileError::Damaged(_)), "{error}");
}

#[tokio::test]
async fn other_files_are_told_apart() {
    let place = backed_up().await;
    let (records, nonces) = (place.file("whole.records"), place.file("whole.nonces"));
    let error = refused(&place, &nonces, &nonces).await;
    assert!(matches!(error, FileError::OtherKind { .. }), "{error}");
    let error = refused(&place, &records, &records).await;
    assert!(
        error.to_string().contains("records, not of nonces"),
        "{error}"
    );
    let error = refused(&place, &place.file("absent"), &nonces).await;
    assert!(matches!(error, FileError::Io { .. }), "{error}");

    let other = place.file("other");
    let whole = std::fs::read_to_string(&records).unwrap();
    for text in [
        "",
        "\n",
        "{}\n",
        "a text, not a backup\n",
        &whole.replacen("trefoil-backup", "trefoil-backed", 1),
        &whole.replacen("\"kind\"", "\"kinds\"", 1),
    ] {
        std::fs::write(&other, text).unwrap();
        let error = refused(&place, &other, &nonces).await;
        assert!(
            matches!(error, FileError::NotABackup(_)),
            "{text:.40}: {error}"
        );
    }
    std::fs::write(&other, whole.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    let error = refused(&place, &other, &nonces).await;
    assert!(
        matches!(error, FileError::UnknownVersion { version: 2, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_is_overwritten_and_nobody_else_may_read_it() {
    let place = backed_up().await;
    let store = place.open();
    let (old, new) = (place.file("whole.records"), place.file("new.nonces"));
    let before = std::fs::read(&old).unwrap();
    let error = upkeep::back_up(&store, Some(&old), Some(&new), NOW)
        .await
        .unwrap_err();
    assert!(
        matches!(error, BackupError::File(FileError::Exists(_))),
        "{error}"
    );
    assert_eq!(std::fs::read(&old).unwrap(), before);
    assert!(!new.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let mode = std::fs::metadata(&old).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = place.file("link");
        symlink(place.file("nowhere"), &link).unwrap();
        assert!(
            upkeep::back_up(&store, Some(&link), None, NOW)
                .await
                .is_err()
        );
        assert!(!place.file("nowhere").exists());
    }
    // A directory that is not there leaves nothing behind.
    let error = upkeep::back_up(&store, Some(&place.file("absent/records")), None, NOW).await;
    assert!(matches!(
        error,
        Err(BackupError::File(FileError::Io { .. }))
    ));
    let mut left: Vec<_> = std::fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "link")
        .collect();
    left.sort();
    assert_eq!(left, ["data", "whole.nonces", "whole.records"]);
}
