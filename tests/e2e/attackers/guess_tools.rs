//! What attackers of counted guesses bring: a dictionary, stolen parts of keys, their own evaluators.

use curve25519_dalek::Scalar;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use trefoil::HttpTransport;
use trefoil::knowledge::Pin;
use trefoil_client::{Request, Transport};
use trefoil_oprf::{Element, Input, KeyShare, MasterKey, NodeIndex};
use trefoil_protocol::account::GuessSeed;
use trefoil_protocol::bytes::{DleqProof, GroupElement};
use trefoil_protocol::factor::FactorKeys;
use trefoil_protocol::guess::{
    Count, EvaluatorName, Guess, GuessAnswer, GuessRequest, GuessRound, Knowledge, Outcome,
    SLOT_EPOCH, Slot,
};
use trefoil_protocol::problem::Problem;
use trefoil_store::SlotStore as _;
use trefoil_testkit::environment::os_rng;
use trefoil_testkit::servers::World;

use super::toolkit::Loot;

/// Entries of a dictionary.
pub(crate) const ENTRIES: u32 = 1000;

/// The account's only slot as one opened factor shows it, with that factor's guesses.
pub(crate) struct Target {
    pub(crate) slot: Slot,
    pub(crate) seed: GuessSeed,
}

impl Target {
    pub(crate) fn of(loot: &Loot, factor: &FactorKeys) -> Self {
        let opening = loot.begin(std::slice::from_ref(factor)).unwrap();
        let [slot] = opening.state().slots.as_slice() else {
            panic!("several slots")
        };
        Self {
            slot: slot.clone(),
            seed: opening.guess_seeds()[0].1.clone(),
        }
    }

    pub(crate) fn round(&self, stretched: &[u8; 32]) -> GuessRound {
        GuessRound::new(&self.slot, &self.seed, 0, stretched, &mut os_rng()).unwrap()
    }

    /// The dictionary, stretched as this slot demands: the attacker has all the time there is.
    pub(crate) async fn stretched_dictionary(&self) -> Vec<[u8; 32]> {
        let halves = [0..ENTRIES / 2, ENTRIES / 2..ENTRIES].map(|half| {
            let slot = self.slot.clone();
            tokio::task::spawn_blocking(move || -> Vec<[u8; 32]> {
                half.map(|entry| stretch(&slot, &pin_at(entry))).collect()
            })
        });
        let mut all = Vec::new();
        for half in halves {
            all.extend(half.await.unwrap());
        }
        all
    }
}

/// The dictionary's PIN at this place.
pub(crate) fn pin_at(entry: u32) -> String {
    format!("{:06}", 731_000 + entry)
}

pub(crate) fn stretch(slot: &Slot, pin: &str) -> [u8; 32] {
    let Knowledge::Pin { rule } = slot.knowledge else {
        panic!("no PIN")
    };
    let input = Pin::entered(pin).unwrap().input(rule).unwrap();
    *input.stretch(&slot.stretch).unwrap().expose_secret()
}

/// A stolen part of a slot's key.
#[derive(Clone, Copy)]
pub(crate) struct StolenShare {
    pub(crate) index: u16,
    pub(crate) bytes: [u8; 32],
}

impl StolenShare {
    /// From a node whose keys and files are stolen.
    pub(crate) async fn from_node(world: &World, place: usize, slot: &Slot) -> Self {
        let stored = world.nodes[place].slots().load_slot(slot.id).await;
        let sealed = stored.unwrap().unwrap().bytes;
        let key = world.node_secrets()[place].key();
        let record = key.open(&sealed).unwrap();
        Self {
            index: u16::try_from(place + 1).unwrap(),
            bytes: record[..32].try_into().unwrap(),
        }
    }

    /// From the metadata server's files.
    pub(crate) fn from_server(world: &World, slot: &Slot) -> Self {
        let file = world.metadata_directory().join("records.db");
        let record: Vec<u8> = rusqlite::Connection::open(file)
            .unwrap()
            .query_row(
                "SELECT record FROM slots WHERE slot_id = ?1",
                [slot.id.as_bytes()],
                |row| row.get(0),
            )
            .unwrap();
        Self {
            index: 0,
            bytes: record[..32].try_into().unwrap(),
        }
    }

