//! The rules of requests, grants, corrections and disputes.

use super::clocks::Moment;
use super::verdict::{Verdict, party};
use super::world::{Rec, World, strings, text};

pub fn judge(world: &World, rec: &Rec, verdict: &mut Verdict) {
    if rec.kind == "share.request" {
        return request(world, rec, verdict);
    }
    let Some(on) = world.get(&rec.refs[0], rec.index) else {
        return verdict.breach(true, "ref-unknown");
    };
    match rec.kind {
        "share.extend" => extend(world, rec, on, verdict),
        "share.supplement" | "share.withdraw" | "share.answer" => of_request(world, rec, on, verdict),
        "share.receipt" => receipt(world, rec, on, verdict),
        "correction.file" => correction(world, rec, on, verdict),
        "correction.close" => correction_close(world, rec, on, verdict),
        "dispute.file" => dispute(world, rec, on, verdict),
        "dispute.refer" | "dispute.decide" => dispute_end(world, rec, on, verdict),
        _ => of_grant(world, rec, on, verdict),
    }
}

fn request(world: &World, rec: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let duty = text(&rec.body, "duty");
    verdict.breach(world.duty(duty, n).is_none() || world.duty_retired(duty, n), "duty-unknown");
    term(world, rec, verdict);
    let asked: Vec<(&str, u64)> =
        rec.body["datasets"].as_array().unwrap().iter().map(|one| (text(one, "id"), one["version"].as_u64().unwrap_or(0))).collect();
    verdict.breach(asked.windows(2).any(|pair| pair[0].0 >= pair[1].0), "field-invalid");
    let newest: Vec<_> = asked.iter().map(|(id, _)| world.newest(id, n)).collect();
    verdict.breach(newest.iter().any(Option::is_none), "dataset-unknown");
    let newest: Vec<&Rec> = newest.into_iter().flatten().collect();
    verdict
        .breach(newest.iter().zip(&asked).any(|(newest, (_, version))| newest.body["version"].as_u64() != Some(*version)), "version-wrong");
    let kinds = |one: &&Rec| (world.end(super::verdict::of_id(text(&one.body, "id")), n), text(&one.body, "class").to_owned());
    let first = newest.first().map(kinds);
    verdict.breach(newest.iter().any(|one| Some(kinds(one)) != first), "field-invalid");
    verdict.breach(newest.iter().any(|one| world.dataset_retired(text(&one.body, "id"), n)), "dataset-unknown");
    for one in newest {
        let review = world.review(text(&one.body, "id"), &one.body["version"], n);
        let outcome = review.map(|review| text(&review.body, "outcome"));
        verdict.breach(outcome == Some("return"), "version-wrong");
        verdict.breach(outcome.is_none() && world.policy(n)["unreviewed_requestable"] == false, "version-wrong");
    }
}

fn term(world: &World, rec: &Rec, verdict: &mut Verdict) {
    if rec.body.get("term").is_some() {
        let [from, to] = ["from", "to"].map(|name| world.days.day(text(&rec.body["term"], name)));
        verdict.breach(to < from, "field-invalid");
    }
}

fn of_request(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    if on.kind != "share.request" {
        return verdict.breach(true, "ref-wrong");
    }
    let provider = World::provider(on);
    let answered = world.answer(on, n).is_some();
    verdict.breach(world.is_withdrawn(on, n), "closed");
    match rec.kind {
        "share.withdraw" => {
            verdict.breach(answered, "closed");
            party(world, rec, &on.by, verdict);
        }
        "share.supplement" => {
            verdict.breach(answered, "closed");
            let (step, other) = if text(&rec.body, "step") == "ask" { ("ask", "missing") } else { ("give", "given") };
            party(world, rec, if step == "ask" { provider } else { &on.by }, verdict);
            verdict.breach(world.supplement(on, step, n).is_some(), "duplicate");
            verdict.breach(step == "give" && world.supplement(on, "ask", n).is_none(), "too-early");
            verdict.breach(rec.body.get(other).is_none(), "field-missing");
            verdict.breach(rec.body.get(if step == "ask" { "given" } else { "missing" }).is_some(), "field-unknown");
            verdict.breach(strings(&rec.body, other).len() > 64, "field-invalid");
        }
        _ => {
            verdict.breach(answered, "already-answered");
            party(world, rec, provider, verdict);
            answer(world, rec, on, verdict);
        }
    }
}

