//! The rules of policy, calendars, territories, agencies, keys, nodes and validators.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use sharelog::core::key::Role;

use super::verdict::{Verdict, of};
use super::world::{Agency, Rec, World, strings, text};

pub fn judge(world: &World, rec: &Rec, verdict: &mut Verdict) {
    match rec.kind {
        "policy.set" => policy(world, rec, verdict),
        "calendar.set" => calendar(world, rec, verdict),
        "territory.set" => territory(world, rec, verdict),
        "agency.admit" | "agency.change" => agency(world, rec, verdict),
        "agency.suspend" | "agency.retire" => standing(world, rec, verdict),
        "key.rotate" | "key.revoke" => key(world, rec, verdict),
        "node.admit" | "node.remove" => node(world, rec, verdict),
        _ => validator(world, rec, verdict),
    }
}

/// Agencies that hold a trusted authority key and may act.
fn acting(world: &World, n: usize) -> Vec<String> {
    let holders = world.authorities(n);
    world
        .agencies(n)
        .into_iter()
        .filter(|agency| agency.status == "active" && holders.contains(&agency.id))
        .map(|agency| agency.id)
        .collect()
}

fn policy(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let days = |name: &str| rec.body[name].as_object().unwrap().values().any(|days| days.as_u64().is_none_or(|days| days > 3_660));
    verdict.breach(days("clocks") || days("extensions"), "field-invalid");
    let threshold = rec.body["authority_threshold"].as_u64().unwrap();
    verdict.breach(threshold > u64::try_from(acting(world, rec.index).len()).unwrap(), "limit-exceeded");
    let least = [("heartbeat_ms", 10_000), ("block_bytes_max", 16_384)];
    verdict.breach(least.into_iter().any(|(name, least)| rec.body[name].as_u64().unwrap() < least), "field-invalid");
}

fn calendar(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let year = usize::try_from(rec.body["year"].as_u64().unwrap()).unwrap();
    let (off, work) = (strings(&rec.body, "off"), strings(&rec.body, "work"));
    let all: BTreeSet<&String> = off.iter().chain(&work).collect();
    verdict.breach(all.len() < off.len() + work.len(), "field-invalid");
    verdict.breach(all.iter().any(|day| world.days.year(world.days.day(day)).abs_diff(year) > 1), "field-invalid");
}

const LEVELS: [&str; 4] = ["city", "district", "street", "community"];

fn territory(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let level = |territory: &Json| LEVELS.iter().position(|level| *level == text(territory, "level"));
    let list = rec.body["territories"].as_array().unwrap();
    for (index, one) in list.iter().enumerate() {
        let code = text(one, "code");
        verdict.either(list[..index].iter().any(|other| text(other, "code") == code), &["field-invalid", "duplicate"]);
        verdict.breach(level(one).is_none(), "field-invalid");
        verdict.breach(one["names"].as_object().is_none_or(|names| names.is_empty()), "field-missing");
        let Some(parent) = one["parent"].as_str() else {
            verdict.breach(level(one) != Some(0), "field-missing");
            continue;
        };
        if level(one) == Some(0) {
            verdict.open.extend(["field-unknown", "field-invalid"]);
        }
        verdict.breach(!code.starts_with(parent) || code == parent, "field-invalid");
        let earlier = list[..index].iter().rev().find(|other| text(other, "code") == parent);
        let known = || {
            let sets = world.of("territory.set", rec.index).rev();
            sets.flat_map(|set| set.body["territories"].as_array().unwrap()).find(|other| text(other, "code") == parent)
        };
        match earlier.or_else(known) {
            None => verdict.either(true, &["ref-unknown", "field-invalid"]),
            Some(parent) => verdict.breach(level(parent) >= level(one), "field-invalid"),
        }
    }
}