    /// Answers as the evaluator would, but counts nothing.
    pub(crate) fn answer(&self, request: &GuessRequest) -> GuessAnswer {
        let guess: Guess = request.guess.verify(&request.key).unwrap();
        let element = Element::from_bytes(guess.blinded.as_bytes()).unwrap();
        let place = NodeIndex::new(self.index.max(1)).unwrap();
        let share = KeyShare::from_bytes(place, &self.bytes).unwrap();
        let evaluated = share.evaluate(SLOT_EPOCH, &Input::guess(&element), &mut os_rng());
        GuessAnswer {
            evaluation: GroupElement::from_bytes(*evaluated.expose_secret()),
            proof: DleqProof::from_bytes(evaluated.proof().to_bytes()),
            count: Count {
                used: 1,
                allowed: 10,
                list: 1,
                live: true,
                spent: false,
            },
        }
    }

    fn scalar(&self) -> Scalar {
        Scalar::from_canonical_bytes(self.bytes).unwrap()
    }
}

/// Interpolates at 0 whatever key these would be shares of.
pub(crate) fn key_of(shares: &[StolenShare]) -> [u8; 32] {
    let mut key = Scalar::ZERO;
    for share in shares {
        let at = Scalar::from(share.index);
        let others = shares.iter().filter(|other| other.index != share.index);
        let weight = others.fold(Scalar::ONE, |weight, other| {
            let other = Scalar::from(other.index);
            weight * other * (other - at).invert()
        });
        key += weight * share.scalar();
    }
    key.to_bytes()
}

/// Runs the dictionary with keys of the attacker's own for nodes and server: the entries that open.
pub(crate) fn offline(
    target: &Target,
    nodes: [u8; 32],
    server: [u8; 32],
    dictionary: &[[u8; 32]],
) -> Vec<usize> {
    let committed = |key: &[u8; 32]| {
        let key = MasterKey::from_bytes(key).unwrap();
        let (commitments, _) = key.split_committed(1, 1, &mut os_rng()).unwrap();
        let commitment = *commitments.to_bytes().next().unwrap();
        GroupElement::from_bytes(commitment)
    };
    // A copy of the slot in which one evaluator, with the guessed key, stands for all nodes.
    let mut slot = target.slot.clone();
    slot.commitments = vec![committed(&nodes)];
    slot.server_key = committed(&server);
    slot.nodes.truncate(1);
    let forged = Target {
        slot,
        seed: target.seed.clone(),
    };
    let evaluators = [
        StolenShare {
            index: 0,
            bytes: server,
        },
        StolenShare {
            index: 1,
            bytes: nodes,
        },
    ];
    let opens = |stretched: &[u8; 32]| {
        let mut round = forged.round(stretched);
        for evaluator in &evaluators {
            let request = round.request(EvaluatorName::Server(String::new()), 0);
            let answer = evaluator.answer(&request);
            round.add(evaluator.index, &answer).unwrap();
        }
        matches!(round.finish().unwrap(), Outcome::Right(_))
    };
    let entries = dictionary.iter().enumerate();
    let opened = entries.filter(|(_, stretched)| opens(stretched));
    opened.map(|(entry, _)| entry).collect()
}

/// Posts to an evaluator without any of the client's care.
pub(crate) async fn post<T: DeserializeOwned>(
    url: &str,
    body: &impl Serialize,
) -> Result<T, Problem> {
    thread_local! {
        static WIRE: HttpTransport = HttpTransport::new().unwrap();
    }
    let wire = WIRE.with(Clone::clone);
    let url = url::Url::parse(url).unwrap();
    let request = Request::new(Method::POST, url).json(serde_json::to_vec(body).unwrap());
    let response = wire.send(request).await.unwrap();
    if response.status.is_success() {
        Ok(serde_json::from_slice(&response.body).unwrap())
    } else {
        Err(serde_json::from_slice(&response.body).unwrap())
    }
}

/// `…/slots/{slot}/{call}` at the metadata server, in the tenant `acme`.
pub(crate) fn server_url(world: &World, slot: &Slot, call: &str) -> String {
    format!("{}/v1/acme/slots/{}/{call}", world.metadata_url(), slot.id)
}

/// `/v1/slots/{call}` at the node of this place, counted from 0.
pub(crate) fn node_url(world: &World, place: usize, call: &str) -> String {
    format!("{}/v1/slots/{call}", world.nodes[place].url())
}

/// As statements name the metadata server.
pub(crate) fn server_name(world: &World) -> EvaluatorName {
    EvaluatorName::Server(world.metadata_url().to_owned())
}

pub(crate) fn node_name(target: &Target, place: usize) -> EvaluatorName {
    EvaluatorName::Node(target.slot.nodes[place].identity_key)
}

pub(crate) fn now() -> u64 {
    trefoil_client::Clock::unix_time(&trefoil_client::SystemClock)
}
