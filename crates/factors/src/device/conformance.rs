//! What every device store must do. A store written elsewhere passes [`run`] with the feature `conformance`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test suite: it fails by panicking"
)]

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use trefoil_protocol::bytes::{AccountId, Blob, Envelope, Locator, PayloadHash, Signature};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::record::SignedPayload;
use trefoil_protocol::tenant::Tenant;

pub use super::state_file::Step;
use super::{
    DeviceSecret, DeviceState, DeviceStore, DeviceStoreError, DeviceStoreExt as _, FormatError,
    MAX_FILE, PinConflict, PreviousCopy, Remembered, Settled, UpdateError,
};

/// One place where a store keeps its state, opened as often as the suite wants.
pub trait Harness: Sync {
    /// A handle on the state, as another process would open it.
    fn open(&self) -> Box<dyn DeviceStore>;

    /// A handle whose every change dies after `step`. `None` for a store in which nothing outlives the process.
    fn open_crashing(&self, step: Step) -> Option<Box<dyn DeviceStore>>;

    /// Where the current generation lies, for the suite to damage it. `None` where there is no file.
    fn file(&self) -> Option<PathBuf>;
}

/// Runs the whole suite; `fresh` makes a place where nothing is stored yet.
///
/// # Panics
/// When the store breaks a rule; the message says which.
pub fn run<H: Harness>(fresh: impl Fn() -> H) {
    empty_at_first(&fresh());
    everything_comes_back(&fresh());
    what_a_contact_keeps_is_told_apart(&fresh());
    a_refused_change_writes_nothing(&fresh());
    pending_secrets_are_settled_by_newer_records_only(&fresh());
    newer_records_stay(&fresh());
    pins_do_not_move(&fresh());
    a_forgotten_account_leaves_nothing(&fresh());
    threads_lose_nothing(&fresh());
    an_outgrown_state_is_refused(&fresh());
    for step in Step::ALL {
        a_crash_leaves_the_old_or_the_new(&fresh(), step);
    }
    torn_files_are_told_and_restored(&fresh());
    no_changed_byte_goes_unnoticed(&fresh());
    a_missing_or_doubly_damaged_file_is_told(&fresh());
    unknown_versions_and_fields_are_refused(&fresh());
    #[cfg(unix)]
    others_may_not_read(&fresh());
}

fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

fn account(n: u8) -> AccountId {
    AccountId::from_bytes([n; 16])
}

fn secret(n: u8, base: u64) -> DeviceSecret {
    DeviceSecret::pending(
        tenant(),
        account(n),
        FactorSecret::from_bytes([n; 32]),
        1_700_000_000 + u64::from(n),
        base,
    )
}

fn signed(text: &str) -> SignedPayload {
    SignedPayload {
        payload: Blob::new(text.as_bytes().to_vec()),
        signature: Signature::from_bytes([9; 64]),
    }
}

fn remember(state: &mut DeviceState, n: u8, revision: u64, text: &str) -> Remembered {
    state.remember_parts(&tenant(), account(n), revision, &signed(text), None)
}

/// A state with something in every field.
fn fill(state: &mut DeviceState, n: u8) {
    let secret = secret(n, 4);
    state.pin(&tenant(), secret.locator(), account(n)).unwrap();
    state.insert_secret(secret);
    let envelope = Envelope::new(vec![n; 40]);
    let kept = state.remember_parts(&tenant(), account(n), 4, &signed("four"), Some(&envelope));
    assert_eq!(kept, Remembered::Kept);
    state.set_events_head(&account(n), PayloadHash::from_bytes([n; 32]));
    state.set_dont_ask_mfa(&account(n), true);
}

fn empty_at_first(place: &impl Harness) {
    let store = place.open();
    assert_eq!(store.read().unwrap(), DeviceState::default());
    assert!(
        place.file().is_none_or(|file| !file.exists()),
        "reading writes nothing"
    );
    let error = store.restore_previous().unwrap_err();
    assert!(
        matches!(
            error,
            DeviceStoreError::NotDamaged { .. } | DeviceStoreError::NoPrevious
        ),
        "{error}"
    );
}

