//! The life of a request beyond answer and receipt, and what stands beside it: every rule broken once.

use serde_json::Value as Json;
use sharelog::core::hash::Hash;
use sharelog::core::key::Role;
use sharelog::core::kinds::Kind;
use sharelog::core::refusal::{Code, Refusal};
use sharelog::core::time::Time;

use super::admission::{Ledger, changed, json};

/// agency-1 asks agency-0; its conditional dataset `c`, its unconditional one `u`.
struct Story {
    ledger: Ledger,
    request: Hash,
}

fn at(day: &str) -> Time {
    Time::parse(&format!("{day}T01:00:00.000Z")).unwrap()
}

fn request(dataset: &str, sort: &str) -> Json {
    json!({"basis": [], "datasets": [{"id": dataset, "version": 1}], "duty": "agency-1:d", "mode": "file", "purpose": "planning", "sort": sort})
}

fn agree(dataset: &str) -> Json {
    json!({"datasets": [dataset], "outcome": "agree"})
}

fn refusal() -> Json {
    json!({"basis": [], "code": "other", "outcome": "refuse", "reason": "not convenient"})
}

fn delivery(dataset: &str, batch: &str) -> Json {
    json!({"batch": batch, "bytes": 10, "commitment": "ab".repeat(32), "dataset": dataset, "mode": "file", "rows": 3, "version": 1})
}

const CALENDAR: &str = "https://calendar.example/2026";

impl Story {
    /// 2026 has a calendar without days off; 2027 has none.
    fn new() -> Self {
        let mut ledger = Ledger::with(|parts| {
            parts.calendars.push(super::admission::value(&json!({"notice": {"url": CALENDAR}, "off": [], "work": [], "year": 2026})));
        });
        ledger.now = at("2026-11-02");
        for (agency, duty) in [("agency-0", "agency-0:d"), ("agency-1", "agency-1:d")] {
            ledger.add(agency, Kind::DutyDeclare, &[], &json!({"basis": ["Act 1"], "id": duty, "title": "Register"})).unwrap();
        }
        let dataset =
            json!({"class": "unconditional", "duty": "agency-0:d", "frequency": "daily", "id": "agency-0:u", "title": "U", "version": 1});
        ledger.add("agency-0", Kind::DatasetPublish, &[], &dataset).unwrap();
        let conditional = json!({"class": "conditional", "conditions": "on request", "frequency": "daily", "id": "agency-0:c",
            "purposes": ["planning"], "title": "C", "version": 1});
        ledger.add("agency-0", Kind::DatasetPublish, &[], &conditional).unwrap();
        let request = ledger.add("agency-1", Kind::ShareRequest, &[], &request("agency-0:c", "ordinary")).unwrap();
        Story { ledger, request }
    }

    fn add(&mut self, by: &str, kind: Kind, of: Hash, body: &Json) -> Result<Hash, Refusal> {
        self.ledger.add(by, kind, &[of], body)
    }

    fn add_as(&mut self, by: &str, role: Role, kind: Kind, refs: &[Hash], body: &Json) -> Result<Hash, Refusal> {
        let draft = self.ledger.draft(by, kind, refs, body);
        let note = self.ledger.sign(&draft, &[self.ledger.signer(by, role)]);
        self.ledger.submit(&note)
    }

    fn grant(&mut self) -> Hash {
        let request = self.request;
        self.add("agency-0", Kind::ShareAnswer, request, &agree("agency-0:c")).unwrap()
    }

    fn refuse(&mut self) -> Hash {
        let request = self.request;
        self.add("agency-0", Kind::ShareAnswer, request, &refusal()).unwrap()
    }

    fn deliver(&mut self, grant: Hash, batch: &str) -> Hash {
        self.add("agency-0", Kind::ShareDeliver, grant, &delivery("agency-0:c", batch)).unwrap()
    }

    fn extend(&mut self, of: Hash, clock: &str, days: u64) -> Result<Hash, Refusal> {
        self.add("authority", Kind::ShareExtend, of, &json!({"clock": clock, "days": days, "reason": "holidays"}))
    }
}

