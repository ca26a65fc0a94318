use base64ct::{Base64UrlUnpadded, Encoding as _};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use trefoil_protocol::social::{DealtNetwork, deal_network};
use trefoil_store::{MemoryNodeStore, NodeState as StoredState, NodeStore as _, StoreError};

use super::*;
use crate::state::{Erase, HeldShare, StateError};

const WORDS: &str = "correct horse battery";

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn cheap() -> KdfCost {
    KdfCost::new(64, 1, 1).unwrap()
}

fn words(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn network() -> DealtNetwork {
    let urls: Vec<String> = (1..4).map(|i| format!("https://n{i}.example")).collect();
    deal_network(&urls, 2, &mut rng()).unwrap()
}

fn state(dealt: &DealtNetwork) -> NodeState {
    let manifest = dealt.manifest.trust_pinned().unwrap();
    NodeState::dealt(&dealt.nodes[1], &manifest)
}

fn stored(key: &NodeKey, state: &NodeState) -> StoredState {
    StoredState {
        version: 7,
        sealed: key.seal(&state.expose_json(), &mut rng()),
    }
}

fn backup_of(key: &NodeKey, state: &NodeState, now: u64) -> Result<Backup, BackupError> {
    let stored = stored(key, state);
    Backup::seal(key, Some(&stored), &words(WORDS), cheap(), now, &mut rng())
}

fn backup() -> (DealtNetwork, Backup) {
    let dealt = network();
    let key = dealt.nodes[1].key();
    let backup = backup_of(&key, &state(&dealt), 0).unwrap();
    (dealt, backup)
}

#[tokio::test]
async fn a_node_comes_back_as_it_was() {
    let (dealt, backup) = backup();
    let (key, before) = (dealt.nodes[1].key(), state(&dealt));
    let json = backup.to_json();
    assert_eq!(backup.epochs(), [1]);
    let read = Backup::from_json(json.as_bytes()).unwrap();
    assert_eq!(read, backup);
    // A file from an editor has a line end.
    Backup::from_json(format!("{json}\n").as_bytes()).unwrap();

    let node = read.open(&words(&format!("{WORDS}\r\n"))).unwrap();
    assert_eq!(node.key().expose_seed(), key.expose_seed());
    assert_eq!(node.newest_share(), 1);
    let store = MemoryNodeStore::default();
    node.store(&store, &mut rng()).await.unwrap();
    let sealed = store.load().await.unwrap().unwrap().sealed;
    let after = NodeState::open(&sealed, &key).unwrap();
    assert_eq!(*after.expose_json(), *before.expose_json());
    assert!(matches!(
        node.store(&store, &mut rng()).await,
        Err(BackupError::Store(StoreError::NodeStateChanged))
    ));
}

/// Whatever changes, files that lie in drawers must open.
#[test]
fn the_form_of_version_1_is_fixed() {
    let (_, backup) = backup();
    let snapshot = include_str!("backup-v1.json").trim_end();
    assert_eq!(backup.to_json(), snapshot);
    let read = Backup::from_json(snapshot.as_bytes()).unwrap();
    assert_eq!(read.open(&words(WORDS)).unwrap().newest_share(), 1);
}

#[test]
fn nothing_secret_shows() {
    let (dealt, backup) = backup();
    let secrets = [
        Base64UrlUnpadded::encode_string(dealt.nodes[1].key().expose_seed().as_ref()),
        Base64UrlUnpadded::encode_string(&*dealt.nodes[1].share().expose_secret()),
        WORDS.to_owned(),
    ];
    let node = backup.open(&words(WORDS)).unwrap();
    let shown = [
        backup.to_json(),
        format!("{backup:?}"),
        format!("{node:?}"),
        format!("{:?}", words(WORDS)),
    ];
    for text in &shown {
        for secret in &secrets {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert_eq!(shown[3], "Passphrase(redacted)");
    // Two backups of one state have no key and no nonce in common.
    let mut other = ChaCha20Rng::seed_from_u64(2);
    let key = dealt.nodes[1].key();
    let stored = stored(&key, &state(&dealt));
    let again = Backup::seal(&key, Some(&stored), &words(WORDS), cheap(), 0, &mut other).unwrap();
    assert_ne!(
        (&again.kdf.salt, &again.sealed),
        (&backup.kdf.salt, &backup.sealed)
    );
}

#[test]
fn wrong_passphrases_are_told_from_damage() {
    let (_, backup) = backup();
    for wrong in [
        "correct horse batterz",
        "Correct horse battery",
        "correct horse battery ",
    ] {
        let opened = backup.open(&words(wrong));
        assert!(
            matches!(opened, Err(BackupError::WrongPassphrase)),
            "{wrong}"
        );
    }
    for weak in [
        "",
        "elevenchars",
        "elevenchars\n",
        "elevenchars\r\n",
        "äöüäöüäöüäö",
    ] {
        let error = Passphrase::new(weak).unwrap_err();
        assert!(matches!(error, BackupError::WeakPassphrase { least: 12 }));
    }
    words("äöüäöüäöüäöü");

    let json = backup.to_json();
    for cut in 0..json.len() {
        let read = Backup::from_json(&json.as_bytes()[..cut]);
        assert!(matches!(read, Err(BackupError::Damaged)), "{cut}");
    }
    for at in 0..json.len() {
        let mut bytes = json.clone().into_bytes();
        bytes[at] ^= 1;
        // Another text of the same content, or one that is told from a good one.
        let read = Backup::from_json(&bytes);
        assert!(
            read.is_err(),
            "{at}: {}",
            &json[at..json.len().min(at + 20)]
        );
    }
    let more = json.replacen('{', "{\"more\":1,", 1);
    assert!(matches!(
        Backup::from_json(more.as_bytes()),
        Err(BackupError::Damaged)
    ));
    let newer = json.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(
        Backup::from_json(newer.as_bytes()),
        Err(BackupError::UnknownVersion(2))
    ));
}

/// Somebody who can also compute a checksum.
#[test]
fn a_changed_header_does_not_open() {
    let (dealt, backup) = backup();
    let other = Base64UrlUnpadded::encode_string(dealt.nodes[0].key().identity_key().as_bytes());
    let changes: [(&str, Value); 7] = [
        ("/kdf/memory_kib", json!(65)),
        ("/kdf/passes", json!(2)),
        ("/kdf/lanes", json!(2)),
        ("/kdf/salt", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("/identity_key", json!(other)),
        ("/network", json!(other)),
        ("/epochs", json!([2])),
    ];
    for (field, value) in changes {
        let mut changed: Value = serde_json::from_str(&backup.to_json()).unwrap();
        *changed.pointer_mut(field).unwrap() = value;
        let read = Backup::from_json(changed.to_string().as_bytes());
        assert!(matches!(read, Err(BackupError::Damaged)), "{field}");

        let mut changed: Backup = serde_json::from_value(changed).unwrap();
        changed.checksum = Blob::new(changed.sum().to_vec());
        let read = Backup::from_json(changed.to_json().as_bytes()).unwrap();
        let opened = read.open(&words(WORDS));
        assert!(
            matches!(opened, Err(BackupError::WrongPassphrase)),
            "{field}"
        );
    }
}

/// A hostile file, checksum and all, is refused before anything is computed for it.
#[test]
fn a_file_cannot_ask_for_more_than_anybody_writes() {
    let (_, backup) = backup();
    let demands = [
        (u32::MAX, 3, 1),
        (1024 * 1024 + 1, 1, 1),
        (64, u32::MAX, 1),
        (64, 17, 1),
        (64, 1, u32::MAX),
        (u32::MAX, 1, 17),
        (0, 1, 1),
        (7, 1, 1),
        (15, 1, 2),
        (64, 0, 1),
        (64, 1, 0),
    ];
    for (memory_kib, passes, lanes) in demands {
        let mut hostile = backup.clone();
        (
            hostile.kdf.memory_kib,
            hostile.kdf.passes,
            hostile.kdf.lanes,
        ) = (memory_kib, passes, lanes);
        hostile.checksum = Blob::new(hostile.sum().to_vec());
        let refused = |error: BackupError| matches!(error, BackupError::Cost { .. });
        assert!(refused(
            Backup::from_json(hostile.to_json().as_bytes()).unwrap_err()
        ));
        assert!(refused(hostile.open(&words(WORDS)).unwrap_err()));
    }
    let mut short = backup;
    short.kdf.salt = Blob::new(vec![1; 4]);
    short.checksum = Blob::new(short.sum().to_vec());
    let read = Backup::from_json(short.to_json().as_bytes());
    assert!(matches!(read, Err(BackupError::Damaged)));
}

#[test]
fn only_a_node_with_a_share_is_backed_up() {
    let dealt = network();
    let key = dealt.nodes[1].key();
    let none = Backup::seal(&key, None, &words(WORDS), cheap(), 0, &mut rng());
    assert!(matches!(none, Err(BackupError::NoShare)));
    let mut left = state(&dealt);
    left.epochs.clear();
    for state in [NodeState::new(), left] {
        let none = backup_of(&key, &state, 0);
        assert!(matches!(none, Err(BackupError::NoShare)));
    }
    let foreign = stored(&dealt.nodes[0].key(), &state(&dealt));
    let wrong = Backup::seal(&key, Some(&foreign), &words(WORDS), cheap(), 0, &mut rng());
    assert!(matches!(
        wrong,
        Err(BackupError::State(StateError::WrongKey))
    ));
}

#[test]
fn shares_whose_time_is_over_are_not_backed_up() {
    let dealt = network();
    let key = dealt.nodes[1].key();
    let mut state = state(&dealt);
    let mut newer = state.epochs[0].clone();
    newer.epoch = 2;
    state.epochs.push(newer);
    state.erase = vec![Erase { at: 100, below: 2 }];
    assert_eq!(backup_of(&key, &state, 99).unwrap().epochs(), [1, 2]);
    assert_eq!(backup_of(&key, &state, 100).unwrap().epochs(), [2]);
}

/// The others sign once a node says that it holds its share: restored between the two it must still have it.
#[test]
fn what_is_held_for_the_epoch_to_come_is_backed_up() {
    let dealt = network();
    let key = dealt.nodes[1].key();
    let mut state = state(&dealt);
    let mut share = state.epochs[0].clone();
    share.epoch = 2;
    let manifest = dealt.manifest.hash();
    state.held.push(HeldShare { manifest, share });
    let backup = backup_of(&key, &state, 0).unwrap();
    assert_eq!(backup.epochs(), [1]);
    let node = backup.open(&words(WORDS)).unwrap();
    assert!(node.state.held_for(manifest).is_some());
}
