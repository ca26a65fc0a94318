//! The device file's bytes: one JSON object, compact, fields in a fixed order.
//!
//! ```json
//! {"version":1,"kind":"file","checksum":"<SHA-256 of the state's JSON>","state":{"secrets":[…],"pins":[…],"accounts":[…],"erase":[…]}}
//! ```
//!
//! Reading accepts exactly what writing makes: what was parsed is written again and compared, so that no changed byte
//! goes unnoticed. The checksum is against accidents, not against attackers, who are kept out by the file's mode.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use trefoil_protocol::bytes::{AccountId, Blob, Envelope, Locator, PayloadHash, Signature};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::record::SignedPayload;
use trefoil_protocol::tenant::Tenant;
use zeroize::Zeroizing;

use super::state::{DeviceAccount, DeviceSecret, DeviceState, LostSecret};

/// Version of the file's form.
const VERSION: u32 = 1;

/// A device file has at most this many bytes.
pub const MAX_FILE: usize = 1024 * 1024;

/// What is wrong with a device file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Cut off, or not of the known form; an unknown field is refused too.
    #[error("it is torn or altered: not of the known form")]
    Malformed,
    /// The form holds, the content was altered.
    #[error("it was altered: its checksum does not hold")]
    Checksum,
    /// More bytes than a device file can have.
    #[error("it is larger than {MAX_FILE} bytes")]
    TooLarge,
    /// Not there, although an earlier copy is.
    #[error("it is missing")]
    Missing,
    /// A version that is not known.
    #[error("it has version {0}, which this software does not know")]
    UnknownVersion(u32),
    /// Of the other kind of store.
    #[error("it belongs to a {0} store")]
    WrongKind(&'static str),
}

/// Who keeps the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The file itself.
    File,
    /// The operating system's keychain; the file is the index.
    #[cfg_attr(
        not(feature = "keychain"),
        allow(dead_code, reason = "still recognised when read")
    )]
    Keychain,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keychain => "keychain",
        }
    }
}

