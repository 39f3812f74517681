//! The members of each kind's body, as INTERFACES and SPEC list them; `?` marks those that may be absent.

use serde_json::Value as Json;

use super::world::World;

/// Kind, who signs (for the generator's first choice) and members as `name:type`.
pub const SHAPES: &[(&str, &str, &str)] = &[
    (
        "policy.set",
        "authority",
        "authority_threshold:positive block_bytes_max:int block_drift_ms:int block_records_max:positive \
        checkpoint_ms:positive clocks:object extensions:object heartbeat_ms:int pause_on_supplement:bool record_age_ms_max:int \
        rules:positive unreviewed_requestable:bool utc_offset_minutes:offset test_clock?:bool",
    ),
    ("calendar.set", "authority", "notice:object off:days work:days year:year"),
    ("territory.set", "authority", "territories:objects"),
    (
        "agency.admit",
        "authority",
        "id:agency keys:strings level:levels line?:line names:object parent?:agency scheme:schemes \
        territory?:territory",
    ),
    ("agency.change", "authority", "id:agency level:levels line?:line names:object parent?:agency territory?:territory"),
    ("agency.suspend", "authority", "id:agency reason:text status:suspended|active"),
    ("agency.retire", "authority", "id:agency reason:text successor?:agency"),
    ("key.rotate", "office", "key:vkey replaces:vkey"),
    ("key.revoke", "office", "key:vkey reason:text suspect_from?:time"),
    ("node.admit", "head", "addresses:strings peer:peer publication:base64 records:strings"),
    ("node.remove", "head", "peer:peer"),
    (
        "validator.add",
        "authority",
        "addresses:strings agency:agency consensus:base64 cosigner:base64 from:positive peer:peer power:one \
        publication:base64 records:strings",
    ),
    (
        "validator.change",
        "authority",
        "addresses:strings agency:agency consensus:base64 cosigner:base64 from:positive peer:peer power:one \
        publication:base64 records:strings",
    ),
    ("validator.remove", "authority", "agency:agency from:positive"),
    ("duty.declare", "office", "basis:basis delegated_from?:scoped id:scoped line?:line territory?:territory title:title"),
    ("duty.retire", "office", "id:scoped reason:text"),
    (
        "dataset.publish",
        "head",
        "bar?:text class:unconditional|conditional|withheld conditions?:text duty?:scoped format?:texts \
        frequency:once|realtime|daily|weekly|monthly|quarterly|halfyearly|yearly|irregular grade?:text id:scoped items?:objects \
        purposes?:texts summary?:text system?:text title:title topic?:text version:positive",
    ),
    ("dataset.retire", "head", "id:scoped reason:text"),
    ("dataset.review", "authority", "id:scoped outcome:approve|return reason?:text version:positive"),
    (
        "share.request",
        "office",
        "basis:basis datasets:objects duty:scoped label?:text mode:file|api|query purpose:text scenario?:text \
        scope?:text sort:ordinary|backflow|onward|purpose-change term?:object",
    ),
    ("share.supplement", "office", "given?:texts missing?:texts step:ask|give"),
    ("share.withdraw", "office", "reason:text"),
    (
        "share.answer",
        "office",
        "basis?:basis code?:not-held|outside-duty|withheld-by-law|purpose-unfit|scope-excess|incomplete|other \
        datasets?:ids frequency?:once|realtime|daily|weekly|monthly|quarterly|halfyearly|yearly|irregular outcome:agree|partly|refuse \
        promised?:day reason?:text term?:object",
    ),
    ("share.extend", "authority", "clock:answer|backflow|catalogue_update|dispute|mismatch|rectification days:positive reason:text"),
    (
        "share.deliver",
        "office",
        "batch:local bytes:int commitment:hash dataset:scoped mode:file|api|query period?:period rows?:int \
        version:positive",
    ),
    ("share.receipt", "office", "commitment:hash result:match|mismatch rows?:int"),
    ("share.suspend", "office", "cause:text negotiated:bool"),
    ("share.resume", "office", "cause:text"),
    ("share.end", "office", "cause:text negotiated:bool"),
    ("share.use", "office", "counts:objects period:period root:hash"),
    ("share.dispose", "office", "certificate:hash method:text what:text"),
    ("correction.file", "office", "dataset:scoped error:wrong|missing|repeated|stale|format|other text:text"),
    ("correction.close", "office", "batch?:local reason?:text result:repaired|rejected"),
    ("dispute.file", "office", "grounds:text subject:text"),
    ("dispute.refer", "authority", "reason:text to:agency"),
    ("dispute.decide", "authority", "outcome:share|refuse|settled reason:text"),
    (
        "collect.notice",
        "office",
        "duty:scoped frequency:once|realtime|daily|weekly|monthly|quarterly|halfyearly|yearly|irregular \
        items:texts level:city|district|street|community territory:territory title:title",
    ),
    ("finding.file", "inspector", "agency:agency due?:day offence:offence text:text"),
    ("finding.rectify", "office", "text:text"),
    ("finding.close", "inspector", "outcome:rectified|unrectified|withdrawn text?:text"),
    ("record.amend", "office", "reason:text texts:object"),
];

pub fn kinds() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|(kind, _, _)| *kind)
}

pub fn role(kind: &str) -> &'static str {
    SHAPES.iter().find(|shape| shape.0 == kind).unwrap().1
}

