//! Statements: as they arrive at a server, and as the key they name would sign them.
//!
//! Input: 0 and the JSON of a signed statement, or 1 and statement bytes that get a good signature.

use std::sync::OnceLock;

use trefoil_protocol::bytes::{Blob, PayloadHash};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::statement::{
    Context, SignedStatement, Statement, StatementBody, StatementError, VERSION, WINDOW,
};
use trefoil_protocol::tenant::Tenant;

use crate::Seed;
use crate::fixture::{NOW, fixture, rng};
use crate::reader::Reader;

const AUD: &str = "https://meta.example";

fn context() -> Context<'static> {
    Context {
        aud: AUD,
        tenant: &fixture().tenant,
        now: NOW,
    }
}

fn key() -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[5; 32])
}

/// One of each body.
fn genuine() -> &'static [SignedStatement] {
    static GENUINE: OnceLock<Vec<SignedStatement>> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let account_id = fixture().account.keys().id();
        let bodies = [
            StatementBody::Login {},
            StatementBody::Create {
                payload_hash: PayloadHash::from_bytes([6; 32]),
            },
            StatementBody::Kit { account_id },
            StatementBody::Delete { account_id },
        ];
        let mut rng = rng(3);
        bodies
            .map(|body| SignedStatement::sign(body, &key(), context(), &mut rng))
            .into()
    })
}

/// Panics where a statement verifies that should not, or in a context it was not made for.
pub fn check(data: &[u8]) {
    let mut reader = Reader::new(data);
    if reader.choice(2) == 0 {
        let Ok(signed) = serde_json::from_slice::<SignedStatement>(reader.rest()) else {
            return;
        };
        let json = serde_json::to_vec(&signed).unwrap();
        assert!(serde_json::from_slice::<SignedStatement>(&json).unwrap() == signed);
        if let Ok(statement) = signed.verify(context()) {
            // The fuzzer holds no key: whatever verifies was made here.
            assert!(genuine().contains(&signed), "a forged statement verifies");
            check_verified(&signed, &statement);
        }
    } else {
        let bytes = reader.rest().to_vec();
        let signature = key().sign("statement", &bytes);
        let signed = SignedStatement {
            statement: Blob::new(bytes),
            signature,
        };
        if let Ok(statement) = signed.verify(context()) {
            assert_eq!(statement.key, key().auth_key());
            check_verified(&signed, &statement);
        }
    }
}

fn check_verified(signed: &SignedStatement, statement: &Statement) {
    assert_eq!(statement.version, VERSION);
    assert_eq!(
        (statement.aud.as_str(), &statement.tenant),
        (AUD, &fixture().tenant)
    );
    assert!(statement.time.abs_diff(NOW) <= WINDOW);
    let json = serde_json::to_vec(statement).unwrap();
    assert!(serde_json::from_slice::<Statement>(&json).unwrap() == *statement);

    let here = context();
    let refused = |context| signed.verify(context).unwrap_err();
    let other = Tenant::new("other").unwrap();
    assert_eq!(
        refused(Context {
            aud: "https://evil.example",
            ..here
        }),
        StatementError::WrongAudience
    );
    assert_eq!(
        refused(Context {
            tenant: &other,
            ..here
        }),
        StatementError::WrongTenant
    );
    assert_eq!(
        refused(Context {
            now: NOW + 2 * WINDOW + 1,
            ..here
        }),
        StatementError::Expired
    );

    let mut signature = *signed.signature.as_bytes();
    signature[0] ^= 1;
    let forged = SignedStatement {
        signature: signature.as_slice().try_into().unwrap(),
        ..signed.clone()
    };
    assert_eq!(forged.verify(here), Err(StatementError::BadSignature));
}

/// Each body, and some that are nearly right.
pub fn seeds() -> Vec<Seed> {
    let [login, create, kit, delete] = genuine() else {
        unreachable!("four bodies")
    };
    let wire = |signed: &SignedStatement| [&[0], &serde_json::to_vec(signed).unwrap()[..]].concat();
    let edited = |signed: &SignedStatement, from: &str, to: &str| {
        let text = String::from_utf8(signed.statement.as_bytes().to_vec()).unwrap();
        assert!(text.contains(from), "{from}");
        [&[1], text.replacen(from, to, 1).as_bytes()].concat()
    };
    vec![
        ("wire-login", wire(login)),
        ("wire-create", wire(create)),
        ("login", edited(login, "{", "{")),
        ("create", edited(create, "{", "{")),
        ("kit", edited(kit, "{", "{")),
        ("delete", edited(delete, "{", "{")),
        (
            "unknown-version",
            edited(login, "\"version\":1", "\"version\":2"),
        ),
        ("unknown-type", edited(login, "\"login\"", "\"logout\"")),
        ("unknown-field", edited(login, "{", "{\"more\":0,")),
        ("field-twice", edited(login, "{", "{\"version\":1,")),
        ("old", edited(login, "1800000000", "1799999879")),
        (
            "far-future",
            edited(login, "1800000000", "18446744073709551615"),
        ),
        ("other-server", edited(login, AUD, "https://evil.example")),
        ("truncated", edited(login, "\"body\"", "")[..60].to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_verifies() {
        assert!(
            genuine()
                .iter()
                .all(|signed| signed.verify(context()).is_ok())
        );
    }
}