fn everything_comes_back(place: &impl Harness) {
    let mut expected = DeviceState::default();
    fill(&mut expected, 1);
    fill(&mut expected, 2);
    place
        .open()
        .update(|state| *state = expected.clone())
        .unwrap();
    let found = place.open().read().unwrap();
    assert_eq!(found, expected);
    let secrets: Vec<_> = found
        .secrets(&tenant())
        .map(DeviceSecret::factor_secret)
        .collect();
    assert_eq!(
        secrets,
        [
            &FactorSecret::from_bytes([1; 32]),
            &FactorSecret::from_bytes([2; 32])
        ]
    );
    assert_eq!(found.secrets(&Tenant::new("other").unwrap()).count(), 0);
    let known = found.account(&account(2)).unwrap();
    assert_eq!(
        (known.revision(), known.record(), known.dont_ask_mfa()),
        (4, &signed("four"), true)
    );
    assert_eq!(known.own_envelope(), Some(&Envelope::new(vec![2; 40])));
    assert_eq!(known.events_head(), Some(PayloadHash::from_bytes([2; 32])));
}

fn what_a_contact_keeps_is_told_apart(place: &impl Harness) {
    let store = place.open();
    let pin = |state: &mut DeviceState, number: u8| {
        let locator = secret(number, 4).locator();
        state.pin(&tenant(), locator, account(number)).unwrap();
    };
    store
        .update(|state| {
            state.insert_secret(secret(1, 4).as_contact("Alice"));
            state.insert_secret(secret(2, 4));
            pin(state, 1);
            pin(state, 2);
        })
        .unwrap();
    let state = place.open().read().unwrap();
    let whose: Vec<_> = state
        .secrets(&tenant())
        .map(DeviceSecret::contact_of)
        .collect();
    assert_eq!(whose, [Some("Alice"), None]);
    let only = [1, 2, 3].map(|number| state.is_contact_only(&account(number)));
    assert_eq!(only, [true, false, false]);
    // Whose device it also is: a factor of their own leads to the account.
    store
        .update(|state| {
            let own = Locator::from_bytes([9; 32]);
            state.pin(&tenant(), own, account(1)).unwrap();
        })
        .unwrap();
    assert!(!store.read().unwrap().is_contact_only(&account(1)));
}

fn a_refused_change_writes_nothing(place: &impl Harness) {
    let store = place.open();
    store.update(|state| fill(state, 1)).unwrap();
    let before = (
        store.read().unwrap(),
        place.file().map(|file| fs::read(file).unwrap()),
    );
    let refused = store.try_update(|state| {
        fill(state, 2);
        state.remove_secret(&secret(1, 4).locator());
        Err::<(), _>(PinConflict {
            pinned: account(1),
            found: account(2),
        })
    });
    assert!(matches!(
        refused,
        Err(UpdateError::Refused(PinConflict { .. }))
    ));
    assert_eq!(
        (
            store.read().unwrap(),
            place.file().map(|file| fs::read(file).unwrap())
        ),
        before
    );
    let kept = store.try_update(|state| Ok::<_, Infallible>(state.accounts().count()));
    assert!(matches!(kept, Ok(1)));
}

fn pending_secrets_are_settled_by_newer_records_only(place: &impl Harness) {
    let store = place.open();
    store
        .update(|state| state.insert_secret(secret(1, 4)))
        .unwrap();
    let locator = secret(1, 4).locator();
    let settle = |revision, listed: &[Locator]| {
        place
            .open()
            .update(|state| state.settle_parts(&account(1), revision, listed))
            .unwrap()
    };
    // The commit may still land: an equal or older record, or another account's, decides nothing.
    assert_eq!(settle(3, &[]), Settled::default());
    assert_eq!(settle(4, &[]), Settled::default());
    store
        .update(|state| state.settle_parts(&account(2), 9, &[]))
        .unwrap();
    assert_eq!(
        place
            .open()
            .read()
            .unwrap()
            .secret(&locator)
            .unwrap()
            .pending_since(),
        Some(4)
    );
    // It landed.
    assert_eq!(settle(5, &[locator]).enrolled, [locator]);
    assert_eq!(
        place
            .open()
            .read()
            .unwrap()
            .secret(&locator)
            .unwrap()
            .pending_since(),
        None
    );
    // Once enrolled it is not erased by a record that lacks it: only its owner's removal does that.
    assert_eq!(settle(6, &[]), Settled::default());
    // Another one never landed.
    store
        .update(|state| {
            state.insert_secret(DeviceSecret {
                account_id: account(1),
                ..secret(2, 6)
            })
        })
        .unwrap();
    assert_eq!(settle(7, &[locator]).erased, [secret(2, 6).locator()]);
    let state = place.open().read().unwrap();
    assert_eq!(state.secrets(&tenant()).count(), 1);
    assert_eq!(state.lost_secrets().count(), 0);
}

