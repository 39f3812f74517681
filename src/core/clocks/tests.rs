//! Each clock in a small history. January 2026: the 4th (a Sunday) is a make-up day, the 5th a Monday.

use crate::core::book::at::AsOf;
use crate::core::book::facts::Clock;
use crate::core::book::story::{Story, calendars, noon};
use crate::core::calendar::Calendar;
use crate::core::time::Day;
use crate::core::working_days::WorkingDays;

#[test]
fn the_vectors_of_awkward_days_hold() {
    let calendars: Vec<Calendar> = calendars().iter().map(|calendar| Calendar::from_value(calendar).unwrap()).collect();
    let days = WorkingDays::of(&calendars);
    let vectors = include_str!("../../../tests/data/cn_deadline_vectors.csv");
    let mut count = 0;
    for row in vectors.lines().skip(1) {
        let day = |text: &str| Day::parse(text).unwrap();
        let start = day(&row[..10]);
        let dues: Vec<&str> = row.rsplit(',').take(6).collect();
        for (limit, due) in [20, 15, 10, 5, 2, 1].into_iter().zip(dues) {
            let found = days.due(start, limit);
            assert_eq!((found.day.to_string(), found.provisional), (due.to_owned(), false), "{limit} after {start}");
            assert_eq!(days.between(start, day(due)), limit);
            count += 1;
        }
    }
    assert_eq!(count, 48);
}

