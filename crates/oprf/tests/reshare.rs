//! Moving a key between committees: every small pair of networks, every set of dealers, and dealers who lie.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

use std::collections::BTreeMap;

use curve25519_dalek::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_oprf::{
    Commitments, Committee, Dealing, ElementError, Input, KeyShare, NodeIndex, ReshareError,
    Resharing, ScalarError, ShareDealing, SubShare, deal,
};

fn index(index: u16) -> NodeIndex {
    NodeIndex::new(index).unwrap()
}

fn places(count: u16) -> Vec<NodeIndex> {
    (1..=count).map(index).collect()
}

struct Network {
    shares: Vec<KeyShare>,
    committee: Committee,
}

impl Network {
    fn deal(threshold: u16, count: u16, seed: u64) -> Self {
        let dealing: Dealing =
            deal(threshold, count, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
        let committee =
            Committee::new(dealing.group_key, threshold, 1, &dealing.verifying_shares).unwrap();
        Self {
            shares: dealing.shares,
            committee,
        }
    }

    fn dealings(&self, threshold: u16, count: u16, seed: u64) -> Vec<ShareDealing> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let shares = self.shares.iter();
        shares
            .map(|share| share.deal(threshold, &places(count), &mut rng).unwrap())
            .collect()
    }

    fn resharing(
        &self,
        threshold: u16,
        dealers: &[usize],
        dealings: &[ShareDealing],
    ) -> Result<Resharing, ReshareError> {
        let dealt = dealers.iter().map(|dealer| {
            let commitments = dealings[*dealer].commitments.clone();
            (self.shares[*dealer].index(), commitments)
        });
        Resharing::new(&self.committee, threshold, dealt)
    }

    /// All new nodes take part.
    fn moved(&self, threshold: u16, count: u16, dealers: &[usize], seed: u64) -> Self {
        let dealings = self.dealings(threshold, count, seed);
        let resharing = self.resharing(threshold, dealers, &dealings).unwrap();
        let shares: Vec<KeyShare> = places(count)
            .into_iter()
            .map(|to| {
                let sub_shares = self.sub_shares(dealers, &dealings, to);
                resharing.receive(to, &sub_shares).unwrap()
            })
            .collect();
        let verifying: Vec<_> = places(count)
            .into_iter()
            .map(|to| resharing.verifying_share(to).unwrap())
            .collect();
        for (share, public) in shares.iter().zip(&verifying) {
            assert_eq!(share.verifying_share(), public);
        }
        let committee = Committee::new(
            *resharing.group_key(),
            threshold,
            self.committee.epoch() + 1,
            &verifying,
        )
        .unwrap();
        Self { shares, committee }
    }

    fn sub_shares(
        &self,
        dealers: &[usize],
        dealings: &[ShareDealing],
        to: NodeIndex,
    ) -> BTreeMap<NodeIndex, SubShare> {
        dealers
            .iter()
            .map(|dealer| {
                let sub_share = dealings[*dealer].sub_shares[usize::from(to.get()) - 1].clone();
                (self.shares[*dealer].index(), sub_share)
            })
            .collect()
    }

    fn output(&self, input: &Input, nodes: &[usize]) -> [u8; 32] {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let answers: Vec<_> = nodes
            .iter()
            .map(|node| {
                let answer = self.shares[*node].evaluate(self.committee.epoch(), input, &mut rng);
                self.committee.verify(input, answer).unwrap()
            })
            .collect();
        *self.committee.combine(&answers).unwrap().expose_secret()
    }
}

fn subsets(count: u16, size: u16) -> Vec<Vec<usize>> {
    (0..1_u32 << count)
        .filter(|mask| mask.count_ones() == u32::from(size))
        .map(|mask| {
            (0..usize::from(count))
                .filter(|i| mask & (1 << i) != 0)
                .collect()
        })
        .collect()
}

#[test]
fn the_key_stays_whatever_the_committees_and_whoever_deals() {
    let input = Input::social(&[b"user"]);
    for (old_t, old_n) in [(1, 1), (1, 3), (2, 3), (3, 4), (3, 5)] {
        let old = Network::deal(old_t, old_n, 1);
        let expected = old.output(&input, &subsets(old_n, old_t)[0]);
        for (new_t, new_n) in [(1, 2), (2, 2), (2, 4), (3, 5), (5, 5)] {
            for dealers in subsets(old_n, old_t) {
                let new = old.moved(new_t, new_n, &dealers, 2);
                assert_eq!(new.committee.group_key(), old.committee.group_key());
                for nodes in subsets(new_n, new_t) {
                    assert_eq!(new.output(&input, &nodes), expected);
                }
            }
        }
    }
}

#[test]
fn a_refresh_changes_every_share_and_old_ones_fit_nothing() {
    let old = Network::deal(3, 5, 1);
    let new = old.moved(3, 5, &[0, 2, 4], 2);
    let input = Input::social(&[b"user"]);
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for (before, after) in old.shares.iter().zip(&new.shares) {
        assert_ne!(before, after);
        // A share of the old epoch, even where it is passed off as one of the new.
        let stale = before.evaluate(2, &input, &mut rng);
        assert!(new.committee.verify(&input, stale).is_err());
        let early = after.evaluate(1, &input, &mut rng);
        assert!(old.committee.verify(&input, early).is_err());
    }
    // Mixed by hand, without the committee's checks: T shares of two epochs interpolate to something else.
    let mixed = [&old.shares[0], &old.shares[1], &new.shares[2]];
    let alike = [&new.shares[0], &new.shares[1], &new.shares[2]];
    let at_zero = |shares: [&KeyShare; 3]| -> Scalar {
        let xs: Vec<Scalar> = shares
            .iter()
            .map(|s| Scalar::from(s.index().get()))
            .collect();
        (0..3)
            .map(|i| {
                let weight: Scalar = (0..3)
                    .filter(|j| *j != i)
                    .map(|j| xs[j] * (xs[j] - xs[i]).invert())
                    .product();
                let value = Scalar::from_canonical_bytes(*shares[i].expose_secret()).unwrap();
                weight * value
            })
            .sum()
    };
    let public = |key: Scalar| {
        curve25519_dalek::RistrettoPoint::mul_base(&key)
            .compress()
            .to_bytes()
    };
    assert_eq!(
        public(at_zero(alike)),
        *old.committee.group_key().as_bytes()
    );
    assert_ne!(
        public(at_zero(mixed)),
        *old.committee.group_key().as_bytes()
    );
}

