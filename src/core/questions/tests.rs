//! The questions over small histories, sums over random ones, and the time that large ones take.

use std::collections::BTreeMap;

use crate::core::book::facts::Clock;
use crate::core::book::story::{Story, line, noon};
use crate::core::clocks::Moment;
use crate::core::questions::basis::{Fault, basis};
use crate::core::questions::burden::burden;
use crate::core::questions::catalogue::catalogue_check;
use crate::core::questions::matrix::{Counts, Flow, Frame, Matrix, Place, matrix};
use crate::core::questions::promises::promises;
use crate::core::questions::public_view::public_view;
use crate::core::questions::purpose::purpose_and_term;
use crate::core::questions::work::{Narrow, overdue, todo};
use crate::core::time::Day;

const REFUSED: &str = r#"{"basis":[],"code":"withheld-by-law","outcome":"refuse","reason":"r"}"#;

#[test]
fn work_is_listed_by_due_day_and_lateness_first() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:staff");
    story.request("2026-01-06", "health:beds");
    let paused = story.request("2026-01-06", "health:staff");
    story.on("2026-01-07", "health", "share.supplement", &[paused], r#"{"missing":["m"],"step":"ask"}"#);
    let moment = Moment::new(&story.book, story.at("2026-01-08"));
    let health = story.book.agency("health").unwrap();
    let lines: Vec<String> = todo(&moment, health).iter().map(|obligation| line(&story.book, obligation)).collect();
    let wanted = [
        "health>civil 2026-01-06..2026-01-07 open late 1",
        "health>civil 2026-01-05..2026-01-19 open left 7",
        "health>civil 2026-01-06..paused open",
    ];
    assert_eq!(lines, wanted);
    let late = |narrow: &Narrow| overdue(&moment, narrow).len();
    // The review of both datasets, and the answer.
    assert_eq!(late(&Narrow::default()), 3);
    assert_eq!(late(&Narrow { clock: Some(Clock::Answer), ..Narrow::default() }), 1);
    assert_eq!(late(&Narrow { line: Some("health".to_owned()), ..Narrow::default() }), 1);
    assert_eq!(late(&Narrow { territory: Some("330102".to_owned()), ..Narrow::default() }), 0);
    assert_eq!(late(&Narrow { agency: story.book.agency("city"), ..Narrow::default() }), 2);
    assert!(overdue(&moment, &Narrow::default()).windows(2).all(|pair| pair[0].late >= pair[1].late));
    let answered = story.on("2026-01-08", "health", "share.answer", &[request], REFUSED);
    assert_eq!(todo(&Moment::new(&story.book, story.at("2026-01-08")), health).len(), 2, "{answered}");
}

#[test]
fn refusals_are_held_against_the_catalogue() {
    let mut story = Story::begin("2026-01-04");
    let beds = story.request("2026-01-05", "health:beds");
    let staff = story.request("2026-01-05", "health:staff");
    let based = r#"{"basis":["law"],"code":"other","outcome":"refuse","reason":"r"}"#;
    story.on("2026-01-06", "health", "share.answer", &[beds], based);
    story.on("2026-01-06", "health", "share.answer", &[staff], REFUSED);
    let found = basis(&Moment::new(&story.book, story.at("2026-01-07")));
    let faults: Vec<_> = found.refusals.iter().map(|refusal| refusal.faults.clone()).collect();
    assert_eq!(faults, [vec![Fault::Unconditional], vec![Fault::NoBasis, Fault::NotWithheld]]);
    assert_eq!(basis(&Moment::new(&story.book, story.at("2026-01-05"))).refusals, []);
}

