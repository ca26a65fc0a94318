//! What attackers bring: dumps of servers, stolen factors, and the patience to look for secrets everywhere.

use std::path::Path;
use std::sync::Arc;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use rusqlite::Connection;
use trefoil_client::network::SocialLogin;
use trefoil_client::{
    Environment, HttpTransport, MetadataClient, NetworkClient, RetryPolicy, Transport,
};
use trefoil_protocol::bytes::{Blob, Envelope, SealedNonce, Signature};
use trefoil_protocol::factor::{FactorKeys, FactorSecret};
use trefoil_protocol::opening::{OpenAccount, Opening, OpeningError};
use trefoil_protocol::record::{SignedPayload, VerifiedRecord};
use trefoil_protocol::social::{IdToken, VerifierId};
use trefoil_protocol::tenant::Tenant;
use trefoil_protocol::wire::IndexedEnvelope;
use trefoil_testkit::servers::World;

pub(crate) fn acme() -> Tenant {
    Tenant::new("acme").unwrap()
}

/// A client of the metadata server for raw calls, without any of the SDK's care.
pub(crate) fn raw_client(world: &World, tenant: &str) -> MetadataClient {
    raw_client_over(world, tenant, HttpTransport::new().unwrap())
}

pub(crate) fn raw_client_over(
    world: &World,
    tenant: &str,
    transport: impl Transport + 'static,
) -> MetadataClient {
    MetadataClient::new(
        Arc::new(transport),
        world.metadata_url(),
        Tenant::new(tenant).unwrap(),
        Environment::system(),
    )
    .unwrap()
    .with_retry(RetryPolicy::once(std::time::Duration::from_secs(10)))
}

/// The social factor's secret, as whoever can log in as the user gets it.
pub(crate) async fn social_secret(
    world: &World,
    tenant: &str,
    verifier: &str,
    user: &str,
) -> FactorSecret {
    let manifest = world.manifest().trust_pinned().unwrap();
    let transport = Arc::new(HttpTransport::new().unwrap());
    let network = NetworkClient::new(transport, manifest, Environment::system()).unwrap();
    let key = network.ephemeral_key();
    let token = world
        .id_token_for(tenant, verifier, user, &key.oidc_nonce())
        .unwrap();
    let login = SocialLogin::new(
        &key,
        Tenant::new(tenant).unwrap(),
        VerifierId::new(verifier).unwrap(),
        IdToken::new(token),
    );
    network.social_secret(&login).await.unwrap().secret
}

pub(crate) async fn social_keys(world: &World, user: &str) -> FactorKeys {
    FactorKeys::derive(&acme(), &social_secret(world, "acme", "google", user).await)
}

/// What a copy of the metadata server's files holds of one account.
#[derive(Debug, Clone)]
pub(crate) struct Loot {
    pub(crate) record: SignedPayload,
    pub(crate) envelopes: Vec<IndexedEnvelope>,
    pub(crate) nonces: Vec<SealedNonce>,
}

impl Loot {
    /// Everything that lies in the files.
    pub(crate) fn of(directory: &Path) -> Vec<Self> {
        let records = Connection::open(directory.join("records.db")).unwrap();
        let nonces = Connection::open(directory.join("nonces.db")).unwrap();
        let rows: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = records
            .prepare("SELECT account_id, payload, signature FROM records")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        rows.into_iter()
            .map(|(id, payload, signature)| Self {
                record: SignedPayload {
                    payload: Blob::new(payload),
                    signature: Signature::try_from(signature.as_slice()).unwrap(),
                },
                envelopes: records
                    .prepare("SELECT share_index, envelope FROM factors WHERE account_id = ?1 AND envelope NOT NULL")
                    .unwrap()
                    .query_map([&id], |row| {
                        Ok(IndexedEnvelope { index: row.get(0)?, envelope: Envelope::new(row.get(1)?) })
                    })
                    .unwrap()
                    .map(Result::unwrap)
                    .collect(),
                nonces: nonces
                    .prepare("SELECT sealed FROM nonces WHERE account_id = ?1")
                    .unwrap()
                    .query_map([&id], |row| Ok(SealedNonce::new(row.get(0)?)))
                    .unwrap()
                    .map(Result::unwrap)
                    .collect(),
            })
            .collect()
    }

    /// The loot of a world with one account.
    pub(crate) fn only(directory: &Path) -> Self {
        let mut all = Self::of(directory);
        assert_eq!(all.len(), 1);
        all.pop().unwrap()
    }

    pub(crate) fn verified(&self) -> VerifiedRecord {
        self.record.verify(&acme()).unwrap()
    }

    /// Tries to open with these factors, and with each nonce there is.
    pub(crate) fn open(&self, factors: &[FactorKeys]) -> Result<OpenAccount, OpeningError> {
        let opening = self.begin(factors)?;
        let mut last = opening.complete(None);
        for nonce in &self.nonces {
            if last.is_err() {
                last = opening.complete(Some(nonce));
            }
        }
        last
    }

    /// Gets as far as these factors allow without any nonce.
    pub(crate) fn begin(&self, factors: &[FactorKeys]) -> Result<Opening, OpeningError> {
        let record = self.verified();
        let mut opening: Option<Opening> = None;
        for keys in factors {
            let entry = record
                .factor_at(&keys.locator())
                .ok_or(OpeningError::NotEnrolled)?;
            let held = self
                .envelopes
                .iter()
                .find(|held| held.index == entry.index)
                .unwrap();
            match &mut opening {
                None => {
                    opening = Some(Opening::begin(
                        record.clone(),
                        keys.clone(),
                        &held.envelope,
                    )?)
                }
                Some(opening) => opening.add(keys.clone(), &held.envelope)?,
            }
        }
        opening.ok_or(OpeningError::NotEnrolled)
    }
}

/// Named byte strings that must not turn up somewhere.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// Adds the bytes in every spelling in which they are likely to be written.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        assert!(bytes.len() >= 6, "{name} would be found by chance");
        let hexed = hex::encode(bytes);
        for spelling in [
            bytes.to_vec(),
            hexed.to_uppercase().into_bytes(),
            hexed.into_bytes(),
            Base64::encode_string(bytes)
                .trim_end_matches('=')
                .as_bytes()
                .to_vec(),
            Base64UrlUnpadded::encode_string(bytes).into_bytes(),
        ] {
            self.0.push((name.to_owned(), spelling));
        }
        self
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.bytes(name, text.as_bytes())
    }

    /// Looks through the bytes and everything that is encoded in them.
    pub(crate) fn assert_absent(&self, place: &str, haystack: &[u8]) {
        for layer in layers(haystack) {
            for (name, needle) in &self.0 {
                assert!(!contains(&layer, needle), "{name} found in {place}");
            }
        }
    }

    /// Whether any of the secrets is there: to prove that the search finds what it looks for.
    pub(crate) fn found_in(&self, haystack: &[u8]) -> bool {
        layers(haystack)
            .iter()
            .any(|layer| self.0.iter().any(|(_, needle)| contains(layer, needle)))
    }
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    // The first byte is searched fast; almost all places end there.
    let Some((first, _)) = needle.split_first() else {
        return true;
    };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// The bytes, and what every base64url string within them decodes to, and so on.
fn layers(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![bytes.to_vec()];
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    for word in bytes
        .split(|byte| !is_base64(byte))
        .filter(|word| word.len() >= 16)
    {
        let text = core::str::from_utf8(word).unwrap();
        if let Ok(decoded) = Base64UrlUnpadded::decode_vec(text) {
            found.extend(layers(&decoded));
        }
    }
    found
}
