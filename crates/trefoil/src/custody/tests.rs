use super::*;

/// Index, verifier, user and e-mail address, each empty where there is no hint.
fn social((index, verifier, user, email): (u32, &str, &str, &str)) -> Traits {
    let hint = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Traits {
        index,
        kind: FactorKind::Social,
        verifier: hint(verifier),
        identity: hint(user),
        email: hint(email),
    }
}

#[test]
fn every_combination_of_hints_is_told_as_far_as_it_can_be() {
    use Relation::{Different, Same, Unknown};
    for (one, other, expected) in [
        // One verifier.
        (("g", "u", "a"), ("g", "u", "a"), Same),
        (("g", "u", "a"), ("g", "u", "b"), Same),
        (("g", "u", ""), ("g", "u", ""), Same),
        (("g", "u", "a"), ("g", "v", "a"), Same),
        (("g", "u", "a"), ("g", "v", "b"), Different),
        (("g", "u", ""), ("g", "v", "b"), Different),
        (("g", "u", ""), ("g", "v", ""), Different),
        (("g", "", ""), ("g", "u", "a"), Unknown),
        (("g", "", ""), ("g", "", ""), Unknown),
        // Two: the same user string means nothing.
        (("g", "u", "a"), ("h", "u", "a"), Same),
        (("g", "u", "a"), ("h", "u", "b"), Different),
        (("g", "u", ""), ("h", "u", "a"), Unknown),
        (("g", "u", ""), ("h", "v", ""), Unknown),
        (("g", "", ""), ("h", "v", "a"), Unknown),
        // Of an unknown verifier, enrolled elsewhere.
        (("", "", ""), ("", "", ""), Unknown),
        (("", "u", ""), ("", "u", ""), Unknown),
        (("", "", "a"), ("g", "u", "a"), Same),
    ] {
        let a = social((1, one.0, one.1, one.2));
        let b = social((2, other.0, other.1, other.2));
        assert_eq!(relation(&a, &b), expected, "{one:?} {other:?}");
        assert_eq!(relation(&b, &a), expected, "{other:?} {one:?}");
    }
}

fn groups(of: &[(u32, &str, &str, &str)], threshold: u8) -> Vec<(Vec<u32>, bool)> {
    let traits: Vec<Traits> = of.iter().copied().map(social).collect();
    let told = |group: Group| {
        let certain = group.is_certain(threshold);
        (group.factors(threshold).to_vec(), certain)
    };
    let groups = reaching(&traits, threshold).into_iter();
    let mut groups: Vec<_> = groups.map(told).collect();
    // What cannot be told is found from either side.
    groups.dedup();
    groups
}

#[test]
fn only_what_one_identity_may_have_reaches_the_threshold() {
    assert_eq!(groups(&[(1, "g", "u", "a"), (2, "g", "v", "b")], 2), []);
    assert_eq!(groups(&[(1, "g", "u", "")], 2), []);
    let same = [(1, "g", "u", ""), (2, "g", "u", "")];
    assert_eq!(groups(&same, 2), [(vec![1, 2], true)]);
    assert_eq!(groups(&same, 3), []);
    // 1 and 2 by the address, 2 and 3 by the user.
    let chain = [(1, "h", "x", "a"), (2, "g", "u", "a"), (3, "g", "u", "b")];
    assert_eq!(groups(&chain, 3), [(vec![1, 2, 3], true)]);
    // What cannot be told counts, and is not called known; what is known is named without it.
    let old = [(1, "g", "", ""), (2, "g", "u", "a"), (5, "g", "u", "a")];
    assert_eq!(groups(&old, 3), [(vec![1, 2, 5], false)]);
    assert_eq!(groups(&old, 2).first(), Some(&(vec![2, 5], true)));
    let unknown = [(1, "g", "u", ""), (2, "h", "v", "")];
    assert_eq!(groups(&unknown, 2), [(vec![1, 2], false)]);
}

#[test]
fn factors_that_are_no_social_logins_are_of_no_identity() {
    let mut phrase = social((2, "", "", ""));
    phrase.kind = FactorKind::RecoveryPhrase;
    let traits = [social((1, "g", "", "")), phrase];
    assert_eq!(reaching(&traits, 2), []);
    assert_eq!(consequences(&traits), []);
}

#[test]
fn consequences_are_told_once() {
    let mut mailed = social((9, "", "", "a"));
    mailed.kind = FactorKind::EmailBackup;
    let traits = [
        social((1, "g", "u", "a")),
        social((2, "g", "u", "")),
        social((3, "g", "v", "b")),
        social((4, "g", "", "")),
        mailed,
    ];
    let told: Vec<(&str, Vec<u32>)> = consequences(&traits)
        .into_iter()
        .map(|consequence| (consequence.as_str(), consequence.factors()))
        .collect();
    assert_eq!(
        told,
        [
            ("same_identity", vec![1, 2]),
            ("same_provider", vec![1, 3]),
            ("unknown_identity", vec![1, 4]),
            ("same_provider", vec![1, 4]),
            ("same_provider", vec![2, 3]),
            ("unknown_identity", vec![2, 4]),
            ("same_provider", vec![2, 4]),
            ("unknown_identity", vec![3, 4]),
            ("same_provider", vec![3, 4]),
            ("custodial", vec![9]),
        ]
    );
}

#[test]
fn consequences_are_told_in_plain_words() {
    let (index, other) = (1, 4);
    for (consequence, text) in [
        (
            Consequence::SameIdentity { index, other },
            "factors 1 and 4 are logins of one identity: whoever takes it has both factors",
        ),
        (
            Consequence::UnknownIdentity { index, other },
            "whether factors 1 and 4 are logins of one identity cannot be told: if they are, whoever takes it has both \
             factors",
        ),
        (
            Consequence::SameProvider { index, other },
            "factors 1 and 4 are logins of one provider: whoever controls it has both factors",
        ),
        (
            Consequence::Custodial { index },
            "factor 1 was e-mailed: whoever reads the mailbox, the sender and the mail provider have this factor",
        ),
    ] {
        assert_eq!(consequence.to_string(), text);
    }
    assert_eq!(
        one_identity(&[1, 4], 2, true),
        "factors 1, 4 are logins of one identity, and any 2 factors open the wallet: whoever takes that identity would open \
         it alone; use another login, raise the threshold, or accept it"
    );
    assert!(
        one_identity(&[1, 4], 2, false)
            .contains("may be logins of one identity, which cannot be told")
    );
}
