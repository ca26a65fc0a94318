//! Whole pairings, and whoever sits between the two sides.

use alloc::string::ToString;
use alloc::vec::Vec;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::Zeroizing;

use super::mailbox::OUTCOME;
use super::new_side::{Answer, Enrolled, fresh_key, seal_to};
use super::reveal::{Opening, sealed_info};
use super::wire::VERSION;
use super::*;
use crate::account::AccountKeys;
use crate::bytes::{AccountId, AuthKey, Blob, EnvelopeKey};
use crate::factor::{EnrolmentError, FactorKeys, FactorSecret};
use crate::tenant::Tenant;

const F: [u8; 32] = [0xa7; 32];

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn factor(seed: [u8; 32]) -> FactorKeys {
    FactorKeys::derive(
        &Tenant::new("acme").unwrap(),
        &FactorSecret::from_bytes(seed),
    )
}

fn account(seed: u8) -> AccountKeys {
    let key = trefoil_shares::KeyScalar::from_bytes(&[seed; 32]).unwrap();
    AccountKeys::derive(&Tenant::new("acme").unwrap(), &key)
}

fn identity(seed: u8) -> (AccountId, AuthKey) {
    let keys = account(seed);
    (keys.id(), keys.auth_key())
}

/// Both sides at the comparison, and every message so far.
fn compared(
    new: NewSide,
    old: (OldSide, Blob),
    rng: &mut ChaCha20Rng,
) -> (NewComparing, OldComparing, [Blob; 3]) {
    let (old, commitment) = old;
    let (new, new_reveal) = new.reveal(&commitment, rng).unwrap();
    let (old, old_reveal) = old.reveal(&new_reveal, rng).unwrap();
    let new = new.compare(&old_reveal).unwrap();
    (new, old, [commitment, new_reveal, old_reveal])
}

fn device(rng: &mut ChaCha20Rng) -> NewSide {
    NewSide::enrol(false, "phone", factor(F), rng).unwrap()
}

fn answered(code: &RequestCode, rng: &mut ChaCha20Rng) -> (OldSide, Blob) {
    OldSide::answer(code, identity(1), 7, "Alice", rng).unwrap()
}

/// Somebody who knows the code puts bytes of its own at a place.
fn put(code: &RequestCode, step: Step, plaintext: &[u8], rng: &mut impl CryptoRng) -> Blob {
    Mailbox::of(code).seal(step, plaintext, rng)
}

const ALL: [Step; 6] = [
    Step::OldCommitment,
    Step::NewReveal,
    Step::OldReveal,
    Step::NewAnswer,
    Step::OldOutcome,
    Step::NewEnd,
];

#[test]
fn a_factor_is_enrolled_after_both_have_compared() {
    let mut rng = rng(1);
    for as_contact in [false, true] {
        let new = NewSide::enrol(as_contact, "phone", factor(F), &mut rng).unwrap();
        let code = RequestCode::parse(&new.code().expose_text()).unwrap();
        let old = answered(&code, &mut rng);
        let (new, old, first) = compared(new, old, &mut rng);
        assert_eq!(new.digits(), old.digits());
        assert_eq!(new.other().revision, 7);
        assert_eq!(new.other().label, "Alice");
        assert_eq!(old.other().label, "phone");
        let (new, answer) = new.confirm(&mut rng).unwrap();
        let old = old.approve();
        let enrolment = old.enrolment(&answer).unwrap().unwrap();
        let (id, auth) = identity(1);
        assert_eq!(enrolment, factor(F).enrol(&id, &auth));
        let outcome = old
            .outcome(&Outcome::Done { revision: 8 }, &mut rng)
            .unwrap();
        assert_eq!(new.outcome(&outcome), Ok(Outcome::Done { revision: 8 }));
        // The factor's secret is in nothing that was sent, whatever key opens it.
        let mailbox = Mailbox::of(&code);
        let [commitment, new_reveal, old_reveal] = first;
        for (step, message) in [
            (Step::OldCommitment, commitment),
            (Step::NewReveal, new_reveal),
            (Step::OldReveal, old_reveal),
            (Step::NewAnswer, answer),
            (Step::OldOutcome, outcome),
        ] {
            let opened = mailbox.open(step, &message).unwrap();
            assert!(!opened.windows(32).any(|window| window == F));
            let text = crate::bytes::encode(&F);
            assert!(
                !opened
                    .windows(text.len())
                    .any(|window| window == text.as_bytes())
            );
            assert!(message.as_bytes().len() <= MAX_MESSAGE);
        }
    }
}