fn answer(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    let has = |name: &str| rec.body.get(name).is_some();
    let refusal = ["basis", "code", "reason"];
    let grant = ["datasets", "frequency", "promised", "term"];
    if text(&rec.body, "outcome") == "refuse" {
        verdict.breach(!refusal.into_iter().all(has), "field-missing");
        return verdict.breach(grant.into_iter().any(has), "field-unknown");
    }
    verdict.breach(!has("datasets"), "field-missing");
    verdict.breach(refusal.into_iter().any(has), "field-unknown");
    term(world, rec, verdict);
    let mut given = strings(&rec.body, "datasets");
    let mut asked: Vec<&str> = on.body["datasets"].as_array().unwrap().iter().map(|one| text(one, "id")).collect();
    let count = given.len();
    given.sort();
    given.dedup();
    asked.sort_unstable();
    verdict.either(given.len() < count, &["field-invalid", "duplicate"]);
    let fits = match text(&rec.body, "outcome") {
        "agree" => given == asked,
        _ => given.len() < asked.len() && given.iter().all(|id| asked.contains(&id.as_str())),
    };
    verdict.either(!fits, &["field-invalid", "ref-wrong"]);
}

fn receipt(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    if on.kind != "share.deliver" {
        return verdict.breach(true, "ref-wrong");
    }
    party(world, rec, world.parties(on, rec.index).unwrap().1, verdict);
    verdict.breach(world.about(&on.id, "share.receipt", rec.index).next().is_some(), "duplicate");
    let rows = rec.body.get("rows").is_some() && on.body.get("rows").is_some() && rec.body["rows"] != on.body["rows"];
    let differs = rec.body["commitment"] != on.body["commitment"] || rows;
    verdict.breach(differs != (text(&rec.body, "result") == "mismatch"), "receipt-contradicts");
}

fn of_grant(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let Some(datasets) = world.granted(on, n) else {
        return verdict.either(true, &["ref-wrong", "not-granted"]);
    };
    let (provider, requester) = world.parties(on, n).unwrap();
    let day = world.day(rec, world.offset(n));
    let (ended, suspended, over) = (world.ended(on, n).is_some(), world.is_suspended(on, n), world.is_over(on, day, n));
    match rec.kind {
        "share.deliver" => {
            party(world, rec, provider, verdict);
            verdict.breach(ended || suspended, "not-granted");
            let dataset = text(&rec.body, "dataset");
            verdict.either(!datasets.iter().any(|id| id == dataset), &["not-granted", "dataset-unknown"]);
            let is = |one: &Rec| text(&one.body, "id") == dataset && one.body["version"] == rec.body["version"];
            verdict.either(!world.of("dataset.publish", n).any(is), &["version-wrong", "dataset-unknown"]);
            verdict.breach(world.about(&on.id, "share.deliver", n).any(|one| one.body["batch"] == rec.body["batch"]), "duplicate");
        }
        "share.use" => {
            party(world, rec, requester, verdict);
            let counts = rec.body["counts"].as_array().unwrap();
            verdict.breach(counts.windows(2).any(|pair| text(&pair[0], "purpose") >= text(&pair[1], "purpose")), "field-invalid");
            verdict.breach(world.about(&on.id, "share.use", n).any(|one| one.body["period"] == rec.body["period"]), "duplicate");
        }
        "share.dispose" => {
            party(world, rec, requester, verdict);
            verdict.breach(!over, "too-early");
            verdict.breach(world.about(&on.id, "share.dispose", n).next().is_some(), "duplicate");
        }
        _ => {
            standing(world, rec, provider, verdict);
            verdict.breach(ended, "closed");
            verdict.breach(rec.kind == "share.suspend" && over, "closed");
            verdict.breach(rec.kind == "share.suspend" && suspended, "closed");
            verdict.breach(rec.kind == "share.resume" && !suspended, "closed");
        }
    }
}

/// The provider's office, or an authority that covers it.
fn standing(world: &World, rec: &Rec, provider: &str, verdict: &mut Verdict) {
    let by_authority = rec.lines.iter().any(|line| line.role == sharelog::core::key::Role::Authority);
    let fits = match by_authority {
        true => world.covers(&rec.by, &world.end(provider, rec.index), rec.index),
        false => world.stands_for(&rec.by, provider, rec.index),
    };
    verdict.breach(!fits, "not-party");
}