#[test]
fn an_answer_is_due_by_class_and_met_on_its_due_day() {
    let mut story = Story::begin("2026-01-04");
    let beds = story.request("2026-01-05", "health:beds");
    let staff = story.request("2026-01-05", "health:staff");
    assert_eq!(story.lines("2026-01-05", Clock::Answer)[0], "health>civil 2026-01-05..2026-01-06 open left 1");
    assert_eq!(story.lines("2026-01-11", Clock::Answer)[0], "health>civil 2026-01-05..2026-01-06 open late 3");
    story.agree("2026-01-06", beds, "health:beds", "");
    story.on("2026-01-21", "civil", "share.withdraw", &[staff], r#"{"reason":"r"}"#);
    let lines = story.lines("2026-02-01", Clock::Answer);
    assert_eq!(lines, ["health>civil 2026-01-05..2026-01-06 met", "health>civil 2026-01-05..2026-01-19 late late 2"]);
    let before = AsOf { size: story.book.size() - 2, time: noon("2026-02-01") };
    assert!(story.obligations(before, Clock::Answer).iter().all(|obligation| obligation.stop.is_none()));
    assert_eq!(story.obligations(story.at("2026-01-04"), Clock::Answer), []);
}

#[test]
fn a_supplement_pauses_an_answer_and_an_extension_prolongs_it() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:staff");
    story.on("2026-01-08", "health", "share.supplement", &[request], r#"{"missing":["m"],"step":"ask"}"#);
    assert_eq!(story.lines("2026-03-01", Clock::Answer), ["health>civil 2026-01-05..paused open"]);
    story.on("2026-01-20", "civil", "share.supplement", &[request], r#"{"given":["g"],"step":"give"}"#);
    assert_eq!(story.lines("2026-01-20", Clock::Answer), ["health>civil 2026-01-05..2026-01-29 open left 7"]);
    story.on("2026-01-29", "city", "share.extend", &[request], r#"{"clock":"answer","days":2,"reason":"r"}"#);
    assert_eq!(story.lines("2026-01-30", Clock::Answer), ["health>civil 2026-01-05..2026-02-02+2 open left 1"]);
    assert_eq!(story.lines("2026-01-28", Clock::Answer), ["health>civil 2026-01-05..2026-01-29 open left 1"]);
    assert_eq!(story.lines("2026-01-10", Clock::Answer), ["health>civil 2026-01-05..paused open"]);
    story.agree("2026-02-02", request, "health:staff", "");
    assert_eq!(story.lines("2026-02-03", Clock::Answer), ["health>civil 2026-01-05..2026-02-02+2 met"]);
}

#[test]
fn a_supplement_asked_for_after_the_due_day_pauses_nothing() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:beds");
    story.on("2026-01-07", "health", "share.supplement", &[request], r#"{"missing":["m"],"step":"ask"}"#);
    assert_eq!(story.lines("2026-01-08", Clock::Answer), ["health>civil 2026-01-05..2026-01-06 open late 2"]);
}

#[test]
fn a_promise_counts_when_it_is_earlier_than_the_limit() {
    let mut story = Story::begin("2026-01-04");
    for promised in ["2026-01-15", "2026-12-31"] {
        let request = story.request("2026-01-05", "health:staff");
        story.agree("2026-01-06", request, "health:staff", &format!(r#","promised":"{promised}""#));
    }
    let lines = story.lines("2026-01-16", Clock::Delivery);
    assert_eq!(lines[0], "health>civil 2026-01-06..2026-01-15 open late 1");
    assert_eq!(lines[1], "health>civil 2026-01-06..2026-02-03 open left 12");
}

#[test]
fn a_suspension_stops_a_delivery_and_a_resumption_starts_it_anew() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:staff");
    let grant = story.agree("2026-01-06", request, "health:staff", r#","promised":"2026-01-08""#);
    story.on("2026-01-12", "health", "share.suspend", &[grant], r#"{"cause":"c","negotiated":true}"#);
    assert_eq!(story.lines("2026-03-01", Clock::Delivery), ["health>civil 2026-01-06..2026-01-08 stopped late 2"]);
    story.on("2026-03-02", "health", "share.resume", &[grant], r#"{"cause":"c","negotiated":true}"#);
    let lines = story.lines("2026-03-03", Clock::Delivery);
    assert_eq!(lines[1..], ["health>civil 2026-03-02..2026-03-30 open left 19"]);
    let delivery = story.deliver("2026-03-30", grant, "health:staff", "");
    assert_eq!(story.lines("2026-04-01", Clock::Delivery)[1], "health>civil 2026-03-02..2026-03-30 met");
    assert_eq!(story.lines("2026-04-01", Clock::Receipt), ["civil>health 2026-03-30..2026-04-07 open left 3"]);
    story.receive("2026-04-08", delivery, "match");
    assert_eq!(story.lines("2026-05-01", Clock::Receipt), ["civil>health 2026-03-30..2026-04-07 late late 1"]);
    story.on("2026-05-02", "health", "share.suspend", &[grant], r#"{"cause":"c","negotiated":true}"#);
    story.on("2026-05-03", "health", "share.resume", &[grant], r#"{"cause":"c","negotiated":true}"#);
    assert_eq!(story.lines("2026-06-01", Clock::Delivery).len(), 2, "nothing was open at the second suspension");
}

#[test]
fn each_period_of_a_standing_grant_has_its_own_due_day() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:beds");
    let grant = story.agree("2026-01-06", request, "health:beds", r#","frequency":"monthly""#);
    story.deliver("2026-02-03", grant, "health:beds", "2026-01");
    let lines = story.lines("2026-03-31", Clock::Delivery);
    assert_eq!(
        lines,
        [
            "health>civil 2026-01 2026-01-31..2026-03-05 met",
            "health>civil 2026-02 2026-02-28..2026-03-27 open late 2",
            "health>civil 2026-03 2026-03-31..2026-04-29 open left 20",
        ]
    );
    assert_eq!(story.lines("2026-03-30", Clock::Delivery).len(), 2, "a period counts from its last day on");
    story.on("2026-04-10", "health", "share.suspend", &[grant], r#"{"cause":"c","negotiated":true}"#);
    assert_eq!(story.lines("2026-08-31", Clock::Delivery).len(), 3);
    story.on("2026-06-15", "health", "share.resume", &[grant], r#"{"cause":"c","negotiated":true}"#);
    let lines = story.lines("2026-08-01", Clock::Delivery);
    assert_eq!(lines[3..], ["health>civil 2026-07 2026-07-31..2026-08-28 open left 20"], "no period that began before the resumption");
    story.on("2026-09-30", "health", "share.end", &[grant], r#"{"cause":"c","negotiated":true}"#);
    assert_eq!(story.lines("2026-12-31", Clock::Delivery).len(), 6);
}

#[test]
fn periods_lie_within_the_term() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:beds");
    let body = r#"{"datasets":["health:beds"],"frequency":"quarterly","outcome":"agree","term":{"from":"2026-01-02","to":"2026-09-30"}}"#;
    story.on("2026-01-06", "health", "share.answer", &[request], body);
    let lines = story.lines("2026-12-31", Clock::Delivery);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains(" 2026-Q2 2026-06-30..") && lines[1].contains(" 2026-Q3 2026-09-30.."), "{lines:?}");
}

#[test]
fn a_mismatch_is_stopped_by_a_later_delivery_or_the_repair() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:staff");
    let grant = story.agree("2026-01-06", request, "health:staff", "");
    let first = story.deliver("2026-01-07", grant, "health:staff", "");
    let receipt = story.receive("2026-01-08", first, "mismatch");
    story.on("2026-01-09", "city", "share.extend", &[receipt], r#"{"clock":"mismatch","days":1,"reason":"r"}"#);
    assert_eq!(story.lines("2026-01-09", Clock::Mismatch), ["health>civil 2026-01-08..2026-02-06+1 open left 20"]);
    let second = story.deliver("2026-01-12", grant, "health:staff", "");
    assert_eq!(story.lines("2026-01-13", Clock::Mismatch), ["health>civil 2026-01-08..2026-02-06+1 met"]);
    story.receive("2026-01-13", second, "mismatch");
    let file = r#"{"dataset":"health:staff","error":"wrong","text":"t"}"#;
    let correction = story.on("2026-01-14", "civil", "correction.file", &[second], file);
    assert_eq!(story.lines("2026-01-29", Clock::Correction), ["health>civil 2026-01-14..2026-01-28 open late 1"]);
    story.on("2026-01-30", "health", "correction.close", &[correction], r#"{"reason":"r","result":"rejected"}"#);
    assert_eq!(story.lines("2026-02-20", Clock::Correction), ["health>civil 2026-01-14..2026-01-28 late late 2"]);
    assert_eq!(story.lines("2026-02-20", Clock::Mismatch)[1], "health>civil 2026-01-13..2026-02-10 met");
}

#[test]
fn the_catalogue_is_reviewed_and_follows_its_duties() {
    let mut story = Story::begin("2026-01-05");
    assert_eq!(story.lines("2026-01-05", Clock::CatalogueReview)[0], "city>health 2026-01-05..2026-01-07 open left 2");
    story.on("2026-01-07", "city", "dataset.review", &[], r#"{"id":"health:beds","outcome":"approve","version":1}"#);
    story.on("2026-01-08", "health", "dataset.retire", &[], r#"{"id":"health:staff","reason":"r"}"#);
    let lines = story.lines("2026-01-09", Clock::CatalogueReview);
    assert_eq!(lines, ["city>health 2026-01-05..2026-01-07 met", "city>health 2026-01-05..2026-01-07 late late 1"]);
    let duty = story.on("2026-01-12", "health", "duty.retire", &[], r#"{"id":"health:duty","reason":"r"}"#);
    story.on("2026-01-13", "city", "share.extend", &[duty], r#"{"clock":"catalogue_update","days":5,"reason":"r"}"#);
    assert_eq!(story.lines("2026-01-13", Clock::CatalogueUpdate), ["health>city 2026-01-12..2026-02-02+5 open left 14"]);
    let next = r#"{"class":"unconditional","frequency":"monthly","id":"health:beds","title":"t","version":2}"#;
    story.on("2026-02-02", "health", "dataset.publish", &[], next);
    assert_eq!(story.lines("2026-02-09", Clock::CatalogueUpdate), ["health>city 2026-01-12..2026-02-02+5 met"]);
}

#[test]
fn the_nearest_authority_with_a_trusted_key_covers() {
    let mut story = Story::begin("2026-01-04");
    let publish = |story: &mut Story, day: &str, id: &str| {
        let body = format!(r#"{{"class":"unconditional","frequency":"monthly","id":"works:{id}","title":"t","version":1}}"#);
        story.on(day, "works", "dataset.publish", &[], &body);
        story.lines(day, Clock::CatalogueReview).last().unwrap().split(' ').next().unwrap().to_owned()
    };
    assert_eq!(publish(&mut story, "2026-01-05", "a"), "district>works");
    let other = r#"{"key":"o/agency/district/authority+00000000+x","reason":"r"}"#;
    story.on("2026-01-06", "district", "key.revoke", &[], other);
    assert_eq!(publish(&mut story, "2026-01-06", "b"), "district>works", "another key than the one it holds");
    story.on("2026-01-07", "city", "agency.retire", &[], r#"{"id":"district","reason":"r"}"#);
    assert_eq!(publish(&mut story, "2026-01-08", "c"), "city>works");
    story.on("2026-01-09", "city", "agency.change", &[], r#"{"id":"city","level":"outside","names":{"en":"c"}}"#);
    assert_eq!(publish(&mut story, "2026-01-12", "d"), "city>works");
    story.on("2026-01-13", "city", "agency.change", &[], r#"{"id":"city","level":"city","names":{"en":"c"},"territory":"44"}"#);
    assert_eq!(publish(&mut story, "2026-01-14", "e"), "nobody>works");
    let key = r#"{"id":"new","keys":["o/agency/new/authority+00000000+x"],"level":"district","names":{"en":"n"},"scheme":"plain","territory":"330102"}"#;
    story.on("2026-01-15", "city", "agency.admit", &[], key);
    assert_eq!(publish(&mut story, "2026-01-15", "f"), "new>works");
    let rotate = r#"{"key":"o/agency/new/authority+00000001+y","replaces":"o/agency/new/authority+00000000+x"}"#;
    story.on("2026-01-16", "new", "key.rotate", &[], rotate);
    assert_eq!(publish(&mut story, "2026-01-16", "g"), "new>works");
    story.on("2026-01-19", "new", "key.revoke", &[], r#"{"key":"o/agency/new/authority+00000001+y","reason":"r"}"#);
    assert_eq!(publish(&mut story, "2026-01-19", "h"), "nobody>works");
}

#[test]
fn a_backflow_waits_for_data_and_a_refusal_ends_it() {
    let mut story = Story::begin("2026-01-04");
    let first = story.request_by("2026-01-05", "street", "health:staff", "backflow");
    let second = story.request_by("2026-01-05", "street", "health:beds", "backflow");
    let grant = story.agree("2026-01-06", first, "health:staff", "");
    story.on("2026-01-12", "health", "share.answer", &[second], r#"{"basis":[],"code":"other","outcome":"refuse","reason":"r"}"#);
    story.deliver("2026-02-10", grant, "health:staff", "");
    let lines = story.lines("2026-03-01", Clock::Backflow);
    assert_eq!(lines, ["health>street 2026-01-05..2026-02-02 late late 6", "health>street 2026-01-05..2026-02-02 met"]);
}

#[test]
fn a_dispute_is_owed_by_the_common_authority_until_it_is_referred() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request_by("2026-01-05", "street", "health:staff", "ordinary");
    let answer =
        story.on("2026-01-06", "health", "share.answer", &[request], r#"{"basis":[],"code":"other","outcome":"refuse","reason":"r"}"#);
    let dispute = story.on("2026-01-07", "street", "dispute.file", &[answer], r#"{"grounds":"g","subject":"s"}"#);
    assert_eq!(story.lines("2026-01-07", Clock::Dispute), ["city>street 2026-01-07..2026-02-04 open left 20"]);
    story.on("2026-01-08", "city", "dispute.refer", &[dispute], r#"{"reason":"r","to":"district"}"#);
    assert_eq!(story.lines("2026-01-09", Clock::Dispute), ["district>street 2026-01-07..2026-02-04 open left 18"]);
    let decision = story.on("2026-01-12", "district", "dispute.decide", &[dispute], r#"{"outcome":"share","reason":"r"}"#);
    assert_eq!(story.lines("2026-01-13", Clock::Dispute), ["district>street 2026-01-07..2026-02-04 met"]);
    assert_eq!(story.lines("2026-01-13", Clock::Delivery), ["health>street 2026-01-12..2026-02-09 open left 19"]);
    story.deliver("2026-01-14", decision, "health:staff", "");
    assert_eq!(story.lines("2026-01-14", Clock::Delivery), ["health>street 2026-01-12..2026-02-09 met"]);
}

#[test]
fn a_finding_names_its_day_or_has_twenty() {
    let mut story = Story::begin("2026-01-04");
    let named = r#"{"agency":"health","due":"2026-01-09","offence":"39-4","text":"t"}"#;
    let first = story.on("2026-01-05", "audit", "finding.file", &[], named);
    let second = story.on("2026-01-05", "audit", "finding.file", &[], r#"{"agency":"health","offence":"40-1","text":"t"}"#);
    story.on("2026-01-06", "city", "share.extend", &[first], r#"{"clock":"rectification","days":2,"reason":"r"}"#);
    story.on("2026-01-06", "health", "finding.rectify", &[second], r#"{"text":"t"}"#);
    story.on("2026-01-14", "audit", "finding.close", &[first], r#"{"outcome":"rectified"}"#);
    let lines = story.lines("2026-01-14", Clock::Rectification);
    assert_eq!(lines, ["health>audit 2026-01-05..2026-01-13+2 late late 1", "health>audit 2026-01-05..2026-02-02 open left 13"]);
}

#[test]
fn obligations_pass_to_the_successor_and_history_keeps_the_old_moment() {
    let mut story = Story::begin("2026-01-04");
    story.request("2026-01-05", "health:staff");
    story.on("2026-01-06", "city", "agency.retire", &[], r#"{"id":"health","reason":"r","successor":"works"}"#);
    story.on("2026-01-07", "city", "agency.retire", &[], r#"{"id":"works","reason":"r","successor":"district"}"#);
    let debtor = |day: &str| story.lines(day, Clock::Answer)[0].split('>').next().unwrap().to_owned();
    assert_eq!([debtor("2026-01-05"), debtor("2026-01-06"), debtor("2026-01-08")], ["health", "works", "district"]);
}

#[test]
fn the_calendar_known_at_the_moment_judges_and_its_lack_is_said() {
    let mut story = Story::begin("2026-12-20");
    story.request("2026-12-30", "health:staff");
    assert_eq!(story.lines("2026-12-31", Clock::Answer), ["health>civil 2026-12-30..2027-01-13~ open left 9"]);
    let calendar = r#"{"notice":{"url":"https://x"},"off":["2027-01-01","2027-01-04"],"work":[],"year":2027}"#;
    story.on("2027-01-02", "city", "calendar.set", &[], calendar);
    assert_eq!(story.lines("2027-01-02", Clock::Answer), ["health>civil 2026-12-30..2027-01-15 open left 9"]);
    assert_eq!(story.lines("2027-01-01", Clock::Answer), ["health>civil 2026-12-30..2027-01-13~ open left 8"]);
}

#[test]
fn the_policy_where_a_clock_starts_holds() {
    let mut story = Story::begin("2026-01-04");
    story.request("2026-01-05", "health:staff");
    let mut policy = crate::core::policy::default_body().to_jcs();
    policy = policy.replace(r#""answer_conditional":10"#, r#""answer_conditional":0"#);
    story.on("2026-01-06", "city", "policy.set", &[], &policy);
    story.request("2026-01-07", "health:staff");
    let lines = story.lines("2026-01-08", Clock::Answer);
    assert_eq!(lines, ["health>civil 2026-01-05..2026-01-19 open left 7", "health>civil 2026-01-07..2026-01-07 open late 1"]);
}
