//! Every secret type: what `Debug` shows, that it is wiped, and how it compares.

use subtle::ConstantTimeEq;
use trefoil_protocol::account::{AccountKeys, GuessSeed};
use trefoil_protocol::envelope::{self, Place};
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::nonce::NonceKey;
use trefoil_protocol::opening::OpenAccount;
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::state::StateKey;
use trefoil_protocol::vault::{Vault, VaultItem, VaultKind, VaultSecret};
use trefoil_protocol::wire::{SessionGrant, SessionToken};
use trefoil_shares::KeyScalar;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::support::*;

const VALUE: [u8; 32] = [0xa7; 32];

fn shows_no_secret(debug: &str) {
    // In hexadecimal, as a list of numbers, in base64url.
    for shown in ["a7a7", "A7A7", "167, 167", "p6en"] {
        assert!(!debug.contains(shown), "{debug}");
    }
}

#[test]
fn debug_is_redacted_and_still_identifies() {
    let auth = AuthPrivateKey::from_seed(&VALUE);
    let envelope = EnvelopePrivateKey::derive(&VALUE);
    let keys = FactorKeys::derive(&tenant(), &FactorSecret::from_bytes(VALUE));
    let account = AccountKeys::derive(&tenant(), &KeyScalar::from_bytes(&VALUE).unwrap());
    let (stored, open) = self_custody(2, 3, &mut rng(1));
    let secret = VaultSecret::new(VALUE.to_vec());
    let cases = [
        (
            format!("{:?}", FactorSecret::from_bytes(VALUE)),
            "FactorSecret(redacted)".into(),
        ),
        (
            format!("{:?}", StateKey::from_bytes(VALUE)),
            "StateKey(redacted)".into(),
        ),
        (
            format!("{:?}", GuessSeed::from_bytes(VALUE)),
            "GuessSeed(redacted)".into(),
        ),
        (
            format!("{:?}", SessionToken::from_bytes(VALUE)),
            "SessionToken(redacted)".into(),
        ),
        (format!("{secret:?}"), "VaultSecret(redacted)".into()),
        (
            format!("{:?}", NonceKey::one_click(&keys)),
            "NonceKey(redacted)".into(),
        ),
        (
            format!("{auth:?}"),
            format!("AuthPrivateKey(redacted, public {})", auth.auth_key()),
        ),
        (
            format!("{envelope:?}"),
            format!("EnvelopePrivateKey(redacted, public {})", envelope.public()),
        ),
        (
            format!("{keys:?}"),
            format!("FactorKeys(redacted, locator {})", keys.locator()),
        ),
        (
            format!("{account:?}"),
            format!("AccountKeys(redacted, id {})", account.id()),
        ),
        (
            format!("{open:?}"),
            format!(
                "OpenAccount(redacted, id {}, revision 2)",
                stored.record.account_id
            ),
        ),
    ];
    for (shown, expected) in cases {
        assert_eq!(shown, expected);
        shows_no_secret(&shown);
    }
}

#[test]
fn what_holds_secrets_shows_none() {
    let mut rng = rng(2);
    let (stored, account) = self_custody(2, 3, &mut rng);
    let opening = stored.begin(&numbered([1, 2])).unwrap();
    let place = Place {
        account_id: stored.record.account_id,
        epoch: stored.record.epoch,
        index: 1,
    };
    let contents = envelope::open(&stored.envelopes[&1], &factor(1), place).unwrap();
    let new = primaries([4]).remove(0);
    let prepared = account.prepare(
        &trefoil_protocol::change::Change {
            add: vec![new.clone()],
            ..Default::default()
        },
        NOW,
        &mut rng,
    );
    let prepared = prepared.unwrap();
    let shown = [
        format!("{opening:?}"),
        format!("{contents:?}"),
        format!("{new:?}"),
        format!("{prepared:?}"),
        format!("{:?}", account.held()),
    ];
    let share = contents.share.as_ref().unwrap().expose_secret();
    let secrets = [
        *share,
        *contents.state_key.expose_secret(),
        *contents.guess_seed.expose_secret(),
        *account.key().expose_secret(),
        [1; 32],
        [4; 32],
    ];
    for shown in &shown {
        assert!(shown.contains("redacted"), "{shown}");
        for secret in &secrets {
            let list = format!("{secret:?}");
            assert!(!shown.contains(list.trim_matches(['[', ']'])), "{shown}");
            assert!(!shown.contains(&hex::encode(secret)), "{shown}");
            let text = SessionToken::from_bytes(*secret).expose_text();
            assert!(!shown.contains(text.as_str()), "{shown}");
        }
    }
    let item = VaultItem {
        name: "old".into(),
        kind: VaultKind::Ed25519Seed,
        secret: VaultSecret::new(VALUE.to_vec()),
    };
    let mut vault = Vault::new();
    vault.add(item).unwrap();
    shows_no_secret(&format!("{vault:?}"));
    let grant = SessionGrant {
        token: SessionToken::from_bytes(VALUE),
        expires: NOW,
    };
    shows_no_secret(&format!("{grant:?}"));
}

