//! A node under a clock that the test turns, and a user who has dealt a slot to it. All keys and signatures are real.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use rand_chacha::ChaCha20Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;
use trefoil_node::{Clock, IdTokenVerifier, Node, NodeConfig, PermitConfig};
use trefoil_protocol::account::AccountKeys;
use trefoil_protocol::bytes::{AuthKey, Blob, SlotId};
use trefoil_protocol::factor::FactorSecret;
use trefoil_protocol::guess::{
    DealtSlot, EnrolRequest, EvaluatorName, Guess, GuessAnswer, GuessList, GuessRequest,
    GuessRound, Guessable, Knowledge, ListRequest, NewSlot, NodePlace, Permit, Signed,
    SlotDeleteRequest, SlotDeletion, SlotEnrolment, StretchCost, Unlock, UnlockRequest,
};
use trefoil_protocol::problem::{Problem, ProblemCode};
use trefoil_protocol::sign::AuthPrivateKey;
use trefoil_protocol::social::{NodeSecrets, VerifiedManifest, deal_network};
use trefoil_shares::KeyScalar;
use trefoil_store::{MemorySlotStore, NodeSlotStore, StoredSlot};

use crate::world::{START, rng, tenant};

/// Guesses per guess key.
pub(super) const ALLOWED: u8 = 3;
/// The factor that the slot keeps; the factors 1 and 2 may guess.
const OWN: u32 = 9;
pub(super) const SERVER: &str = "https://meta.example";

/// The metadata server's, by which the node was told to take slots of `acme`.
pub(super) fn permit_key() -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[71; 32])
}

/// A node that can be started again.
pub(super) struct Place {
    pub(super) node: Arc<Node>,
    pub(super) store: Arc<dyn NodeSlotStore>,
    pub(super) time: Arc<AtomicU64>,
    pub(super) secrets: NodeSecrets,
    manifest: VerifiedManifest,
    router: Router,
}

impl Place {
    pub(super) fn new() -> Self {
        Self::with(Arc::new(MemorySlotStore::default()))
    }

    pub(super) fn with(store: Arc<dyn NodeSlotStore>) -> Self {
        let dealt = deal_network(&["https://node.example".to_owned()], 1, &mut rng(2)).unwrap();
        let manifest = dealt.manifest.trust_pinned().unwrap();
        let time = Arc::new(AtomicU64::new(START));
        Self::start(store, dealt.nodes[0].clone(), manifest, time)
    }

    /// The same node after a restart.
    pub(super) fn again(&self) -> Self {
        self.over(Arc::clone(&self.store))
    }

    /// The same node over another store.
    pub(super) fn over(&self, store: Arc<dyn NodeSlotStore>) -> Self {
        let time = Arc::clone(&self.time);
        Self::start(store, self.secrets.clone(), self.manifest.clone(), time)
    }