#[test]
fn promises_purposes_and_terms_are_followed() {
    let mut story = Story::begin("2026-01-04");
    let request = story.request("2026-01-05", "health:staff");
    let grant = story.agree("2026-01-06", request, "health:staff", r#","term":{"from":"2026-01-10","to":"2026-02-10"}"#);
    let moment = |story: &Story, day: &str| {
        let moment = Moment::new(&story.book, story.at(day));
        (promises(&moment), purpose_and_term(&moment), public_view(&moment), catalogue_check(&moment))
    };
    assert_eq!(moment(&story, "2026-01-07").0.undelivered.len(), 1);
    let early = story.deliver("2026-01-08", grant, "health:staff", "");
    assert_eq!(moment(&story, "2026-01-09").0.unacknowledged.len(), 1);
    story.receive("2026-01-09", early, "mismatch");
    let counts = r#"{"counts":[{"count":1,"purpose":"planning"},{"count":1,"purpose":"policing"},{"count":2,"purpose":"relief"}],"period":"2026-01","root":"r"}"#;
    let (promised, purpose, public, check) = moment(&story, "2026-01-09");
    assert_eq!((promised.unacknowledged.len(), promised.mismatched.len()), (0, 1));
    assert_eq!((purpose.outside_term.len(), purpose.undisposed.len(), purpose.off_purpose.len()), (1, 0, 0));
    assert_eq!((public.len(), public[0].deliveries, check.never_used.len()), (1, 1, 1));
    story.on("2026-01-12", "civil", "share.use", &[grant], counts);
    let (_, purpose, public, check) = moment(&story, "2026-02-11");
    assert_eq!(purpose.off_purpose.iter().map(|(_, place, _)| *place).collect::<Vec<_>>(), [1]);
    assert_eq!((purpose.undisposed.len(), public.len(), check.never_used.len()), (1, 0, 0));
    story.on("2026-02-12", "civil", "share.dispose", &[grant], r#"{"certificate":"c","method":"m","what":"w"}"#);
    assert_eq!(moment(&story, "2026-02-12").1.undisposed, []);
}

#[test]
fn the_catalogue_is_checked() {
    let mut story = Story::begin("2026-01-04");
    story.on("2026-01-05", "health", "duty.declare", &[], r#"{"basis":["law"],"id":"health:same","territory":"3301","title":"Shelters"}"#);
    let twin = r#"{"basis":["law"],"delegated_from":"health:duty","id":"civil:same","territory":"3301","title":"shelters"}"#;
    story.on("2026-01-05", "civil", "duty.declare", &[], twin);
    let check = |story: &Story, day: &str| catalogue_check(&Moment::new(&story.book, story.at(day)));
    let found = check(&story, "2026-02-28");
    let ids = |found: &[(_, Day)]| found.iter().map(|(dataset, _)| story.book.dataset_id(*dataset).to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&found.stale), Vec::<String>::new());
    assert_eq!(ids(&check(&story, "2026-03-01").stale), ["health:beds"]);
    assert_eq!((found.dutiless.len(), found.never_delivered.len(), found.unconditioned.len()), (0, 2, 0));
    assert_eq!((found.claimed_twice.len(), found.delegated_without_data.len()), (1, 2));
    let request = story.request("2026-03-02", "health:beds");
    let grant = story.agree("2026-03-02", request, "health:beds", "");
    story.deliver("2026-03-03", grant, "health:beds", "");
    story.on("2026-03-04", "health", "dataset.retire", &[], r#"{"id":"health:beds","reason":"r"}"#);
    story.on("2026-03-04", "health", "duty.retire", &[], r#"{"id":"health:duty","reason":"r"}"#);
    let found = check(&story, "2026-03-05");
    assert_eq!((found.stale.len(), found.dutiless.len(), found.never_delivered.len(), found.retired_granted.len()), (0, 1, 1, 1));
}

#[test]
fn a_street_sees_what_it_is_asked_for_again_and_what_came_back() {
    let mut story = Story::begin("2026-01-04");
    let notice = r#"{"duty":"works:duty","frequency":"once","items":["beds","pumps"],"level":"street","territory":"330102","title":"t"}"#;
    story.on("2026-01-05", "works", "collect.notice", &[], notice);
    let again = r#"{"duty":"civil:duty","frequency":"once","items":["pumps"],"level":"street","territory":"330102001","title":"t"}"#;
    story.on("2026-01-06", "civil", "collect.notice", &[], again);
    let elsewhere = again.replace("330102001", "330103001");
    story.on("2026-01-06", "civil", "collect.notice", &[], &elsewhere);
    let request = story.request_by("2026-01-06", "street", "health:beds", "backflow");
    let grant = story.agree("2026-01-07", request, "health:beds", "");
    story.deliver("2026-01-12", grant, "health:beds", "");
    let found = burden(&Moment::new(&story.book, story.at("2026-01-20")), "330102001");
    let repeated: Vec<_> = found.collections.iter().map(|collection| collection.repeated.len()).collect();
    assert_eq!(repeated, [1, 1]);
    assert!(found.collections[0].repeated[0].dataset.is_some() && found.collections[1].repeated[0].notice.is_some());
    assert_eq!(found.backflows.iter().map(|backflow| (backflow.days, backflow.ended)).collect::<Vec<_>>(), [(4, false)]);
}

fn frame(from: &str, to: &str, digits: usize) -> Frame {
    Frame { from: noon(from), to: noon(to), digits }
}

/// Adds what can be added.
fn sum<'a>(rows: impl Iterator<Item = &'a Counts>) -> Counts {
    rows.fold(Counts::default(), |mut sum, row| {
        sum.catalogued += row.catalogued;
        sum.requests += row.requests;
        sum.answered += row.answered;
        sum.on_time += row.on_time;
        sum.refused += row.refused;
        sum.promised += row.promised;
        sum.delivered += row.delivered;
        sum.matched += row.matched;
        sum.corrections += row.corrections;
        sum.backflow += row.backflow;
        sum.open += row.open;
        sum
    })
}

fn summed(table: &BTreeMap<Place, Counts>, key: impl Fn(&Place) -> String) -> BTreeMap<String, Counts> {
    let mut sums: BTreeMap<String, Counts> = BTreeMap::new();
    for (place, counts) in table {
        let both = sum([sums.get(&key(place)).unwrap_or(&Counts::default()), counts].into_iter());
        sums.insert(key(place), both);
    }
    sums
}

/// A pseudo-random history of about so many records in 2025 and 2026.
fn history(seed: u64, days: i32, a_day: u64) -> Story {
    let mut story = Story::begin("2025-01-02");
    let mut state = seed;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let first = Day::parse("2025-01-02").unwrap().number();
    let (mut requests, mut grants, mut deliveries) = (Vec::new(), Vec::new(), Vec::new());
    for number in first..first + days {
        let day = Day::from_number(number).unwrap().to_string();
        for _ in 0..a_day {
            match random(20) {
                0 => {
                    let by = ["civil", "street", "works"][usize::try_from(random(3)).unwrap()];
                    let dataset = if random(2) == 0 { "health:beds" } else { "health:staff" };
                    requests.push((story.request_by(&day, by, dataset, if random(5) == 0 { "backflow" } else { "ordinary" }), dataset));
                }
                1 if !requests.is_empty() => {
                    let (request, dataset) = requests.remove(usize::try_from(random(requests.len().try_into().unwrap())).unwrap());
                    if random(4) == 0 {
                        story.on(&day, "health", "share.answer", &[request], REFUSED);
                    } else {
                        let more = if random(8) == 0 { r#","frequency":"monthly""# } else { "" };
                        grants.push((story.agree(&day, request, dataset, more), dataset));
                    }
                }
                2..=10 if !grants.is_empty() => {
                    let (grant, dataset) = grants[usize::try_from(random(grants.len().try_into().unwrap())).unwrap()];
                    deliveries.push(story.deliver(&day, grant, dataset, if random(3) == 0 { &day[..7] } else { "" }));
                }
                _ => {
                    if let Some(delivery) = deliveries.pop() {
                        let result = if random(9) == 0 { "mismatch" } else { "match" };
                        story.on(&day, "civil", "share.receipt", &[delivery], &format!(r#"{{"commitment":"c","result":"{result}"}}"#));
                    }
                }
            }
        }
        if number == first + days / 2 {
            let moved = r#"{"id":"works","level":"city","line":"water","names":{"en":"w"},"territory":"3302"}"#;
            story.on(&day, "city", "agency.change", &[], moved);
        }
    }
    story
}

#[test]
fn sums_over_lines_are_sums_over_territories_on_both_sides() {
    for seed in 1..20 {
        let story = history(seed, 60, 12);
        let moment = Moment::new(&story.book, story.at("2025-02-20"));
        let whole = matrix(&moment, &frame("2025-01-01", "2026-01-01", 12));
        let total = sum(whole.providers.values());
        assert!(total.requests > 0 && total.delivered > 0, "seed {seed}");
        for digits in [12, 9, 6, 4] {
            let found = matrix(&moment, &frame("2025-01-01", "2026-01-01", digits));
            for table in [&found.providers, &found.requesters] {
                let by_line = summed(table, |place| place.line.clone());
                let by_territory = summed(table, |place| place.territory.clone());
                assert_eq!(sum(by_line.values()), sum(by_territory.values()), "seed {seed}");
            }
            assert_eq!(sum(found.providers.values()), total, "seed {seed}");
            assert_eq!(Counts { catalogued: 2, ..sum(found.requesters.values()) }, total, "seed {seed}");
            assert_eq!(found.flows, whole.flows);
        }
        let flows =
            whole.flows.values().map(|flow| flow.same_territory + flow.up + flow.down + flow.same_line + flow.diagonal + flow.outside);
        assert_eq!(flows.sum::<u64>(), total.delivered, "seed {seed}");
        let parts = [("2025-01-01", "2025-01-20"), ("2025-01-20", "2025-03-01")].map(|(from, to)| matrix(&moment, &frame(from, to, 4)));
        let both = sum(parts.iter().flat_map(|part: &Matrix| part.requesters.values()));
        assert_eq!(both, sum(whole.requesters.values()), "seed {seed}: a period is the sum of its parts");
    }
}

#[test]
fn a_matrix_counts_where_its_agencies_belonged() {
    let mut story = Story::begin("2026-01-04");
    let first = story.request_by("2026-01-05", "street", "health:beds", "ordinary");
    let grant = story.agree("2026-01-06", first, "health:beds", "");
    story.deliver("2026-01-07", grant, "health:beds", "");
    let moved = r#"{"id":"street","level":"street","line":"health","names":{"en":"w"},"territory":"330199001"}"#;
    story.on("2026-01-08", "city", "agency.change", &[], moved);
    story.request_by("2026-01-12", "street", "health:staff", "backflow");
    let found = matrix(&Moment::new(&story.book, story.at("2026-01-13")), &frame("2026-01-01", "2026-02-01", 6));
    let place = |line: &str, territory: &str| Place { line: line.to_owned(), territory: territory.to_owned() };
    let health = &found.providers[&place("health", "3301")];
    assert_eq!((health.catalogued, health.requests, health.answered, health.on_time, health.open), (2, 2, 1, 1, 1));
    assert_eq!((health.median_days, health.promised, health.delivered, health.backflow), (Some(1), 1, 1, 1));
    assert_eq!(found.requesters[&place("civil", "330102")].requests, 1);
    assert_eq!(found.requesters[&place("health", "330199")].backflow, 1);
    let flow = found.flows[&("health".to_owned(), "civil".to_owned())];
    assert_eq!(flow, Flow { down: 1, ..Flow::default() });
}

/// The promise is 200 ms for 100,000 records; run it with `--ignored --nocapture`.
#[test]
#[ignore = "prints times"]
fn questions_over_100_000_records_are_quick() {
    let story = history(7, 700, 143);
    let book = &story.book;
    println!("{} records, {} deliveries, {} requests", book.size(), book.deliveries.len(), book.requests.len());
    let as_of = story.at("2026-12-31");
    let health = book.agency("health").unwrap();
    let time = |name: &str, question: &dyn Fn(&Moment<'_>) -> usize| {
        let mut times: Vec<_> = (0..100)
            .map(|_| {
                let start = std::time::Instant::now();
                let count = question(&Moment::new(book, as_of));
                (start.elapsed(), count)
            })
            .collect();
        times.sort();
        println!("{name}: p50 {:?}, p99 {:?}, {} rows", times[50].0, times[98].0, times[0].1);
        assert!(times[98].0.as_millis() < 200);
    };
    time("todo", &|moment| todo(moment, health).len());
    time("todo of civil", &|moment| todo(moment, book.agency("civil").unwrap()).len());
    time("overdue", &|moment| overdue(moment, &Narrow::default()).len());
    time("matrix", &|moment| matrix(moment, &frame("2025-01-01", "2027-01-01", 12)).providers.len());
    time("catalogue", &|moment| catalogue_check(moment).never_used.len());
    time("promises", &|moment| promises(moment).unacknowledged.len());
    time("all", &|moment| {
        let mut count = 0;
        moment.obligations(&crate::core::clocks::Wanted::default(), &mut |_| count += 1);
        count
    });
}
