//! A passkey (WebAuthn Level 3) whose PRF extension yields the factor secret.
//!
//! The platform talks to the authenticator: an app implements [`PasskeyAuthenticator`] with what its platform offers. The
//! credential is discoverable, so that an opening can start with it, and its user is verified at every use.

use core::fmt;
use core::future::Future;
use core::pin::Pin;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::tenant::Tenant;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a platform's call gives back.
pub type PasskeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, PasskeyError>> + Send + 'a>>;

/// What a platform app implements: `navigator.credentials` on the web, the credential managers elsewhere.
pub trait PasskeyAuthenticator: Send + Sync {
    /// Creates a discoverable credential with the PRF extension, its user verified. Gives the PRF's output where the platform
    /// evaluates it at creation, which many do not.
    fn create(&self, create: CreatePasskey) -> PasskeyFuture<'_, CreatedPasskey>;

    /// Has one of the credentials evaluate its PRF for the salt, its user verified.
    fn get(&self, get: GetPasskey) -> PasskeyFuture<'_, UsedPasskey>;
}

/// Names a credential.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Vec<u8>);

/// A credential to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePasskey {
    /// The relying party: the wallet's domain.
    pub rp_id: String,
    /// 16 random bytes: names no user.
    pub user_handle: [u8; 16],
    /// What the platform shows.
    pub name: String,
    /// The PRF's input, as `prf.eval.first`.
    pub salt: [u8; 32],
    /// Credentials that the account has already.
    pub exclude: Vec<CredentialId>,
}

/// A credential to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPasskey {
    /// The relying party.
    pub rp_id: String,
    /// These alone; none lets the user choose among all discoverable ones.
    pub allow: Vec<CredentialId>,
    /// The PRF's input, as `prf.eval.first`.
    pub salt: [u8; 32],
}

/// A credential that was created.
#[derive(Debug, Clone)]
pub struct CreatedPasskey {
    /// Its name.
    pub credential: CredentialId,
    /// Whether the platform says that it has a PRF (`prf.enabled`).
    pub prf: bool,
}

/// A credential that was used.
#[derive(Debug, Clone)]
pub struct UsedPasskey {
    /// Its name.
    pub credential: CredentialId,
    /// What its PRF gave for the salt; none where it has none.
    pub output: Option<PrfOutput>,
}

/// 32 bytes of a PRF's output.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrfOutput([u8; 32]);

/// A passkey that has shown that it works.
#[derive(Clone)]
pub struct Passkey {
    credential: CredentialId,
    rp_id: String,
    secret: FactorSecret,
}

/// Why there is no passkey to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasskeyError {
    /// The user does not want to, or took too long: ask again when they do.
    #[error("the passkey was not used: it was cancelled or took too long")]
    Cancelled,
    /// No credential of this wallet: another device may have one.
    #[error("this device has no passkey for this wallet")]
    NoPasskey,
    /// The account has a passkey on this authenticator already.
    #[error("this authenticator has a passkey for this wallet already")]
    AlreadyThere,
    /// The authenticator cannot yield a secret: another kind of factor is needed.
    #[error(
        "this passkey cannot keep a secret (it has no PRF): use another authenticator, or another factor"
    )]
    NoPrf,
    /// The authenticator does not give the same secret twice.
    #[error(
        "this passkey gives another secret each time: it cannot keep a wallet; use another authenticator"
    )]
    Unstable,
    /// Another credential answered than the one that was asked.
    #[error("another passkey answered than the one that was just made: try again with that one")]
    OtherCredential,
    /// The platform failed.
    #[error("the passkey could not be used: {0}")]
    Failed(String),
}

/// The PRF's input: the same for all passkeys of a tenant, so that one that was just discovered can be used.
#[must_use]
pub fn salt(tenant: &Tenant) -> [u8; 32] {
    let name = tenant.as_str().as_bytes();
    // A tenant's name is far shorter.
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    Sha256::new()
        .chain_update(b"trefoil/v1/passkey")
        .chain_update(length.to_be_bytes())
        .chain_update(name)
        .finalize()
        .into()
}

