//! A small ledger made from fixed seeds, for vectors and for files that lie: whoever holds this holds every key.

use std::collections::BTreeMap;

use sharelog::core::commitment::Opening;
use sharelog::core::hash::Hash;
use sharelog::core::ids;
use sharelog::core::json::{self, Strings, Value, object, strings};
use sharelog::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};
use sharelog::core::kinds::Kind;
use sharelog::core::record::{Draft, HEADER};
use sharelog::core::time::Time;
use sharelog::core::validators::{Member, ValidatorSet};
use sharelog::log::certificate::{Certificate, Step, vote_text};
use sharelog::log::checkpoint::{Checkpoint, Cosignature, publish};
use sharelog::log::entry::BlockEntry;
use sharelog::log::evidence::{Evidence, Handover, ProvenLeaf};
use sharelog::log::merkle::{MemoryNodes, inclusion_proof, leaf_hash};

pub const NAME: &str = "vectors.example/sharelog";
/// 2026-11-25T00:00:00.000Z.
const CREATED_MS: u64 = 1_795_564_800_000;

/// The secret key of a label: its seed is SHA-256("sharelog/vectors/v1\n" || label).
pub fn secret(label: &str) -> SecretKey {
    SecretKey::from_seed(Hash::of(format!("sharelog/vectors/v1\n{label}").as_bytes()).as_bytes())
}

pub fn time(seconds: u64) -> Time {
    Time::from_unix_ms(CREATED_MS + seconds * 1000).unwrap()
}

/// A key of an agency: (label of its secret, vkey).
pub fn agency_key(origin: &str, agency: &str, role: Role, generation: u32) -> (SecretKey, VerifierKey) {
    let secret = secret(&format!("{agency}/{role}/{generation}"));
    let vkey = VerifierKey::new(agency_key_name(origin, agency, role), Algorithm::Ed25519, secret.public()).unwrap();
    (secret, vkey)
}

/// An identity-multihash peer id of an Ed25519 key, in base58btc.
fn peer(key: &SecretKey) -> String {
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend_from_slice(key.public().as_bytes());
    bs58::encode(bytes).into_string()
}

fn member(agency: &str) -> Member {
    Member {
        agency: agency.to_owned(),
        consensus: secret(&format!("{agency}/consensus")).public(),
        cosigner: secret(&format!("{agency}/cosigner")).public(),
        power: 1,
    }
}

pub fn set(agencies: &[&str]) -> ValidatorSet {
    ValidatorSet::new(agencies.iter().map(|agency| member(agency)).collect()).unwrap()
}

pub const FIRST_SET: [&str; 4] = ["agency-0", "agency-1", "agency-2", "agency-3"];
pub const SECOND_SET: [&str; 5] = ["agency-0", "agency-1", "agency-2", "agency-3", "agency-4"];

fn genesis_agency(id: &str, roles: &[Role]) -> Value {
    let mut keys: Vec<_> = roles.iter().map(|role| (role.as_str(), agency_key("unused", id, *role, 0).0.public().to_base64())).collect();
    keys.sort();
    let key = |(role, public): &(&str, String)| object([("public", public.as_str().into()), ("role", (*role).into())]);
    object([
        ("id", id.into()),
        ("keys", Value::Array(keys.iter().map(key).collect())),
        ("level", "city".into()),
        ("names", object([("en", id.into())])),
        ("scheme", "plain".into()),
        ("territory", "3301".into()),
    ])
}

fn genesis_validator(agency: &str, port: u64) -> Value {
    let key = |which: &str| secret(&format!("{agency}/{which}"));
    object([
        ("addresses", strings([format!("/ip4/127.0.0.1/tcp/{port}")])),
        ("agency", agency.into()),
        ("consensus", key("consensus").public().to_base64().into()),
        ("cosigner", key("cosigner").public().to_base64().into()),
        ("peer", peer(&key("network")).into()),
        ("power", 1.into()),
        ("publication", key("publication").public().to_base64().into()),
        ("records", strings([format!("/ip4/127.0.0.1/tcp/{}", port + 1)])),
    ])
}

fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), Strings::Strict).unwrap()
}

