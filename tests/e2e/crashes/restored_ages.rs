//! A metadata server restored from records and nonces of different ages (protocol section 7): which accounts open, which
//! wait for their owner's device, and what the operator is told before anybody is served.

use std::path::{Path, PathBuf};

use trefoil::{
    EthereumAddress, LoginError, RecoveryPhrase, RestoreError, RollbackError, Tenant, open_kit,
};
use trefoil_metadata_server::upkeep::{self, AccountName, Restore, RestoreReport};
use trefoil_store::{AtRest, SqliteOptions, StoreError};
use trefoil_testkit::servers::World;

use crate::common::{
    Owner, Phone, create, log_in, needs_factors, open, ready, rolled_back, social_factor, upgrade,
};

const DAY: u64 = 24 * 3600;
/// The operator's clock at the loss, unix seconds.
const LOSS: u64 = 1_800_000_000;

/// A user with a phone.
struct User {
    name: &'static str,
    phone: Phone,
    address: EthereumAddress,
    account: AccountName,
}

impl User {
    /// A new one, one-click.
    async fn new(world: &World, name: &'static str) -> Self {
        let phone = Phone::new();
        let address = create(&phone.app(world), world, name)
            .await
            .ethereum_address();
        let locked = log_in(&phone.app(world), world, name).await.unwrap();
        Self {
            name,
            phone,
            address,
            account: AccountName {
                tenant: Tenant::new("acme").unwrap(),
                account_id: locked.account_id().unwrap(),
            },
        }
    }

    /// The login alone opens the wallet, on a phone that never saw it.
    async fn opens_in_one_click(&self, world: &World) {
        let opened = ready(open(&Phone::new().app(world), world, self.name).await);
        assert_eq!(opened.ethereum_address(), self.address, "{}", self.name);
    }

    /// The login alone does not open it, on a phone that never saw it.
    async fn waits(&self, world: &World) {
        let locked = log_in(&Phone::new().app(world), world, self.name).await;
        let opened = locked.unwrap().open().await;
        assert!(opened.is_err(), "{}: {opened:?}", self.name);
    }

    /// Nor does the own phone: the key is in no record that anybody still has all parts of.
    async fn waits_on_the_own_phone_too(&self, world: &World) {
        let old = rolled_back(open(&self.phone.app(world), world, self.name).await);
        let restored = old.restore_after_warning().await;
        assert!(
            matches!(restored, Err(RestoreError::Open(_))),
            "{restored:?}"
        );
    }

    /// The own phone knows better than the server, and puts back what it knows.
    async fn restores(&self, world: &World) {
        let old = rolled_back(open(&self.phone.app(world), world, self.name).await);
        assert!(matches!(
            old.reason(),
            Some(RollbackError::Older { served: 1, seen: 2 })
        ));
        let restored = ready(old.restore_after_warning().await.unwrap());
        assert!(restored.mfa_is_on());
        assert_eq!(restored.ethereum_address(), self.address);
    }
}

/// Stops the server for good, with these files left of it, and restores it. Asserts that it does not serve before the report
/// was accepted.
async fn restored(world: &mut World, plan: Restore) -> RestoreReport {
    let directory = world.metadata.directory().to_owned();
    let keys = AtRest::default();
    let first = {
        let store = SqliteOptions::new(&directory).open_to_restore().unwrap();
        upkeep::restore(&store, &keys, plan.clone(), LOSS)
            .await
            .unwrap()
    };
    if first.finished {
        assert!(first.without_nonce.is_empty());
        world.metadata.start_again().unwrap();
        return first;
    }
    assert!(matches!(
        SqliteOptions::new(&directory).open(),
        Err(StoreError::Restoring)
    ));
    {
        let store = SqliteOptions::new(&directory).open_to_restore().unwrap();
        let plan = plan.accept_missing_nonces(true);
        let second = upkeep::restore(&store, &keys, plan, LOSS).await.unwrap();
        assert!(second.finished);
        assert_eq!(second.without_nonce, first.without_nonce);
    }
    world.metadata.start_again().unwrap();
    first
}