/// What two versions of this software must agree on. It changes only with the protocol's version.
#[test]
fn a_pairing_with_fixed_randomness() {
    let mut rng = rng(42);
    let new = device(&mut rng);
    let text = new.code().expose_text().to_string();
    let id = new.mailbox().id().to_string();
    let old = answered(new.code(), &mut rng);
    let (new, _, _) = compared(new, old, &mut rng);
    assert_eq!(
        (
            text.as_str(),
            id.as_str(),
            new.digits().to_string().as_str()
        ),
        (
            "trefoil-request:AQGiLMd5ye4cEG9m4XLIab1fjw20xDIAVRvklHj5h5pguHqrB1BrVpf5kMcev7jhKFrYGcawXMIqpSbvC0X1YsZHLkJkQw",
            "A1Lg3bf9iIix-5XaIXp1_A",
            "754 600"
        )
    );
}

#[test]
fn a_relay_that_swaps_the_code_shows_other_digits() {
    // Who stands between shows the old side a code of its own and answers the new side by itself.
    for seed in 0..50 {
        let mut rng = rng(seed);
        let new = device(&mut rng);
        let attacker = NewSide::enrol(false, "phone", factor([9; 32]), &mut rng).unwrap();
        let to_new = answered(new.code(), &mut rng);
        let from_old = answered(attacker.code(), &mut rng);
        let (new, _, _) = compared(new, to_new, &mut rng);
        let (attacker, old, _) = compared(attacker, from_old, &mut rng);
        assert_eq!(attacker.digits(), old.digits());
        assert_ne!(new.digits(), old.digits());
    }
}

/// A relay that knows the code, and with it can open and seal everything, is bound by its commitments: what it would choose
/// after it has seen the other's half, to fit the digits, is refused.
#[test]
fn nothing_can_be_ground_to_fit_the_digits() {
    let mut rng = rng(3);
    let new = device(&mut rng);
    let code = new.code().clone();
    let (_, commitment) = answered(&code, &mut rng);
    let (new, _) = new.reveal(&commitment, &mut rng).unwrap();
    // Any number of halves made after the new side revealed its own: none is taken but the committed one.
    for _ in 0..100 {
        let ground = OldReveal {
            version: VERSION,
            purpose: Purpose::Device,
            exchange_key: fresh_key(&mut rng).public(),
            label: "Alice".to_string(),
            account_id: identity(1).0,
            account_auth_key: identity(1).1,
            revision: 7,
        };
        let ground = Opening::make(ground, &mut rng);
        let message = put(&code, Step::OldReveal, &ground.bytes, &mut rng);
        assert_eq!(
            new.again().compare(&message).unwrap_err(),
            PairingError::NotAsCommitted
        );
    }
    // The same towards the old side, which then reveals nothing.
    for _ in 0..100 {
        let ground = Opening::make(
            NewReveal {
                version: VERSION,
                purpose: Purpose::Device,
                exchange_key: fresh_key(&mut rng).public(),
                label: "phone".to_string(),
                factor: Some(PublicFactor {
                    auth_key: factor([9; 32]).auth_key(),
                    envelope_key: factor([9; 32]).envelope_key(),
                }),
            },
            &mut rng,
        );
        let message = put(&code, Step::NewReveal, &ground.bytes, &mut rng);
        let (old, _) = answered(&code, &mut rng);
        assert_eq!(
            old.reveal(&message, &mut rng).unwrap_err(),
            PairingError::NotAsCommitted
        );
    }
}

#[test]
fn messages_open_in_their_place_only() {
    let mut rng = rng(4);
    let new = device(&mut rng);
    let code = new.code().clone();
    let mailbox = Mailbox::of(&code);
    let elsewhere = Mailbox::of(device(&mut rng).code());
    for step in ALL {
        let message = mailbox.seal(step, b"something", &mut rng);
        for other in ALL {
            assert_eq!(mailbox.open(other, &message).is_ok(), other == step);
        }
        assert_eq!(
            elsewhere.open(step, &message).unwrap_err(),
            PairingError::Sealed
        );
    }
    // The other side's own words, reflected, and its words of another step.
    let (old, commitment) = answered(&code, &mut rng);
    let reflected = put(&code, Step::NewReveal, b"", &mut rng);
    assert_eq!(
        device(&mut rng).reveal(&commitment, &mut rng).unwrap_err(),
        PairingError::Sealed
    );
    assert_eq!(
        new.reveal(&reflected, &mut rng).unwrap_err(),
        PairingError::Sealed
    );
    assert_eq!(
        old.reveal(&commitment, &mut rng).unwrap_err(),
        PairingError::Sealed
    );
}

