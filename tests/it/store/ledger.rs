//! A small ledger whose keys are known: blocks with certificates, without a network.

use std::path::Path;
use std::sync::Arc;

use sharelog::core::genesis::{Genesis, GenesisAgency, GenesisParts, Validator, peer_id};
use sharelog::core::hash::Hash;
use sharelog::core::json::{Value, object, strings};
use sharelog::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};
use sharelog::core::kinds::Kind;
use sharelog::core::record::{Draft, Record};
use sharelog::core::time::Time;
use sharelog::log::certificate::{Certificate, Step, vote_text};
use sharelog::store::execution::{Execution, Executor};
use sharelog::store::{Block, Reader, Writer, open};

pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;
const VALIDATORS: u8 = 4;

#[derive(Clone)]
pub struct Ledger {
    pub genesis: Arc<Genesis>,
    /// Makes uids and block times.
    count: u64,
}

/// A validator's keys are its 1 (consensus), 2 (cosigner), 3 (peer) and 4 (publication).
pub fn secret(owner: u8, which: u8) -> SecretKey {
    let mut seed = [which; 32];
    seed[0] = owner;
    SecretKey::from_seed(&seed)
}

pub fn agency_name(number: u8) -> String {
    format!("agency-{number}")
}

fn agency_secret(number: u8, role: Role) -> SecretKey {
    secret(
        number,
        match role {
            Role::Authority => 10,
            Role::Head => 11,
            Role::Inspector => 12,
            Role::Office => 13,
            Role::Recovery => 14,
        },
    )
}

fn policy() -> Value {
    let days = |names: &[&str]| Value::Object(names.iter().map(|name| ((*name).to_owned(), 10.into())).collect());
    object([
        ("authority_threshold", 1.into()),
        ("block_bytes_max", 1_048_576.into()),
        ("block_drift_ms", 5_000.into()),
        ("block_records_max", 4_096.into()),
        ("checkpoint_ms", 1_000.into()),
        (
            "clocks",
            days(&[
                "answer_conditional",
                "answer_unconditional",
                "backflow",
                "catalogue_review",
                "catalogue_update",
                "correction",
                "delivery",
                "dispute",
                "mismatch",
                "receipt",
                "rectification",
            ]),
        ),
        ("extensions", days(&["answer", "backflow", "catalogue_update", "dispute", "mismatch", "rectification"])),
        ("heartbeat_ms", 600_000.into()),
        ("pause_on_supplement", true.into()),
        ("record_age_ms_max", 604_800_000.into()),
        ("rules", 1.into()),
        ("unreviewed_requestable", true.into()),
        ("utc_offset_minutes", 480.into()),
    ])
}

fn agency(number: u8) -> GenesisAgency {
    let mut roles = vec![Role::Office, Role::Head];
    if number == 0 {
        roles.push(Role::Authority);
    }
    let id = agency_name(number);
    let keys = roles.into_iter().map(|role| (role, agency_secret(number, role).public())).collect();
    let body = object([
        ("id", id.as_str().into()),
        ("level", "city".into()),
        ("names", object([("en", format!("Agency {number}").as_str().into())])),
        ("scheme", "plain".into()),
        ("territory", "3301".into()),
    ]);
    GenesisAgency { id, keys, body }
}

fn validator(number: u8) -> Validator {
    Validator {
        addresses: vec![format!("/ip4/127.0.0.1/tcp/{}", 26_600 + 2 * u32::from(number))],
        agency: agency_name(number),
        consensus: secret(number, 1).public(),
        cosigner: secret(number, 2).public(),
        peer: peer_id(&secret(number, 3).public()),
        power: 1,
        publication: secret(number, 4).public(),
        records: vec![format!("/ip4/127.0.0.1/tcp/{}", 26_601 + 2 * u32::from(number))],
    }
}

impl Ledger {
    pub fn new() -> Self {
        let parts = GenesisParts {
            name: "test.example/store".into(),
            created: Time::parse("2026-11-25T00:00:00.000Z").unwrap(),
            agencies: (0..VALIDATORS).map(agency).collect(),
            calendars: Vec::new(),
            policy: policy(),
            validators: (0..VALIDATORS).map(validator).collect(),
        };
        Ledger { genesis: Arc::new(Genesis::parse(&parts.to_bytes()).unwrap()), count: 0 }
    }

    pub fn open(&self, dir: &Path) -> (Writer, Reader) {
        open(dir, self.genesis.clone(), CACHE_BYTES).unwrap()
    }

    pub fn record(&mut self, by: u8, kind: Kind, role: Role, refs: Vec<Hash>, body: Value) -> Arc<Record> {
        self.count += 1;
        let origin = &self.genesis.origin;
        let key = agency_secret(by, role);
        let name = agency_key_name(origin, &agency_name(by), role);
        let vkey = VerifierKey::new(name, Algorithm::Ed25519, key.public()).unwrap();
        let uid = format!("01890000-0000-7000-8000-{:012x}", self.count);
        let draft = Draft { at: self.genesis.created, by: agency_name(by), kind, refs, uid, body };
        Arc::new(Record::parse(draft.sign(origin, &[(&vkey, &key)]).as_bytes(), origin).unwrap())
    }

    pub fn duty(&mut self, by: u8) -> Arc<Record> {
        let id = format!("{}:duty-{}", agency_name(by), self.count);
        let body = object([("basis", strings(["an act"])), ("id", id.as_str().into()), ("title", "A duty".into())]);
        self.record(by, Kind::DutyDeclare, Role::Office, vec![], body)
    }