/// The genesis file's JSON.
pub fn genesis() -> Value {
    let policy = concat!(
        r#"{"authority_threshold":1,"block_bytes_max":1048576,"block_drift_ms":5000,"block_records_max":4096,"checkpoint_ms":1000,"#,
        r#""clocks":{"answer_conditional":10,"answer_unconditional":1,"backflow":20,"catalogue_review":2,"catalogue_update":10,"#,
        r#""correction":10,"delivery":20,"dispute":20,"mismatch":20,"receipt":5,"rectification":20},"#,
        r#""extensions":{"answer":10,"backflow":0,"catalogue_update":5,"dispute":0,"mismatch":0,"rectification":0},"#,
        r#""heartbeat_ms":600000,"pause_on_supplement":true,"record_age_ms_max":604800000,"rules":1,"unreviewed_requestable":true,"#,
        r#""utc_offset_minutes":480}"#
    );
    let mut agencies: Vec<_> = SECOND_SET.iter().map(|id| genesis_agency(id, &[Role::Head, Role::Office, Role::Recovery])).collect();
    agencies.push(genesis_agency("authority", &[Role::Authority, Role::Head, Role::Office, Role::Recovery]));
    object([
        ("agencies", Value::Array(agencies)),
        ("calendars", Value::Array(Vec::new())),
        ("created", time(0).to_string().into()),
        ("format", "sharelog/genesis/v1".into()),
        ("name", NAME.into()),
        ("policy", value(policy)),
        (
            "validators",
            Value::Array(FIRST_SET.iter().zip([26600, 26602, 26604, 26606]).map(|(a, port)| genesis_validator(a, port)).collect()),
        ),
    ])
}

/// A record that is signed by keys of (agency, role, generation).
pub struct Signed<'a> {
    pub by: &'a str,
    pub kind: Kind,
    pub refs: Vec<Hash>,
    pub body: Value,
    pub keys: &'a [(&'a str, Role, u32)],
}

impl Signed<'_> {
    pub fn note(&self, origin: &str, seconds: u64) -> String {
        let draft = Draft {
            at: time(seconds),
            by: self.by.to_owned(),
            kind: self.kind,
            refs: self.refs.clone(),
            uid: format!("01939d7c-3f0a-7abc-8def-{seconds:012x}"),
            body: self.body.clone(),
        };
        let keys: Vec<_> = self.keys.iter().map(|(agency, role, generation)| agency_key(origin, agency, *role, *generation)).collect();
        draft.sign(origin, &keys.iter().map(|(secret, vkey)| (vkey, secret)).collect::<Vec<_>>())
    }
}

/// SHA-256 of a note's signed text.
pub fn record_id(note: &str) -> Hash {
    let end = note.find("\n\n").unwrap() + 1;
    assert!(note.starts_with(HEADER));
    Hash::of(&note.as_bytes()[..end])
}

pub fn admission(origin: &str, id: &str, roles: &[Role]) -> Value {
    let mut keys: Vec<_> = roles.iter().map(|role| agency_key(origin, id, *role, 0).1.to_string()).collect();
    keys.sort();
    object([
        ("id", id.into()),
        ("keys", strings(keys)),
        ("level", "outside".into()),
        ("names", object([("en", "Provider of vectors".into())])),
        ("scheme", "plain".into()),
    ])
}

pub fn rotation(origin: &str, agency: &str, role: Role, from: u32, to: u32) -> Value {
    object([
        ("key", agency_key(origin, agency, role, to).1.to_string().into()),
        ("replaces", agency_key(origin, agency, role, from).1.to_string().into()),
    ])
}

pub const PAYLOAD: &[u8] = b"id,amount\n1,17\n";

/// The opening of the ledger's delivery but for its record.
pub fn opening(record: Hash) -> Opening {
    Opening { bytes: u64::try_from(PAYLOAD.len()).unwrap(), record, salt: Hash::of(b"salt of the vectors").0, sha256: Hash::of(PAYLOAD) }
}

pub fn delivery() -> Value {
    object([
        ("batch", "B-1".into()),
        ("bytes", opening(Hash::default()).bytes.into()),
        ("commitment", opening(Hash::default()).commitment().to_hex().into()),
        ("dataset", "provider:register".into()),
        ("mode", "file".into()),
        ("rows", 1.into()),
        ("version", 1.into()),
    ])
}