fn broken(outcome: Result<Hash, Refusal>, code: Code, rule: &str) {
    let refusal = outcome.expect_err(rule);
    assert_eq!((refusal.code, refusal.rule), (code, Some(rule)), "{refusal}");
}

fn ask() -> Json {
    json!({"missing": ["the basis"], "step": "ask"})
}

fn give() -> Json {
    json!({"given": ["the basis"], "step": "give"})
}

#[test]
fn a_supplement_is_asked_for_and_given_once() {
    let mut story = Story::new();
    let request = story.request;
    broken(story.add("agency-1", Kind::ShareSupplement, request, &give()), Code::TooEarly, "R-SUPPLEMENT-7");
    broken(story.add("agency-0", Kind::ShareSupplement, Hash::default(), &ask()), Code::RefUnknown, "R-SUPPLEMENT-1");
    broken(story.add("agency-1", Kind::ShareSupplement, request, &ask()), Code::NotParty, "R-SUPPLEMENT-4");
    let both = changed(&ask(), "given", json!(["x"]));
    broken(story.add("agency-0", Kind::ShareSupplement, request, &both), Code::FieldUnknown, "R-SUPPLEMENT-3");
    story.add("agency-0", Kind::ShareSupplement, request, &ask()).unwrap();
    broken(story.add("agency-0", Kind::ShareSupplement, request, &ask()), Code::Duplicate, "R-SUPPLEMENT-6");
    let given = story.add("agency-1", Kind::ShareSupplement, request, &give()).unwrap();
    broken(story.add("agency-1", Kind::ShareSupplement, request, &give()), Code::Duplicate, "R-SUPPLEMENT-7");
    broken(story.add("agency-0", Kind::ShareSupplement, given, &ask()), Code::RefWrong, "R-SUPPLEMENT-2");
    story.refuse();
    broken(story.add("agency-0", Kind::ShareSupplement, request, &ask()), Code::Closed, "R-SUPPLEMENT-5");
}

#[test]
fn a_withdrawn_request_takes_no_answer() {
    let mut story = Story::new();
    let (request, reason) = (story.request, json!({"reason": "not needed"}));
    broken(story.add("agency-1", Kind::ShareWithdraw, Hash::default(), &reason), Code::RefUnknown, "R-WITHDRAW-1");
    broken(story.add("agency-0", Kind::ShareWithdraw, request, &reason), Code::NotParty, "R-WITHDRAW-3");
    let withdrawal = story.add("agency-1", Kind::ShareWithdraw, request, &reason).unwrap();
    broken(story.add("agency-1", Kind::ShareWithdraw, withdrawal, &reason), Code::RefWrong, "R-WITHDRAW-2");
    broken(story.add("agency-1", Kind::ShareWithdraw, request, &reason), Code::Closed, "R-WITHDRAW-4");
    broken(story.add("agency-0", Kind::ShareAnswer, request, &refusal()), Code::Closed, "R-ANSWER-8");
}

#[test]
fn an_extension_comes_on_the_due_day_or_before() {
    let mut story = Story::new();
    let request = story.request;
    broken(story.extend(Hash::default(), "answer", 1), Code::RefUnknown, "R-EXTEND-1");
    broken(story.extend(request, "backflow", 1), Code::RefWrong, "R-EXTEND-2");
    broken(story.extend(request, "rectification", 1), Code::RefWrong, "R-EXTEND-2");
    broken(story.extend(request, "answer", 0), Code::FieldInvalid, "R-EXTEND-4");
    broken(story.extend(request, "answer", 11), Code::LimitExceeded, "R-EXTEND-5");
    let by_other = json!({"clock": "answer", "days": 1, "reason": "x"});
    let outcome = story.add_as("agency-0", Role::Authority, Kind::ShareExtend, &[request], &by_other);
    assert_eq!(outcome.unwrap_err().code, Code::KeyUnknown);
    // Ten working days after Monday the 2nd: Monday the 16th.
    story.ledger.now = at("2026-11-16");
    story.extend(request, "answer", 2).unwrap();
    story.ledger.now = at("2026-11-18");
    story.extend(request, "answer", 1).unwrap();
    broken(story.extend(request, "answer", 8), Code::LimitExceeded, "R-EXTEND-5");
    story.ledger.now = at("2026-11-20");
    broken(story.extend(request, "answer", 1), Code::TooLate, "R-EXTEND-6");
}

