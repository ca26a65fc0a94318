//! Slots as their owners see them: real keys and signatures; as blinded elements, multiples of the generator that RFC 9496 lists.

use std::sync::atomic::{AtomicU8, Ordering};

use trefoil_protocol::bytes::{AttemptId, Blob, GroupElement, SlotId};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{
    EnrolRequest, EvaluatorName, Guess, GuessList, GuessRequest, ListRequest, OwnersClaim, Signed,
    SlotDeleteRequest, SlotDeletion, SlotEnrolment, Unlock, UnlockRequest, UnlockTag, VERSION,
};
use trefoil_protocol::sign::AuthPrivateKey;

use super::http::{Call, Reply, call};
use super::wallet::{Session, Wallet};
use super::{AUDIENCE, Server, tenant};

/// The generator of ristretto255, 1, 2 and 3 times (RFC 9496 appendix A.1).
pub const MULTIPLES: [&str; 3] = [
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
];

pub fn multiple(number: usize) -> GroupElement {
    let hex = MULTIPLES[number - 1];
    let bytes: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    GroupElement::try_from(bytes.as_slice()).unwrap()
}

/// A slot whose key is 2 and whose guess keys have these seeds. Slots are told apart by number.
#[derive(Clone)]
pub struct TestSlot {
    pub id: SlotId,
    pub tenant: &'static str,
    pub admin: AuthPrivateKey,
    pub keys: Vec<u8>,
    pub allowed: u8,
    pub share: Vec<u8>,
    pub secret: FactorSecret,
}

pub fn guess_key(seed: u8) -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[seed; 32])
}

pub fn server_name() -> EvaluatorName {
    EvaluatorName::Server(AUDIENCE.to_owned())
}

/// One that no test used before.
pub fn attempt() -> AttemptId {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let number = LAST.fetch_add(1, Ordering::SeqCst);
    AttemptId::try_from([number; 16].as_slice()).unwrap()
}

impl TestSlot {
    pub fn new(number: u8, keys: &[u8]) -> Self {
        let mut share = vec![0; 32];
        share[0] = 2;
        Self {
            id: SlotId::try_from([number; 16].as_slice()).unwrap(),
            tenant: "acme",
            admin: AuthPrivateKey::from_seed(&[number ^ 0xff; 32]),
            keys: keys.to_vec(),
            allowed: 3,
            share,
            secret: FactorSecret::from_bytes([number; 32]),
        }
    }

    pub fn guess_list(&self, number: u64, keys: &[u8]) -> GuessList {
        GuessList {
            version: VERSION,
            slot: self.id,
            number,
            keys: keys
                .iter()
                .map(|seed| guess_key(*seed).auth_key())
                .collect(),
        }
    }

    pub fn list(&self, number: u64, keys: &[u8]) -> Signed<GuessList> {
        Signed::sign(&self.guess_list(number, keys), &self.admin)
    }

    pub fn enrolment(&self) -> SlotEnrolment {
        SlotEnrolment {
            version: VERSION,
            tenant: tenant(self.tenant),
            slot: self.id,
            evaluator: server_name(),
            index: 0,
            share: Blob::new(self.share.clone()),
            unlock_hash: UnlockTag::of(&self.secret, &self.id, 0).hash(),
            allowed: self.allowed,
            list: self.list(1, &self.keys),
        }
    }

    pub fn enrol_request(&self, wallet: &Wallet, enrolment: &SlotEnrolment) -> EnrolRequest {
        EnrolRequest {
            admin_key: self.admin.auth_key(),
            enrolment: Signed::sign(enrolment, &self.admin),
            permit: None,
            claim: Some(OwnersClaim::sign(
                &wallet.auth,
                self.id,
                self.admin.auth_key(),
            )),
        }
    }

    pub fn enrol_call(
        &self,
        wallet: &Wallet,
        session: &Session,
        enrolment: &SlotEnrolment,
    ) -> Call {
        wallet
            .session_call("PUT", &format!("/slots/{}", self.id), session)
            .json(&self.enrol_request(wallet, enrolment))
    }

    pub async fn enrol(&self, wallet: &Wallet, session: &Session, server: &Server) -> Reply {
        self.enrol_call(wallet, session, &self.enrolment())
            .send(server)
            .await
    }

    pub fn call(&self, verb: &str) -> Call {
        call(
            "POST",
            &format!("/v1/{}/slots/{}/{verb}", self.tenant, self.id),
        )
    }

    pub fn a_guess(&self, attempt: AttemptId, now: u64) -> Guess {
        Guess {
            version: VERSION,
            slot: self.id,
            evaluator: server_name(),
            attempt,
            blinded: multiple(1),
            time: now,
        }
    }

    pub fn guess_request(&self, key: u8, guess: &Guess) -> GuessRequest {
        let key = guess_key(key);
        GuessRequest {
            slot: self.id,
            key: key.auth_key(),
            guess: Signed::sign(guess, &key),
        }
    }

    pub fn guess_call(&self, key: u8, guess: &Guess) -> Call {
        self.call("guess").json(&self.guess_request(key, guess))
    }

    pub async fn guess(&self, key: u8, attempt: AttemptId, server: &Server) -> Reply {
        self.guess_call(key, &self.a_guess(attempt, server.now()))
            .send(server)
            .await
    }

    pub fn an_unlock(&self, attempt: AttemptId, now: u64) -> Unlock {
        Unlock {
            version: VERSION,
            slot: self.id,
            evaluator: server_name(),
            attempt,
            tag: UnlockTag::of(&self.secret, &self.id, 0),
            time: now,
        }
    }

    pub fn unlock_request(&self, key: u8, unlock: &Unlock) -> UnlockRequest {
        let key = guess_key(key);
        UnlockRequest {
            slot: self.id,
            key: key.auth_key(),
            unlock: Signed::sign(unlock, &key),
        }
    }

    pub fn unlock_call(&self, key: u8, unlock: &Unlock) -> Call {
        self.call("unlock").json(&self.unlock_request(key, unlock))
    }

    pub async fn unlock(&self, key: u8, attempt: AttemptId, server: &Server) -> Reply {
        self.unlock_call(key, &self.an_unlock(attempt, server.now()))
            .send(server)
            .await
    }

    pub fn list_call(&self, list: Signed<GuessList>) -> Call {
        self.call("list").json(&ListRequest {
            slot: self.id,
            list,
        })
    }

    pub fn deletion(&self) -> SlotDeletion {
        SlotDeletion {
            version: VERSION,
            slot: self.id,
        }
    }

    pub fn delete_call(&self, deletion: &SlotDeletion) -> Call {
        self.call("delete").json(&SlotDeleteRequest {
            slot: self.id,
            deletion: Signed::sign(deletion, &self.admin),
        })
    }
}
