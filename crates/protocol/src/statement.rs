//! Section 8: what a key says to the metadata server, once.

use alloc::borrow::ToOwned;
use alloc::string::String;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::bytes::{AccountId, AuthKey, Blob, PayloadHash, RequestId, Signature};
use crate::sign::AuthPrivateKey;
use crate::tenant::Tenant;
use crate::versioned;

const LABEL: &str = "statement";

/// The version of the statement's form.
pub const VERSION: u32 = 1;
/// Bytes of a statement at most.
pub const MAX_STATEMENT: usize = 2048;
/// Seconds by which a statement's time may differ from the server's, either way. Request ids are remembered for twice this.
pub const WINDOW: u64 = 120;

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
#[non_exhaustive]
pub enum StatementBody {
    /// By a factor: log me in.
    Login {},
    /// By a factor: create the account whose first payload has this hash.
    Create {
        /// SHA-256 of the payload.
        payload_hash: PayloadHash,
    },
    /// By account auth: hand out the recovery kit.
    Kit {
        /// Which account.
        account_id: AccountId,
    },
    /// By account auth: erase the account.
    Delete {
        /// Which account.
        account_id: AccountId,
    },
}

/// A statement whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`VERSION`].
    pub version: u32,
    /// The server it is meant for: its public base URL without a trailing slash.
    pub aud: String,
    /// The name space.
    pub tenant: Tenant,
    /// Who says it.
    pub key: AuthKey,
    /// Unix seconds.
    pub time: u64,
    /// Never used twice.
    pub request_id: RequestId,
    /// What is said.
    pub body: StatementBody,
}

/// A statement's exact bytes with a signature; nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignedStatement {
    /// JSON of a [`Statement`], byte for byte as signed.
    pub statement: Blob,
    /// By the key that the statement names, over label `statement`.
    pub signature: Signature,
}

/// To whom, where and when a statement speaks.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The server's public base URL without a trailing slash.
    pub aud: &'a str,
    /// The name space.
    pub tenant: &'a Tenant,
    /// Unix seconds.
    pub now: u64,
}

/// Why a statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// More than [`MAX_STATEMENT`] bytes.
    #[error("the statement is larger than {MAX_STATEMENT} bytes")]
    TooLarge,
    /// Cut off or not JSON of the expected form; an unknown field or type is refused too.
    #[error("the statement is not of a known form")]
    Malformed,
    /// A version this software does not know.
    #[error("the statement has version {0}, which this software does not know")]
    UnknownVersion(u32),
    /// Not by the key that it names.
    #[error("the statement's signature does not hold")]
    BadSignature,
    /// Made for another server.
    #[error("the statement was made for another server")]
    WrongAudience,
    /// Made for another tenant.
    #[error("the statement was made for another tenant")]
    WrongTenant,
    /// More than [`WINDOW`] seconds old or ahead.
    #[error("the statement's time is more than {WINDOW} seconds away from the server's")]
    Expired,
}

impl SignedStatement {
    /// Makes and signs a statement with a fresh request id.
    #[must_use]
    pub fn sign(
        body: StatementBody,
        signer: &AuthPrivateKey,
        context: Context<'_>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let statement = Statement {
            version: VERSION,
            aud: context.aud.to_owned(),
            tenant: context.tenant.clone(),
            key: signer.auth_key(),
            time: context.now,
            request_id: RequestId::random(rng),
            body,
        };
        // Strings and numbers only: serialising them cannot fail.
        let bytes = serde_json::to_vec(&statement).unwrap_or_default();
        let signature = signer.sign(LABEL, &bytes);
        Self {
            statement: Blob::new(bytes),
            signature,
        }
    }

    /// Checks form, signature, server, tenant and time. Whether the request id was seen before is the store's to say.
    ///
    /// # Errors
    /// One [`StatementError`] per kind of fault.
    pub fn verify(&self, context: Context<'_>) -> Result<Statement, StatementError> {
        let bytes = self.statement.as_bytes();
        if bytes.len() > MAX_STATEMENT {
            return Err(StatementError::TooLarge);
        }
        let statement: Statement = versioned::read(bytes, VERSION).map_err(|unread| {
            unread.into_error(StatementError::Malformed, StatementError::UnknownVersion)
        })?;
        statement
            .key
            .verify(LABEL, bytes, &self.signature)
            .map_err(|_| StatementError::BadSignature)?;
        if statement.aud != context.aud {
            return Err(StatementError::WrongAudience);
        }
        if statement.tenant != *context.tenant {
            return Err(StatementError::WrongTenant);
        }
        if statement.time.abs_diff(context.now) > WINDOW {
            return Err(StatementError::Expired);
        }
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn context<'a>(tenant: &'a Tenant, now: u64) -> Context<'a> {
        Context {
            aud: "https://meta.example",
            tenant,
            now,
        }
    }

    #[test]
    fn each_fault_has_its_own_error() {
        let (acme, other) = (Tenant::new("acme").unwrap(), Tenant::new("other").unwrap());
        let key = AuthPrivateKey::from_seed(&[1; 32]);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let good = SignedStatement::sign(
            StatementBody::Login {},
            &key,
            context(&acme, 1000),
            &mut rng,
        );
        assert_eq!(
            good.verify(context(&acme, 1120)).unwrap().key,
            key.auth_key()
        );
        assert_eq!(
            good.verify(context(&acme, 1121)),
            Err(StatementError::Expired)
        );
        assert_eq!(
            good.verify(context(&acme, 879)),
            Err(StatementError::Expired)
        );
        assert_eq!(
            good.verify(context(&other, 1000)),
            Err(StatementError::WrongTenant)
        );
        let elsewhere = Context {
            aud: "https://evil.example",
            ..context(&acme, 1000)
        };
        assert_eq!(good.verify(elsewhere), Err(StatementError::WrongAudience));

        let with = |from: &str, to: &str| {
            let text = String::from_utf8(good.statement.as_bytes().to_vec()).unwrap();
            assert!(text.contains(from), "{text}");
            let bytes = text.replace(from, to).into_bytes();
            SignedStatement {
                signature: key.sign(LABEL, &bytes),
                statement: Blob::new(bytes),
            }
            .verify(context(&acme, 1000))
        };
        assert_eq!(
            with("\"version\":1", "\"version\":2"),
            Err(StatementError::UnknownVersion(2))
        );
        assert_eq!(
            with("\"login\"", "\"logout\""),
            Err(StatementError::Malformed)
        );
        assert_eq!(
            with("{\"version\"", "{\"more\":1,\"version\""),
            Err(StatementError::Malformed)
        );
        assert_eq!(
            with("{\"type\"", "{\"more\":1,\"type\""),
            Err(StatementError::Malformed)
        );
        assert_eq!(
            with("acme", &"a".repeat(MAX_STATEMENT)),
            Err(StatementError::TooLarge)
        );

        for at in 0..good.statement.as_bytes().len() {
            let mut bytes = good.statement.as_bytes().to_vec();
            bytes[at] ^= 1;
            let flipped = SignedStatement {
                statement: Blob::new(bytes),
                ..good.clone()
            };
            assert!(flipped.verify(context(&acme, 1000)).is_err());
        }
    }
}
