//! Vectors of the specifications, through our code where it leaves room for them and otherwise through the crates it stands
//! on. RFC 5869 and draft-irtf-cfrg-xchacha-03 are checked beside the private functions that use them.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use ed25519_dalek::{Signer, SigningKey};
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::{TryCryptoRng, TryRng};
use trefoil_protocol::bytes::{AuthKey, EnvelopeKey, Signature};
use trefoil_protocol::seal::hpke::EnvelopePrivateKey;
use trefoil_protocol::sign::AuthPrivateKey;

/// Randomness that was written down before.
struct Tape(VecDeque<u8>);

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unimplemented!("the tape gives bytes only")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unimplemented!("the tape gives bytes only")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill_with(|| self.0.pop_front().expect("enough was written down"));
        Ok(())
    }
}

impl TryCryptoRng for Tape {}

fn named(text: &str) -> BTreeMap<&str, Vec<u8>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once(": ").unwrap());
    pairs
        .map(|(name, value)| (name, hex::decode(value).unwrap()))
        .collect()
}

fn clamped(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    key[0] &= 248;
    key[31] = key[31] & 127 | 64;
    key
}

#[test]
fn hpke_rfc_9180_a_2_1() {
    let v = named(include_str!("../vectors/rfc9180-a.2.1.txt"));
    type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
    let (skr, pkr) = X25519HkdfSha256::derive_keypair(&v["ikmR"]);
    let (ske, pke) = X25519HkdfSha256::derive_keypair(&v["ikmE"]);
    assert_eq!(pkr.to_bytes().as_slice(), v["pkRm"]);
    assert_eq!(pke.to_bytes().as_slice(), v["pkEm"]);
    for (key, printed) in [(&skr, &v["skRm"]), (&ske, &v["skEm"])] {
        assert_eq!(key.to_bytes().as_slice(), clamped(printed));
        assert_eq!(
            Private::from_bytes(printed).unwrap().to_bytes(),
            key.to_bytes()
        );
    }
    // The encryption of the appendix, which has associated data; ours leave it empty.
    let (encapsulated, mut sender) = hpke::setup_sender_with_rng::<
        hpke::aead::ChaCha20Poly1305,
        hpke::kdf::HkdfSha256,
        X25519HkdfSha256,
    >(
        &OpModeS::Base,
        &pkr,
        &v["info"],
        &mut Tape(v["ikmE"].clone().into()),
    )
    .unwrap();
    assert_eq!(encapsulated.to_bytes().as_slice(), v["pkEm"]);
    assert_eq!(sender.seal(&v["pt"], &v["aad"]).unwrap(), v["ct"]);
    let mut receiver = hpke::setup_receiver::<
        hpke::aead::ChaCha20Poly1305,
        hpke::kdf::HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeR::Base, &skr, &encapsulated, &v["info"])
    .unwrap();
    assert_eq!(receiver.open(&v["ct"], &v["aad"]).unwrap(), v["pt"]);
}

#[test]
fn our_sealing_is_that_of_rfc_9180() {
    let v = named(include_str!("../vectors/rfc9180-a.2.1.txt"));
    // The appendix prints the AEAD key and the first nonce: with them its ciphertext opens, so they are what is printed.
    let cipher = ChaCha20Poly1305::new_from_slice(&v["key"]).unwrap();
    let nonce: [u8; 12] = v["base_nonce"].as_slice().try_into().unwrap();
    let printed = Payload {
        msg: &v["ct"],
        aad: &v["aad"],
    };
    assert_eq!(cipher.decrypt(&nonce.into(), printed).unwrap(), v["pt"]);
    let ours = cipher.encrypt(&nonce.into(), v["pt"].as_slice()).unwrap();
    let expected = [v["pkEm"].clone(), ours].concat();

    let key = EnvelopePrivateKey::derive(v["ikmR"].as_slice().try_into().unwrap());
    let public = EnvelopeKey::try_from(v["pkRm"].as_slice()).unwrap();
    assert_eq!(key.public(), public);
    let mut tape = Tape(v["ikmE"].clone().into());
    assert_eq!(
        public.seal(&v["info"], &v["pt"], &mut tape).unwrap(),
        expected
    );
    assert_eq!(*key.open(&v["info"], &expected).unwrap(), v["pt"]);
}

#[test]
fn ed25519_rfc_8032() {
    let text = include_str!("../vectors/rfc8032-7.1.txt");
    let mut seen = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<Vec<u8>> = line
            .split(':')
            .map(|field| hex::decode(field).unwrap())
            .collect();
        let [secret, public, message, signature] = &fields[..] else {
            panic!("four fields");
        };
        let seed: &[u8; 32] = secret.as_slice().try_into().unwrap();
        let raw = SigningKey::from_bytes(seed);
        assert_eq!(raw.sign(message).to_bytes().as_slice(), signature);
        let ours = AuthPrivateKey::from_seed(seed);
        assert_eq!(ours.auth_key().as_bytes().as_slice(), public);

        // Ours signs a label, a zero byte and the message, and nothing verifies without its label.
        let labelled = [b"trefoil/v1/record\0", message.as_slice()].concat();
        let signed = ours.sign("record", message);
        assert_eq!(*signed.as_bytes(), raw.sign(&labelled).to_bytes());
        let key = AuthKey::try_from(public.as_slice()).unwrap();
        key.verify("record", message, &signed).unwrap();
        let bare = Signature::try_from(signature.as_slice()).unwrap();
        key.verify("record", message, &bare).unwrap_err();
        // RFC 8032 section 5.1.7: s is below the group order. Adding the order to it must not verify.
        let mut malleable = *signed.as_bytes();
        add_group_order(&mut malleable[32..]);
        key.verify("record", message, &Signature::from_bytes(malleable))
            .unwrap_err();
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// Adds the order of the Ed25519 base point, little-endian.
fn add_group_order(scalar: &mut [u8]) {
    let order =
        hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut carry = 0_u16;
    for (byte, add) in scalar.iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = u8::try_from(carry & 0xff).unwrap();
        carry >>= 8;
    }
}