#[test]
fn what_is_cut_off_or_changed_is_refused() {
    let mut rng = rng(5);
    let new = device(&mut rng);
    let code = new.code().clone();
    let (old, commitment) = answered(&code, &mut rng);
    let (new, reveal) = new.reveal(&commitment, &mut rng).unwrap();
    let (old, _) = old.reveal(&reveal, &mut rng).unwrap();
    drop((new, old));
    for at in 0..reveal.as_bytes().len() {
        let mut changed = reveal.as_bytes().to_vec();
        changed[at] ^= 1;
        for bad in [changed, reveal.as_bytes()[..at].to_vec()] {
            let (old, _) = answered(&code, &mut rng);
            assert_eq!(
                old.reveal(&Blob::new(bad), &mut rng).unwrap_err(),
                PairingError::Sealed
            );
        }
    }
    // Sealed by somebody who knows the code, but no commitment: too short, too long.
    for length in [0, 31, 33] {
        let again = NewSide::enrol(false, "phone", factor(F), &mut rng).unwrap();
        let bad = put(
            again.code(),
            Step::OldCommitment,
            &alloc::vec![1; length],
            &mut rng,
        );
        assert_eq!(
            again.reveal(&bad, &mut rng).unwrap_err(),
            PairingError::Malformed
        );
    }
}

/// An error and what brings it about.
type Case<T> = (PairingError, fn(&mut T));

/// An old side that reveals this, having committed to it.
fn revealed_by_old(reveal: impl FnOnce(&mut OldReveal)) -> PairingError {
    let mut rng = rng(6);
    let new = device(&mut rng);
    let code = new.code().clone();
    let mut content = OldReveal {
        version: VERSION,
        purpose: Purpose::Device,
        exchange_key: fresh_key(&mut rng).public(),
        label: "Alice".to_string(),
        account_id: identity(1).0,
        account_auth_key: identity(1).1,
        revision: 7,
    };
    reveal(&mut content);
    let own = Opening::make(content, &mut rng);
    let commitment = own.commitment(Role::Old);
    let commitment = put(&code, Step::OldCommitment, commitment.as_bytes(), &mut rng);
    let (new, _) = new.reveal(&commitment, &mut rng).unwrap();
    let message = put(&code, Step::OldReveal, &own.bytes, &mut rng);
    new.compare(&message).unwrap_err()
}

#[test]
fn an_old_side_that_reveals_nonsense_is_refused() {
    let cases: [Case<OldReveal>; 9] = [
        (PairingError::UnknownVersion(2), |old| old.version = 2),
        (PairingError::WrongPurpose, |old| {
            old.purpose = Purpose::Contact;
        }),
        (PairingError::WrongPurpose, |old| {
            old.purpose = Purpose::Help {
                account: identity(1).0,
            };
        }),
        (PairingError::WrongAccount, |old| {
            old.account_id = identity(2).0;
        }),
        (PairingError::UnusableKey, |old| {
            old.exchange_key = EnvelopeKey::from_bytes([0; 32]);
        }),
        (PairingError::Label, |old| old.label = "x".repeat(65)),
        (PairingError::Label, |old| {
            old.label = "\u{1b}[2J".to_string();
        }),
        (PairingError::Label, |old| {
            old.label = "\u{202e}654 321".to_string();
        }),
        (PairingError::Label, |old| {
            old.label = "a\u{2028}b".to_string()
        }),
    ];
    for (error, reveal) in cases {
        assert_eq!(revealed_by_old(reveal), error);
    }
}