#[test]
fn a_provisional_due_day_refuses_no_extension() {
    let mut story = Story::new();
    story.ledger.now = at("2026-12-28");
    let request = story.ledger.add("agency-1", Kind::ShareRequest, &[], &request("agency-0:c", "ordinary")).unwrap();
    story.ledger.now = at("2027-02-01");
    story.extend(request, "answer", 1).unwrap();
}

#[test]
fn a_pause_moves_the_last_day_of_an_extension() {
    let mut story = Story::new();
    let request = story.request;
    story.ledger.now = at("2026-11-04");
    story.add("agency-0", Kind::ShareSupplement, request, &ask()).unwrap();
    story.ledger.now = at("2026-11-20");
    story.extend(request, "answer", 1).unwrap();
    story.add("agency-1", Kind::ShareSupplement, request, &give()).unwrap();
    // Nine working days were left after the 4th: Thursday, December 3rd.
    story.ledger.now = at("2026-12-03");
    story.extend(request, "answer", 1).unwrap();
    story.ledger.now = at("2026-12-07");
    broken(story.extend(request, "answer", 1), Code::TooLate, "R-EXTEND-6");
}

fn cause() -> Json {
    json!({"cause": "law changed", "negotiated": true})
}

#[test]
fn a_grant_is_suspended_resumed_and_ended() {
    let mut story = Story::new();
    let request = story.request;
    broken(story.add("agency-0", Kind::ShareSuspend, Hash::default(), &cause()), Code::RefUnknown, "R-SUSPENDGRANT-1");
    broken(story.add("agency-0", Kind::ShareSuspend, request, &cause()), Code::RefWrong, "R-SUSPENDGRANT-2");
    let grant = story.grant();
    let resume = json!({"cause": "settled"});
    broken(story.add("agency-1", Kind::ShareSuspend, grant, &cause()), Code::NotParty, "R-SUSPENDGRANT-3");
    broken(story.add("agency-0", Kind::ShareResume, grant, &resume), Code::Closed, "R-RESUME-4");
    story.add_as("authority", Role::Authority, Kind::ShareSuspend, &[grant], &cause()).unwrap();
    broken(story.add("agency-0", Kind::ShareSuspend, grant, &cause()), Code::Closed, "R-SUSPENDGRANT-5");
    broken(story.add("agency-0", Kind::ShareDeliver, grant, &delivery("agency-0:c", "b")), Code::NotGranted, "R-DELIVER-8");
    broken(story.add("agency-1", Kind::ShareResume, grant, &resume), Code::NotParty, "R-RESUME-3");
    story.add("agency-0", Kind::ShareResume, grant, &resume).unwrap();
    story.deliver(grant, "b");
    broken(story.add("agency-1", Kind::ShareEnd, grant, &cause()), Code::NotParty, "R-END-3");
    story.add("agency-0", Kind::ShareEnd, grant, &cause()).unwrap();
    broken(story.add("agency-0", Kind::ShareEnd, grant, &cause()), Code::Closed, "R-END-4");
    broken(story.add("agency-0", Kind::ShareSuspend, grant, &cause()), Code::Closed, "R-SUSPENDGRANT-4");
    broken(story.add("agency-0", Kind::ShareDeliver, grant, &delivery("agency-0:c", "c")), Code::NotGranted, "R-DELIVER-8");
}