/// A growing ledger.
pub struct Ledger {
    pub genesis: Value,
    pub origin: String,
    pub leaves: Vec<String>,
    pub nodes: MemoryNodes,
    /// By position.
    pub entries: BTreeMap<u64, BlockEntry>,
    /// The set of the next height.
    pub set: ValidatorSet,
}

impl Ledger {
    pub fn new() -> Self {
        let genesis = genesis();
        let origin = ids::origin(NAME, &Hash::of(genesis.to_jcs().as_bytes())).unwrap();
        Ledger { genesis, origin, leaves: Vec::new(), nodes: MemoryNodes::default(), entries: BTreeMap::new(), set: set(&FIRST_SET) }
    }

    pub fn genesis_hash(&self) -> Hash {
        Hash::of(self.genesis.to_jcs().as_bytes())
    }

    pub fn size(&self) -> u64 {
        self.nodes.frontier().size()
    }

    fn push(&mut self, leaf: String) {
        self.nodes.push(leaf_hash(leaf.as_bytes()));
        self.leaves.push(leaf);
    }

    /// Adds a block with these records; `next` is the set from the next height on. Gives the entry's position.
    pub fn block(&mut self, records: &[String], next: &ValidatorSet) -> u64 {
        self.block_as(records, next, |_| ())
    }

    /// As [`Ledger::block`], with an entry that `bend` may have changed.
    pub fn block_as(&mut self, records: &[String], next: &ValidatorSet, bend: impl FnOnce(&mut BlockEntry)) -> u64 {
        let first = self.size();
        for record in records {
            self.push(record.clone());
        }
        let last = self.entries.values().last();
        let height = last.map_or(1, |entry| entry.height + 1);
        let mut entry = BlockEntry {
            first,
            height,
            ledger: self.origin.clone(),
            next: next.hash(),
            position: self.size(),
            previous: last.map_or(self.genesis_hash(), BlockEntry::hash),
            proposer: "agency-0".to_owned(),
            root: self.nodes.frontier().root(),
            rules: 1,
            state: Hash::of(format!("state {height}").as_bytes()),
            time: time(height * 10),
            validators: self.set.hash(),
        };
        bend(&mut entry);
        let position = self.size();
        self.push(entry.to_text());
        self.entries.insert(position, entry);
        self.set = next.clone();
        position
    }

    /// The leaf at `position` with its proof to the whole tree.
    pub fn proven(&self, position: u64) -> ProvenLeaf {
        let leaf = self.leaves[usize::try_from(position).unwrap()].clone();
        ProvenLeaf { leaf, position, proof: inclusion_proof(&self.nodes, position, self.size()).unwrap() }
    }

    /// A certificate by `signers` over the entry at `position`.
    pub fn certificate(&self, position: u64, round: u32, signers: &[&str]) -> Certificate {
        let entry = &self.entries[&position];
        let text = vote_text(&self.origin, Step::Precommit, entry.height, round, Some(&entry.hash()));
        let sign = |agency: &&str| ((*agency).to_owned(), secret(&format!("{agency}/consensus")).sign(text.as_bytes()));
        Certificate {
            block: entry.hash(),
            height: entry.height,
            ledger: self.origin.clone(),
            round,
            signatures: signers.iter().map(sign).collect(),
        }
    }

    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.size(), root: self.nodes.frontier().root() }
    }

    /// The published note with the cosignatures of `cosigners`.
    pub fn note(&self, cosigners: &[&str]) -> String {
        let checkpoint = self.checkpoint();
        let sign = |agency: &&str| Cosignature::sign(&checkpoint, agency, CREATED_MS / 1000 + 60, &secret(&format!("{agency}/cosigner")));
        let cosignatures: Vec<_> = cosigners.iter().map(sign).collect();
        publish(&checkpoint, &secret("agency-0/publication"), &cosignatures).to_text()
    }
}

/// The ledger of the vectors: five blocks, a rotated key, and a change of validators after block 3.
pub struct Story {
    pub ledger: Ledger,
    pub admit: u64,
    pub rotate: u64,
    pub deliver: u64,
    pub receipt: u64,
    pub handover: u64,
    pub block: u64,
    pub head: u64,
}