#[test]
fn a_new_side_that_reveals_nonsense_is_refused() {
    let cases: [Case<NewReveal>; 6] = [
        (PairingError::UnknownVersion(2), |new| new.version = 2),
        (PairingError::WrongPurpose, |new| {
            new.purpose = Purpose::Contact;
        }),
        (PairingError::WrongPurpose, |new| new.factor = None),
        (PairingError::UnusableKey, |new| {
            new.exchange_key = EnvelopeKey::from_bytes([0; 32]);
        }),
        (PairingError::UnusableKey, |new| {
            if let Some(factor) = &mut new.factor {
                factor.envelope_key = EnvelopeKey::from_bytes([0; 32]);
            }
        }),
        (PairingError::Label, |new| new.label = "a\nb".to_string()),
    ];
    for (error, reveal) in cases {
        let mut rng = rng(7);
        let mut content = device(&mut rng).own_content();
        reveal(&mut content);
        let own = Opening::make(content, &mut rng);
        let code = RequestCode::new(Purpose::Device, own.commitment(Role::New), &mut rng);
        let (old, _) = answered(&code, &mut rng);
        let message = put(&code, Step::NewReveal, &own.bytes, &mut rng);
        assert_eq!(old.reveal(&message, &mut rng).unwrap_err(), error);
    }
}

#[test]
fn only_the_compared_factor_is_enrolled_and_in_this_account_only() {
    let mut rng = rng(8);
    let new = device(&mut rng);
    let code = new.code().clone();
    let old = answered(&code, &mut rng);
    let (new, old, _) = compared(new, old, &mut rng);
    let info = sealed_info("mailbox/answer", &new.own_bytes(), &new.old_bytes());
    let to = new.other().exchange_key;
    let old = old.approve();
    let answer = |made: Option<crate::factor::Enrolment>, rng: &mut ChaCha20Rng| {
        let answer = Answer {
            version: VERSION,
            enrolment: made.map(|made| Enrolled {
                binding: made.binding,
                proof: made.proof,
            }),
        };
        let json = serde_json::to_vec(&answer).unwrap();
        let sealed = seal_to(&to, &info, &json, rng).unwrap();
        put(&code, Step::NewAnswer, &sealed, rng)
    };
    let (id, auth) = identity(1);
    let (other_id, other_auth) = identity(2);
    let proof = Err(PairingError::Enrolment(EnrolmentError::Proof));
    // The factor of somebody who knows the code, and the right one for another account.
    let foreign = answer(Some(factor([9; 32]).enrol(&id, &auth)), &mut rng);
    assert_eq!(old.enrolment(&foreign), proof);
    let elsewhere = answer(Some(factor(F).enrol(&other_id, &other_auth)), &mut rng);
    assert_eq!(old.enrolment(&elsewhere), proof);
    let nothing = answer(None, &mut rng);
    assert_eq!(old.enrolment(&nothing), Err(PairingError::Malformed));
    // Of another pairing of the same two: sealed for what was revealed there.
    let again = device(&mut rng);
    let again_old = answered(again.code(), &mut rng);
    let (again, _, _) = compared(again, again_old, &mut rng);
    let (_, replayed) = again.confirm(&mut rng).unwrap();
    assert_eq!(old.enrolment(&replayed), Err(PairingError::Sealed));
    let right = answer(Some(factor(F).enrol(&id, &auth)), &mut rng);
    assert!(old.enrolment(&right).unwrap().is_some());
}

#[test]
fn an_outcome_is_for_this_pairing_and_its_purpose() {
    let mut rng = rng(9);
    let new = device(&mut rng);
    let code = new.code().clone();
    let old = answered(&code, &mut rng);
    let (new, old, _) = compared(new, old, &mut rng);
    let (new, _) = new.confirm(&mut rng).unwrap();
    // Who knows the code, but not what was revealed, makes none.
    let forged = [&[OUTCOME], 8_u64.to_be_bytes().as_slice()].concat();
    let forged = put(&code, Step::OldOutcome, &forged, &mut rng);
    assert_eq!(new.outcome(&forged), Err(PairingError::Sealed));
    for (bytes, error) in [
        (Vec::new(), PairingError::Malformed),
        (alloc::vec![7], PairingError::Malformed),
        (alloc::vec![0], PairingError::Malformed),
    ] {
        let odd = put(&code, Step::OldOutcome, &bytes, &mut rng);
        assert_eq!(new.outcome(&odd), Err(error));
    }
    let old = old.approve();
    let lent = LentShare {
        account_id: identity(1).0,
        revision: 7,
        epoch: 1,
        share: trefoil_shares::Share::from_parts(2, &[9; 32]).unwrap(),
        state_key: crate::state::StateKey::from_bytes([4; 32]),
    };
    assert_eq!(
        old.outcome(&Outcome::Lent(lent), &mut rng),
        Err(PairingError::WrongPurpose)
    );
}

