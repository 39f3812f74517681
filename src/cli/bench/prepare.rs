//! Agencies, datasets, requests and grants for the load, and its signed records.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use rayon::prelude::*;

use crate::core::commitment;
use crate::core::hash::Hash;
use crate::core::json::{Value, object, strings};
use crate::core::key::{Algorithm, Role, SecretKey, VerifierKey, agency_key_name};
use crate::core::kinds::Kind;
use crate::core::record::Draft;
use crate::core::time::Time;
use crate::keystore;
use crate::node::local::LocalNetwork;

/// A provider with a grant to deliver under.
pub struct Writer {
    origin: String,
    pub agency: String,
    office: (VerifierKey, SecretKey),
    grant: Hash,
    run: u64,
}

/// An agency's keys for the run.
struct Keys {
    agency: String,
    office: (VerifierKey, SecretKey),
    head: (VerifierKey, SecretKey),
}

impl Keys {
    fn new(origin: &str, agency: String) -> Result<Self> {
        let key = |role| -> Result<_> {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).context("randomness")?;
            let secret = SecretKey::from_seed(&seed);
            let name = agency_key_name(origin, &agency, role);
            Ok((VerifierKey::new(name, Algorithm::Ed25519, secret.public())?, secret))
        };
        Ok(Keys { office: key(Role::Office)?, head: key(Role::Head)?, agency })
    }
}

fn now() -> Time {
    let ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    u64::try_from(ms).ok().and_then(Time::from_unix_ms).expect("the clock shows a year below 10000")
}

fn sign(origin: &str, by: &str, kind: Kind, refs: &[Hash], body: Value, key: &(VerifierKey, SecretKey)) -> String {
    let uid = uuid::Uuid::now_v7().to_string();
    Draft { at: now(), by: by.to_owned(), kind, refs: refs.to_vec(), uid, body }.sign(origin, &[(&key.0, &key.1)])
}

/// Sends a record to node 0, waits for its commit, gives its id.
fn commit(network: &LocalNetwork, note: &str) -> Result<Hash> {
    let (status, body) = network.post(0, note, "?wait=committed")?;
    ensure!(status == 200, "preparing: status {status}: {}", String::from_utf8_lossy(&body));
    let text = note.split_once("\n\n").map_or(note.len(), |(text, _)| text.len() + 1);
    Ok(Hash::of(&note.as_bytes()[..text]))
}

/// Admits `count` providers and one requester, and grants one dataset of each.
pub fn writers(network: &LocalNetwork, count: u32) -> Result<Vec<Writer>> {
    let origin = network.origin.as_str();
    let (vkey, secret) = keystore::load(&network.dir.join("clients/authority/authority.pem"))?;
    let authority = (vkey, secret);
    let run = now().unix_ms();
    let admit = |keys: &Keys| {
        let mut vkeys = [keys.office.0.to_string(), keys.head.0.to_string()];
        vkeys.sort();
        let names = object([("en", format!("Benchmark {}", keys.agency).into())]);
        let members = [
            ("id", keys.agency.as_str().into()),
            ("keys", strings(vkeys)),
            ("level", "outside".into()),
            ("names", names),
            ("scheme", "plain".into()),
        ];
        sign(origin, "authority", Kind::AgencyAdmit, &[], object(members), &authority)
    };
    let requester = Keys::new(origin, format!("bench-{run}-requester"))?;
    commit(network, &admit(&requester))?;
    let duty = format!("{}:register", requester.agency);
    let body = object([("basis", strings(["Benchmark Act"])), ("id", duty.as_str().into()), ("title", "Register".into())]);
    commit(network, &sign(origin, &requester.agency, Kind::DutyDeclare, &[], body, &requester.office))?;
    let writer = |index: u32| -> Result<Writer> {
        let keys = Keys::new(origin, format!("bench-{run}-{index}"))?;
        commit(network, &admit(&keys))?;
        let dataset = format!("{}:register", keys.agency);
        let body = object([
            ("class", "unconditional".into()),
            ("frequency", "daily".into()),
            ("id", dataset.as_str().into()),
            ("title", "Register".into()),
            ("version", 1.into()),
        ]);
        commit(network, &sign(origin, &keys.agency, Kind::DatasetPublish, &[], body, &keys.head))?;
        let body = object([
            ("basis", strings(["Benchmark Act"])),
            ("datasets", vec![object([("id", dataset.as_str().into()), ("version", 1.into())])].into()),
            ("duty", duty.as_str().into()),
            ("mode", "file".into()),
            ("purpose", "measuring".into()),
            ("sort", "ordinary".into()),
        ]);
        let request = commit(network, &sign(origin, &requester.agency, Kind::ShareRequest, &[], body, &requester.office))?;
        let body = object([("datasets", strings([dataset])), ("frequency", "daily".into()), ("outcome", "agree".into())]);
        let grant = commit(network, &sign(origin, &keys.agency, Kind::ShareAnswer, &[request], body, &keys.office))?;
        Ok(Writer { origin: origin.to_owned(), agency: keys.agency, office: keys.office, grant, run })
    };
    (0..count).map(writer).collect()
}

/// `count` signed deliveries, the writers taking turns; every call makes new batches.
pub fn signed_deliveries(writers: &[Writer], count: u32) -> Vec<Bytes> {
    let call = now().unix_ms();
    (0..count)
        .into_par_iter()
        .map(|index| {
            let turn = usize::try_from(index).unwrap_or(0) % writers.len();
            delivery(&writers[turn], call, index)
        })
        .collect()
}

fn delivery(writer: &Writer, call: u64, index: u32) -> Bytes {
    let salt = Hash::of(format!("{call} {index}").as_bytes());
    let payload = Hash::of(&index.to_be_bytes());
    let body = object([
        ("batch", format!("{}-{call}-{index}", writer.run).into()),
        ("bytes", 48_213.into()),
        ("commitment", commitment::commit(salt.as_bytes(), &payload).to_hex().into()),
        ("dataset", format!("{}:register", writer.agency).into()),
        ("mode", "file".into()),
        ("period", "2026-11-25".into()),
        ("rows", 1_200.into()),
        ("version", 1.into()),
    ]);
    Bytes::from(sign(&writer.origin, &writer.agency, Kind::ShareDeliver, &[writer.grant], body, &writer.office))
}
