//! Envelopes and records, side by side with the bare cryptography that they cannot do without.
//!
//! `cargo xtask bench` reads the ratios from the ids, so these stay as they are.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up should stop"
)]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ed25519_dalek::{Signer, SigningKey};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Kem, OpModeS};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_protocol::account::GuessSeed;
use trefoil_protocol::bytes::AccountId;
use trefoil_protocol::change::{Change, NewFactor, create};
use trefoil_protocol::envelope::{self, Contents, Place};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::opening::OpenAccount;
use trefoil_protocol::record::Custody;
use trefoil_protocol::state::StateKey;
use trefoil_protocol::tenant::Tenant;
use trefoil_shares::Share;

const NOW: u64 = 1_800_000_000;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn tenant() -> Tenant {
    Tenant::new("acme").expect("a name")
}

fn factor(number: u8) -> FactorKeys {
    FactorKeys::derive(&tenant(), &FactorSecret::from_bytes([number; 32]))
}

fn envelopes(c: &mut Criterion) {
    let keys = factor(1);
    let place = Place {
        account_id: AccountId::from_bytes([1; 16]),
        epoch: 2,
        index: 3,
    };
    let contents = Contents {
        share: Some(Share::from_parts(3, &[9; 32]).expect("a share")),
        state_key: StateKey::from_bytes([4; 32]),
        guess_seed: GuessSeed::from_bytes([5; 32]),
    };
    let mut rng = rng();
    let to = keys.envelope_key();
    let sealed = envelope::seal(&contents, &to, place, &mut rng).expect("a good key");

    let mut group = c.benchmark_group("envelope");
    group.bench_function("seal", |b| {
        b.iter(|| envelope::seal(black_box(&contents), &to, place, &mut rng));
    });
    group.bench_function("open", |b| {
        b.iter(|| envelope::open(black_box(&sealed), &keys, place));
    });
    // The same suite, the same lengths of plaintext and info, sealed by the crate itself.
    let (_, public) = X25519HkdfSha256::derive_keypair(&[1; 32]);
    let (plaintext, info) = ([7_u8; envelope::LEN - 48], [7_u8; 43]);
    group.bench_function("bare_hpke", |b| {
        b.iter(|| {
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &public,
                &info,
                black_box(&plaintext),
                b"",
                &mut rng,
            )
        });
    });
    group.finish();
}

fn one_click() -> OpenAccount {
    let made = create(
        &tenant(),
        factor(1),
        String::from("google"),
        BTreeMap::new(),
        None,
        NOW,
        &mut rng(),
    );
    made.expect("a good factor").account
}

fn to_2_of_3() -> Change {
    Change {
        custody: Some(Custody::SelfCustody),
        add: vec![
            NewFactor::present(FactorKind::Device, "laptop", factor(2)),
            NewFactor::present(FactorKind::RecoveryPhrase, "paper", factor(3)),
        ],
        ..Change::default()
    }
}

fn records(c: &mut Criterion) {
    let (account, change) = (one_click(), to_2_of_3());
    let upgraded = account.prepare(&change, NOW, &mut rng()).expect("allowed");
    let (signed, tenant) = (upgraded.record().signed(), tenant());

    let mut group = c.benchmark_group("record");
    group.bench_function("prepare_upgrade", |b| {
        b.iter_batched(
            rng,
            |mut rng| account.prepare(black_box(&change), NOW, &mut rng),
            BatchSize::SmallInput,
        );
    });
    // A 2 of 3 has four signatures: the account's and one proof per factor.
    group.bench_function("verify", |b| b.iter(|| black_box(signed).verify(&tenant)));
    let key = SigningKey::from_bytes(&[1; 32]);
    let payload = signed.payload.as_bytes();
    let (signature, public) = (key.sign(payload), key.verifying_key());
    group.bench_function("bare_ed25519_verify", |b| {
        b.iter(|| public.verify_strict(black_box(payload), &signature));
    });
    group.finish();
}

criterion_group!(benches, envelopes, records);
criterion_main!(benches);