#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<S> {
    version: u32,
    kind: Kind,
    checksum: PayloadHash,
    state: S,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireState {
    secrets: Vec<WireSecret>,
    pins: Vec<WirePin>,
    accounts: Vec<WireAccount>,
    erase: Vec<WireErase>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSecret {
    tenant: Tenant,
    account_id: AccountId,
    locator: Locator,
    secret: Option<WireFactorSecret>,
    created: u64,
    pending: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePin {
    tenant: Tenant,
    locator: Locator,
    account_id: AccountId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAccount {
    account_id: AccountId,
    tenant: Tenant,
    revision: u64,
    payload: Blob,
    signature: Signature,
    own_envelope: Option<Envelope>,
    events_head: Option<PayloadHash>,
    dont_ask_mfa: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireErase {
    tenant: Tenant,
    locator: Locator,
}

struct WireFactorSecret(FactorSecret);

impl Serialize for WireFactorSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&secret_text(&self.0))
    }
}

impl<'de> Deserialize<'de> for WireFactorSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = WireFactorSecret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes as base64url")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WireFactorSecret, E> {
                // The message must not repeat the text.
                secret_from_text(text)
                    .map(WireFactorSecret)
                    .ok_or_else(|| E::custom("not a device secret"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A factor secret as base64url: what a keychain entry holds, because some keychains take only text.
pub(crate) fn secret_text(secret: &FactorSecret) -> Zeroizing<String> {
    use base64ct::Encoding as _;
    Zeroizing::new(base64ct::Base64UrlUnpadded::encode_string(
        secret.expose_secret(),
    ))
}

/// The reverse of [`secret_text`].
pub(crate) fn secret_from_text(text: &str) -> Option<FactorSecret> {
    use base64ct::Encoding as _;
    let mut bytes = Zeroizing::new([0; 32]);
    let length = base64ct::Base64UrlUnpadded::decode(text, bytes.as_mut_slice())
        .ok()?
        .len();
    (length == 32).then(|| FactorSecret::from_bytes(*bytes))
}

/// The bytes of a state. With [`Kind::Keychain`] no secret is among them.
pub(crate) fn encode(
    kind: Kind,
    state: &DeviceState,
) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    encode_wire(kind, &to_wire(kind, state)).map(|(_, bytes)| bytes)
}

fn encode_wire(
    kind: Kind,
    state: &WireState,
) -> Result<(PayloadHash, Zeroizing<Vec<u8>>), serde_json::Error> {
    let inner = to_vec(state)?;
    let checksum = PayloadHash::from_bytes(Sha256::digest(&*inner).into());
    Ok((
        checksum,
        to_vec(&Wire {
            version: VERSION,
            kind,
            checksum,
            state,
        })?,
    ))
}

/// Serialises into a buffer of the right size, so that growing it leaves no copies of secrets behind.
fn to_vec(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value)?;
    let mut out = Zeroizing::new(Vec::with_capacity(count.0));
    serde_json::to_writer(&mut *out, value)?;
    Ok(out)
}

/// The state behind the bytes. Secrets that a [`Kind::Keychain`] file indexes come back as lost; the store fills them in.
pub(crate) fn decode(kind: Kind, bytes: &[u8]) -> Result<DeviceState, FormatError> {
    if bytes.len() > MAX_FILE {
        return Err(FormatError::TooLarge);
    }
    let version = serde_json::from_slice::<AnyVersion>(bytes)
        .map_err(|_| FormatError::Malformed)?
        .version;
    if version != VERSION {
        return Err(FormatError::UnknownVersion(version));
    }
    let wire: Wire<WireState> =
        serde_json::from_slice(bytes).map_err(|_| FormatError::Malformed)?;
    let (checksum, canonical) =
        encode_wire(wire.kind, &wire.state).map_err(|_| FormatError::Malformed)?;
    if checksum != wire.checksum {
        return Err(FormatError::Checksum);
    }
    if *canonical != bytes {
        return Err(FormatError::Malformed);
    }
    if wire.kind != kind {
        return Err(FormatError::WrongKind(wire.kind.name()));
    }
    from_wire(kind, wire.state).ok_or(FormatError::Malformed)
}

fn to_wire(kind: Kind, state: &DeviceState) -> WireState {
    let mut secrets: Vec<WireSecret> = state
        .secrets
        .values()
        .map(|secret| WireSecret {
            tenant: secret.tenant.clone(),
            account_id: secret.account_id,
            locator: secret.locator,
            secret: (kind == Kind::File).then(|| WireFactorSecret(secret.secret.clone())),
            created: secret.created,
            pending: secret.pending,
            contact: secret.contact.clone(),
        })
        .chain(
            state
                .lost
                .iter()
                .filter(|_| kind == Kind::Keychain)
                .map(|(locator, lost)| WireSecret {
                    tenant: lost.tenant.clone(),
                    account_id: lost.account_id,
                    locator: *locator,
                    secret: None,
                    created: lost.created,
                    pending: lost.pending,
                    contact: lost.contact.clone(),
                }),
        )
        .collect();
    secrets.sort_by_key(|secret| secret.locator);
    WireState {
        secrets,
        pins: state
            .pins
            .iter()
            .map(|((tenant, locator), account_id)| WirePin {
                tenant: tenant.clone(),
                locator: *locator,
                account_id: *account_id,
            })
            .collect(),
        accounts: state
            .accounts
            .iter()
            .map(|(account_id, account)| WireAccount {
                account_id: *account_id,
                tenant: account.tenant.clone(),
                revision: account.revision,
                payload: account.record.payload.clone(),
                signature: account.record.signature,
                own_envelope: account.own_envelope.clone(),
                events_head: account.events_head,
                dont_ask_mfa: account.dont_ask_mfa,
            })
            .collect(),
        // Only a keychain outlives the file that names its entries.
        erase: state
            .erase
            .iter()
            .filter(|_| kind == Kind::Keychain)
            .map(|(tenant, locator)| WireErase {
                tenant: tenant.clone(),
                locator: *locator,
            })
            .collect(),
    }
}

/// `None` for what writing never makes: a secret in the wrong place, something twice, lists out of order.
fn from_wire(kind: Kind, wire: WireState) -> Option<DeviceState> {
    let ordered = wire.secrets.is_sorted_by(|a, b| a.locator < b.locator)
        && wire
            .pins
            .is_sorted_by(|a, b| (&a.tenant, a.locator) < (&b.tenant, b.locator))
        && wire
            .accounts
            .is_sorted_by(|a, b| a.account_id < b.account_id)
        && wire
            .erase
            .is_sorted_by(|a, b| (&a.tenant, a.locator) < (&b.tenant, b.locator));
    if !ordered {
        return None;
    }
    let mut state = DeviceState::default();
    for WireSecret {
        tenant,
        account_id,
        locator,
        secret,
        created,
        pending,
        contact,
    } in wire.secrets
    {
        match (kind, secret) {
            (Kind::File, Some(WireFactorSecret(secret))) => {
                let secret = DeviceSecret {
                    account_id,
                    tenant,
                    locator,
                    secret,
                    created,
                    pending,
                    contact,
                };
                state.secrets.insert(locator, secret);
            }
            (Kind::Keychain, None) => {
                state.lost.insert(
                    locator,
                    LostSecret {
                        account_id,
                        tenant,
                        created,
                        pending,
                        contact,
                    },
                );
            }
            (Kind::File, None) | (Kind::Keychain, Some(_)) => return None,
        }
    }
    state.pins = wire
        .pins
        .into_iter()
        .map(|pin| ((pin.tenant, pin.locator), pin.account_id))
        .collect();
    state.accounts = wire
        .accounts
        .into_iter()
        .map(|account| {
            let known = DeviceAccount {
                tenant: account.tenant,
                revision: account.revision,
                record: SignedPayload {
                    payload: account.payload,
                    signature: account.signature,
                },
                own_envelope: account.own_envelope,
                events_head: account.events_head,
                dont_ask_mfa: account.dont_ask_mfa,
            };
            (account.account_id, known)
        })
        .collect();
    state.erase = wire
        .erase
        .into_iter()
        .map(|erase| (erase.tenant, erase.locator))
        .collect();
    Some(state)
}