impl Passkey {
    /// Creates a passkey and probes it: its PRF must give the same output twice. Nothing relies on one that does not.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn create(
        authenticator: &dyn PasskeyAuthenticator,
        tenant: &Tenant,
        (rp_id, name): (&str, &str),
        exclude: Vec<CredentialId>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, PasskeyError> {
        let mut user_handle = [0; 16];
        rng.fill_bytes(&mut user_handle);
        let create = CreatePasskey {
            rp_id: rp_id.to_owned(),
            user_handle,
            name: name.to_owned(),
            salt: salt(tenant),
            exclude,
        };
        let created = authenticator.create(create).await?;
        if !created.prf {
            return Err(PasskeyError::NoPrf);
        }
        let mut probes = Vec::new();
        for _ in 0..2 {
            let allow = vec![created.credential.clone()];
            let probe = Self::get(authenticator, tenant, rp_id, allow).await?;
            if probe.credential != created.credential {
                return Err(PasskeyError::OtherCredential);
            }
            probes.push(probe);
        }
        match (probes.pop(), probes.pop()) {
            (Some(first), Some(second)) if first.secret == second.secret => Ok(first),
            _ => Err(PasskeyError::Unstable),
        }
    }

    /// Uses one of these credentials, or where none is named whichever the user chooses.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn get(
        authenticator: &dyn PasskeyAuthenticator,
        tenant: &Tenant,
        rp_id: &str,
        allow: Vec<CredentialId>,
    ) -> Result<Self, PasskeyError> {
        let get = GetPasskey {
            rp_id: rp_id.to_owned(),
            allow,
            salt: salt(tenant),
        };
        let used = authenticator.get(get).await?;
        let output = used.output.ok_or(PasskeyError::NoPrf)?;
        Ok(Self {
            credential: used.credential,
            rp_id: rp_id.to_owned(),
            secret: output.factor_secret(),
        })
    }

    /// Which credential it is.
    #[must_use]
    pub const fn credential(&self) -> &CredentialId {
        &self.credential
    }

    /// Its relying party.
    #[must_use]
    pub fn rp_id(&self) -> &str {
        &self.rp_id
    }

    /// The factor secret.
    #[must_use]
    pub fn factor_secret(&self) -> FactorSecret {
        self.secret.clone()
    }
}

impl PrfOutput {
    /// Takes an output.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HKDF-SHA256 of the output, with a label of its own: other uses of the same PRF learn nothing.
    fn factor_secret(&self) -> FactorSecret {
        let mut secret = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(None, &self.0)
            .expand(b"trefoil/v1/passkey/secret", secret.as_mut());
        debug_assert!(expanded.is_ok(), "32 bytes are within HKDF's bounds");
        FactorSecret::from_bytes(*secret)
    }
}

impl CredentialId {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it stands in a factor's hints: base64url without padding.
    #[must_use]
    pub fn to_text(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    /// Reads that text; `None` for another.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Base64UrlUnpadded::decode_vec(text).ok().map(Self)
    }
}

impl PartialEq for PrfOutput {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PrfOutput {}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialId({})", self.to_text())
    }
}

impl fmt::Debug for PrfOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrfOutput(redacted)")
    }
}

impl fmt::Debug for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passkey(redacted, {:?})", self.credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_have_salts_of_their_own() {
        let (acme, other) = (Tenant::new("acme").unwrap(), Tenant::new("other").unwrap());
        assert_ne!(salt(&acme), salt(&other));
        // Nobody changes it unawares: every passkey would be lost.
        assert_eq!(
            hex::encode(salt(&acme)),
            "7a1a208d01c5f743f18fa37ce8adc7f343c4d4266895b1194e77df881e3b0e77"
        );
        let secret = PrfOutput::new([7; 32]).factor_secret();
        assert_eq!(
            hex::encode(secret.expose_secret()),
            "3600bd45cb1e25831e1f16c3ccd42eeddea78e094cf8886c3703a29841b40734"
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let passkey = Passkey {
            credential: CredentialId::new(vec![1, 2, 3]),
            rp_id: "wallet.example".to_owned(),
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
        assert_eq!(
            CredentialId::parse("AQID"),
            Some(CredentialId::new(vec![1, 2, 3]))
        );
        assert_eq!(CredentialId::parse("AQID="), None);
    }
}
