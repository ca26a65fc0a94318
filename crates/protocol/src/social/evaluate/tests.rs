use std::format;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use trefoil_oprf::{ElementError, Input, deal};

use super::*;

fn request(generation: u32, token: &str) -> Result<EvaluateRequest, EvaluateRequestError> {
    let key = EphemeralKey::random(&mut ChaCha20Rng::seed_from_u64(1)).public();
    let (tenant, verifier) = (
        Tenant::new("acme").unwrap(),
        VerifierId::new("google").unwrap(),
    );
    EvaluateRequest::new(
        tenant,
        verifier,
        IdToken::new(token.into()),
        key,
        generation,
        7,
    )
}

#[test]
fn request_round_trips_and_each_fault_has_its_own_error() {
    let good = request(3, "a.b.c").unwrap();
    let json = good.to_json();
    assert_eq!(EvaluateRequest::from_json(&json), Ok(good.clone()));
    assert!(!format!("{good:?}").contains("a.b.c"));

    let with = |from: &str, to: &str| {
        let text = core::str::from_utf8(&json).unwrap();
        assert!(text.contains(from), "{from}");
        EvaluateRequest::from_json(text.replacen(from, to, 1).as_bytes()).unwrap_err()
    };
    assert_eq!(
        with("\"version\":1", "\"version\":2"),
        EvaluateRequestError::UnknownVersion(2)
    );
    assert_eq!(with("{", "{\"more\":1,"), EvaluateRequestError::Malformed);
    assert_eq!(with("acme", "Acme"), EvaluateRequestError::Malformed);
    assert_eq!(
        with("\"generation\":3", "\"generation\":16"),
        EvaluateRequestError::GenerationOutOfRange
    );
    assert_eq!(
        with("a.b.c", &"a".repeat(MAX_ID_TOKEN + 1)),
        EvaluateRequestError::TokenTooLarge
    );
    for cut in 0..json.len() {
        assert_eq!(
            EvaluateRequest::from_json(&json[..cut]),
            Err(EvaluateRequestError::Malformed)
        );
    }
    assert_eq!(
        request(16, "t"),
        Err(EvaluateRequestError::GenerationOutOfRange)
    );
    assert_eq!(
        EvaluateRequestError::TokenTooLarge.code(),
        ProblemCode::TokenTooLarge
    );
    let largest = request(15, &"a".repeat(MAX_ID_TOKEN)).unwrap();
    assert!(largest.to_json().len() <= MAX_EVALUATE_REQUEST);
}

#[test]
fn an_answer_opens_only_for_its_login_and_place() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (ephemeral, other) = (
        EphemeralKey::random(&mut rng),
        EphemeralKey::random(&mut rng),
    );
    let share = &deal(1, 1, &mut rng).unwrap().shares[0];
    let evaluation = share.evaluate(7, &Input::social(&[b"x"]), &mut rng);
    let user = "u".repeat(MAX_USER);
    let answer = EvaluateResponse::seal(&evaluation, &user, &ephemeral.public(), &mut rng).unwrap();

    let json = serde_json::to_vec(&answer).unwrap();
    assert!(json.len() <= MAX_EVALUATE_RESPONSE);
    assert_eq!(EvaluateResponse::from_json(&json), Ok(answer.clone()));
    let opened = answer.open(&ephemeral).unwrap();
    assert_eq!(
        (opened.user(), opened.index().get(), opened.epoch()),
        (user.as_str(), 1, 7)
    );
    assert_eq!(
        opened.into_evaluation().expose_secret(),
        evaluation.expose_secret()
    );

    let refused = |answer: EvaluateResponse| answer.open(&ephemeral).unwrap_err();
    assert_eq!(
        answer.open(&other).unwrap_err(),
        OpenEvaluationError::NotForUs
    );
    assert_eq!(
        refused(EvaluateResponse {
            epoch: 8,
            ..answer.clone()
        }),
        OpenEvaluationError::NotForUs
    );
    assert_eq!(
        refused(EvaluateResponse {
            index: 2,
            ..answer.clone()
        }),
        OpenEvaluationError::NotForUs
    );
    assert_eq!(
        refused(EvaluateResponse {
            index: 0,
            ..answer.clone()
        }),
        OpenEvaluationError::Malformed
    );
    let sealed = answer.sealed.as_bytes();
    for at in 0..sealed.len() {
        let mut flipped = sealed.to_vec();
        flipped[at] ^= 1;
        let flipped = EvaluateResponse {
            sealed: Blob::new(flipped),
            ..answer.clone()
        };
        assert_eq!(refused(flipped), OpenEvaluationError::NotForUs, "{at}");
        let cut = EvaluateResponse {
            sealed: Blob::new(sealed[..at].to_vec()),
            ..answer.clone()
        };
        assert_eq!(refused(cut), OpenEvaluationError::NotForUs, "{at}");
    }

    let text = core::str::from_utf8(&json).unwrap();
    let read = |from: &str, to: &str| {
        EvaluateResponse::from_json(text.replacen(from, to, 1).as_bytes()).unwrap_err()
    };
    assert_eq!(
        read("\"version\":1", "\"version\":2"),
        OpenEvaluationError::UnknownVersion(2)
    );
    assert_eq!(read("{", "{\"more\":1,"), OpenEvaluationError::Malformed);
    assert_eq!(
        EvaluateResponse::from_json(&json[..json.len() - 1]),
        Err(OpenEvaluationError::Malformed)
    );
}