impl Story {
    pub fn tell() -> Self {
        let mut ledger = Ledger::new();
        let origin = ledger.origin.clone();
        let (first, second) = (set(&FIRST_SET), set(&SECOND_SET));
        let note =
            |seconds, by, kind, refs: &[Hash], body, keys| Signed { by, kind, refs: refs.to_vec(), body, keys }.note(&origin, seconds);
        ledger.block(&[], &first);
        let admit = note(
            11,
            "authority",
            Kind::AgencyAdmit,
            &[],
            admission(&origin, "provider", &[Role::Head, Role::Office, Role::Recovery]),
            &[("authority", Role::Authority, 0)],
        );
        let duty = note(12, "agency-1", Kind::DutyDeclare, &[], value(DUTY), &[("agency-1", Role::Office, 0)]);
        ledger.block(&[admit, duty], &first);
        let publish = note(21, "provider", Kind::DatasetPublish, &[], value(DATASET), &[("provider", Role::Head, 0)]);
        let request = note(22, "agency-1", Kind::ShareRequest, &[], value(REQUEST), &[("agency-1", Role::Office, 0)]);
        let answer = note(23, "provider", Kind::ShareAnswer, &[record_id(&request)], value(ANSWER), &[("provider", Role::Office, 0)]);
        let rotate = note(
            24,
            "provider",
            Kind::KeyRotate,
            &[],
            rotation(&origin, "provider", Role::Office, 0, 1),
            &[("provider", Role::Office, 0), ("provider", Role::Office, 1)],
        );
        let handover = ledger.block(&[publish, request, answer.clone(), rotate], &second);
        let deliver = note(31, "provider", Kind::ShareDeliver, &[record_id(&answer)], delivery(), &[("provider", Role::Office, 1)]);
        let matched = object([("commitment", opening(Hash::default()).commitment().to_hex().into()), ("result", "match".into())]);
        let receipt = note(32, "agency-1", Kind::ShareReceipt, &[record_id(&deliver)], matched, &[("agency-1", Role::Office, 0)]);
        let block = ledger.block(&[deliver, receipt], &second);
        let head = ledger.block(&[], &second);
        Story { ledger, admit: 1, rotate: 7, deliver: 9, receipt: 10, handover, block, head }
    }

    pub fn handover(&self) -> Handover {
        Handover {
            certificate: self.ledger.certificate(self.handover, 1, &FIRST_SET[..3]),
            entry: self.ledger.proven(self.handover),
            validators: set(&SECOND_SET),
        }
    }

    /// The good file: delivery and receipt, the keys that signed them, the handover, the opening.
    pub fn evidence(&self) -> Evidence {
        let proven = |position: &u64| self.ledger.proven(*position);
        let deliver = proven(&self.deliver);
        Evidence {
            blocks: [self.block].iter().map(proven).collect(),
            checkpoint: self.ledger.note(&SECOND_SET[..4]),
            openings: vec![opening(record_id(&deliver.leaf))],
            entries: [self.deliver, self.receipt].iter().map(proven).collect(),
            genesis: self.ledger.genesis.clone(),
            handovers: vec![self.handover()],
            head: proven(&self.head),
            keys: [self.admit, self.rotate].iter().map(proven).collect(),
        }
    }
}

const DUTY: &str = r#"{"basis":["Vectors Act s1"],"id":"agency-1:statistics","title":"Statistics"}"#;
const DATASET: &str = concat!(
    r#"{"class":"conditional","conditions":"agreement","format":["CSV"],"frequency":"monthly","id":"provider:register","#,
    r#""items":[{"name":"amount","type":"number"}],"purposes":["statistics"],"title":"Register","version":1}"#
);
const REQUEST: &str = concat!(
    r#"{"basis":["Vectors Act s1"],"datasets":[{"id":"provider:register","version":1}],"duty":"agency-1:statistics","#,
    r#""mode":"file","purpose":"statistics","sort":"ordinary"}"#
);
const ANSWER: &str = r#"{"datasets":["provider:register"],"frequency":"monthly","outcome":"agree"}"#;
