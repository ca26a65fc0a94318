//! The recovery kit: text there and back, every damage its own error, opening without a server.

use trefoil_protocol::bytes::Envelope;
use trefoil_protocol::change::Change;
use trefoil_protocol::kit::{KitError, MAX_KIT, RecoveryKit};
use trefoil_protocol::opening::OpeningError;
use trefoil_protocol::record::{Custody, RecordError};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::{IndexedEnvelope, KitResponse};

use crate::support::*;

fn guarded() -> Stored {
    let mut rng = rng(1);
    let (mut stored, _) = self_custody(2, 3, &mut rng);
    let change = Change {
        custody: Some(Custody::Guarded),
        ..Change::default()
    };
    stored.change(&numbered([1, 2]), &change, &mut rng).unwrap();
    stored
}

fn response(stored: &Stored) -> KitResponse {
    KitResponse {
        record: stored.record.signed().clone(),
        envelopes: stored
            .envelopes
            .iter()
            .map(|(index, envelope)| IndexedEnvelope {
                index: *index,
                envelope: envelope.clone(),
            })
            .collect(),
        sealed_nonce: stored.nonce.clone(),
    }
}

#[test]
fn text_there_and_back_and_any_line_ends() {
    let mut rng = rng(2);
    let kits = [
        one_click(&mut rng).0,
        self_custody(3, 5, &mut rng).0,
        guarded(),
    ];
    for kit in kits.map(|stored| stored.kit()) {
        let text = kit.to_text();
        assert_eq!(RecoveryKit::parse(&text), Ok(kit.clone()));
        assert!(text.lines().all(|line| line.len() <= 64));
        let layouts = [
            text.replace('\n', "\r\n"),
            format!("\n\n  {text}\n\n"),
            text.lines().map(|line| format!("{line}   \n")).collect(),
            text.replace("KIT-----\n", "KIT-----\n\n  "),
        ];
        for layout in layouts {
            assert_eq!(RecoveryKit::parse(&layout), Ok(kit.clone()));
        }
    }
}

#[test]
fn any_two_factors_open_it_offline() {
    let mut rng = rng(3);
    let (stored, made) = self_custody(2, 3, &mut rng);
    let kit = RecoveryKit::parse(&stored.kit().to_text()).unwrap();
    assert!(kit.sealed_nonce().is_none());
    assert_eq!(kit.record().hash(), stored.record.hash());
    for pair in subsets(&numbered(1..=3), 2) {
        let mut opening = kit.open(pair[0].clone()).unwrap();
        assert_eq!(opening.missing(), 1);
        assert!(opening.complete(None).is_err());
        kit.add(&mut opening, pair[1].clone()).unwrap();
        assert_eq!(opening.complete(None).unwrap().key(), made.key());
        assert_eq!(
            kit.add(&mut opening, factor(9)),
            Err(OpeningError::NotEnrolled)
        );
    }
    assert_eq!(kit.open(factor(9)).unwrap_err(), OpeningError::NotEnrolled);

    for stored in [one_click(&mut rng).0, guarded()] {
        let kit = RecoveryKit::parse(&stored.kit().to_text()).unwrap();
        let mut opening = kit.open(factor(1)).unwrap();
        if stored.record.custody == Custody::Guarded {
            kit.add(&mut opening, factor(2)).unwrap();
        }
        assert!(opening.complete(None).is_err());
        opening.complete(kit.sealed_nonce()).unwrap();
    }
}

#[test]
fn damage_anywhere_in_the_text_is_noticed() {
    let text = one_click(&mut rng(4)).0.kit().to_text();
    let body = text.find('\n').unwrap() + 1..text.rfind("\n-----END").unwrap();
    // All of the armor and of the checksum, and every fifth character of the JSON.
    let chosen = |at: &usize| *at < 100 || *at + 100 > text.len() || at.is_multiple_of(5);
    for (at, found) in text.char_indices().filter(|(at, _)| chosen(at)) {
        let mut damaged: Vec<char> = text.chars().collect();
        damaged[at] = if found == 'A' { 'B' } else { 'A' };
        let damaged: String = damaged.iter().collect();
        let error = RecoveryKit::parse(&damaged).unwrap_err();
        // The line ends before and after the body are whitespace like any other.
        let inside = (body.start - 1..=body.end).contains(&at);
        let expected = if inside {
            KitError::Damaged
        } else {
            KitError::NotAKit
        };
        assert_eq!(error, expected, "at {at}, {found:?}");
    }
    for cut in 0..text.trim_end().len() {
        assert_eq!(RecoveryKit::parse(&text[..cut]), Err(KitError::NotAKit));
    }
    let lines: Vec<&str> = text.lines().collect();
    for lost in 0..lines.len() {
        let mut lines = lines.clone();
        lines.remove(lost);
        let expected = if lost == 0 || lost == lines.len() {
            KitError::NotAKit
        } else {
            KitError::Damaged
        };
        assert_eq!(RecoveryKit::parse(&lines.join("\n")), Err(expected));
    }
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    assert_eq!(
        RecoveryKit::parse(&swapped.join("\n")),
        Err(KitError::Damaged)
    );
    for no_kit in ["", "hello", "-----BEGIN TREFOIL RECOVERY KIT-----"] {
        assert_eq!(RecoveryKit::parse(no_kit), Err(KitError::NotAKit));
    }
    let long = text.replace("KIT-----\n", &format!("KIT-----\n{}", " ".repeat(MAX_KIT)));
    assert_eq!(RecoveryKit::parse(&long), Err(KitError::NotAKit));
}