#[test]
fn a_hundred_refreshes_in_a_row() {
    let input = Input::social(&[b"user"]);
    let mut network = Network::deal(2, 3, 1);
    let expected = network.output(&input, &[0, 1]);
    for seed in 0..100 {
        network = network.moved(2, 3, &[1, 2], seed);
    }
    assert_eq!(network.output(&input, &[0, 2]), expected);
    assert_eq!(network.committee.epoch(), 101);
}

#[test]
fn dealers_who_lie_are_named() {
    let old = Network::deal(2, 3, 1);
    let honest = old.dealings(2, 3, 2);
    let foreign = Network::deal(2, 3, 7).dealings(2, 3, 2);
    let dealings = |of_two: &Commitments| {
        [
            (index(1), honest[0].commitments.clone()),
            (index(2), of_two.clone()),
        ]
    };
    let new = |of_two: &Commitments| Resharing::new(&old.committee, 2, dealings(of_two));
    // A share of another key; a share of its own dealt with another threshold; another dealer's dealing.
    let two = Err(ReshareError::ForeignShare(vec![index(2)]));
    assert_eq!(new(&foreign[1].commitments).map(|_| ()), two);
    let steeper = old.dealings(3, 3, 2);
    assert_eq!(new(&steeper[1].commitments).map(|_| ()), two);
    assert_eq!(new(&honest[2].commitments).map(|_| ()), two);
    assert_eq!(new(&Commitments::from_bytes([]).unwrap()).map(|_| ()), two);

    let resharing = new(&honest[1].commitments).unwrap();
    let good = old.sub_shares(&[0, 1], &honest, index(1));
    assert!(resharing.receive(index(1), &good).is_ok());
    let mut bad = good.clone();
    bad.insert(index(2), honest[1].sub_shares[1].clone());
    let named = Err(ReshareError::BadSubShare(vec![index(2)]));
    assert_eq!(resharing.receive(index(1), &bad), named);
    bad.remove(&index(2));
    assert_eq!(resharing.receive(index(1), &bad), named);
    assert_eq!(
        resharing.receive(index(1), &BTreeMap::new()),
        Err(ReshareError::BadSubShare(vec![index(1), index(2)]))
    );
    let mut more = good;
    more.insert(index(3), honest[2].sub_shares[0].clone());
    assert_eq!(
        resharing.receive(index(1), &more),
        Err(ReshareError::UnknownDealer(index(3)))
    );
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let old = Network::deal(2, 3, 1);
    let dealings = old.dealings(2, 3, 2);
    let refused = |dealers: &[usize]| old.resharing(2, dealers, &dealings).unwrap_err();
    for (dealers, given) in [(&[][..], 0), (&[1], 1), (&[0, 1, 2], 3)] {
        let error = ReshareError::Dealers { needed: 2, given };
        assert_eq!(refused(dealers), error);
    }
    assert_eq!(refused(&[1, 1]), ReshareError::DuplicateDealer(index(2)));
    let stranger = [
        (index(1), dealings[0].commitments.clone()),
        (index(9), dealings[1].commitments.clone()),
    ];
    assert_eq!(
        Resharing::new(&old.committee, 2, stranger).unwrap_err(),
        ReshareError::UnknownDealer(index(9))
    );
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (threshold, nodes) in [(0, 3), (4, 3), (1, 0)] {
        assert_eq!(
            old.shares[0]
                .deal(threshold, &places(nodes), &mut rng)
                .unwrap_err(),
            ReshareError::Threshold {
                threshold,
                nodes: usize::from(nodes)
            }
        );
    }
}

#[test]
fn bytes_are_canonical_and_never_the_identity() {
    let dealing = &Network::deal(2, 3, 1).dealings(2, 3, 2)[0];
    let bytes: Vec<[u8; 32]> = dealing.commitments.to_bytes().copied().collect();
    assert_eq!(
        Commitments::from_bytes(&bytes),
        Ok(dealing.commitments.clone())
    );
    assert_eq!(
        Commitments::from_bytes([&bytes[0], &[0; 32]]),
        Err(ElementError::Identity)
    );
    assert_eq!(
        Commitments::from_bytes([&bytes[0], &[0xff; 32]]),
        Err(ElementError::NotCanonical)
    );
    let sub_share = &dealing.sub_shares[0];
    assert_eq!(
        SubShare::from_bytes(&sub_share.expose_secret()).as_ref(),
        Ok(sub_share)
    );
    assert_eq!(
        SubShare::from_bytes(&[0xff; 32]),
        Err(ScalarError::NotCanonical)
    );
    assert_eq!(format!("{sub_share:?}"), "SubShare(redacted)");
    let hexed = hex::encode(*sub_share.expose_secret());
    assert!(!format!("{dealing:?}").contains(&hexed));
    fn wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}
    wiped_on_drop::<SubShare>();
}