fn agency(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let agencies = world.agencies(rec.index);
    let id = text(&rec.body, "id");
    verdict.breach(text(&rec.body, "level") != "outside" && rec.body.get("territory").is_none(), "field-missing");
    let parent = rec.body["parent"].as_str();
    verdict.breach(parent.is_some_and(|parent| !agencies.iter().any(|agency| agency.id == parent)), "agency-unknown");
    let names: Vec<String> = rec.body["names"].as_object().unwrap().values().filter_map(Json::as_str).map(str::to_lowercase).collect();
    let taken = |name: &String| agencies.iter().any(|agency| agency.id != id && agency.names.contains(name));
    verdict.breach(names.iter().any(taken), "duplicate");
    if rec.kind == "agency.admit" {
        verdict.breach(text(&rec.body, "scheme") == "uscc", "field-invalid");
        verdict.breach(agencies.iter().any(|agency| agency.id.eq_ignore_ascii_case(id)), "duplicate");
        let vkeys = strings(&rec.body, "keys");
        verdict.breach(vkeys.windows(2).any(|pair| pair[0] >= pair[1]) || vkeys.len() != rec.labels.len(), "field-invalid");
        verdict.breach(rec.labels.iter().any(|label| of(label) != id), "field-invalid");
        let used = registered(world, rec.index);
        return verdict.breach(rec.labels.iter().any(|label| used.contains(label)), "duplicate");
    }
    let Some(own) = agencies.iter().find(|agency| agency.id == id) else {
        return verdict.breach(true, "agency-unknown");
    };
    verdict.breach(own.status == "retired", "agency-retired");
    let mut above = parent.map(str::to_owned);
    for _ in 0..agencies.len() {
        above = above.filter(|above| above != id).and_then(|above| parent_of(&agencies, &above));
    }
    let mut above_own = parent.map(str::to_owned);
    let mut steps = 0;
    while let Some(next) = above_own.filter(|_| steps <= agencies.len()) {
        if next == id {
            verdict.either(true, &["field-invalid", "ref-wrong"]);
            break;
        }
        above_own = parent_of(&agencies, &next);
        steps += 1;
    }
}

fn parent_of(agencies: &[Agency], id: &str) -> Option<String> {
    agencies.iter().find(|agency| agency.id == id).and_then(|agency| agency.parent.clone())
}

/// Labels of all public keys ever registered.
fn registered(world: &World, n: usize) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = world.keys(n).into_iter().map(|key| key.label).collect();
    all.extend(strings(&world.genesis, "labels"));
    for kind in ["node.admit", "validator.add", "validator.change"] {
        all.extend(world.of(kind, n).flat_map(|rec| rec.labels.iter().cloned()));
    }
    all
}

fn standing(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let id = text(&rec.body, "id");
    let Some(agency) = world.agency(id, n) else {
        return verdict.breach(true, "agency-unknown");
    };
    verdict.breach(agency.status == "retired", "agency-retired");
    let left = acting(world, n).into_iter().filter(|holder| holder != id).count();
    let too_few = u64::try_from(left).unwrap() < world.policy(n)["authority_threshold"].as_u64().unwrap()
        && world.authorities(n).iter().any(|holder| holder == id);
    if rec.kind == "agency.suspend" {
        let status = text(&rec.body, "status");
        verdict.either(status == agency.status, &["duplicate", "closed", "agency-suspended"]);
        return verdict.breach(status == "suspended" && too_few, "limit-exceeded");
    }
    verdict.breach(too_few, "limit-exceeded");
    match rec.body["successor"].as_str() {
        None => {
            let (sure, maybe) = open_matters(world, id, n);
            verdict.breach(sure, "still-open");
            if maybe {
                verdict.open.push("still-open");
            }
        }
        Some(successor) => match world.agency(successor, n) {
            _ if successor == id => verdict.either(true, &["ref-wrong"]),
            None => verdict.breach(true, "agency-unknown"),
            Some(other) => {
                verdict.breach(other.status == "suspended", "agency-suspended");
                verdict.breach(other.status == "retired", "agency-retired");
            }
        },
    }
}

/// Whether anything of the agency is open: as a party, for sure; as the authority or inspector of a matter, perhaps.
fn open_matters(world: &World, id: &str, n: usize) -> (bool, bool) {
    let of = |party: &str| world.end(party, n) == id;
    let party = |rec: &Rec| world.parties(rec, n).is_some_and(|(provider, requester)| of(provider) || of(requester));
    let requests = world.of("share.request", n).any(|request| world.is_open_request(request, n) && party(request));
    let grants = world.grants(n).into_iter().any(|grant| world.ended(grant, n).is_none() && party(grant));
    let open = |kind| world.of(kind, n).any(|file| !world.is_closed(file, n) && party(file));
    let findings = |own: &dyn Fn(&Rec) -> bool| world.of("finding.file", n).any(|file| !world.is_closed(file, n) && own(file));
    let sure = requests || grants || open("correction.file") || open("dispute.file") || findings(&|file| of(text(&file.body, "agency")));
    (sure, findings(&|file| of(&file.by)))
}

