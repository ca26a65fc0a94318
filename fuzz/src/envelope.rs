//! Envelopes: any bytes, a good one with changes, and any plaintext sealed by someone who knows the public key.
//!
//! Input: 0 and an envelope; 1 and changes to a good one (offset, what to flip) after how much to cut or add; 2 and a
//! plaintext.

use std::sync::OnceLock;

use trefoil_protocol::bytes::{AccountId, Envelope};
use trefoil_protocol::envelope::{EnvelopeError, LEN, Place, open};
use trefoil_protocol::factor::FactorKeys;
use trefoil_shares::Share;

use crate::Seed;
use crate::fixture::{fixture, rng};
use crate::reader::Reader;

/// The record whose envelopes are attacked: self custody, epoch 2.
const STAGE: usize = 1;
const INDEX: u32 = 2;
const PLAINTEXT: usize = 98;

fn keys() -> &'static FactorKeys {
    &fixture().factors[1]
}

fn place() -> Place {
    let record = &fixture().stages[STAGE].record;
    Place {
        account_id: record.account_id,
        epoch: record.epoch,
        index: INDEX,
    }
}

fn genuine() -> &'static Envelope {
    static GENUINE: OnceLock<&'static Envelope> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let mut envelopes = fixture().stages[STAGE].envelopes.iter();
        envelopes
            .find_map(|(index, envelope)| (*index == INDEX).then_some(envelope))
            .unwrap()
    })
}

/// Panics where an envelope opens that should not, or opens to something else than was sealed.
pub fn check(data: &[u8]) {
    let mut reader = Reader::new(data);
    match reader.choice(3) {
        0 => check_bytes(reader.rest().to_vec()),
        1 => check_bytes(changed(reader)),
        _ => check_plaintext(reader.rest()),
    }
}

fn changed(mut reader: Reader<'_>) -> Vec<u8> {
    let mut bytes = genuine().as_bytes().to_vec();
    let length = bytes.len() + 8 - reader.choice(17);
    bytes.resize(length, 0);
    while !reader.is_empty() {
        let at = reader.choice(length);
        bytes[at] ^= reader.byte();
    }
    bytes
}

fn check_bytes(bytes: Vec<u8>) {
    let length = bytes.len();
    let envelope = Envelope::new(bytes);
    let opened = open(&envelope, keys(), place());
    if envelope == *genuine() {
        assert!(opened.is_ok());
        check_elsewhere(&envelope);
    } else if length == LEN {
        assert_eq!(opened, Err(EnvelopeError::Sealed));
    } else {
        assert_eq!(opened, Err(EnvelopeError::Length(length)));
    }
}

/// A good envelope opens for its own factor in its own place only.
fn check_elsewhere(envelope: &Envelope) {
    let here = place();
    let elsewhere = [
        Place {
            index: here.index + 1,
            ..here
        },
        Place {
            epoch: here.epoch + 1,
            ..here
        },
        Place {
            account_id: AccountId::from_bytes([0; 16]),
            ..here
        },
    ];
    for place in elsewhere {
        assert_eq!(open(envelope, keys(), place), Err(EnvelopeError::Sealed));
    }
    assert_eq!(
        open(envelope, &fixture().factors[0], here),
        Err(EnvelopeError::Sealed)
    );
}

/// Anyone can seal to a public key; what is inside must still have the right form.
fn check_plaintext(plaintext: &[u8]) {
    // Section 0 of the protocol: label, account id, epoch, index.
    let place = place();
    let mut info = b"trefoil/v1/envelope".to_vec();
    info.extend_from_slice(place.account_id.as_bytes());
    info.extend_from_slice(&place.epoch.to_be_bytes());
    info.extend_from_slice(&place.index.to_be_bytes());
    let sealed = keys()
        .envelope_key()
        .seal(&info, plaintext, &mut rng(2))
        .unwrap();
    let opened = open(&Envelope::new(sealed), keys(), place);

    if plaintext.len() != PLAINTEXT {
        assert!(matches!(opened, Err(EnvelopeError::Length(_))));
        return;
    }
    let share: &[u8; 32] = plaintext[2..34].try_into().unwrap();
    let expected = match &plaintext[..2] {
        [1, 0] if *share == [0; 32] => Some(None),
        [1, 1] => Share::from_parts(INDEX, share).ok().map(Some),
        _ => None,
    };
    match (opened, expected) {
        (Ok(contents), Some(share)) => {
            assert!(contents.share == share);
            assert!(contents.state_key.expose_secret() == &plaintext[34..66]);
            assert!(contents.guess_seed.expose_secret() == &plaintext[66..]);
        }
        (Err(EnvelopeError::UnknownForm), None) => {}
        (opened, _) => panic!("opened to {opened:?}"),
    }
}

/// Near misses of each kind.
pub fn seeds() -> Vec<Seed> {
    let bytes = genuine().as_bytes();
    let mut flipped = bytes.to_vec();
    flipped[100] ^= 1;
    let plaintext = |version: u8, share: u8, value: u8| {
        let mut plaintext = vec![2, version, share];
        plaintext.extend_from_slice(&[value; 32]);
        plaintext.extend_from_slice(&[4; 64]);
        plaintext
    };
    vec![
        ("genuine", [&[0], bytes].concat()),
        ("flipped", [&[0], &flipped[..]].concat()),
        ("truncated", [&[0], &bytes[..LEN - 1]].concat()),
        (
            "of-another-factor",
            [&[0], fixture().stages[STAGE].envelopes[0].1.as_bytes()].concat(),
        ),
        (
            "of-another-epoch",
            [&[0], fixture().stages[STAGE + 1].envelopes[1].1.as_bytes()].concat(),
        ),
        ("unchanged", vec![1, 8]),
        ("one-bit", vec![1, 8, 40, 1]),
        ("longer", vec![1, 0]),
        ("plaintext-with-share", plaintext(1, 1, 9)),
        ("plaintext-without-share", plaintext(1, 0, 0)),
        ("plaintext-share-above-the-order", plaintext(1, 1, 0xff)),
        ("plaintext-unknown-version", plaintext(2, 1, 9)),
        ("plaintext-short", vec![2, 1, 1]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genuine_envelope_opens() {
        assert!(open(genuine(), keys(), place()).unwrap().share.is_some());
    }
}