#[test]
fn ends_are_told_apart() {
    let mut rng = rng(10);
    let new = device(&mut rng);
    let mailbox = new.mailbox().clone();
    for (end, error) in [
        (End::Denied, PairingError::Denied),
        (End::Cancelled, PairingError::Cancelled),
        (End::Failed, PairingError::Failed),
    ] {
        for role in [Role::New, Role::Old] {
            let message = mailbox.end(role, end, &mut rng);
            assert_eq!(mailbox.check_end(role, &message), Err(error));
            let other = match role {
                Role::New => Role::Old,
                Role::Old => Role::New,
            };
            assert_eq!(
                mailbox.check_end(other, &message),
                Err(PairingError::Sealed)
            );
        }
    }
    // An outcome is no end where the old side puts it, and nonsense where the new side does.
    let outcome = mailbox.seal(Step::OldOutcome, &[OUTCOME, 1], &mut rng);
    assert_eq!(mailbox.check_end(Role::Old, &outcome), Ok(()));
    let outcome = mailbox.seal(Step::NewEnd, &[OUTCOME, 1], &mut rng);
    assert_eq!(
        mailbox.check_end(Role::New, &outcome),
        Err(PairingError::Malformed)
    );
    let newer = [&[0], br#"{"version":2,"end":"later"}"#.as_slice()].concat();
    let newer = mailbox.seal(Step::NewEnd, &newer, &mut rng);
    assert_eq!(
        mailbox.check_end(Role::New, &newer),
        Err(PairingError::UnknownVersion(2))
    );
}

#[test]
fn help_is_for_one_account() {
    let mut rng = rng(11);
    let (id, auth) = identity(1);
    let new = NewSide::help(id, "Alice", &mut rng).unwrap();
    let code = new.code().clone();
    assert_eq!(code.purpose(), Purpose::Help { account: id });
    assert_eq!(
        OldSide::answer(&code, identity(2), 7, "Bob", &mut rng).unwrap_err(),
        PairingError::WrongAccount
    );
    let old = OldSide::answer(&code, (id, auth), 7, "Bob", &mut rng).unwrap();
    let (new, old, _) = compared(new, old, &mut rng);
    assert_eq!(new.digits(), old.digits());
    let (new, answer) = new.confirm(&mut rng).unwrap();
    let old = old.approve();
    assert_eq!(old.enrolment(&answer), Ok(None));
    let lent = |account_id| LentShare {
        account_id,
        revision: 7,
        epoch: 1,
        share: trefoil_shares::Share::from_parts(2, &[9; 32]).unwrap(),
        state_key: crate::state::StateKey::from_bytes([4; 32]),
    };
    let message = old.outcome(&Outcome::Lent(lent(id)), &mut rng).unwrap();
    assert_eq!(new.outcome(&message), Ok(Outcome::Lent(lent(id))));
    let foreign = old
        .outcome(&Outcome::Lent(lent(identity(2).0)), &mut rng)
        .unwrap();
    assert_eq!(new.outcome(&foreign), Err(PairingError::WrongAccount));
    // Who knows the code does not learn the share: it is sealed to the new side's own key.
    let opened = Mailbox::of(&code).open(Step::OldOutcome, &message).unwrap();
    assert!(!opened.windows(32).any(|window| window == [9; 32]));
}

#[test]
fn debug_shows_no_secret() {
    let mut rng = rng(12);
    let new = device(&mut rng);
    let secret = crate::bytes::encode(new.code().secret.expose_secret());
    let text = alloc::format!("{new:?}");
    assert!(!text.contains(&secret), "{text}");
    assert!(text.contains("redacted"), "{text}");
}

impl NewSide {
    fn own_content(&self) -> NewReveal {
        self.own.content.clone()
    }
}

impl NewRevealed {
    fn again(&self) -> Self {
        let NewSide {
            code,
            mailbox,
            exchange,
            own,
            factor,
        } = &self.side;
        Self {
            side: NewSide {
                code: code.clone(),
                mailbox: mailbox.clone(),
                exchange: exchange.clone(),
                own: own.clone(),
                factor: factor.clone(),
            },
            theirs: self.theirs,
        }
    }
}

impl NewComparing {
    fn own_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.side.own.bytes.clone()
    }

    fn old_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.old.bytes.clone()
    }
}