    fn start(
        store: Arc<dyn NodeSlotStore>,
        secrets: NodeSecrets,
        manifest: VerifiedManifest,
        time: Arc<AtomicU64>,
    ) -> Self {
        // Two keys of one tenant, as while the server's changes, and another tenant's.
        let permit = |name: &str, key: AuthPrivateKey| PermitConfig {
            tenant: tenant(name),
            key: key.auth_key(),
        };
        let permits = vec![
            permit("acme", AuthPrivateKey::from_seed(&[70; 32])),
            permit("acme", permit_key()),
            permit("other", AuthPrivateKey::from_seed(&[72; 32])),
        ];
        let clock = Arc::clone(&time);
        let clock = Clock::new(move || clock.load(Ordering::SeqCst));
        let verifier = IdTokenVerifier::new(NodeConfig::default()).unwrap();
        let node = Node::new(secrets.clone(), &manifest, verifier, clock, rng(5)).unwrap();
        let node = Arc::new(node.with_slots(Arc::clone(&store), permits));
        Self {
            router: Node::shared_router(Arc::clone(&node)),
            node,
            store,
            time,
            secrets,
            manifest,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.time.load(Ordering::SeqCst)
    }

    pub(super) fn name(&self) -> EvaluatorName {
        EvaluatorName::Node(self.node.identity_key())
    }

    pub(super) fn place(&self) -> NodePlace {
        let node = &self.manifest.nodes()[0];
        NodePlace {
            // In the slot; in the manifest it has one of its own.
            index: 1,
            identity_key: node.identity_key,
            hpke_key: node.hpke_key,
            url: node.url.clone(),
        }
    }

    /// The slot as it lies in the store.
    pub(super) async fn stored(&self, slot: SlotId) -> Option<StoredSlot> {
        self.store.load_slot(slot).await.unwrap()
    }

    /// Any bytes.
    pub(super) async fn send(&self, call: &str, body: Vec<u8>) -> Result<Value, Problem> {
        let request = Request::post(format!("/v1/slots/{call}"))
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        if status == StatusCode::OK {
            return Ok(serde_json::from_slice(&body).unwrap());
        }
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.status, status.as_u16());
        Err(problem)
    }

    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        call: &str,
        body: &impl Serialize,
    ) -> Result<A, Problem> {
        let answer = self.send(call, serde_json::to_vec(body).unwrap()).await?;
        Ok(serde_json::from_value(answer).unwrap())
    }

    pub(super) async fn guess(&self, request: &GuessRequest) -> Result<GuessAnswer, Problem> {
        self.post("guess", request).await
    }

    /// Refused with this code, and the slot is as it was.
    pub(super) async fn refuses(
        &self,
        slot: SlotId,
        call: &str,
        body: &impl Serialize,
        code: ProblemCode,
    ) -> Problem {
        self.refuses_bytes(slot, call, serde_json::to_vec(body).unwrap(), code)
            .await
    }

    pub(super) async fn refuses_bytes(
        &self,
        slot: SlotId,
        call: &str,
        body: Vec<u8>,
        code: ProblemCode,
    ) -> Problem {
        let before = self.stored(slot).await;
        let problem = self.send(call, body).await.expect_err("refused");
        assert_eq!(problem.code, code, "{problem}");
        assert_eq!(self.stored(slot).await, before);
        problem
    }
}

/// A user with a slot that the node's part was dealt for.
pub(super) struct Owner {
    pub(super) id: SlotId,
    pub(super) account: AccountKeys,
    pub(super) dealt: DealtSlot,
    pub(super) secret: FactorSecret,
    rng: std::sync::Mutex<ChaCha20Rng>,
}

impl Owner {
    pub(super) fn new(place: &Place) -> Self {
        Self::numbered(place, 1)
    }

    pub(super) fn numbered(place: &Place, number: u8) -> Self {
        let mut rng = rng(u64::from(number) + 900);
        let account = AccountKeys::derive(&tenant("acme"), &KeyScalar::random(&mut rng));
        let id = SlotId::try_from([number; 16].as_slice()).unwrap();
        let secret = FactorSecret::random(&mut rng);
        let new = NewSlot {
            tenant: &tenant("acme"),
            id,
            factor: OWN,
            factors: &[1, 2, OWN],
            revision: 1,
            server: SERVER,
            nodes: &[place.place()],
            threshold: 1,
            allowed: ALLOWED,
            knowledge: Knowledge::Pin { rule: 1 },
            stretch: StretchCost {
                memory_kib: 64,
                passes: 1,
                lanes: 1,
                salt: Blob::new(vec![7; 16]),
            },
            now: START,
        };
        let guessable = Guessable {
            subset: 0,
            stretched: &[1; 32],
        };
        let dealt = DealtSlot::deal(&new, &account, &secret, &[guessable], &mut rng).unwrap();
        Self {
            id,
            account,
            dealt,
            secret,
            rng: std::sync::Mutex::new(rng),
        }
    }

    /// With the slot at the node.
    pub(super) async fn enrolled(place: &Place) -> Self {
        let owner = Self::new(place);
        owner.enrol(place).await;
        owner
    }