/// A node that seals nonsense: every text that could stand inside is refused with an error of its own kind.
#[test]
fn sealed_nonsense_is_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let ephemeral = EphemeralKey::random(&mut rng);
    let share = &deal(1, 1, &mut rng).unwrap().shares[0];
    let evaluation = share.evaluate(1, &Input::social(&[b"x"]), &mut rng);
    let mut good = [
        &[1],
        evaluation.expose_secret().as_slice(),
        &evaluation.proof().to_bytes(),
    ]
    .concat();
    good.extend(lp(b"user"));
    let mut open = |plaintext: &[u8]| {
        let sealed = Blob::new(
            ephemeral
                .public()
                .seal(&info(1, 1), plaintext, &mut rng)
                .unwrap(),
        );
        EvaluateResponse {
            version: 1,
            index: 1,
            epoch: 1,
            sealed,
        }
        .open(&ephemeral)
        .map(|_| ())
    };
    assert_eq!(open(&good), Ok(()));
    for cut in 0..good.len() {
        assert_eq!(
            open(&good[..cut]),
            Err(OpenEvaluationError::Malformed),
            "{cut}"
        );
    }
    assert_eq!(
        open(&[good.as_slice(), b"!"].concat()),
        Err(OpenEvaluationError::Malformed)
    );
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    assert_eq!(
        open(&with(0, &[2])),
        Err(OpenEvaluationError::UnknownVersion(2))
    );
    assert_eq!(
        open(&with(1, &[0; 32])),
        Err(EvaluationError::Value(ElementError::Identity).into())
    );
    assert_eq!(
        open(&with(1, &[0xff; 32])),
        Err(EvaluationError::Value(ElementError::NotCanonical).into())
    );
    assert!(matches!(
        open(&with(33, &[0xff; 32])),
        Err(OpenEvaluationError::Evaluation(EvaluationError::Proof(_)))
    ));
    assert_eq!(
        open(&with(99, &[0xff; 4])),
        Err(OpenEvaluationError::Malformed)
    );
    let without_user = [&good[..97], &[0, 0]].concat();
    assert_eq!(open(&without_user), Err(OpenEvaluationError::Malformed));
    let long_user = [&good[..97], &lp(&[b'u'; MAX_USER + 1])].concat();
    assert_eq!(open(&long_user), Err(OpenEvaluationError::Malformed));
}

#[test]
fn debug_is_redacted() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let ephemeral = EphemeralKey::random(&mut rng);
    let share = &deal(1, 1, &mut rng).unwrap().shares[0];
    let evaluation = share.evaluate(1, &Input::social(&[b"x"]), &mut rng);
    let answer = EvaluateResponse::seal(&evaluation, "bob", &ephemeral.public(), &mut rng).unwrap();
    let opened = answer.open(&ephemeral).unwrap();
    assert_eq!(
        format!("{opened:?}"),
        "OpenedEvaluation(redacted, index 1, epoch 1)"
    );
    assert_eq!(
        format!("{:?}", IdToken::new("secret".into())),
        "IdToken(redacted)"
    );
}
