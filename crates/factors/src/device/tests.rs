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

/// Against a real Secret Service, which `cargo xtask test` starts for this. By hand:
/// `dbus-run-session -- sh -c 'printf x | gnome-keyring-daemon --unlock --components=secrets && cargo test …'`.
#[cfg(feature = "keychain")]
mod keychain {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use keyring_core::CredentialStore;

    use super::*;

    fn secret_service() -> Arc<CredentialStore> {
        match zbus_secret_service_keyring_store::Store::new() {
            Ok(store) => store,
            Err(error) => panic!(
                "this test needs a Secret Service on the session bus: run `cargo xtask test`, or see the comment \
                 above this test for how to start one ({error})"
            ),
        }
    }

    struct Keychain {
        directory: tempfile::TempDir,
        keychain: Arc<CredentialStore>,
        service: String,
    }

    impl Keychain {
        fn new(keychain: &Arc<CredentialStore>) -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            Self {
                directory: tempfile::tempdir().unwrap(),
                keychain: Arc::clone(keychain),
                service: format!("trefoil-test-{}-{number}", std::process::id()),
            }
        }

        fn store(&self) -> KeychainDeviceStore {
            let index = self.file().unwrap();
            KeychainDeviceStore::new(Arc::clone(&self.keychain), &self.service, index).unwrap()
        }

        fn entry(&self, secret: &DeviceSecret) -> keyring_core::Entry {
            let user = format!("{}/{}", secret.tenant(), secret.locator());
            self.keychain.build(&self.service, &user, None).unwrap()
        }
    }

    impl Harness for Keychain {
        fn open(&self) -> Box<dyn DeviceStore> {
            Box::new(self.store())
        }

        fn open_crashing(&self, step: Step) -> Option<Box<dyn DeviceStore>> {
            Some(Box::new(self.store().crash_after(step)))
        }

        fn file(&self) -> Option<PathBuf> {
            Some(self.directory.path().join("wallet/index.json"))
        }
    }

    #[test]
    fn the_keychain_store_conforms() {
        let keychain = secret_service();
        conformance::run(|| Keychain::new(&keychain));
    }

    #[test]
    fn the_index_holds_no_secret() {
        let place = Keychain::new(&secret_service());
        place
            .store()
            .update(|state| state.insert_secret(a_secret()))
            .unwrap();
        let text = super::super::codec::secret_text(a_secret().factor_secret());
        let index = std::fs::read_to_string(place.file().unwrap()).unwrap();
        assert!(!index.contains(text.as_str()));
        assert_eq!(place.entry(&a_secret()).get_password().unwrap(), *text);
        let error = FileDeviceStore::at(place.file().unwrap())
            .read()
            .unwrap_err();
        assert!(
            matches!(
                error,
                DeviceStoreError::WrongKind {
                    found: "keychain",
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn what_counts_is_the_secret_not_the_index() {
        let place = Keychain::new(&secret_service());
        let (store, secret) = (place.store(), a_secret());
        store
            .update(|state| state.insert_secret(secret.clone()))
            .unwrap();
        for replaced in [
            None,
            Some("something else"),
            Some("AAAA"),
            Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ] {
            match replaced {
                None => place.entry(&secret).delete_credential().unwrap(),
                Some(text) => place.entry(&secret).set_password(text).unwrap(),
            }
            let state = store.read().unwrap();
            assert_eq!(state.secret(&secret.locator()), None, "{replaced:?}");
            let lost: Vec<_> = state
                .lost_secrets()
                .map(|(locator, lost)| (*locator, lost.account_id()))
                .collect();
            assert_eq!(
                lost,
                [(secret.locator(), secret.account_id())],
                "{replaced:?}"
            );
        }
        // A change in between does not drop the index entry: the keychain may come back from a backup.
        store
            .update(|state| {
                state
                    .pin(secret.tenant(), secret.locator(), secret.account_id())
                    .unwrap()
            })
            .unwrap();
        let text = super::super::codec::secret_text(secret.factor_secret());
        place.entry(&secret).set_password(&text).unwrap();
        assert_eq!(
            store.read().unwrap().secret(&secret.locator()),
            Some(&secret)
        );
        // Until it is given up.
        place.entry(&secret).delete_credential().unwrap();
        store
            .update(|state| assert!(state.remove_secret(&secret.locator())))
            .unwrap();
        assert_eq!(store.read().unwrap().lost_secrets().count(), 0);
    }

    #[test]
    fn a_removed_secret_leaves_the_keychain_even_after_a_crash() {
        let place = Keychain::new(&secret_service());
        let (store, secret) = (place.store(), a_secret());
        store
            .update(|state| state.insert_secret(secret.clone()))
            .unwrap();
        let removed = place
            .store()
            .crash_after(Step::Renamed)
            .update(|state| state.remove_secret(&secret.locator()));
        removed.unwrap_err();
        assert_eq!(store.read().unwrap().secrets(secret.tenant()).count(), 0);
        place.entry(&secret).get_secret().unwrap();
        store.update(|_| ()).unwrap();
        assert!(matches!(
            place.entry(&secret).get_secret(),
            Err(keyring_core::Error::NoEntry)
        ));
    }

    #[test]
    fn a_keychain_that_forgets_is_refused() {
        // The in-memory store of keyring-core stands for any that says it forgets, as kernel keyutils does.
        let forgetful: Arc<CredentialStore> = keyring_core::mock::Store::new().unwrap();
        let error =
            KeychainDeviceStore::new(forgetful, "app", PathBuf::from("index.json")).unwrap_err();
        assert!(
            matches!(error, DeviceStoreError::KeychainNotDurable { .. }),
            "{error}"
        );
    }
}