    /// One of about 14 KiB.
    pub fn long_duty(&mut self, by: u8) -> Arc<Record> {
        let id = format!("{}:duty-{}", agency_name(by), self.count);
        let basis: Vec<_> = (0..7).map(|number| format!("{number}{}", "x".repeat(1_999))).collect();
        let body = object([("basis", strings(basis)), ("id", id.as_str().into()), ("title", "A duty".into())]);
        self.record(by, Kind::DutyDeclare, Role::Office, vec![], body)
    }

    /// One whose leaf has just so many bytes, 15,000 or more.
    pub fn duty_of_bytes(&mut self, by: u8, bytes: usize) -> Arc<Record> {
        let id = format!("{}:long-duty", agency_name(by));
        let mut of = |last: usize| {
            let basis: Vec<_> = (0..7).map(|number| format!("{number}{}", "x".repeat(1_999))).chain(["y".repeat(last)]).collect();
            let body = object([("basis", strings(basis)), ("id", id.as_str().into()), ("title", "A duty".into())]);
            self.record(by, Kind::DutyDeclare, Role::Office, vec![], body)
        };
        let least = of(1).leaf().len();
        of(1 + bytes - least)
    }

    /// A duty under the name of an office key that did not sign it.
    pub fn signed_by_another(&mut self, by: u8) -> Arc<Record> {
        let origin = self.genesis.origin.clone();
        let good = self.duty(by);
        let name = agency_key_name(&origin, &agency_name(by), Role::Office);
        let vkey = VerifierKey::new(name, Algorithm::Ed25519, agency_secret(by, Role::Office).public()).unwrap();
        let (at, uid) = (self.genesis.created, good.uid.clone());
        let draft = Draft { at, by: agency_name(by), kind: good.kind, refs: vec![], uid, body: good.body_value() };
        Arc::new(Record::parse(draft.sign(&origin, &[(&vkey, &agency_secret(by, Role::Head))]).as_bytes(), &origin).unwrap())
    }

    /// A dataset of agency 1, a request of agency 2 and the agreeing answer, whose id is the grant.
    pub fn grant(&mut self) -> (Vec<Arc<Record>>, Hash) {
        let dataset = object([
            ("class", "unconditional".into()),
            ("frequency", "monthly".into()),
            ("id", "agency-1:set".into()),
            ("title", "A dataset".into()),
            ("version", 1.into()),
        ]);
        let publish = self.record(1, Kind::DatasetPublish, Role::Head, vec![], dataset);
        let named = object([("id", "agency-1:set".into()), ("version", 1.into())]);
        let duty_body = object([("basis", strings(["an act"])), ("id", "agency-2:duty".into()), ("title", "A duty".into())]);
        let duty = self.record(2, Kind::DutyDeclare, Role::Office, vec![], duty_body);
        let request = object([
            ("basis", strings(["an act"])),
            ("datasets", Value::Array(vec![named])),
            ("duty", "agency-2:duty".into()),
            ("mode", "file".into()),
            ("purpose", "to test".into()),
            ("sort", "ordinary".into()),
        ]);
        let request = self.record(2, Kind::ShareRequest, Role::Office, vec![], request);
        let answer = object([("datasets", strings(["agency-1:set"])), ("outcome", "agree".into())]);
        let answer = self.record(1, Kind::ShareAnswer, Role::Office, vec![request.id()], answer);
        let grant = answer.id();
        (vec![publish, duty, request, answer], grant)
    }

    pub fn delivery(&mut self, grant: Hash) -> Arc<Record> {
        let count = self.count;
        let body = object([
            ("batch", format!("batch-{count:08}").as_str().into()),
            ("bytes", 48_213.into()),
            ("commitment", Hash::of(&count.to_be_bytes()).to_hex().into()),
            ("dataset", "agency-1:set".into()),
            ("mode", "file".into()),
            ("rows", 1_200.into()),
            ("version", 1.into()),
        ]);
        self.record(1, Kind::ShareDeliver, Role::Office, vec![grant], body)
    }

    /// The next block on the reader's head, with all records in it.
    pub fn block(&self, reader: &Reader, records: &[Arc<Record>]) -> (Block, Execution) {
        let head = reader.head();
        let time = head.time.plus_ms(10_000);
        let mut executor = Executor::new(reader, &head, &self.genesis, time);
        for record in records {
            executor.push(record).unwrap();
        }
        let execution = executor.finish("agency-0");
        let entry = execution.entry.clone();
        let hash = entry.hash();
        let text = vote_text(&self.genesis.origin, Step::Precommit, entry.height, 0, Some(&hash));
        let vote = |number: u8| (agency_name(number), secret(number, 1).sign(text.as_bytes()));
        let certificate = Certificate {
            block: hash,
            height: entry.height,
            ledger: self.genesis.origin.clone(),
            round: 0,
            signatures: (0..3).map(vote).collect(),
        };
        let entry_leaf = entry.to_text().into_bytes().into();
        let records = records.iter().map(|record| record.leaf().clone()).collect();
        (Block { entry, entry_leaf, records, certificate }, execution)
    }

    pub fn append(&self, writer: &mut Writer, records: &[Arc<Record>]) {
        let (block, execution) = self.block(&writer.reader(), records);
        writer.append(&block, &execution).unwrap();
    }

    /// A store of `blocks` blocks with two duties each, closed.
    pub fn fill(&mut self, dir: &Path, blocks: usize) {
        let (mut writer, _) = self.open(dir);
        for _ in 0..blocks {
            let records = [self.duty(1), self.duty(2)];
            self.append(&mut writer, &records);
        }
        writer.close().unwrap();
    }
}
