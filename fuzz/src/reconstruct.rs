//! Share reconstruction under any mix of good, damaged, stale, foreign, repeated and made-up shares.
//!
//! Input: threshold, whose commitments, and then one share after the other.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use trefoil_shares::{
    Commitments, Polynomial, ReconstructError, Share, ShareIndex, SharedSecret, Threshold,
    interpolate_at, reconstruct,
};

use crate::Seed;
use crate::reader::Reader;

/// A dozen shares are enough for every error, and keep blame quick.
const MOST_SHARES: usize = 12;
const THRESHOLDS: [u32; 4] = [2, 3, 4, 5];

struct Dealer {
    secret: SharedSecret,
    current: Polynomial,
    /// The same secret, another epoch.
    older: Polynomial,
    /// Another secret.
    foreign: Polynomial,
}

fn dealers() -> &'static [Dealer] {
    static DEALERS: OnceLock<Vec<Dealer>> = OnceLock::new();
    DEALERS.get_or_init(|| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let thresholds = THRESHOLDS
            .iter()
            .map(|threshold| Threshold::new(*threshold).unwrap());
        let deal = |threshold| {
            let secret = SharedSecret::random(&mut rng);
            let other = SharedSecret::random(&mut rng);
            Dealer {
                current: Polynomial::generate(&secret, threshold, &mut rng),
                older: Polynomial::generate(&secret, threshold, &mut rng),
                foreign: Polynomial::generate(&other, threshold, &mut rng),
                secret,
            }
        };
        thresholds.map(deal).collect()
    })
}

/// Panics where reconstruction gives a wrong secret, a wrong share or wrong blame.
pub fn check(data: &[u8]) {
    let mut reader = Reader::new(data);
    let dealer = &dealers()[reader.choice(THRESHOLDS.len())];
    if reader.choice(2) == 0 {
        let at = index(reader.number());
        let shares = shares(dealer, reader);
        check_against_dealer(dealer, &shares, at);
    } else {
        let points: Vec<[u8; 33]> = (0..2 + reader.choice(3)).map(|_| reader.array()).collect();
        let Ok(commitments) = Commitments::from_bytes(&points) else {
            return;
        };
        assert_eq!(commitments.to_bytes(), points);
        let at = index(reader.number());
        check_against_anyone(&commitments, &shares(dealer, reader), at);
    }
}

fn index(number: u32) -> ShareIndex {
    ShareIndex::new(number).unwrap_or(ShareIndex::FIRST)
}

fn shares(dealer: &Dealer, mut reader: Reader<'_>) -> Vec<Share> {
    let mut shares = Vec::new();
    while !reader.is_empty() && shares.len() < MOST_SHARES {
        let kind = reader.byte();
        let at = match kind & 0x80 {
            0 => u32::from(reader.byte()),
            _ => reader.number(),
        };
        let share = match kind % 5 {
            0 => Some(dealer.current.share_at(index(at))),
            1 => Some(dealer.older.share_at(index(at))),
            2 => Some(dealer.foreign.share_at(index(at))),
            3 => {
                let mut value = dealer.current.share_at(index(at)).expose_secret();
                value[reader.choice(32)] ^= reader.byte();
                Share::from_parts(at, &value).ok()
            }
            _ => Share::from_parts(at, &reader.array()).ok(),
        };
        shares.extend(share);
    }
    shares
}

