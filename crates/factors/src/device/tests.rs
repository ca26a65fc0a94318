//! The stores of this crate against the suite, and what only one of them promises.

use std::path::PathBuf;

use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::tenant::Tenant;

use super::conformance::{self, Harness, Step};
use super::*;

struct Files(tempfile::TempDir);

impl Harness for Files {
    fn open(&self) -> Box<dyn DeviceStore> {
        Box::new(FileDeviceStore::in_directory(
            &self.0.path().join("deep/wallet"),
        ))
    }

    fn open_crashing(&self, step: Step) -> Option<Box<dyn DeviceStore>> {
        Some(Box::new(
            FileDeviceStore::in_directory(&self.0.path().join("deep/wallet")).crash_after(step),
        ))
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.path().join("deep/wallet/device.json"))
    }
}

struct Memory(MemoryDeviceStore);

impl Harness for Memory {
    fn open(&self) -> Box<dyn DeviceStore> {
        Box::new(self.0.clone())
    }

    fn open_crashing(&self, _: Step) -> Option<Box<dyn DeviceStore>> {
        None
    }

    fn file(&self) -> Option<PathBuf> {
        None
    }
}

fn a_secret() -> DeviceSecret {
    let tenant = Tenant::new("acme").unwrap();
    DeviceSecret::pending(
        tenant,
        AccountId::from_bytes([1; 16]),
        FactorSecret::from_bytes([0xAB; 32]),
        7,
        3,
    )
}

#[test]
fn the_file_store_conforms() {
    conformance::run(|| Files(tempfile::tempdir().unwrap()));
}

#[test]
fn the_memory_store_conforms() {
    conformance::run(|| Memory(MemoryDeviceStore::new()));
}

#[test]
fn debug_shows_no_secret() {
    let store = MemoryDeviceStore::new();
    store
        .update(|state| state.insert_secret(a_secret()))
        .unwrap();
    let shown = format!("{:?} {store:?} {:#?}", a_secret(), store.read().unwrap());
    assert!(shown.contains("redacted"));
    // 0xAB bytes as hex, decimal and base64url.
    for spelling in ["abab", "ABAB", "171, 171", "q6ur"] {
        assert!(!shown.contains(spelling), "{shown}");
    }
}

#[test]
fn a_panic_in_a_change_leaves_the_state_whole() {
    let files = Files(tempfile::tempdir().unwrap());
    for store in [files.open(), Memory(MemoryDeviceStore::new()).open()] {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.update(|state| {
                state.insert_secret(a_secret());
                panic!("half way");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(store.read().unwrap(), DeviceState::default());
        store
            .update(|state| state.insert_secret(a_secret()))
            .unwrap();
    }
}

#[test]
fn no_copy_of_an_erased_secret_outlives_the_next_change() {
    let files = Files(tempfile::tempdir().unwrap());
    let store = files.open();
    let account = a_secret();
    store
        .update(|state| state.insert_secret(a_secret()))
        .unwrap();
    store
        .update(|state| assert!(state.remove_secret(&account.locator())))
        .unwrap();
    store
        .update(|state| {
            state
                .pin(account.tenant(), account.locator(), account.account_id())
                .unwrap()
        })
        .unwrap();
    let text = super::codec::secret_text(account.factor_secret());
    for entry in std::fs::read_dir(files.file().unwrap().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes()),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_busy_lock_is_waited_for() {
    let files = Files(tempfile::tempdir().unwrap());
    files
        .open()
        .update(|state| state.insert_secret(a_secret()))
        .unwrap();
    let lock = std::fs::File::open(files.file().unwrap().with_extension("json.lock")).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let change = scope.spawn(|| {
            files
                .open()
                .update(|state| state.remove_secret(&a_secret().locator()))
        });
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!change.is_finished());
        lock.unlock().unwrap();
        assert!(change.join().unwrap().unwrap());
    });
}

/// The bytes of the file, pinned: a change here breaks every device out there.
#[test]
fn the_file_has_these_bytes() {
    let files = Files(tempfile::tempdir().unwrap());
    files
        .open()
        .update(|state| {
            let secret = a_secret();
            state
                .pin(secret.tenant(), secret.locator(), secret.account_id())
                .unwrap();
            state.insert_secret(secret);
        })
        .unwrap();
    let text = std::fs::read_to_string(files.file().unwrap()).unwrap();
    assert_eq!(
        text,
        include_str!("../../tests/snapshots/device.json").trim_end()
    );
}
