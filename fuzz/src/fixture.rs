//! An account as a user would have it, made from a fixed RNG: its records, keys and envelopes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use trefoil_protocol::bytes::{Envelope, SealedNonce};
use trefoil_protocol::change::{Change, NewFactor, Prepared, create};
use trefoil_protocol::factor::{FactorKeys, FactorKind, FactorSecret};
use trefoil_protocol::opening::OpenAccount;
use trefoil_protocol::record::{Custody, VerifiedRecord};
use trefoil_protocol::tenant::Tenant;

pub(crate) const NOW: u64 = 1_800_000_000;

/// One record and what lies beside it.
pub(crate) struct Stage {
    pub(crate) record: VerifiedRecord,
    pub(crate) envelopes: Vec<(u32, Envelope)>,
    pub(crate) sealed_nonce: Option<SealedNonce>,
}

pub(crate) struct Fixture {
    pub(crate) tenant: Tenant,
    /// Social, device, recovery phrase: indices 1, 2, 3.
    pub(crate) factors: [FactorKeys; 3],
    pub(crate) account: OpenAccount,
    /// One-click, self custody 2 of 3, the same refreshed, guarded.
    pub(crate) stages: Vec<Stage>,
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(make)
}

fn make() -> Fixture {
    let mut rng = rng(1);
    let tenant = Tenant::new("acme").unwrap();
    let factors = [1, 2, 3]
        .map(|secret| FactorKeys::derive(&tenant, &FactorSecret::from_bytes([secret; 32])));
    let [social, device, phrase] = factors.clone();

    let label = "alice@example.com".to_owned();
    let one_click = create(&tenant, social, label, BTreeMap::new(), None, NOW, &mut rng).unwrap();
    let upgrade = Change {
        add: vec![
            NewFactor::present(FactorKind::Device, "laptop", device),
            NewFactor::present(FactorKind::RecoveryPhrase, "paper", phrase).hint("place", "drawer"),
        ],
        custody: Some(Custody::SelfCustody),
        threshold: Some(2),
        ..Change::default()
    };
    let upgraded = one_click
        .account
        .prepare(&upgrade, NOW + 1, &mut rng)
        .unwrap();
    let refresh = Change {
        refresh: true,
        ..Change::default()
    };
    let refreshed = upgraded
        .account
        .prepare(&refresh, NOW + 2, &mut rng)
        .unwrap();
    let guard = Change {
        custody: Some(Custody::Guarded),
        ..Change::default()
    };
    let guarded = refreshed
        .account
        .prepare(&guard, NOW + 3, &mut rng)
        .unwrap();

    let stages = [&one_click, &upgraded, &refreshed, &guarded]
        .map(stage)
        .into();
    Fixture {
        tenant,
        factors,
        account: guarded.account,
        stages,
    }
}

fn stage(prepared: &Prepared) -> Stage {
    Stage {
        record: prepared.record().clone(),
        envelopes: prepared
            .envelopes
            .iter()
            .map(|it| (it.index, it.envelope.clone()))
            .collect(),
        sealed_nonce: prepared.sealed_nonce.clone(),
    }
}