fn extend(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let clock = text(&rec.body, "clock");
    let fits = match clock {
        "answer" => on.kind == "share.request",
        "backflow" => on.kind == "share.request" && text(&on.body, "sort") == "backflow",
        "catalogue_update" => on.kind == "duty.retire",
        "dispute" => on.kind == "dispute.file",
        "mismatch" => on.kind == "share.receipt" && text(&on.body, "result") == "mismatch",
        _ => on.kind == "finding.file",
    };
    if !fits {
        return verdict.breach(true, "ref-wrong");
    }
    let moment = Moment::before(world, n, rec.time);
    let most = world.policy(n)["extensions"][clock].as_u64().unwrap();
    verdict.breach(moment.extended(on, clock) + rec.body["days"].as_u64().unwrap() > most, "limit-exceeded");
    let (debtor, due) = match clock {
        // The agency of the duty answers for the datasets that name it.
        "catalogue_update" => (Some(world.end(super::verdict::of_id(text(&on.body, "id")), n)), moment.update_due(on)),
        _ => {
            let owed = moment.of_clock(clock).into_iter().find(|owed| owed.started == on.position).unwrap();
            (owed.debtor, owed.due.filter(|_| !owed.provisional))
        }
    };
    // Who decides a dispute is who covers the parties now, should one have moved since it was filed.
    let debtor = if clock == "dispute" { decider(world, on, n) } else { debtor };
    let today = world.days.text(world.day(rec, world.offset(on.index)));
    verdict.breach(due.is_some_and(|due| today > due), "too-late");
    verdict.breach(debtor.is_none_or(|id| !world.covers(&rec.by, &id, n)), "not-party");
}

fn decider(world: &World, dispute: &Rec, n: usize) -> Option<String> {
    let (provider, requester) = world.parties(dispute, n).unwrap();
    let referred = world.about(&dispute.id, "dispute.refer", n).next_back().map(|one| world.end(text(&one.body, "to"), n));
    referred.or_else(|| world.authority_over(&[&world.end(provider, n), &world.end(requester, n)], n))
}

fn correction(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let datasets = match on.kind {
        "share.deliver" => vec![text(&on.body, "dataset").to_owned()],
        _ => match world.granted(on, n) {
            Some(datasets) => datasets,
            None => return verdict.either(true, &["ref-wrong", "not-granted"]),
        },
    };
    party(world, rec, world.parties(on, n).unwrap().1, verdict);
    verdict.either(!datasets.iter().any(|id| id == text(&rec.body, "dataset")), &["not-granted", "dataset-unknown", "ref-wrong"]);
}

fn correction_close(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    let repaired = text(&rec.body, "result") == "repaired";
    verdict.breach(rec.body.get(if repaired { "batch" } else { "reason" }).is_none(), "field-missing");
    verdict.breach(rec.body.get(if repaired { "reason" } else { "batch" }).is_some(), "field-unknown");
    if on.kind != "correction.file" {
        return verdict.breach(true, "ref-wrong");
    }
    party(world, rec, world.parties(on, n).unwrap().0, verdict);
    verdict.breach(world.is_closed(on, n), "closed");
    let of = world.get(&on.refs[0], n).unwrap();
    let grant = if of.kind == "share.deliver" { of.refs[0] } else { of.id };
    let known = world.about(&grant, "share.deliver", n).any(|one| one.body["batch"] == rec.body["batch"]);
    verdict.either(repaired && !known, &["ref-unknown", "field-invalid", "not-granted"]);
}

fn dispute(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    if !on.kind.starts_with("share.") && !on.kind.starts_with("correction.") {
        return verdict.breach(true, "ref-wrong");
    }
    let Some((provider, requester)) = world.parties(on, rec.index) else {
        return verdict.breach(true, "ref-wrong");
    };
    let stands = |party| world.stands_for(&rec.by, party, rec.index);
    verdict.breach(!stands(provider) && !stands(requester), "not-party");
}

fn dispute_end(world: &World, rec: &Rec, on: &Rec, verdict: &mut Verdict) {
    let n = rec.index;
    if on.kind != "dispute.file" {
        return verdict.breach(true, "ref-wrong");
    }
    verdict.breach(world.is_closed(on, n), "closed");
    if rec.kind == "dispute.refer" {
        let to = text(&rec.body, "to");
        return verdict.either(!world.authorities(n).iter().any(|id| id == to), &["agency-unknown", "role-wrong", "not-party"]);
    }
    let (provider, requester) = world.parties(on, n).unwrap();
    let referred = world.about(&on.id, "dispute.refer", n).next_back().map(|one| text(&one.body, "to"));
    let fits = match referred {
        Some(to) => world.stands_for(&rec.by, to, n),
        None => [provider, requester].iter().all(|id| world.covers(&rec.by, &world.end(id, n), n)),
    };
    verdict.breach(!fits, "not-party");
}
