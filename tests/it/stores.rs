//! A ledger of four validators without consensus: keys from names, signed records, blocks appended by hand to real stores.

use std::sync::Arc;

use sharelog::consensus::pool::Pool;
use sharelog::core::genesis::{Genesis, GenesisAgency, GenesisParts, Validator, peer_id};
use sharelog::core::hash::Hash;
use sharelog::core::json::{Value, object, strings};
use sharelog::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};
use sharelog::core::kinds::Kind;
use sharelog::core::policy;
use sharelog::core::record::{Draft, Record};
use sharelog::core::time::Time;
use sharelog::log::certificate::{Certificate, Step, vote_text};
use sharelog::metrics::Metrics;
use sharelog::store::execution::Executor;
use sharelog::store::{self, Block, Reader, Writer};
use tempfile::TempDir;

/// The key with this name; the same in every run.
pub fn secret(name: &str) -> SecretKey {
    SecretKey::from_seed(Hash::of(name.as_bytes()).as_bytes())
}

/// This machine's clock.
pub fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_unix_ms(u64::try_from(since.as_millis()).unwrap()).unwrap()
}

/// `ms` before this machine's clock.
pub fn ago(ms: u64) -> Time {
    Time::from_unix_ms(now().unix_ms() - ms).unwrap()
}

fn agency(id: &str, roles: &[Role]) -> GenesisAgency {
    let body = object([
        ("id", id.into()),
        ("level", "city".into()),
        ("names", object([("en", format!("The {id}").into())])),
        ("scheme", "plain".into()),
        ("territory", "3301".into()),
    ]);
    GenesisAgency { id: id.to_owned(), keys: roles.iter().map(|role| (*role, secret(&format!("{id}/{role}")).public())).collect(), body }
}

/// `agency-0` to `agency-3` with validators whose record swarms listen on `ports`, and an authority; created 1 h ago, with
/// these members of the policy changed.
pub fn genesis(ports: [u16; 4], changed: &[(&str, u64)]) -> Arc<Genesis> {
    genesis_at(ago(3_600_000), ports, changed)
}

/// The same ledger, created at this time.
pub fn genesis_at(created: Time, ports: [u16; 4], changed: &[(&str, u64)]) -> Arc<Genesis> {
    let mut agencies: Vec<_> = (0..4).map(|index| agency(&format!("agency-{index}"), &[Role::Head, Role::Office])).collect();
    agencies.push(agency("authority", &[Role::Authority]));
    let validator = |index: usize| {
        let agency = format!("agency-{index}");
        let public = |what: &str| secret(&format!("{agency}/{what}")).public();
        Validator {
            addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
            consensus: public("consensus"),
            cosigner: public("cosigner"),
            peer: peer_id(&public("network")),
            power: 1,
            publication: public("publication"),
            records: vec![format!("/ip4/127.0.0.1/tcp/{}", ports[index])],
            agency: agency.clone(),
        }
    };
    let mut policy = policy::default_body().as_object().cloned().unwrap();
    policy.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), Value::Int(*value))));
    let parts = GenesisParts {
        name: "test.example/ledger".to_owned(),
        created,
        agencies,
        calendars: Vec::new(),
        policy: Value::Object(policy),
        validators: (0..4).map(validator).collect(),
    };
    Arc::new(Genesis::parse(&parts.to_bytes()).unwrap())
}

/// Signs a duty; the smallest record that stands alone.
pub fn duty(origin: &str, agency: &str, local: &str) -> String {
    duty_at(origin, agency, local, now(), None)
}

/// Signs a duty with a claimed time, and the duty that it is delegated from.
pub fn duty_at(origin: &str, agency: &str, local: &str, at: Time, delegated_from: Option<&str>) -> String {
    let mut members =
        vec![("basis", strings(["Test Act"])), ("id", format!("{agency}:{local}").into()), ("title", format!("Duty {local}").into())];
    members.extend(delegated_from.map(|from| ("delegated_from", from.into())));
    sign_duty(origin, agency, at, members, uuid::Uuid::now_v7())
}