#[test]
fn use_is_accounted_for_and_data_disposed_of() {
    let mut story = Story::new();
    let grant = story.grant();
    let counts = json!([{"count": 2, "purpose": "a"}, {"count": 3, "purpose": "b"}]);
    let account = json!({"counts": counts, "period": "2026-11", "root": "cd".repeat(32)});
    broken(story.add("agency-0", Kind::ShareUse, grant, &account), Code::NotParty, "R-USE-3");
    let twice = changed(&account, "counts", json!([{"count": 2, "purpose": "b"}, {"count": 3, "purpose": "b"}]));
    broken(story.add("agency-1", Kind::ShareUse, grant, &twice), Code::FieldInvalid, "R-USE-5");
    story.add("agency-1", Kind::ShareUse, grant, &account).unwrap();
    broken(story.add("agency-1", Kind::ShareUse, grant, &account), Code::Duplicate, "R-USE-4");
    let disposal = json!({"certificate": "ef".repeat(32), "method": "shredded", "what": "all copies"});
    broken(story.add("agency-1", Kind::ShareDispose, grant, &disposal), Code::TooEarly, "R-DISPOSE-4");
    story.add("agency-0", Kind::ShareEnd, grant, &cause()).unwrap();
    broken(story.add("agency-0", Kind::ShareDispose, grant, &disposal), Code::NotParty, "R-DISPOSE-3");
    story.add("agency-1", Kind::ShareDispose, grant, &disposal).unwrap();
    broken(story.add("agency-1", Kind::ShareDispose, grant, &disposal), Code::Duplicate, "R-DISPOSE-5");
}

#[test]
fn a_term_that_is_past_ends_a_grant() {
    let mut story = Story::new();
    let request = story.request;
    let answer = changed(&agree("agency-0:c"), "term", json!({"from": "2026-11-01", "to": "2026-11-10"}));
    let grant = story.add("agency-0", Kind::ShareAnswer, request, &answer).unwrap();
    let disposal = json!({"certificate": "ef".repeat(32), "method": "shredded", "what": "all copies"});
    story.ledger.now = at("2026-11-10");
    broken(story.add("agency-1", Kind::ShareDispose, grant, &disposal), Code::TooEarly, "R-DISPOSE-4");
    story.ledger.now = at("2026-11-11");
    broken(story.add("agency-0", Kind::ShareSuspend, grant, &cause()), Code::Closed, "R-SUSPENDGRANT-4");
    story.add("agency-1", Kind::ShareDispose, grant, &disposal).unwrap();
}

#[test]
fn a_correction_is_filed_by_who_received_and_closed_by_who_provided() {
    let mut story = Story::new();
    let grant = story.grant();
    let batch = story.deliver(grant, "b1");
    let error = json!({"dataset": "agency-0:c", "error": "wrong", "text": "a row differs"});
    broken(story.add("agency-1", Kind::CorrectionFile, Hash::default(), &error), Code::RefUnknown, "R-CORRECTION-1");
    broken(story.add("agency-0", Kind::CorrectionFile, batch, &error), Code::NotParty, "R-CORRECTION-3");
    let foreign = changed(&error, "dataset", json!("agency-0:u"));
    broken(story.add("agency-1", Kind::CorrectionFile, batch, &foreign), Code::NotGranted, "R-CORRECTION-4");
    let filed = story.add("agency-1", Kind::CorrectionFile, batch, &error).unwrap();
    story.add("agency-1", Kind::CorrectionFile, grant, &error).unwrap();
    broken(story.add("agency-1", Kind::CorrectionFile, filed, &error), Code::RefWrong, "R-CORRECTION-2");
    let repaired = json!({"batch": "b2", "result": "repaired"});
    broken(story.add("agency-0", Kind::CorrectionClose, batch, &repaired), Code::RefWrong, "R-CORRECTION-6");
    broken(story.add("agency-1", Kind::CorrectionClose, filed, &repaired), Code::NotParty, "R-CORRECTION-7");
    broken(story.add("agency-0", Kind::CorrectionClose, filed, &repaired), Code::RefUnknown, "R-CORRECTION-10");
    broken(story.add("agency-0", Kind::CorrectionClose, filed, &json!({"result": "repaired"})), Code::FieldMissing, "R-CORRECTION-9");
    story.deliver(grant, "b2");
    story.add("agency-0", Kind::CorrectionClose, filed, &repaired).unwrap();
    broken(story.add("agency-0", Kind::CorrectionClose, filed, &repaired), Code::Closed, "R-CORRECTION-8");
}

