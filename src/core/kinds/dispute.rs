//! `dispute.file`, `dispute.refer` and `dispute.decide`: the parties disagree, an authority decides.
//!
//! A decision `share` over a refused request grants all its datasets: its record id is a grant id.
//!
//! - R-DISPUTE-1: the disputed record is committed. R-DISPUTE-2: it is one of a share or a correction. R-DISPUTE-3: the
//!   writer is a party to it.
//! - R-DISPUTE-4: the dispute is committed. R-DISPUTE-5: what is referred to is a dispute. R-DISPUTE-6: it is not decided.
//! - R-DISPUTE-7: it is referred to an agency that holds an authority key.
//! - R-DISPUTE-8: who decides is the authority it was last referred to; without a referral one that covers both parties.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_agency;
use crate::core::json::strings;
use crate::core::key::Role;
use crate::core::kinds::{Kind, KindRules, Place, add_request_subjects, check_refs, check_writer_signs, covers, only_ref};
use crate::core::limits::TEXT_BYTES_MAX;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, RECORD, RecordRow};

/// The body of `dispute.file`: nothing that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputeFile;

impl DisputeFile {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("grounds", TEXT_BYTES_MAX)?;
        fields.text("subject", TEXT_BYTES_MAX)?;
        Ok(DisputeFile)
    }
}

impl KindRules for DisputeFile {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let id = only_ref(place.record);
        let expected = "id of a committed share or correction record";
        let Some(row) = RecordRow::read(place.state, &id) else {
            return Err(Refusal::rule("R-DISPUTE-1", Code::RefUnknown, id.to_hex(), expected));
        };
        let Some(request_id) = row.request_in(place.state, &id).filter(|_| row.is_of_share_or_correction()) else {
            return Err(Refusal::rule("R-DISPUTE-2", Code::RefWrong, id.to_hex(), expected));
        };
        let request = RecordRow::read(place.state, &request_id).expect("a record's request is committed");
        let parties = [request.provider(), request.requester()];
        if !parties.iter().any(|party| tables::stands_for(place.state, &place.record.by, party)) {
            let expected = format!("{} or {}", parties[0], parties[1]);
            return Err(Refusal::rule("R-DISPUTE-3", Code::NotParty, place.record.by.as_str(), expected));
        }
        let mut changes = place.rows([
            ("limit", Some(tables::limit(place.state, "dispute").into())),
            ("offset", Some(place.offset())),
            ("provider", Some(parties[0].into())),
            ("request", Some(request_id.to_hex().into())),
            ("requester", Some(parties[1].into())),
            ("start", Some(place.day().into())),
        ]);
        for party in parties {
            tables::add_open(&mut changes, place.state, party);
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}

/// The dispute that a record refers to, not decided yet.
fn open_dispute(place: &Place<'_>) -> Result<(Hash, RecordRow), Refusal> {
    let (id, dispute) = place.referred(Kind::DisputeFile, ["R-DISPUTE-4", "R-DISPUTE-5"])?;
    match dispute.closed_by() {
        Some(decision) => Err(Refusal::rule("R-DISPUTE-6", Code::Closed, format!("decided by {decision}"), "an open dispute")),
        None => Ok((id, dispute)),
    }
}

/// The body of `dispute.refer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeRefer {
    pub to: String,
}

impl DisputeRefer {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("reason", TEXT_BYTES_MAX)?;
        Ok(DisputeRefer { to: fields.checked("to", check_agency)?.to_owned() })
    }
}

impl KindRules for DisputeRefer {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, dispute) = open_dispute(place)?;
        if !tables::authorities(place.state).contains(&self.to) {
            return Err(Refusal::rule("R-DISPUTE-7", Code::AgencyUnknown, self.to.as_str(), "an agency that holds an authority key"));
        }
        let mut changes = place.rows([("request", Some(dispute.request().to_hex().into()))]);
        changes.put(RECORD, id.to_hex(), dispute.with("referred", self.to.as_str().into()));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
        subjects.add_agency(&self.to);
    }
}

/// The body of `dispute.decide`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeDecide {
    Share,
    Refuse,
    Settled,
}

impl DisputeDecide {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("reason", TEXT_BYTES_MAX)?;
        Ok(match fields.one_of("outcome", &["share", "refuse", "settled"])? {
            "share" => DisputeDecide::Share,
            "refuse" => DisputeDecide::Refuse,
            _ => DisputeDecide::Settled,
        })
    }
}

/// The request of a dispute, if its answer refused.
fn refused_request(state: &dyn Rows, dispute: &RecordRow) -> Option<RecordRow> {
    let request = RecordRow::read(state, &dispute.request())?;
    let answer = Hash::parse(request.closed_by()?).ok().and_then(|id| RecordRow::read(state, &id))?;
    (answer.is(Kind::ShareAnswer) && answer.datasets().is_none()).then_some(request)
}

impl KindRules for DisputeDecide {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, dispute) = open_dispute(place)?;
        let by = place.record.by.as_str();
        let parties = [dispute.provider(), dispute.requester()];
        let (may, expected) = match dispute.text("referred") {
            Some(referred) => (tables::stands_for(place.state, by, referred), referred.to_owned()),
            None => (parties.iter().all(|party| covers(place, party)), format!("an authority over {} and {}", parties[0], parties[1])),
        };
        if !may {
            return Err(Refusal::rule("R-DISPUTE-8", Code::NotParty, by, expected));
        }
        let granted = refused_request(place.state, &dispute).filter(|_| *self == DisputeDecide::Share);
        let mut changes = place.rows([
            ("datasets", granted.as_ref().and_then(RecordRow::datasets).map(strings)),
            ("provider", Some(parties[0].into())),
            ("request", Some(dispute.request().to_hex().into())),
            ("requester", Some(parties[1].into())),
        ]);
        changes.put(RECORD, id.to_hex(), dispute.closing(&place.record.id()));
        if granted.is_none() {
            // A grant, open until it is ended, would take the dispute's place.
            for party in parties {
                tables::end_open(&mut changes, place.state, party);
            }
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}