fn newer_records_stay(place: &impl Harness) {
    let store = place.open();
    let put = |revision, text: &str| {
        store
            .update(|state| remember(state, 1, revision, text))
            .unwrap()
    };
    assert_eq!(put(5, "five"), Remembered::Kept);
    assert_eq!(put(4, "four"), Remembered::Older);
    assert_eq!(put(5, "another five"), Remembered::Fork);
    assert_eq!(put(5, "five"), Remembered::Kept);
    assert_eq!(put(7, "seven"), Remembered::Kept);
    let state = place.open().read().unwrap();
    let known = state.account(&account(1)).unwrap();
    assert_eq!((known.revision(), known.record()), (7, &signed("seven")));
}

fn pins_do_not_move(place: &impl Harness) {
    let locator = secret(1, 0).locator();
    let pin = |n| {
        place
            .open()
            .try_update(|state| state.pin(&tenant(), locator, account(n)))
    };
    pin(1).unwrap();
    pin(1).unwrap();
    let Err(UpdateError::Refused(conflict)) = pin(2) else {
        panic!("a pin moved")
    };
    assert_eq!(
        conflict,
        PinConflict {
            pinned: account(1),
            found: account(2)
        }
    );
    let state = place.open().read().unwrap();
    assert_eq!(state.pinned(&tenant(), &locator), Some(account(1)));
    assert_eq!(state.pinned(&Tenant::new("other").unwrap(), &locator), None);
}

fn a_forgotten_account_leaves_nothing(place: &impl Harness) {
    let store = place.open();
    store
        .update(|state| (fill(state, 1), fill(state, 2)))
        .unwrap();
    store.update(|state| state.forget(&account(1))).unwrap();
    let mut expected = DeviceState::default();
    fill(&mut expected, 2);
    let mut left = place.open().read().unwrap();
    left.erase.clear();
    assert_eq!(left, expected);
}

fn threads_lose_nothing(place: &impl Harness) {
    const THREADS: u8 = 8;
    const CHANGES: u8 = 6;
    let start = Barrier::new(usize::from(THREADS));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let start = &start;
            scope.spawn(move || {
                let store = place.open();
                start.wait();
                for change in 0..CHANGES {
                    let n = 1 + thread * CHANGES + change;
                    store
                        .update(|state| state.insert_secret(secret(n, 0)))
                        .unwrap();
                    assert!(
                        store
                            .read()
                            .unwrap()
                            .secret(&secret(n, 0).locator())
                            .is_some(),
                        "one's own change is seen"
                    );
                }
            });
        }
    });
    assert_eq!(
        place.open().read().unwrap().secrets(&tenant()).count(),
        usize::from(THREADS * CHANGES)
    );
}