fn key(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let keys = world.keys(n);
    let Some(old) = keys.iter().find(|key| key.label == rec.labels[0]) else {
        return verdict.breach(true, "key-unknown");
    };
    if rec.kind == "key.rotate" {
        let new = &rec.labels[1];
        let role = |label: &str| label.split('/').nth(1).unwrap_or("").to_owned();
        verdict.breach(of(new) != of(&old.label) || role(new) != role(&old.label), "field-invalid");
        verdict.breach(old.replaced, "key-revoked");
        return verdict.breach(registered(world, n).contains(new), "duplicate");
    }
    verdict.breach(old.until.is_some(), "key-revoked");
    let retired: Vec<String> = world.agencies(n).into_iter().filter(|agency| agency.status == "retired").map(|agency| agency.id).collect();
    let trusted = keys.iter().filter(|key| key.role == Role::Authority && key.until.is_none() && !retired.contains(&key.agency));
    let others = trusted.filter(|key| key.label != old.label).count();
    verdict.breach(old.role == Role::Authority && others == 0, "limit-exceeded");
}

fn node(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    if rec.kind == "node.remove" {
        let peer = text(&rec.body, "peer");
        let admits = world.of("node.admit", n).filter(|admit| text(&admit.body, "peer") == peer);
        let own = admits.filter(|admit| world.stands_for(&rec.by, &admit.by, n)).count();
        let removed = world.of("node.remove", n).any(|remove| text(&remove.body, "peer") == peer);
        return verdict.either(own == 0 || removed, &["ref-unknown", "not-party", "field-invalid", "not-found"]);
    }
    let used = registered(world, n);
    verdict.breach(rec.labels.iter().any(|label| used.contains(label)), "duplicate");
    let removed: Vec<&str> = world.of("node.remove", n).map(|remove| text(&remove.body, "peer")).collect();
    let own = world.of("node.admit", n).filter(|admit| admit.by == rec.by && !removed.contains(&text(&admit.body, "peer"))).count();
    verdict.breach(own >= 4, "limit-exceeded");
}

/// The members of the last set that is scheduled.
pub fn members(world: &World, n: usize) -> BTreeSet<String> {
    let mut members: BTreeSet<String> = strings(&world.genesis, "members").into_iter().collect();
    for rec in changes(world, n) {
        match rec.kind {
            "validator.add" => members.insert(text(&rec.body, "agency").to_owned()),
            "validator.remove" => members.remove(text(&rec.body, "agency")),
            _ => true,
        };
    }
    members
}

fn changes(world: &World, n: usize) -> Vec<&Rec> {
    let mut all: Vec<&Rec> =
        ["validator.add", "validator.change", "validator.remove"].into_iter().flat_map(|kind| world.of(kind, n)).collect();
    all.sort_by_key(|rec| rec.index);
    all
}

/// The labels of a member's keys: those of the newest record about it.
pub fn keys_of(world: &World, agency: &str, n: usize) -> Vec<String> {
    let newest = changes(world, n).into_iter().rev().find(|rec| text(&rec.body, "agency") == agency && !rec.labels.is_empty());
    let first = || ["network", "consensus", "cosigner", "publication"].map(|of| format!("{agency}/{of}")).to_vec();
    newest.map_or_else(first, |rec| rec.labels.clone())
}

fn validator(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let agency = text(&rec.body, "agency");
    let from = rec.body["from"].as_u64().unwrap();
    verdict.either(from < rec.height + 2, &["limit-exceeded"]);
    let changes = changes(world, n);
    verdict.either(changes.iter().any(|rec| rec.body["from"].as_u64().unwrap() > from), &["limit-exceeded"]);
    let members = members(world, n);
    let is = members.contains(agency);
    if rec.kind == "validator.add" {
        match world.agency(agency, n) {
            None => verdict.breach(true, "agency-unknown"),
            Some(agency) => {
                verdict.breach(agency.status == "suspended", "agency-suspended");
                verdict.breach(agency.status == "retired", "agency-retired");
            }
        }
        verdict.breach(is, "duplicate");
    } else {
        verdict.either(!is, &["ref-wrong"]);
    }
    let used = registered(world, n);
    let old = if rec.kind == "validator.change" { keys_of(world, agency, n) } else { Vec::new() };
    let fresh = |(index, label): (usize, &String)| old.get(index) == Some(label) || !used.contains(label);
    verdict.breach(!rec.labels.iter().enumerate().all(fresh), "duplicate");
    let count = match rec.kind {
        "validator.add" => members.len() + usize::from(!is),
        "validator.remove" => members.len() - usize::from(is),
        _ => members.len(),
    };
    verdict.breach(!(4..=22).contains(&count), "limit-exceeded");
    let before = changes.iter().filter(|other| other.height < rec.height).count();
    let power = self::members(world, changes.get(before).map_or(n, |first| first.index)).len();
    let mut changed: BTreeSet<&str> = changes[before..].iter().map(|other| text(&other.body, "agency")).collect();
    changed.insert(agency);
    verdict.breach(changed.len() * 3 >= power, "limit-exceeded");
}