fn remove(directory: &Path, starts: &[&str]) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if starts.iter().any(|start| name.starts_with(start)) {
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn sorted(users: &[&User]) -> Vec<AccountName> {
    let mut names: Vec<AccountName> = users.iter().map(|user| user.account.clone()).collect();
    names.sort();
    names
}

/// Adds another phrase and gives its words.
async fn second_phrase(owner: &Owner, world: &World) -> String {
    let mut account = owner.account(world).await;
    let mut draft = account.change();
    draft.recovery_phrase("second paper").unwrap();
    let words = draft.recovery_phrase_words().unwrap().to_string();
    draft.prove_recovery_phrase(&words).unwrap();
    draft.commit().await.unwrap();
    words
}

/// Whether login and these words open the account, on a phone that never saw it.
async fn opens_by(world: &World, owner: &Owner, words: &str) -> bool {
    let mut pending = needs_factors(open(&Phone::new().app(world), world, owner.name).await);
    let phrase = RecoveryPhrase::parse(words).unwrap();
    if pending.provide(phrase).await.is_err() {
        return false;
    }
    let account = ready(pending.open().await.unwrap());
    account.ethereum_address() == owner.address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_and_nonces_of_different_ages() {
    let mut world = World::start().await.unwrap();
    let backups = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { backups.path().join(name) };
    let back_up = async |world: &World, name: &str, at: u64| {
        let options = SqliteOptions::new(world.metadata.directory());
        let reader = options.open_reader().unwrap();
        let (records, nonces) = (
            file(&format!("{name}.records")),
            file(&format!("{name}.nonces")),
        );
        // Beside the running server.
        upkeep::back_up(&reader, Some(&records), Some(&nonces), at)
            .await
            .unwrap();
    };

    let steady = User::new(&world, "steady").await;
    let upgraded = User::new(&world, "upgraded").await;
    let deleted = User::new(&world, "deleted").await;
    let spread = Owner::new(&world, "spread").await;
    back_up(&world, "old", LOSS - 6 * DAY).await;
    let mut account = ready(open(&upgraded.phone.app(&world), &world, "upgraded").await);
    let words = upgrade(&mut account).await;
    let kit = account.recovery_kit().await.unwrap();
    drop(account);
    let new_words = second_phrase(&spread, &world).await;
    ready(open(&deleted.phone.app(&world), &world, "deleted").await)
        .delete()
        .await
        .unwrap();
    let late = User::new(&world, "late").await;
    back_up(&world, "new", LOSS).await;
    world.metadata.kill().await;
    let directory = world.metadata.directory().to_owned();

    // 1. Records of then, nonces as they live: whoever ended a nonce since is listed and waits, nobody else.
    remove(&directory, &["records.db"]);
    // A server does not start on what is left.
    assert!(matches!(
        SqliteOptions::new(&directory).open(),
        Err(StoreError::RecordsMissing)
    ));
    let report = restored(&mut world, Restore::new(file("old.records"))).await;
    assert_eq!((report.accounts, report.nonces_named), (4, 3));
    assert_eq!(report.without_nonce, sorted(&[&upgraded, &deleted]));
    steady.opens_in_one_click(&world).await;
    upgraded.waits(&world).await;
    deleted.waits(&world).await;
    let gone = log_in(&late.phone.app(&world), &world, "late").await;
    assert!(matches!(
        gone.unwrap_err(),
        LoginError::Rollback(RollbackError::Gone { seen: 1 })
    ));
    upgraded.waits_on_the_own_phone_too(&world).await;
    // The kit from after the upgrade is another matter: with two factors it needs no server.
    let social = social_factor(&Phone::new().app(&world), &world, "upgraded").await;
    let phrase = RecoveryPhrase::parse(&words).unwrap();
    let offline = open_kit(&kit, [social.into(), phrase.into()]).unwrap();
    assert_eq!(offline.ethereum_address(), upgraded.address);
    // An account that needs no nonce opens with the factors of then; the one that came since waits for the owner's phone.
    let elsewhere = spread.account_elsewhere(&world).await;
    assert_eq!(elsewhere.ethereum_address(), spread.address);
    drop(elsewhere);
    assert!(!opens_by(&world, &spread, &new_words).await);
    let old = rolled_back(open(&spread.phone.app(&world), &world, "spread").await);
    ready(old.restore_after_warning().await.unwrap());
    assert!(opens_by(&world, &spread, &new_words).await);

    // 2. Records of then with the nonces of then: everything is as it was then, until the owner's phone knows better.
    world.metadata.kill().await;
    remove(&directory, &[""]);
    let plan = Restore::new(file("old.records")).nonces(file("old.nonces"));
    let report = restored(&mut world, plan).await;
    assert_eq!((report.nonces_loaded, report.without_nonce.len()), (3, 0));
    for user in [&steady, &upgraded, &deleted] {
        user.opens_in_one_click(&world).await;
    }
    upgraded.restores(&world).await;
    let pending = needs_factors(open(&Phone::new().app(&world), &world, "upgraded").await);
    assert_eq!(pending.missing(), 1, "one-click no more");

    // 3. Records of now with the nonces of then: whoever came since lacks a nonce; what was ended does not come back.
    world.metadata.kill().await;
    remove(&directory, &[""]);
    let plan = Restore::new(file("new.records")).nonces(file("old.nonces"));
    let report = restored(&mut world, plan).await;
    assert_eq!((report.accounts, report.tombstones), (4, 1));
    assert_eq!(report.without_nonce, sorted(&[&late]));
    assert_eq!(report.nonces_loaded, 1);
    steady.opens_in_one_click(&world).await;
    late.waits(&world).await;
    let pending = needs_factors(open(&Phone::new().app(&world), &world, "upgraded").await);
    assert_eq!(pending.missing(), 1);
    // Its phone has seen its own restore meanwhile, and repeats it.
    let old = rolled_back(open(&upgraded.phone.app(&world), &world, "upgraded").await);
    let own = ready(old.restore_after_warning().await.unwrap());
    assert_eq!(own.ethereum_address(), upgraded.address);
    drop(own);

    // 4. Records of now with nonces of both ages: as if nothing had been lost.
    world.metadata.kill().await;
    remove(&directory, &[""]);
    let plan = Restore::new(file("new.records"))
        .nonces(file("old.nonces"))
        .nonces(file("new.nonces"));
    let report = restored(&mut world, plan).await;
    assert!(report.without_nonce.is_empty());
    steady.opens_in_one_click(&world).await;
    late.opens_in_one_click(&world).await;
}
