//! Wallets of the neighbouring protocol: a key that signs what is stored under it.

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use bytes::Bytes;
use http::{Method, Request};
use k256::ecdsa::signature::hazmat::PrehashSigner as _;
use k256::ecdsa::{Signature, SigningKey};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use serde_json::json;
use sha3::{Digest as _, Keccak256};

use crate::load::{Call, Operation, User, json as request};
use crate::{Failure, now};

/// About what the record of a Trefoil account of 2 of 3 has in JSON, so that both move the same bytes.
const VALUE: usize = 1600;

/// A key and what is stored under it.
pub(super) struct Wallet {
    key: SigningKey,
    /// Both coordinates in hex.
    x: String,
    y: String,
    value: String,
}

impl Wallet {
    pub(super) fn random(rng: &mut ChaCha20Rng) -> Result<Self, Failure> {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let key = SigningKey::from_slice(&seed)?;
        let point = key.verifying_key().to_sec1_point(false);
        let coordinate = |bytes: Option<&_>| bytes.map(hex::encode::<&k256::FieldBytes>);
        Ok(Self {
            x: coordinate(point.x()).ok_or("no x")?,
            y: coordinate(point.y()).ok_or("no y")?,
            key,
            value: String::new(),
        })
    }

    /// `POST /set` with another value.
    fn set(&mut self, rng: &mut ChaCha20Rng) -> Result<Call, Failure> {
        let mut bytes = [0; VALUE / 4 * 3];
        rng.fill_bytes(&mut bytes);
        self.value = Base64UrlUnpadded::encode_string(&bytes);
        let timestamp = format!("{:x}", now());
        let signed = format!(
            "{{\"data\":\"{}\",\"timestamp\":\"{timestamp}\"}}",
            self.value
        );
        let signature: Signature = self.key.sign_prehash(&Keccak256::digest(signed))?;
        let bytes = [&signature.to_bytes()[..], &[0]].concat();
        self.post(
            "/set",
            json!({
                "namespace": "tkey", "pub_key_X": self.x, "pub_key_Y": self.y,
                "set_data": { "data": self.value, "timestamp": timestamp },
                "signature": Base64::encode_string(&bytes),
            }),
            Bytes::from_static(b"{\"message\":[\""),
        )
    }

    /// `POST /get`, which must give what was set last.
    fn get(&self) -> Result<Call, Failure> {
        self.post(
            "/get",
            json!({ "namespace": "tkey", "pub_key_X": self.x, "pub_key_Y": self.y }),
            Bytes::from(format!("{{\"message\":\"{}\"}}", self.value)),
        )
    }

    fn post(&self, path: &str, body: serde_json::Value, begins: Bytes) -> Result<Call, Failure> {
        let request = request(Request::builder().method(Method::POST).uri(path), &body)?;
        Ok(Call::new(&request, begins))
    }
}

impl User for Wallet {
    fn next(&mut self, operation: Operation, rng: &mut ChaCha20Rng) -> Result<Call, Failure> {
        match operation {
            Operation::Commit => self.set(rng),
            Operation::Read => self.get(),
            Operation::Login | Operation::Health => Err("the incumbent has no such call".into()),
        }
    }
}