/// Signs a duty that is the same in every run.
pub fn duty_of(origin: &str, agency: &str, local: &str, at: Time) -> String {
    let members =
        vec![("basis", strings(["Test Act"])), ("id", format!("{agency}:{local}").into()), ("title", format!("Duty {local}").into())];
    let random = Hash::of(format!("{agency}:{local}").as_bytes());
    let random = random.as_bytes().first_chunk().unwrap();
    sign_duty(origin, agency, at, members, uuid::Builder::from_unix_timestamp_millis(at.unix_ms(), random).into_uuid())
}

fn sign_duty(origin: &str, agency: &str, at: Time, members: Vec<(&str, Value)>, uid: uuid::Uuid) -> String {
    let key = secret(&format!("{agency}/office"));
    let vkey = VerifierKey::new(agency_key_name(origin, agency, Role::Office), Algorithm::Ed25519, key.public()).unwrap();
    let body = Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let uid = uid.to_string();
    let draft = Draft { at, by: agency.to_owned(), kind: Kind::DutyDeclare, refs: Vec::new(), uid, body };
    draft.sign(origin, &[(&vkey, &key)])
}

/// The same text under a signature that does not verify.
pub fn with_bad_signature(note: &str) -> String {
    let (text, line) = note.split_at(note.rfind(' ').unwrap() + 20);
    let flipped = if line.starts_with('A') { 'B' } else { 'A' };
    format!("{text}{flipped}{}", &line[1..])
}

/// One node's store and pool.
pub struct Node {
    pub genesis: Arc<Genesis>,
    pub reader: Reader,
    pub pool: Arc<Pool>,
    pub metrics: Arc<Metrics>,
    writer: Writer,
    // Dropped after the store.
    pub dir: TempDir,
}

impl Node {
    pub fn new(genesis: &Arc<Genesis>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (writer, reader) = store::open(&dir.path().join("data"), genesis.clone(), 16 * 1024 * 1024).unwrap();
        let metrics = Arc::new(Metrics::default());
        let pool = Pool::new(reader.clone(), metrics.clone());
        Node { genesis: genesis.clone(), reader, pool, metrics, writer, dir }
    }

    /// Appends a block with these records, certified by all validators, and tells the pool.
    pub fn commit(&mut self, notes: &[&str], time: Time) -> Block {
        let records: Vec<_> = notes.iter().map(|note| Arc::new(Record::parse(note.as_bytes(), &self.genesis.origin).unwrap())).collect();
        let head = self.reader.head();
        let mut executor = Executor::new(&self.reader, &head, &self.genesis, time);
        for record in &records {
            executor.push(record).unwrap();
        }
        let execution = executor.finish("agency-0");
        let (entry, hash) = (execution.entry.clone(), execution.entry.hash());
        let text = vote_text(&self.genesis.origin, Step::Precommit, entry.height, 0, Some(&hash));
        let sign = |index: usize| (format!("agency-{index}"), secret(&format!("agency-{index}/consensus")).sign(text.as_bytes()));
        let signatures = (0..4).map(sign).collect();
        let block = Block {
            entry_leaf: entry.to_text().into_bytes().into(),
            records: records.iter().map(|record| record.leaf().clone()).collect(),
            certificate: Certificate { block: hash, height: entry.height, ledger: self.genesis.origin.clone(), round: 0, signatures },
            entry,
        };
        self.append(&block, &execution);
        block
    }

    fn append(&mut self, block: &Block, execution: &sharelog::store::execution::Execution) {
        self.writer.append(block, execution).unwrap();
        let ids: Vec<_> = block.records.iter().map(|leaf| Record::parse(leaf, &self.genesis.origin).unwrap().id()).collect();
        self.pool.committed(&ids);
    }
}