#[test]
fn a_decided_dispute_grants_what_was_refused() {
    let mut story = Story::new();
    let answer = story.refuse();
    let filing = json!({"grounds": "article 21", "subject": "a refusal"});
    broken(story.add("agency-1", Kind::DisputeFile, Hash::default(), &filing), Code::RefUnknown, "R-DISPUTE-1");
    broken(story.add("agency-2", Kind::DisputeFile, answer, &filing), Code::NotParty, "R-DISPUTE-3");
    let dispute = story.add("agency-1", Kind::DisputeFile, answer, &filing).unwrap();
    broken(story.add("agency-1", Kind::DisputeFile, dispute, &filing), Code::RefWrong, "R-DISPUTE-2");
    let decision = json!({"outcome": "share", "reason": "catalogued so"});
    let decide = |story: &mut Story, of: Hash| story.add_as("authority", Role::Authority, Kind::DisputeDecide, &[of], &decision);
    broken(decide(&mut story, answer), Code::RefWrong, "R-DISPUTE-5");
    let refer = |to: &str| json!({"reason": "superior", "to": to});
    let referral = story.add_as("authority", Role::Authority, Kind::DisputeRefer, &[dispute], &refer("agency-2"));
    broken(referral, Code::AgencyUnknown, "R-DISPUTE-7");
    story.add_as("authority", Role::Authority, Kind::DisputeRefer, &[dispute], &refer("authority")).unwrap();
    broken(story.add("agency-0", Kind::ShareDeliver, answer, &delivery("agency-0:c", "b")), Code::NotGranted, "R-DELIVER-3");
    let grant = decide(&mut story, dispute).unwrap();
    broken(decide(&mut story, dispute), Code::Closed, "R-DISPUTE-6");
    let delivery = story.deliver(grant, "b");
    story.add("agency-1", Kind::ShareReceipt, delivery, &json!({"commitment": "ab".repeat(32), "result": "match", "rows": 3})).unwrap();
    story.add("agency-0", Kind::ShareEnd, grant, &cause()).unwrap();
}

#[test]
fn a_mismatch_starts_a_clock_that_no_extension_reaches_by_default() {
    let mut story = Story::new();
    let grant = story.grant();
    let (first, second) = (story.deliver(grant, "b1"), story.deliver(grant, "b2"));
    let receipt = json!({"commitment": "ab".repeat(32), "result": "match", "rows": 3});
    let matched = story.add("agency-1", Kind::ShareReceipt, first, &receipt).unwrap();
    let differs = json!({"commitment": "cd".repeat(32), "result": "mismatch"});
    let mismatched = story.add("agency-1", Kind::ShareReceipt, second, &differs).unwrap();
    broken(story.extend(matched, "mismatch", 1), Code::RefWrong, "R-EXTEND-2");
    broken(story.extend(mismatched, "mismatch", 1), Code::LimitExceeded, "R-EXTEND-5");
}

#[test]
fn a_finding_is_rectified_and_closed() {
    let mut story = Story::new();
    let request = story.request;
    let finding = json!({"agency": "agency-0", "due": "2026-12-01", "offence": "39-4", "text": "no answer"});
    let mut file = |refs: &[Hash], body: &Json| story.add_as("inspector", Role::Inspector, Kind::FindingFile, refs, body);
    broken(file(&[], &finding), Code::RefWrong, "R-FINDING-1");
    broken(file(&[Hash::default()], &finding), Code::RefUnknown, "R-FINDING-1");
    broken(file(&[request], &changed(&finding, "agency", json!("nobody"))), Code::AgencyUnknown, "R-FINDING-2");
    for offence in ["38-1", "39-0", "41-3", "39-10", "39"] {
        broken(file(&[request], &changed(&finding, "offence", json!(offence))), Code::FieldInvalid, "R-FINDING-3");
    }
    let filed = file(&[request], &finding).unwrap();
    let text = json!({"text": "done"});
    broken(story.add("agency-0", Kind::FindingRectify, Hash::default(), &text), Code::RefUnknown, "R-FINDING-4");
    broken(story.add("agency-0", Kind::FindingRectify, request, &text), Code::RefWrong, "R-FINDING-5");
    broken(story.add("agency-1", Kind::FindingRectify, filed, &text), Code::NotParty, "R-FINDING-7");
    story.add("agency-0", Kind::FindingRectify, filed, &text).unwrap();
    let close = json!({"outcome": "rectified"});
    story.add_as("inspector", Role::Inspector, Kind::FindingClose, &[filed], &close).unwrap();
    broken(story.add("agency-0", Kind::FindingRectify, filed, &text), Code::Closed, "R-FINDING-6");
}