/// Armors any JSON with a checksum that fits.
fn armor(json: &str) -> String {
    use sha2::{Digest, Sha256};
    let blob = |bytes: &[u8]| {
        let blob = trefoil_protocol::bytes::Blob::new(bytes.to_vec());
        let quoted = serde_json::to_string(&blob).unwrap();
        quoted.trim_matches('"').to_owned()
    };
    let sum = Sha256::digest(json.as_bytes());
    format!(
        "-----BEGIN TREFOIL RECOVERY KIT-----\n{}\n={}\n-----END TREFOIL RECOVERY KIT-----",
        blob(json.as_bytes()),
        blob(&sum[..6])
    )
}

#[test]
fn what_is_whole_but_wrong_inside_has_its_own_error() {
    let stored = guarded();
    let kit = serde_json::to_string(&response(&stored)).unwrap();
    let text = |version: u32, tenant: &str, more: &str| {
        armor(&format!(
            r#"{{"version":{version},"tenant":"{tenant}"{more},"kit":{kit}}}"#
        ))
    };
    assert!(RecoveryKit::parse(&text(1, "acme", "")).is_ok());
    assert_eq!(
        RecoveryKit::parse(&text(2, "acme", "")),
        Err(KitError::UnknownVersion(2))
    );
    assert_eq!(
        RecoveryKit::parse(&text(1, "other", "")),
        Err(KitError::Record(RecordError::WrongTenant))
    );
    for damaged in [
        text(1, "acme", r#","more":1"#),
        text(1, "ACME", ""),
        armor("{}"),
        armor(""),
    ] {
        assert_eq!(RecoveryKit::parse(&damaged), Err(KitError::Damaged));
    }
}

#[test]
fn an_incomplete_kit_is_not_handed_to_the_user() {
    let stored = guarded();
    let other = guarded();
    let tenant = tenant();
    assert!(RecoveryKit::new(&tenant, response(&stored)).is_ok());
    type Edit = fn(&mut KitResponse, &Stored);
    let edits: [Edit; 7] = [
        |kit, _| drop(kit.envelopes.pop()),
        |kit, _| kit.envelopes.clear(),
        |kit, _| kit.envelopes.push(kit.envelopes[0].clone()),
        |kit, _| kit.envelopes[0].index = 9,
        |kit, _| kit.envelopes[0].envelope = Envelope::new(vec![0; 146]),
        |kit, _| kit.sealed_nonce = None,
        |kit, other| {
            kit.sealed_nonce = other.nonce.as_ref().map(|nonce| {
                trefoil_protocol::bytes::SealedNonce::new(flipped(nonce.as_bytes(), 0))
            });
        },
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        let mut kit = response(&stored);
        edit(&mut kit, &other);
        assert_eq!(
            RecoveryKit::new(&tenant, kit),
            Err(KitError::Incomplete),
            "edit {at}"
        );
    }
    let mut kit = response(&stored);
    kit.record.payload = flipped_blob(&kit.record.payload, 700);
    assert!(matches!(
        RecoveryKit::new(&tenant, kit),
        Err(KitError::Record(_))
    ));
    let elsewhere = Tenant::new("other").unwrap();
    assert_eq!(
        RecoveryKit::new(&elsewhere, response(&stored)),
        Err(KitError::Record(RecordError::WrongTenant))
    );
    // A nonce with a self-custody record, which names none.
    let (own, _) = self_custody(2, 3, &mut rng(9));
    let kit = KitResponse {
        sealed_nonce: stored.nonce.clone(),
        ..response(&own)
    };
    assert_eq!(RecoveryKit::new(&tenant, kit), Err(KitError::Incomplete));
}
