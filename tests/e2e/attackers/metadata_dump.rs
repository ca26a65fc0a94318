//! A thief of all files of the metadata server: nothing, in any custody.

use std::collections::BTreeSet;

use trefoil::device::{DeviceStore, FileDeviceStore};
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::opening::OpeningError;
use trefoil_testkit::servers::World;

use super::toolkit::{Loot, Secrets, acme, social_keys, social_secret};
use crate::common::{Owner, Phone, create};

#[tokio::test]
async fn no_secret_of_a_user_lies_in_the_files() {
    let mut world = World::start().await.unwrap();
    let one_click = create(&Phone::new().app(&world), &world, "one-click-user").await;
    let owner = Owner::new(&world, "upgraded-user").await;
    let account = owner.account(&world).await;

    let mut secrets = Secrets::default();
    let key = account.wallet_key().to_bytes();
    secrets.bytes("wallet key", &key);
    secrets.bytes("one-click wallet key", &one_click.wallet_key().to_bytes());
    secrets.bytes("public key", &account.public_key().to_bytes()[1..]);
    secrets.bytes(
        "one-click public key",
        &one_click.public_key().to_bytes()[1..],
    );
    for account in [&account, &one_click] {
        let address = account.ethereum_address().to_string();
        secrets.text("address", &address);
        secrets.bytes(
            "address",
            &hex::decode(address.trim_start_matches("0x")).unwrap(),
        );
        secrets.bytes("ed25519 seed", &*account.ed25519_seed());
    }
    for user in ["one-click-user", "upgraded-user"] {
        secrets.text("user name", user);
        secrets.bytes(
            "social factor",
            social_secret(&world, "acme", "google", user)
                .await
                .expose_secret(),
        );
    }
    secrets.text("phrase", &owner.words);
    // Two neighbours at a time: single words such as "account" stand in the tables' own names.
    let words: Vec<&str> = owner.words.split(' ').collect();
    for pair in words.windows(2) {
        secrets.text("words of the phrase", &pair.join(" "));
    }
    let phrase = trefoil::RecoveryPhrase::parse(&owner.words).unwrap();
    secrets.bytes("phrase factor", phrase.factor_secret().expose_secret());
    let store = FileDeviceStore::in_directory(owner.phone.directory())
        .read()
        .unwrap();
    for secret in store.secrets(&acme()) {
        secrets.bytes("device factor", secret.factor_secret().expose_secret());
    }
    assert!(secrets.found_in(&key), "the search must find what is there");

    let backup = world.backup().await.unwrap();
    secrets.assert_absent("the metadata server's files", &backup.bytes().unwrap());
    // Labels and kinds are sealed as well.
    let loot = Loot::of(backup.directory());
    assert_eq!(loot.len(), 2);
    for account in &loot {
        for word in ["paper", "recovery_phrase", "google", "verifier"] {
            let payload = account.record.payload.as_bytes();
            assert!(
                !super::toolkit::contains(payload, word.as_bytes()),
                "{word}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_public_in_a_record_serves_as_a_factor() {
    let world = World::start().await.unwrap();
    let owner = Owner::new(&world, "alice").await;
    let loot = Loot::only(world.metadata_directory());
    // Every 32 bytes that lie aligned in the account's data, taken for a factor secret.
    let record = loot.verified();
    let mut guesses: BTreeSet<[u8; 32]> = BTreeSet::from([[0; 32], *record.hash().as_bytes()]);
    for entry in &record.factors {
        guesses.extend([
            *entry.locator.as_bytes(),
            *entry.auth_key.as_bytes(),
            *entry.envelope_key.as_bytes(),
            *entry.binding.as_bytes(),
            *entry.envelope_hash.as_bytes(),
        ]);
        guesses.extend(
            entry
                .proof
                .as_bytes()
                .chunks_exact(32)
                .map(|chunk| <[u8; 32]>::try_from(chunk).unwrap()),
        );
    }
    let blobs = loot.envelopes.iter().map(|held| held.envelope.as_bytes());
    for blob in blobs.chain([record.state.as_bytes(), record.vault.as_bytes()]) {
        guesses.extend(
            blob.chunks_exact(32)
                .map(|chunk| <[u8; 32]>::try_from(chunk).unwrap()),
        );
    }
    assert!(guesses.len() > 30);
    for guess in guesses {
        let keys = FactorKeys::derive(&acme(), &FactorSecret::from_bytes(guess));
        assert!(matches!(loot.open(&[keys]), Err(OpeningError::NotEnrolled)));
    }
    // The same procedure opens with two factors of the owner's, so it fails for want of them only.
    let phrase = trefoil::RecoveryPhrase::parse(&owner.words)
        .unwrap()
        .factor_secret();
    let factors = [
        social_keys(&world, "alice").await,
        FactorKeys::derive(&acme(), &phrase),
    ];
    assert_eq!(
        loot.open(&factors).unwrap().public_key(),
        owner.account(&world).await.public_key()
    );
}

#[tokio::test]
async fn a_dump_with_a_strangers_factors_opens_nothing() {
    let world = World::start().await.unwrap();
    let victim = Owner::new(&world, "alice").await;
    let _thief = Owner::new(&world, "mallory").await;
    let keys = social_keys(&world, "mallory").await;
    let all = Loot::of(world.metadata_directory());
    let victims_id = victim.account(&world).await.id();
    let loot = all
        .iter()
        .find(|loot| loot.verified().account_id == victims_id)
        .unwrap();
    assert!(matches!(
        loot.open(std::slice::from_ref(&keys)),
        Err(OpeningError::NotEnrolled)
    ));
    // Nor does any envelope open to the thief's key, whatever entry it is tried for.
    let record = loot.verified();
    for held in &loot.envelopes {
        let place = trefoil_protocol::envelope::Place {
            account_id: record.account_id,
            epoch: record.epoch,
            index: held.index,
        };
        assert!(trefoil_protocol::envelope::open(&held.envelope, &keys, place).is_err());
    }
}