#[test]
fn duties_and_entries_end_and_entries_are_reviewed() {
    let mut story = Story::new();
    let reason = |id: &str| json!({"id": id, "reason": "reorganised"});
    let review = |id: &str, version: u64, outcome: &str| json!({"id": id, "outcome": outcome, "version": version});
    let head = Role::Head;
    let mut judge = |body: &Json| story.add_as("authority", Role::Authority, Kind::DatasetReview, &[], body);
    broken(judge(&review("agency-0:x", 1, "approve")), Code::DatasetUnknown, "R-REVIEW-1");
    broken(judge(&review("agency-0:c", 2, "approve")), Code::VersionWrong, "R-REVIEW-2");
    broken(judge(&review("agency-0:c", 1, "return")), Code::FieldMissing, "R-REVIEW-4");
    judge(&changed(&review("agency-0:c", 1, "return"), "reason", json!("no conditions"))).unwrap();
    broken(judge(&review("agency-0:c", 1, "approve")), Code::Duplicate, "R-REVIEW-3");
    broken(story.ledger.add("agency-1", Kind::ShareRequest, &[], &request("agency-0:c", "ordinary")), Code::VersionWrong, "R-REQUEST-7");
    broken(story.ledger.add("agency-0", Kind::DutyRetire, &[], &reason("agency-0:x")), Code::DutyUnknown, "R-DUTYRETIRE-1");
    broken(story.ledger.add("agency-1", Kind::DutyRetire, &[], &reason("agency-0:d")), Code::NotParty, "R-DUTYRETIRE-2");
    let notice =
        json!({"duty": "agency-0:d", "frequency": "yearly", "items": ["a", "b"], "level": "street", "territory": "330106", "title": "T"});
    broken(story.ledger.add("agency-1", Kind::CollectNotice, &[], &notice), Code::NotParty, "R-COLLECT-2");
    let twice = changed(&notice, "items", json!(["a", "a"]));
    broken(story.ledger.add("agency-0", Kind::CollectNotice, &[], &twice), Code::FieldInvalid, "R-COLLECT-3");
    story.ledger.add("agency-0", Kind::CollectNotice, &[], &notice).unwrap();
    let retired = story.ledger.add("agency-0", Kind::DutyRetire, &[], &reason("agency-0:d")).unwrap();
    broken(story.ledger.add("agency-0", Kind::DutyRetire, &[], &reason("agency-0:d")), Code::Closed, "R-DUTYRETIRE-3");
    broken(story.ledger.add("agency-0", Kind::CollectNotice, &[], &notice), Code::DutyUnknown, "R-COLLECT-1");
    story.extend(retired, "catalogue_update", 5).unwrap();
    let mut end = |by: &str, id: &str| story.add_as(by, head, Kind::DatasetRetire, &[], &reason(id));
    broken(end("agency-0", "agency-0:x"), Code::DatasetUnknown, "R-DATASETRETIRE-1");
    broken(end("agency-1", "agency-0:u"), Code::NotParty, "R-DATASETRETIRE-2");
    end("agency-0", "agency-0:u").unwrap();
    broken(end("agency-0", "agency-0:u"), Code::Closed, "R-DATASETRETIRE-3");
    broken(story.ledger.add("agency-1", Kind::ShareRequest, &[], &request("agency-0:u", "ordinary")), Code::DatasetUnknown, "R-REQUEST-4");
    let next = json!({"class": "unconditional", "frequency": "daily", "id": "agency-0:u", "title": "U", "version": 2});
    broken(story.ledger.add("agency-0", Kind::DatasetPublish, &[], &next), Code::Closed, "R-DATASET-7");
}
