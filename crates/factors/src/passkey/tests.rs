//! What is derived from an authenticator that works, and the lies of one that does not.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Mutex;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;

const RP: &str = "wallet.example";

type Answer = Result<UsedPasskey, PasskeyError>;

fn acme() -> Tenant {
    Tenant::new("acme").unwrap()
}

fn id(byte: u8) -> CredentialId {
    CredentialId::new(vec![byte; 16])
}

fn output(seed: u8) -> Option<[u8; 32]> {
    let mut bytes = [seed; 32];
    bytes[31] = !seed;
    Some(bytes)
}

fn answer(credential: u8, output: Option<[u8; 32]>) -> Answer {
    Ok(UsedPasskey {
        credential: id(credential),
        output: output.map(PrfOutput::new),
    })
}

/// Creates credential 1, answers as it is told and notes what it is asked.
struct Scripted {
    prf: bool,
    answers: Mutex<Vec<Answer>>,
    created: Mutex<Vec<CreatePasskey>>,
    asked: Mutex<Vec<GetPasskey>>,
}

impl Scripted {
    fn new(mut answers: Vec<Answer>) -> Self {
        answers.reverse();
        Self {
            prf: true,
            answers: Mutex::new(answers),
            created: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    fn create(&self, rp_id: &str) -> Result<Passkey, PasskeyError> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let exclude = vec![id(9)];
        let (tenant, named) = (acme(), (rp_id, "laptop"));
        now(Passkey::create(self, &tenant, named, exclude, &mut rng))
    }

    fn get(&self, rp_id: &str, allow: Vec<CredentialId>) -> Result<Passkey, PasskeyError> {
        now(Passkey::get(self, &acme(), rp_id, allow))
    }
}

impl PasskeyAuthenticator for Scripted {
    fn create(&self, create: CreatePasskey) -> PasskeyFuture<'_, CreatedPasskey> {
        self.created.lock().unwrap().push(create);
        Box::pin(async {
            Ok(CreatedPasskey {
                credential: id(1),
                prf: self.prf,
            })
        })
    }

    fn get(&self, get: GetPasskey) -> PasskeyFuture<'_, UsedPasskey> {
        self.asked.lock().unwrap().push(get);
        let answer = self.answers.lock().unwrap().pop().unwrap();
        Box::pin(async { answer })
    }
}

/// Scripted answers are there at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("waits for something"),
    }
}

#[test]
fn the_new_credential_itself_is_asked_twice_for_the_fixed_salt() {
    let authenticator = Scripted::new(vec![answer(1, output(5)), answer(1, output(5))]);
    let passkey = authenticator.create(RP).unwrap();
    assert_eq!((passkey.credential(), passkey.rp_id()), (&id(1), RP));
    let created = authenticator.created.lock().unwrap();
    assert_eq!(created.len(), 1);
    assert_eq!(created[0].exclude, [id(9)]);
    let asked = authenticator.asked.lock().unwrap();
    let wanted = GetPasskey {
        rp_id: RP.to_owned(),
        allow: vec![id(1)],
        salt: salt(&acme()),
    };
    assert_eq!(*asked, [wanted.clone(), wanted]);
    assert_eq!(created[0].salt, salt(&acme()));
}

#[test]
fn a_passkey_that_would_not_open_again_is_refused() {
    let cases = [
        (vec![answer(1, None)], PasskeyError::NoPrf),
        (
            vec![answer(1, output(5)), answer(1, None)],
            PasskeyError::NoPrf,
        ),
        (vec![answer(1, Some([0; 32]))], PasskeyError::NoPrf),
        (vec![answer(1, Some([255; 32]))], PasskeyError::NoPrf),
        (vec![answer(2, output(5))], PasskeyError::OtherCredential),
        (
            vec![answer(1, output(5)), answer(2, output(5))],
            PasskeyError::OtherCredential,
        ),
        (
            vec![answer(1, output(5)), answer(1, output(6))],
            PasskeyError::Unstable,
        ),
        (
            vec![answer(1, output(5)), Err(PasskeyError::Cancelled)],
            PasskeyError::Cancelled,
        ),
    ];
    for (answers, refusal) in cases {
        let authenticator = Scripted::new(answers);
        assert_eq!(authenticator.create(RP).unwrap_err(), refusal);
        assert!(
            authenticator.answers.lock().unwrap().is_empty(),
            "{refusal}"
        );
    }
    let without = Scripted {
        prf: false,
        ..Scripted::new(Vec::new())
    };
    assert_eq!(without.create(RP).unwrap_err(), PasskeyError::NoPrf);
}

