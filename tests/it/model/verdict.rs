//! Which rules a record breaks at its place: all of them, by the text of the specification. None: it is taken.
//!
//! A record that breaks several rules may be refused by any of them.

use sharelog::core::key::Role;

use super::shape;
use super::world::{Line, Rec, World, text};

/// The codes of the breached rules, and whether the specification leaves open if there is a breach at all.
#[derive(Debug, Default)]
pub struct Verdict {
    pub codes: Vec<&'static str>,
    pub open: Vec<&'static str>,
}

impl Verdict {
    pub fn breach(&mut self, is: bool, code: &'static str) {
        if is {
            self.codes.push(code);
        }
    }

    /// One of these codes, all standing for one breach.
    pub fn either(&mut self, is: bool, codes: &[&'static str]) {
        if is {
            self.codes.extend(codes);
        }
    }
}

pub fn judge(world: &World, rec: &Rec) -> Verdict {
    let mut verdict = Verdict { codes: shape::breaches(world, rec.kind, &rec.body), open: Vec::new() };
    let well_formed = verdict.codes.is_empty();
    let n = rec.index;
    verdict.breach(world.get(&rec.id, n).is_some(), "duplicate");
    let age = world.policy(n)["record_age_ms_max"].as_u64().unwrap();
    verdict.breach(rec.at > rec.time + 3_600_000 || rec.at + age < rec.time, "at-out-of-range");
    lines(world, rec, &mut verdict);
    signers(world, rec, &mut verdict);
    let refs = match rec.kind {
        "finding.file" => 1..=16,
        kind if has_ref(kind) => 1..=1,
        _ => 0..=0,
    };
    if !refs.contains(&rec.refs.len()) {
        verdict.codes.push("ref-wrong");
    } else if well_formed {
        match rec.kind.split('.').next().unwrap() {
            "share" | "correction" | "dispute" => super::verdict_share::judge(world, rec, &mut verdict),
            "duty" | "dataset" | "collect" | "finding" | "record" => super::verdict_catalogue::judge(world, rec, &mut verdict),
            _ => super::verdict_gov::judge(world, rec, &mut verdict),
        }
    }
    verdict
}

pub fn has_ref(kind: &str) -> bool {
    (kind.starts_with("share.") && kind != "share.request")
        || kind.starts_with("correction.")
        || kind.starts_with("dispute.")
        || kind.starts_with("finding.")
        || kind == "record.amend"
}

/// Each line names a registered key that is trusted here, of an agency that may act.
fn lines(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let (keys, agencies) = (world.keys(n), world.agencies(n));
    for line in &rec.lines {
        let brought = rec.kind == "key.rotate" && rec.labels.get(1) == Some(&line.label);
        match keys.iter().find(|key| key.agency == line.agency && key.role == line.role && key.label == line.label) {
            None => verdict.breach(!brought, "key-unknown"),
            Some(key) => verdict.breach(key.until.is_some(), "key-revoked"),
        }
        let Some(agency) = agencies.iter().find(|agency| agency.id == line.agency) else {
            continue;
        };
        let mends = rec.kind.starts_with("key.") && keys.iter().any(|key| key.label == rec.labels[0] && key.agency == agency.id);
        verdict.breach(agency.status == "suspended" && !mends, "agency-suspended");
        verdict.breach(agency.status == "retired" && !mends, "agency-retired");
    }
}

/// Exactly the lines that the kind wants.
fn signers(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let by = |line: &Line| line.agency == rec.by;
    let roles: Vec<Role> = match rec.kind {
        "policy.set" | "validator.add" | "validator.change" | "validator.remove" => {
            let mut agencies: Vec<&str> = rec.lines.iter().map(|line| line.agency.as_str()).collect();
            let lines = agencies.len();
            agencies.dedup();
            verdict.breach(rec.lines.iter().any(|line| line.role != Role::Authority) || agencies.len() < lines, "role-wrong");
            verdict.breach(!rec.lines.iter().any(by), "signature-missing");
            let threshold = world.policy(rec.index)["authority_threshold"].as_u64().unwrap();
            verdict.breach(u64::try_from(lines).unwrap() < threshold, "limit-exceeded");
            return;
        }
        "key.rotate" => return rotation(rec, verdict),
        "key.revoke" => return revocation(rec, verdict),
        "share.suspend" | "share.resume" | "share.end" => vec![Role::Office, Role::Authority],
        "record.amend" => vec![Role::Office, Role::Head, Role::Authority, Role::Inspector],
        kind => vec![Role::parse(shape::role(kind)).unwrap()],
    };
    if !rec.lines.iter().any(by) {
        verdict.either(true, &["signature-missing", "role-wrong"]);
    } else {
        verdict.breach(rec.lines.len() > 1 || !roles.contains(&rec.lines[0].role), "role-wrong");
    }
}

/// The new key, and one that may consent: recovery, an authority, or the replaced key unless it is a recovery key of another.
fn rotation(rec: &Rec, verdict: &mut Verdict) {
    let [old, new] = [0, 1].map(|index| rec.labels.get(index).map_or("", String::as_str));
    let is_new = |line: &&Line| line.label == new;
    let consents = |line: &&Line| {
        line.agency == rec.by
            && (line.label == old || matches!(line.role, Role::Authority) || (line.role == Role::Recovery && of(old) == rec.by))
    };
    let rest: Vec<&Line> = rec.lines.iter().filter(|line| !is_new(line)).collect();
    verdict.breach(rest.len() == rec.lines.len() || rest.is_empty(), "signature-missing");
    verdict.either(rest.iter().any(|line| !consents(line)) || rest.len() > 1, &["role-wrong", "signature-missing"]);
}

fn revocation(rec: &Rec, verdict: &mut Verdict) {
    let old = rec.labels.first().map_or("", String::as_str);
    let consents = |line: &Line| {
        line.agency == rec.by && (line.label == old || line.role == Role::Authority || (line.role == Role::Recovery && of(old) == rec.by))
    };
    verdict.either(!rec.lines.iter().any(consents), &["role-wrong", "signature-missing"]);
    verdict.either(rec.lines.len() > 1, &["role-wrong", "signature-missing"]);
}

/// The agency of a label.
pub fn of(label: &str) -> &str {
    label.split('/').next().unwrap()
}

/// The writer is this party or stands for it.
pub fn party(world: &World, rec: &Rec, party: &str, verdict: &mut Verdict) {
    verdict.breach(!world.stands_for(&rec.by, party, rec.index), "not-party");
}

/// An id that begins with the writer's own, or with that of an agency which it stands for.
pub fn own_id(world: &World, rec: &Rec, verdict: &mut Verdict) {
    party(world, rec, of_id(text(&rec.body, "id")), verdict);
}

pub fn of_id(id: &str) -> &str {
    id.split(':').next().unwrap()
}
