//! The rules of duties, the catalogue, notices, findings and amendments.

use std::collections::BTreeSet;

use sharelog::core::key::Role;

use super::shape;
use super::verdict::{Verdict, of_id, own_id, party};
use super::world::{Rec, World, strings, text};

pub fn judge(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let id = text(&rec.body, "id");
    match rec.kind {
        "duty.declare" => {
            own_id(world, rec, verdict);
            verdict.breach(world.duty(id, n).is_some(), "duplicate");
            let from = rec.body["delegated_from"].as_str();
            verdict.breach(from.is_some_and(|from| world.duty(from, n).is_none()), "duty-unknown");
        }
        "duty.retire" => match world.duty(id, n) {
            None => verdict.either(true, &["duty-unknown", "not-party"]),
            Some(_) => {
                own_id(world, rec, verdict);
                verdict.breach(world.duty_retired(id, n), "closed");
            }
        },
        "dataset.publish" => publish(world, rec, id, verdict),
        "dataset.retire" => match world.newest(id, n) {
            None => verdict.either(true, &["dataset-unknown", "not-party"]),
            Some(_) => {
                own_id(world, rec, verdict);
                verdict.breach(world.dataset_retired(id, n), "closed");
            }
        },
        "dataset.review" => review(world, rec, id, verdict),
        "collect.notice" => {
            let duty = text(&rec.body, "duty");
            verdict.breach(world.duty(duty, n).is_none() || world.duty_retired(duty, n), "duty-unknown");
            party(world, rec, of_id(duty), verdict);
            let items = strings(&rec.body, "items");
            verdict.breach(items.iter().collect::<BTreeSet<_>>().len() < items.len(), "field-invalid");
        }
        "finding.file" => {
            verdict.breach(rec.refs.iter().any(|id| world.get(id, n).is_none()), "ref-unknown");
            verdict.breach(world.agency(text(&rec.body, "agency"), n).is_none(), "agency-unknown");
        }
        "record.amend" => amend(world, rec, verdict),
        _ => finding(world, rec, verdict),
    }
}

fn publish(world: &World, rec: &Rec, id: &str, verdict: &mut Verdict) {
    let n = rec.index;
    own_id(world, rec, verdict);
    let has = |name: &str| rec.body.get(name).is_some();
    let class = text(&rec.body, "class");
    for (name, of) in [("conditions", "conditional"), ("purposes", "conditional"), ("bar", "withheld")] {
        verdict.breach(class == of && !has(name), "field-missing");
        verdict.breach(class != of && has(name), "field-unknown");
    }
    let items = rec.body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: BTreeSet<&str> = items.iter().map(|item| text(item, "name")).collect();
    verdict.breach(names.len() < items.len(), "field-invalid");
    let duty = rec.body["duty"].as_str();
    verdict.breach(duty.is_some_and(|duty| world.duty(duty, n).is_none() || world.duty_retired(duty, n)), "duty-unknown");
    let newest = world.newest(id, n).map_or(0, |newest| newest.body["version"].as_u64().unwrap());
    verdict.breach(rec.body["version"].as_u64() != Some(newest + 1), "version-wrong");
    if world.dataset_retired(id, n) {
        verdict.open.extend(["closed", "dataset-unknown"]);
    }
}

fn review(world: &World, rec: &Rec, id: &str, verdict: &mut Verdict) {
    let n = rec.index;
    let returns = text(&rec.body, "outcome") == "return";
    verdict.breach(returns && rec.body.get("reason").is_none(), "field-missing");
    verdict.breach(!returns && rec.body.get("reason").is_some(), "field-unknown");
    let Some(newest) = world.newest(id, n) else {
        return verdict.breach(true, "dataset-unknown");
    };
    verdict.breach(newest.body["version"] != rec.body["version"], "version-wrong");
    verdict.breach(world.review(id, &rec.body["version"], n).is_some(), "duplicate");
    if world.dataset_retired(id, n) {
        verdict.open.extend(["closed", "dataset-unknown"]);
    }
}

fn finding(world: &World, rec: &Rec, verdict: &mut Verdict) {
    match world.get(&rec.refs[0], rec.index) {
        None => verdict.breach(true, "ref-unknown"),
        Some(on) if on.kind != "finding.file" => verdict.breach(true, "ref-wrong"),
        Some(on) => {
            verdict.breach(world.is_closed(on, rec.index), "closed");
            if rec.kind == "finding.rectify" {
                party(world, rec, text(&on.body, "agency"), verdict);
            }
        }
    }
}

const AMENDABLE: [&str; 13] =
    ["cause", "grounds", "label", "method", "reason", "scenario", "scope", "subject", "summary", "system", "text", "title", "topic"];

fn amend(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let Some(on) = world.get(&rec.refs[0], rec.index) else {
        return verdict.breach(true, "ref-unknown");
    };
    let members = shape::members(on.kind);
    for (name, member) in rec.body["texts"].as_object().unwrap() {
        let is = AMENDABLE.contains(&name.as_str()) || name == "what";
        let has = members.iter().any(|known| known.0 == name && (known.1 == "text" || known.1 == "title"));
        verdict.either(!is || !has, &["field-unknown", "ref-wrong"]);
        verdict.breach(member.as_str().is_none_or(|text| text.is_empty() || text.len() > 2_000), "field-invalid");
    }
    party(world, rec, &on.by, verdict);
    // Where the other kind lets several roles sign, each of them will do.
    let roles = match on.kind {
        "share.suspend" | "share.resume" | "share.end" => vec![Role::Office, Role::Authority],
        "record.amend" | "key.revoke" => vec![Role::Office, Role::Head, Role::Authority, Role::Inspector],
        kind => vec![Role::parse(shape::role(kind)).unwrap()],
    };
    verdict.breach(rec.lines.first().is_none_or(|line| !roles.contains(&line.role)), "role-wrong");
}