/// The dealer knows every share, so every answer can be foretold.
fn check_against_dealer(dealer: &Dealer, shares: &[Share], at: ShareIndex) {
    let commitments = dealer.current.commitments();
    let is_good = |share: &Share| *share == dealer.current.share_at(share.index());
    let bad: Vec<ShareIndex> = shares
        .iter()
        .filter(|share| !is_good(share))
        .map(Share::index)
        .collect();
    let distinct: BTreeSet<ShareIndex> = shares.iter().map(Share::index).collect();
    let threshold = commitments.threshold().get();
    let needed = usize::try_from(threshold).unwrap();

    let made = interpolate_at(commitments, shares, at);
    if let Ok(share) = &made {
        assert!(
            **share == dealer.current.share_at(at),
            "interpolation made a wrong share"
        );
    }
    match reconstruct(commitments, shares) {
        Ok(secret) => {
            assert!(
                secret == dealer.secret,
                "reconstruction gave a wrong secret"
            );
            assert!(distinct.len() == shares.len() && shares.len() >= needed);
            return;
        }
        Err(ReconstructError::DuplicateIndex { index }) => {
            assert!(shares.iter().filter(|share| share.index() == index).count() > 1);
        }
        Err(ReconstructError::TooFew { have, .. }) => {
            assert_eq!(usize::try_from(have).unwrap(), shares.len());
            assert!(shares.len() < needed && distinct.len() == shares.len());
        }
        Err(ReconstructError::InconsistentCommitments) => {
            assert!(bad.len() == shares.len() && shares.len() > needed);
        }
        Err(error @ ReconstructError::BadShares { .. }) => {
            assert_eq!(error.bad_indices(), bad);
            assert!(!bad.is_empty());
            let good: Vec<Share> = shares
                .iter()
                .filter(|share| is_good(share))
                .cloned()
                .collect();
            assert_eq!(error.enough_without_bad(), good.len() >= needed);
            assert_eq!(
                reconstruct(commitments, &good).is_ok(),
                error.enough_without_bad()
            );
        }
        Err(other) => panic!("an error that nobody foretold: {other}"),
    }
    let sound = distinct.len() == shares.len() && shares.len() >= needed && bad.is_empty();
    assert!(!sound, "good shares were refused");
}

/// Whatever the commitments: what comes out fits them.
fn check_against_anyone(commitments: &Commitments, shares: &[Share], at: ShareIndex) {
    if let Ok(secret) = reconstruct(commitments, shares) {
        assert_eq!(secret.public_point(), commitments.secret_point());
    }
    if let Ok(share) = interpolate_at(commitments, shares, at) {
        assert!(commitments.verify(share.into_share()).is_ok());
    }
}

/// One for each kind of answer.
pub fn seeds() -> Vec<Seed> {
    // Threshold 2, the dealer's commitments, index 9 to interpolate at.
    let with = |shares: &[u8]| [&[0, 0, 0, 0, 0, 9][..], shares].concat();
    let points = dealers()[0].current.commitments().to_bytes().concat();
    let foreign = |points: &[u8]| [&[0, 1, 0][..], points, &[0, 0, 0, 3, 0, 1, 0, 2]].concat();
    let mut identity = points.clone();
    identity[33..].fill(0);
    vec![
        ("good", with(&[0, 1, 0, 2])),
        ("good-and-one-more", with(&[0, 1, 0, 2, 0, 3])),
        ("three-of-five", vec![1, 0, 0, 0, 0, 1, 0, 5, 0, 3, 0, 1]),
        (
            "five-of-five",
            vec![3, 0, 0, 0, 0, 7, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5],
        ),
        (
            "highest-indices",
            with(&[0x82, 0xff, 0xff, 0xff, 0xff, 0x82, 0xff, 0xff, 0xff, 0xfe]),
        ),
        ("none", with(&[])),
        ("too-few", with(&[0, 1])),
        ("twice", with(&[0, 1, 0, 1])),
        ("stale", with(&[0, 1, 1, 2])),
        ("all-stale", with(&[1, 1, 1, 2, 1, 3])),
        ("foreign", with(&[0, 1, 2, 2, 0, 3])),
        ("all-foreign", with(&[2, 1, 2, 2, 2, 3])),
        ("damaged", with(&[3, 1, 31, 1, 0, 2])),
        ("made-up", with(&[&[4, 1][..], &[7; 32], &[0, 2]].concat())),
        (
            "value-above-the-order",
            with(&[&[4, 1][..], &[0xff; 32], &[0, 2]].concat()),
        ),
        ("commitments-from-bytes", foreign(&points)),
        ("commitments-with-identity", foreign(&identity)),
    ]
}
