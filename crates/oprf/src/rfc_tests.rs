//! Vectors of RFC 9496 and RFC 9497. The OPRF modes of RFC 9497 are not what the network runs, so the parts that
//! only they have (blinding, batching, the output hash) stand here, over the same building blocks.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::iter::Sum;

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::RistrettoPoint;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha512};

use crate::deal::MasterKey;
use crate::dleq::{Commitments, Proof, commit, recompute, respond};
use crate::element::{Element, ElementError, decode, scalar_from_bytes};
use crate::guess::{Blinding, GuessOutput};
use crate::index::NodeIndex;
use crate::input::{Input, hash_to_group, hash_to_scalar};
use crate::keys::KeyShare;

const RFC9496: &str = include_str!("../tests/vectors/rfc9496-ristretto255.txt");
const RFC9497: &str = include_str!("../tests/vectors/rfc9497-ristretto255-sha512.txt");

/// The lines of each `[section]`, comments and blanks dropped.
fn sections(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut sections: Vec<(String, Vec<&str>)> = Vec::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            Some(name) => sections.push((name.to_string(), vec![])),
            None => sections.last_mut().unwrap().1.push(line),
        }
    }
    sections
}

fn section<'a>(sections: &'a [(String, Vec<&'a str>)], start: &str) -> &'a [&'a str] {
    &sections
        .iter()
        .find(|(name, _)| name.starts_with(start))
        .unwrap()
        .1
}

/// All values under a name, a batch split at its commas.
fn values(lines: &[&str], name: &str) -> Vec<Vec<u8>> {
    let prefix = format!("{name} = ");
    let value = lines
        .iter()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap();
    value
        .split(',')
        .map(|value| hex::decode(value).unwrap())
        .collect()
}

fn scalars(lines: &[&str], name: &str) -> Vec<Scalar> {
    values(lines, name)
        .iter()
        .map(|v| scalar_from_bytes(v.as_slice().try_into().unwrap()).unwrap())
        .collect()
}

fn points(lines: &[&str], name: &str) -> Vec<RistrettoPoint> {
    values(lines, name)
        .iter()
        .map(|v| decode(v.as_slice().try_into().unwrap()).unwrap())
        .collect()
}

fn encoded(point: &RistrettoPoint) -> [u8; 32] {
    point.compress().to_bytes()
}

fn lp(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// RFC 9497 section 3.1.
fn context(mode: u8) -> Vec<u8> {
    [b"OPRFV1-".as_slice(), &[mode], b"-ristretto255-SHA512"].concat()
}

fn tag(name: &str, mode: u8) -> Vec<u8> {
    [name.as_bytes(), &context(mode)].concat()
}

#[test]
fn multiples_of_the_generator() {
    let all = sections(RFC9496);
    let multiples = section(&all, "multiples");
    assert_eq!(multiples.len(), 16);
    for (k, hexed) in multiples.iter().enumerate() {
        let bytes: [u8; 32] = hex::decode(hexed).unwrap().try_into().unwrap();
        if k == 0 {
            assert_eq!(Element::from_bytes(&bytes), Err(ElementError::Identity));
            continue;
        }
        let mut scalar = [0; 32];
        scalar[0] = u8::try_from(k).unwrap();
        let share = KeyShare::from_bytes(NodeIndex::new(1).unwrap(), &scalar).unwrap();
        assert_eq!(share.verifying_share().as_bytes(), &bytes, "{k}");
        assert_eq!(Element::from_bytes(&bytes).unwrap().as_bytes(), &bytes);
    }
}

#[test]
fn encodings_that_are_not_canonical_are_refused() {
    let all = sections(RFC9496);
    let invalid = section(&all, "invalid");
    assert_eq!(invalid.len(), 10);
    for hexed in invalid {
        let bytes: [u8; 32] = hex::decode(hexed).unwrap().try_into().unwrap();
        assert_eq!(
            Element::from_bytes(&bytes),
            Err(ElementError::NotCanonical),
            "{hexed}"
        );
    }
}

#[test]
fn elements_derived_from_uniform_bytes() {
    let all = sections(RFC9496);
    let derived = section(&all, "derived");
    assert_eq!(derived.len(), 7);
    for line in derived {
        let (uniform, element) = line.split_once(' ').unwrap();
        let uniform: [u8; 64] = hex::decode(uniform).unwrap().try_into().unwrap();
        assert_eq!(
            hex::encode(encoded(&RistrettoPoint::from_uniform_bytes(&uniform))),
            element
        );
    }
}

/// RFC 9497 section 3.2.1: `DeriveKeyPair`.
fn derive_key(seed: &[u8], info: &[u8], mode: u8) -> Scalar {
    hash_to_scalar(&[seed, &lp(info), &[0]], &tag("DeriveKeyPair", mode))
}

/// RFC 9497 section 3.3.1 and 3.3.2: `Finalize` without `Info`.
fn finalize(input: &[u8], blind: &Scalar, evaluated: &RistrettoPoint) -> Vec<u8> {
    let unblinded = encoded(&(blind.invert() * evaluated));
    Sha512::new()
        .chain_update(lp(input))
        .chain_update(lp(&unblinded))
        .chain_update("Finalize")
        .finalize()
        .to_vec()
}

/// The node's own multiplication, as it is used for the social PRF, with the key as the share of a network of one.
fn evaluate(key: &Scalar, blinded: &RistrettoPoint) -> RistrettoPoint {
    KeyShare::from_bytes(NodeIndex::new(1).unwrap(), key.as_bytes())
        .unwrap()
        .scalar()
        * blinded
}

#[test]
fn hash_to_group_and_evaluation_in_modes_0_and_1() {
    let all = sections(RFC9497);
    let mut checked = 0;
    for (mode, keys, vectors) in [(0, "A.1.1. ", "A.1.1."), (1, "A.1.2. ", "A.1.2.")] {
        let keys = section(&all, keys);
        let key = derive_key(&values(keys, "Seed")[0], &values(keys, "KeyInfo")[0], mode);
        assert_eq!(key, scalars(keys, "skSm")[0]);
        for (name, lines) in all
            .iter()
            .filter(|(name, _)| name.starts_with(vectors) && name.contains("Vector"))
        {
            let inputs = values(lines, "Input");
            for (i, blind) in scalars(lines, "Blind").iter().enumerate() {
                let blinded = blind * hash_to_group(&[&inputs[i]], &tag("HashToGroup-", mode));
                assert_eq!(blinded, points(lines, "BlindedElement")[i], "{name}");
                let evaluated = evaluate(&key, &blinded);
                assert_eq!(evaluated, points(lines, "EvaluationElement")[i], "{name}");
                assert_eq!(
                    finalize(&inputs[i], blind, &evaluated),
                    values(lines, "Output")[i],
                    "{name}"
                );
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 6);
}

/// The guess OPRF with one node out of one gives the outputs of mode 1, whether a client asks or the dealer computes.
#[test]
fn guesses_at_one_node_of_one() {
    let all = sections(RFC9497);
    let keys = section(&all, "A.1.2. ");
    let key = MasterKey::from_bytes(&scalars(keys, "skSm")[0].to_bytes()).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (commitments, shares) = key.split_committed(1, 1, &mut rng).unwrap();
    let committee = commitments.committee(1, [shares[0].index()]).unwrap();
    assert_eq!(
        committee.group_key().as_bytes(),
        &encoded(&points(keys, "pkSm")[0])
    );
    let mut checked = 0;
    for (name, lines) in all
        .iter()
        .filter(|(name, _)| name.starts_with("A.1.2.") && name.contains("Vector"))
    {
        for (i, blind) in scalars(lines, "Blind").into_iter().enumerate() {
            let (input, expected) = (&values(lines, "Input")[i], &values(lines, "Output")[i]);
            let blinding = Blinding::with_blind(input, blind).unwrap();
            let sent = encoded(&points(lines, "BlindedElement")[i]);
            assert_eq!(blinding.element().as_bytes(), &sent, "{name}");
            let element = Input::guess(blinding.element());
            let answer = shares[0].evaluate(1, &element, &mut rng);
            assert_eq!(
                answer.expose_secret(),
                &encoded(&points(lines, "EvaluationElement")[i]),
                "{name}"
            );
            let verified = committee.verify(&element, answer).unwrap();
            let output = committee.combine(&[verified]).unwrap();
            let finalized = blinding.finalize([&output]).unwrap();
            assert_eq!(finalized.expose_secret().as_slice(), expected, "{name}");
            let dealt = GuessOutput::evaluate([&key], input).unwrap();
            assert_eq!(dealt, finalized, "{name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}

/// RFC 9497 section 2.2.1, `ComputeComposites`: the weight of each pair.
fn weights(
    public: &RistrettoPoint,
    blinded: &[RistrettoPoint],
    evaluated: &[RistrettoPoint],
) -> Vec<Scalar> {
    let seed = Sha512::new()
        .chain_update(lp(&encoded(public)))
        .chain_update(lp(&tag("Seed-", 1)))
        .finalize();
    let weight = |(i, (c, d)): (usize, (&RistrettoPoint, &RistrettoPoint))| {
        let index = u16::try_from(i).unwrap().to_be_bytes();
        hash_to_scalar(
            &[
                &lp(&seed),
                &index,
                &lp(&encoded(c)),
                &lp(&encoded(d)),
                b"Composite",
            ],
            &tag("HashToScalar-", 1),
        )
    };
    blinded
        .iter()
        .zip(evaluated)
        .enumerate()
        .map(weight)
        .collect()
}

/// RFC 9497 section 2.2.1, the challenge.
fn challenge(
    public: &RistrettoPoint,
    m: &RistrettoPoint,
    z: &RistrettoPoint,
    t: &Commitments,
) -> Scalar {
    let parts = [public, m, z, &t.base, &t.input]
        .map(|point| lp(&encoded(point)))
        .concat();
    hash_to_scalar(&[&parts, b"Challenge"], &tag("HashToScalar-", 1))
}

#[test]
fn proofs_of_mode_1() {
    let all = sections(RFC9497);
    let keys = section(&all, "A.1.2. ");
    let (key, public) = (scalars(keys, "skSm")[0], points(keys, "pkSm")[0]);
    let vectors: Vec<_> = all
        .iter()
        .filter(|(name, _)| name.starts_with("A.1.2.") && name.contains("Vector"))
        .collect();
    assert_eq!(vectors.len(), 3);
    for (name, lines) in vectors {
        let (blinded, evaluated) = (
            points(lines, "BlindedElement"),
            points(lines, "EvaluationElement"),
        );
        let weights = weights(&public, &blinded, &evaluated);
        let composite = |points: &[RistrettoPoint]| {
            RistrettoPoint::sum(points.iter().zip(&weights).map(|(p, w)| w * p))
        };
        let (m, z) = (composite(&blinded), composite(&evaluated));
        assert_eq!(z, key * m);

        let nonce = scalars(lines, "ProofRandomScalar")[0];
        let challenge_made = challenge(&public, &m, &z, &commit(&nonce, &m));
        let proof = Proof {
            challenge: challenge_made,
            response: respond(&key, &nonce, &challenge_made),
        };
        let expected = &values(lines, "Proof")[0];
        assert_eq!(&proof.to_bytes().to_vec(), expected, "{name}");

        let read = Proof::from_bytes(expected.as_slice().try_into().unwrap()).unwrap();
        assert_eq!(
            challenge(&public, &m, &z, &recompute(&public, &m, &z, &read)),
            read.challenge,
            "{name}"
        );
        assert_ne!(
            challenge(&public, &m, &z, &recompute(&public, &z, &m, &read)),
            read.challenge,
            "{name}"
        );
    }
}