#[test]
fn only_a_credential_that_was_named_opens() {
    let get = |allow, answer| Scripted::new(vec![answer]).get(RP, allow);
    assert!(get(vec![], answer(3, output(5))).is_ok());
    assert!(get(vec![id(2), id(3)], answer(3, output(5))).is_ok());
    assert_eq!(
        get(vec![id(2)], answer(3, output(5))).unwrap_err(),
        PasskeyError::OtherCredential
    );
    assert_eq!(
        get(vec![], answer(3, Some([0; 32]))).unwrap_err(),
        PasskeyError::NoPrf
    );
}

#[test]
fn what_is_no_domain_is_refused_before_the_user_is_asked() {
    for bad in [
        "",
        ".",
        "wallet.example.",
        "wallet..example",
        "https://wallet.example",
        "wallet.example:443",
        "Wallet.example",
        "wallet example",
        "wället.example",
        &"a.".repeat(200),
    ] {
        let authenticator = Scripted::new(Vec::new());
        assert_eq!(
            authenticator.create(bad).unwrap_err(),
            PasskeyError::BadRpId,
            "{bad}"
        );
        assert_eq!(
            authenticator.get(bad, Vec::new()).unwrap_err(),
            PasskeyError::BadRpId
        );
        assert!(authenticator.created.lock().unwrap().is_empty());
    }
}

/// Nobody changes them unawares: every passkey would be lost. Computed with another implementation of SHA-256 and HKDF.
#[test]
fn vectors() {
    assert_eq!(
        hex::encode(salt(&acme())),
        "7a1a208d01c5f743f18fa37ce8adc7f343c4d4266895b1194e77df881e3b0e77"
    );
    assert_ne!(salt(&acme()), salt(&Tenant::new("other").unwrap()));
    let counting: [u8; 32] = core::array::from_fn(|i| u8::try_from(i).unwrap());
    let secret = PrfOutput::new(counting).factor_secret();
    assert_eq!(
        hex::encode(secret.expose_secret()),
        "821119fc04cc930639ed39e50c2e512a57103cf21cf0d5c8e99190adfefc7d7c"
    );
}

#[test]
fn nothing_secret_is_shown() {
    let passkey = Passkey {
        credential: CredentialId::new(vec![1, 2, 3]),
        rp_id: RP.to_owned(),
        secret: FactorSecret::from_bytes([9; 32]),
    };
    assert_eq!(
        format!("{passkey:?}"),
        "Passkey(redacted, CredentialId(AQID))"
    );
    assert_eq!(
        format!("{:?}", PrfOutput::new([1; 32])),
        "PrfOutput(redacted)"
    );
}

#[test]
fn a_credential_has_one_spelling_and_bounds() {
    assert_eq!(
        CredentialId::parse("AQID"),
        Some(CredentialId::new(vec![1, 2, 3]))
    );
    let longest = CredentialId::new(vec![1; 1023]);
    assert_eq!(CredentialId::parse(&longest.to_text()), Some(longest));
    let too_long = CredentialId::new(vec![1; 1024]).to_text();
    for bad in ["", "AQID=", "AB", "A", "+/+/", "AQ ID", too_long.as_str()] {
        assert_eq!(CredentialId::parse(bad), None, "{bad}");
    }
}