/// Name, type and whether it is required.
pub fn members(kind: &str) -> Vec<(&'static str, &'static str, bool)> {
    let members = SHAPES.iter().find(|shape| shape.0 == kind).unwrap().2;
    let taken_apart = |member: &'static str| {
        let (name, of) = member.split_once(':').unwrap();
        (name.trim_end_matches('?'), of, !name.ends_with('?'))
    };
    members.split_whitespace().map(taken_apart).collect()
}

/// The national identity number that mutations put into texts.
pub const PERSONAL: &str = "11010519491231002X";

/// Every breach of the kind's form in a body.
pub fn breaches(world: &World, kind: &str, body: &Json) -> Vec<&'static str> {
    let mut codes = Vec::new();
    let members = members(kind);
    for (name, of, required) in &members {
        match body.get(name) {
            None if *required => codes.push("field-missing"),
            None => (),
            Some(member) => codes.extend(breach(world, of, member)),
        }
    }
    if body.as_object().unwrap().keys().any(|name| members.iter().all(|member| member.0 != name)) {
        codes.push("field-unknown");
    }
    codes
}

fn free_text(member: &Json, most: usize) -> Option<&'static str> {
    match member.as_str() {
        Some(text) if text.contains(PERSONAL) => Some("text-forbidden"),
        Some(text) if !text.is_empty() && text.len() <= most && text.trim() == text => None,
        _ => Some("field-invalid"),
    }
}

fn is_word(text: &str, others: &str, most: usize) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    text.len() <= most && text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

fn is_period(world: &World, text: &str) -> bool {
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<usize>().ok()).unwrap_or(0);
    let year = text.get(..4).is_some_and(|year| year.chars().all(|c| c.is_ascii_digit()));
    year && match (text.len(), text.get(4..6)) {
        (4, _) => true,
        (7, Some("-H")) => (1..=2).contains(&number(6, 7)),
        (7, Some("-Q")) => (1..=4).contains(&number(6, 7)),
        (7, Some(_)) => &text[4..5] == "-" && (1..=12).contains(&number(5, 7)),
        (8, Some("-W")) => (1..=52).contains(&number(6, 8)) || (number(6, 8) == 53 && ["2026", "2032"].contains(&&text[..4])),
        _ => world.days.is_day(text),
    }
}

fn breach(world: &World, of: &str, member: &Json) -> Option<&'static str> {
    let word = member.as_str();
    let list = |most: usize, least: usize| member.as_array().filter(|list| (least..=most).contains(&list.len()));
    let each = |list: Option<&Vec<Json>>, fits: &dyn Fn(&Json) -> Option<&'static str>| match list {
        Some(list) => list.iter().find_map(fits),
        None => Some("field-invalid"),
    };
    let fits = match of {
        "text" => return free_text(member, 2_000),
        "title" => return free_text(member, 300),
        "texts" => return each(list(256, 1), &|text| free_text(text, 2_000)),
        "basis" => return each(list(8, 0), &|text| free_text(text, 2_000)),
        "days" => return each(list(366, 0), &|day| breach(world, "day", day)),
        "ids" => return each(list(64, 1), &|id| breach(world, "scoped", id)),
        "int" => member.is_u64(),
        "positive" => member.as_u64().is_some_and(|number| number > 0),
        "one" => *member == 1,
        "offset" => member.as_u64().is_some_and(|number| number <= 840),
        "year" => member.as_u64().is_some_and(|number| (1_900..=9_999).contains(&number)),
        "bool" => member.is_boolean(),
        "day" => word.is_some_and(|text| world.days.is_day(text)),
        "time" => word.is_some_and(|text| text.len() == 24 && text.ends_with('Z')),
        "period" => word.is_some_and(|text| is_period(world, text)),
        "agency" => word.is_some_and(|text| is_word(text, "-", 64)),
        "scoped" => word.and_then(|text| text.split_once(':')).is_some_and(|(a, b)| is_word(a, "-", 64) && is_word(b, "._-", 64)),
        "local" => word.is_some_and(|text| is_word(text, "._-", 64)),
        "hash" => word.is_some_and(|text| is_hex(text, 64)),
        "line" => word.is_some_and(|text| is_word(text, "-", 64) && text.to_lowercase() == text),
        "territory" => word.is_some_and(|text| (2..=12).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit())),
        "levels" => word.is_some_and(|text| ["city", "district", "street", "community", "outside"].contains(&text)),
        "schemes" => word.is_some_and(|text| ["plain", "uscc"].contains(&text)),
        "vkey" => word.is_some_and(|text| text.split('+').count() >= 3),
        "peer" => word.is_some_and(|text| text.starts_with("12D3")),
        "base64" => word.is_some_and(|text| text.len() == 44 && text.ends_with('=')),
        "offence" => word.is_some_and(|text| {
            let (article, number) = text.split_once('-').unwrap_or(("", ""));
            matches!((article, number.parse::<usize>()), ("39" | "40", Ok(1..=9)) | ("41", Ok(1..=2))) && number.len() == 1
        }),
        "strings" => member.is_array(),
        // Each of them has members that must be there.
        "object" if member.as_object().is_some_and(serde_json::Map::is_empty) => return Some("field-missing"),
        "object" => member.is_object(),
        "objects" => member.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Json::is_object)),
        choices => word.is_some_and(|text| choices.split('|').any(|choice| choice == text)),
    };
    (!fits).then_some("field-invalid")
}