    pub(super) async fn enrol(&self, place: &Place) {
        let answer = place.post::<Value>("enrol", &self.request(place)).await;
        assert_eq!(answer.unwrap(), serde_json::json!({}));
    }

    pub(super) fn admin(&self) -> AuthPrivateKey {
        self.account.slot_admin(self.id.as_bytes())
    }

    pub(super) fn guess_key(&self, factor: u32) -> AuthPrivateKey {
        self.account.guess_seed(factor).guess_key(&self.id)
    }

    pub(super) fn permit(&self, place: &Place) -> Permit {
        let permit = Permit::grant(
            &tenant("acme"),
            self.id,
            self.admin().auth_key(),
            place.now(),
            &permit_key(),
        );
        permit.verify(&permit_key().auth_key()).unwrap()
    }

    pub(super) fn request(&self, place: &Place) -> EnrolRequest {
        EnrolRequest {
            permit: Some(Signed::sign(&self.permit(place), &permit_key())),
            ..self.dealt.nodes[0].clone()
        }
    }

    pub(super) fn enrolment(&self) -> SlotEnrolment {
        let request = &self.dealt.nodes[0];
        request.enrolment.verify(&request.admin_key).unwrap()
    }

    /// Another enrolment, permitted and signed as it should be.
    pub(super) fn signed(&self, place: &Place, enrolment: &SlotEnrolment) -> EnrolRequest {
        EnrolRequest {
            enrolment: Signed::sign(enrolment, &self.admin()),
            ..self.request(place)
        }
    }

    /// What is guessed: right or wrong.
    pub(super) fn round(&self, factor: u32, right: bool) -> GuessRound {
        let seed = self.account.guess_seed(factor);
        let stretched = if right { [1; 32] } else { [2; 32] };
        let mut rng = self.rng.lock().unwrap();
        GuessRound::new(&self.dealt.slot, &seed, 0, &stretched, &mut *rng).unwrap()
    }

    pub(super) fn guess(&self, place: &Place, factor: u32) -> GuessRequest {
        let round = self.round(factor, false);
        round.request(place.name(), place.now())
    }

    pub(super) fn content(request: &GuessRequest) -> Guess {
        request.guess.verify(&request.key).unwrap()
    }

    pub(super) fn sign_guess(&self, guess: &Guess, factor: u32) -> GuessRequest {
        let key = self.guess_key(factor);
        GuessRequest {
            slot: self.id,
            key: key.auth_key(),
            guess: Signed::sign(guess, &key),
        }
    }

    /// Made with the secret that a right guess gives.
    pub(super) fn unlock(&self, place: &Place, round: &GuessRound) -> UnlockRequest {
        round.unlock(&self.secret, place.name(), 1, place.now())
    }

    pub(super) fn sign_unlock(&self, unlock: &Unlock, factor: u32) -> UnlockRequest {
        let key = self.guess_key(factor);
        UnlockRequest {
            slot: self.id,
            key: key.auth_key(),
            unlock: Signed::sign(unlock, &key),
        }
    }

    pub(super) fn list(&self, number: u64, factors: &[u32]) -> ListRequest {
        let factors = factors.iter().copied();
        ListRequest {
            slot: self.id,
            list: GuessList::sign(&self.account, self.id, OWN, factors, number),
        }
    }

    pub(super) fn deletion(&self) -> SlotDeleteRequest {
        SlotDeleteRequest {
            slot: self.id,
            deletion: SlotDeletion::sign(self.id, &self.account),
        }
    }
}

/// A key that nobody has heard of.
pub(super) fn stranger() -> AuthPrivateKey {
    AuthPrivateKey::from_seed(&[99; 32])
}

pub(super) fn other_node() -> EvaluatorName {
    let key: AuthKey = AuthPrivateKey::from_seed(&[98; 32]).auth_key();
    EvaluatorName::Node(key)
}