#[test]
fn all_secrets_are_wiped_on_drop() {
    fn wiped<T: ZeroizeOnDrop>() {
        assert!(core::mem::needs_drop::<T>(), "nothing would run on drop");
    }
    wiped::<FactorSecret>();
    wiped::<StateKey>();
    wiped::<GuessSeed>();
    wiped::<SessionToken>();
    wiped::<VaultSecret>();
    wiped::<AuthPrivateKey>();
    wiped::<EnvelopePrivateKey>();
    wiped::<FactorKeys>();
    wiped::<AccountKeys>();
    wiped::<NonceKey>();
    wiped::<OpenAccount>();
}

#[test]
fn exposed_copies_are_wiped_too() {
    fn wiped<T: ZeroizeOnDrop>(_: &T) {}
    wiped(&SessionToken::from_bytes(VALUE).expose_text());
    let key = KeyScalar::from_bytes(&VALUE).unwrap();
    wiped(&trefoil_protocol::account::ed25519_wallet_seed(&key));
    wiped(&trefoil_protocol::account::guarded_nonce_key(
        &tenant(),
        &key.into(),
    ));
    let sealed = EnvelopePrivateKey::derive(&VALUE)
        .public()
        .seal(b"", b"x", &mut rng(3));
    wiped(
        &EnvelopePrivateKey::derive(&VALUE)
            .open(b"", &sealed.unwrap())
            .unwrap(),
    );
}

#[test]
fn wiping_leaves_nothing() {
    // The same call that drop makes.
    let mut secret = FactorSecret::from_bytes(VALUE);
    secret.zeroize();
    assert_eq!(secret.expose_secret(), &[0; 32]);
    let mut key = StateKey::from_bytes(VALUE);
    key.zeroize();
    assert_eq!(key.expose_secret(), &[0; 32]);
    let mut seed = GuessSeed::from_bytes(VALUE);
    seed.zeroize();
    assert_eq!(seed.expose_secret(), &[0; 32]);
    let mut token = SessionToken::from_bytes(VALUE);
    token.zeroize();
    assert_eq!(token.expose_secret(), &[0; 32]);
    let mut secret = VaultSecret::new(VALUE.to_vec());
    secret.zeroize();
    assert!(secret.expose_secret().is_empty());
}

#[test]
fn equality_is_that_of_the_value() {
    let other = [0xa6; 32];
    macro_rules! compare {
        ($($name:ident),*) => {$(
            let (one, same, two) =
                ($name::from_bytes(VALUE), $name::from_bytes(VALUE), $name::from_bytes(other));
            assert!(bool::from(one.ct_eq(&same)) && one == same);
            assert!(!bool::from(one.ct_eq(&two)) && one != two);
        )*};
    }
    compare!(FactorSecret, StateKey, GuessSeed, SessionToken);
    let mut rng = rng(4);
    assert_ne!(
        FactorSecret::random(&mut rng),
        FactorSecret::random(&mut rng)
    );
}

#[test]
fn a_session_token_there_and_back_as_text() {
    let token = SessionToken::from_bytes(VALUE);
    assert_eq!(SessionToken::parse(&token.expose_text()).unwrap(), token);
    let json = serde_json::to_string(&token).unwrap();
    assert_eq!(serde_json::from_str::<SessionToken>(&json).unwrap(), token);
    for bad in ["", "AA", &format!("{}=", *token.expose_text())] {
        let error = SessionToken::parse(bad).unwrap_err();
        shows_no_secret(&format!("{error} {error:?}"));
    }
}

#[test]
fn errors_carry_no_secret() {
    let mut rng = rng(5);
    let (stored, _) = self_custody(2, 3, &mut rng);
    let (other, _) = self_custody(2, 3, &mut rng);
    let errors = [
        format!("{:?}", stored.begin(&[factor(9)]).unwrap_err()),
        format!("{:?}", stored.open(&[factor(1)]).unwrap_err()),
        format!(
            "{:?}",
            trefoil_protocol::opening::Opening::begin(
                stored.record.clone(),
                factor(1),
                &other.envelopes[&1]
            )
            .unwrap_err()
        ),
    ];
    for error in errors {
        assert!(
            !error.contains("1, 1, 1, 1") && !error.contains("0101"),
            "{error}"
        );
        assert!(error.len() < 120, "{error}");
    }
}