fn an_outgrown_state_is_refused(place: &impl Harness) {
    let Some(file) = place.file() else { return };
    let store = place.open();
    store.update(|state| fill(state, 1)).unwrap();
    let before = fs::read(&file).unwrap();
    let big = "x".repeat(MAX_FILE);
    let error = store
        .update(|state| assert_eq!(remember(state, 2, 1, &big), Remembered::Kept))
        .unwrap_err();
    assert!(
        matches!(error, DeviceStoreError::TooLarge { size } if size > MAX_FILE),
        "{error}"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
    // Nor is a file read that no store would have written.
    fs::write(&file, "x".repeat(MAX_FILE + 1)).unwrap();
    let error = store.read().unwrap_err();
    assert!(
        matches!(
            error,
            DeviceStoreError::Damaged {
                reason: FormatError::TooLarge,
                ..
            }
        ),
        "{error}"
    );
}

fn a_crash_leaves_the_old_or_the_new(place: &impl Harness, step: Step) {
    let Some(crashing) = place.open_crashing(step) else {
        return;
    };
    let store = place.open();
    store.update(|state| fill(state, 1)).unwrap();
    store.update(|state| fill(state, 2)).unwrap();
    let old = store.read().unwrap();
    let change = |state: &mut DeviceState| {
        state.remove_secret(&secret(2, 4).locator());
        state.insert_secret(secret(3, 9));
    };
    // A store that lacks the step finishes the change.
    let crashed = crashing.update(change).is_err();
    let found = place.open().read().unwrap();
    let has = |n| found.secret(&secret(n, 4).locator()).is_some();
    assert_eq!(found.lost_secrets().count(), 0, "crash after {step:?}");
    assert!(has(1), "crash after {step:?}");
    assert_ne!(has(2), has(3), "crash after {step:?}: half a change");
    if crashed
        && matches!(
            step,
            Step::SecretsStored | Step::Written | Step::PreviousKept
        )
    {
        assert_eq!(found, old, "crash after {step:?}");
    }
    // Whatever was left behind, the next change works, and everything pending is still there.
    place.open().update(change).unwrap();
    let state = place.open().read().unwrap();
    let names: Vec<_> = state
        .secrets(&tenant())
        .map(|secret| (secret.account_id(), secret.pending_since()))
        .collect();
    assert_eq!(
        names,
        [(account(1), Some(4)), (account(3), Some(9))],
        "crash after {step:?}"
    );
    place.open().restore_previous().unwrap_err();
}

/// Two generations: the previous one has account 1, the current one also account 2.
fn two_generations(place: &impl Harness) -> Option<(PathBuf, DeviceState, Vec<u8>)> {
    let file = place.file()?;
    let store = place.open();
    store.update(|state| fill(state, 1)).unwrap();
    let previous = store.read().unwrap();
    store
        .update(|state| assert_eq!(remember(state, 2, 1, "one"), Remembered::Kept))
        .unwrap();
    let bytes = fs::read(&file).unwrap();
    Some((file, previous, bytes))
}

fn torn_files_are_told_and_restored(place: &impl Harness) {
    let Some((file, previous, whole)) = two_generations(place) else {
        return;
    };
    for length in 0..whole.len() {
        let torn = whole.split_at(length).0;
        fs::write(&file, torn).unwrap();
        let store = place.open();
        let error = store.read().unwrap_err();
        assert!(
            matches!(
                error,
                DeviceStoreError::Damaged {
                    previous: PreviousCopy::Whole,
                    ..
                }
            ),
            "{length}: {error}"
        );
        assert!(error.to_string().contains("restore it"), "{error}");
        if length % 50 > 0 {
            continue;
        }
        store.update(|state| fill(state, 3)).unwrap_err();
        assert_eq!(
            fs::read(&file).unwrap(),
            torn,
            "a damaged file is not overwritten"
        );
    }
    let torn = fs::read(&file).unwrap();
    place.open().restore_previous().unwrap();
    assert_eq!(place.open().read().unwrap(), previous);
    assert_eq!(
        fs::read(beside(&file, ".damaged")).unwrap(),
        torn,
        "the damaged file is kept"
    );
    let error = place.open().restore_previous().unwrap_err();
    assert!(
        matches!(error, DeviceStoreError::NotDamaged { .. }),
        "{error}"
    );
    // A second accident does not overwrite what the first one left.
    fs::write(&file, "{").unwrap();
    place.open().restore_previous().unwrap();
    assert_eq!(fs::read(beside(&file, ".damaged-2")).unwrap(), b"{");
    assert_eq!(fs::read(beside(&file, ".damaged")).unwrap(), torn);
    place.open().update(|state| fill(state, 3)).unwrap();
}

fn no_changed_byte_goes_unnoticed(place: &impl Harness) {
    let Some((file, _, whole)) = two_generations(place) else {
        return;
    };
    let store = place.open();
    for index in 0..whole.len() {
        // One bit, each in turn, and all of them.
        for mask in [1 << (index % 8), 0xFF] {
            let mut altered = whole.clone();
            *altered.get_mut(index).unwrap() ^= mask;
            fs::write(&file, &altered).unwrap();
            let error = store.read().unwrap_err();
            let told = matches!(
                error,
                DeviceStoreError::Damaged {
                    previous: PreviousCopy::Whole,
                    ..
                } | DeviceStoreError::UnknownVersion {
                    previous: PreviousCopy::Whole,
                    ..
                }
            );
            assert!(told, "byte {index} mask {mask}: {error}");
        }
    }
    fs::write(&file, [whole.as_slice(), b"\n"].concat()).unwrap();
    store.read().unwrap_err();
    fs::write(&file, &whole).unwrap();
    store.read().unwrap();
}

fn a_missing_or_doubly_damaged_file_is_told(place: &impl Harness) {
    let Some((file, previous, _)) = two_generations(place) else {
        return;
    };
    fs::remove_file(&file).unwrap();
    let error = place.open().update(|state| fill(state, 3)).unwrap_err();
    assert!(
        matches!(
            error,
            DeviceStoreError::Damaged {
                reason: FormatError::Missing,
                ..
            }
        ),
        "{error}"
    );
    place.open().restore_previous().unwrap();
    assert_eq!(place.open().read().unwrap(), previous);

    fs::write(&file, "torn").unwrap();
    fs::write(beside(&file, ".previous"), "torn too").unwrap();
    let error = place.open().restore_previous().unwrap_err();
    assert!(
        matches!(
            error,
            DeviceStoreError::Damaged {
                previous: PreviousCopy::Damaged,
                ..
            }
        ),
        "{error}"
    );
    fs::remove_file(beside(&file, ".previous")).unwrap();
    let error = place.open().restore_previous().unwrap_err();
    assert!(
        matches!(
            error,
            DeviceStoreError::Damaged {
                previous: PreviousCopy::Missing,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"torn");
}

fn unknown_versions_and_fields_are_refused(place: &impl Harness) {
    let Some((file, _, whole)) = two_generations(place) else {
        return;
    };
    let text = String::from_utf8(whole).unwrap();
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert_ne!(newer, text);
    fs::write(&file, newer).unwrap();
    let error = place.open().read().unwrap_err();
    assert!(
        matches!(error, DeviceStoreError::UnknownVersion { version: 2, .. }),
        "{error}"
    );
    for (known, unknown) in [
        ("{\"version\"", "{\"extra\":0,\"version\""),
        ("{\"secrets\"", "{\"extra\":0,\"secrets\""),
    ] {
        let extended = text.replacen(known, unknown, 1);
        assert_ne!(extended, text);
        fs::write(&file, extended).unwrap();
        let error = place.open().read().unwrap_err();
        assert!(
            matches!(
                error,
                DeviceStoreError::Damaged {
                    reason: FormatError::Malformed,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[cfg(unix)]
fn others_may_not_read(place: &impl Harness) {
    use std::os::unix::fs::PermissionsExt as _;
    let Some((file, _, _)) = two_generations(place) else {
        return;
    };
    let directory = file.parent().unwrap().to_owned();
    for companion in ["", ".previous", ".lock"] {
        let mode = fs::metadata(beside(&file, companion))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{companion}");
    }
    for mode in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let error = place.open().read().unwrap_err();
        assert!(
            matches!(error, DeviceStoreError::OpenToOthers { mode: found, .. } if found == mode),
            "{error}"
        );
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    place.open().read().unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o770)).unwrap();
    let error = place.open().update(|state| fill(state, 3)).unwrap_err();
    assert!(
        matches!(error, DeviceStoreError::OpenToOthers { .. }),
        "{error}"
    );
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    // A link instead of the file: replacing it would leave the target as it was.
    let elsewhere = beside(&file, ".elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let error = place.open().read().unwrap_err();
    assert!(
        matches!(error, DeviceStoreError::NotAFile { .. }),
        "{error}"
    );
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
