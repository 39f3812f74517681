//! `share.supplement` and `share.withdraw`: what may happen to a request before its answer.
//!
//! The provider asks once for the complete list of what is missing; the requester gives once. A withdrawal closes the
//! request.
//!
//! - R-SUPPLEMENT-1: the request is committed. R-SUPPLEMENT-2: what is referred to is a request. R-SUPPLEMENT-3: `missing`
//!   exactly when asking, `given` exactly when giving. R-SUPPLEMENT-4: the provider asks, the requester gives.
//!   R-SUPPLEMENT-5: the request is open. R-SUPPLEMENT-6: asked once. R-SUPPLEMENT-7: given once, after it was asked for.
//! - R-WITHDRAW-1, R-WITHDRAW-2: as the first two. R-WITHDRAW-3: the writer is its requester. R-WITHDRAW-4: it is open.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::key::Role;
use crate::core::kinds::{Kind, KindRules, Place, add_request_subjects, check_party, check_refs, check_writer_signs};
use crate::core::limits::{LIST_MAX, TEXT_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, RECORD, RecordRow};

/// The body of `share.supplement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareSupplement {
    Ask,
    Give,
}

impl ShareSupplement {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let (step, wanted, other) = match fields.one_of("step", &["ask", "give"])? {
            "ask" => (ShareSupplement::Ask, "missing", "given"),
            _ => (ShareSupplement::Give, "given", "missing"),
        };
        if fields.has(other) {
            return Err(Refusal::rule(
                "R-SUPPLEMENT-3",
                Code::FieldUnknown,
                format!("body.{other}"),
                format!("body.{wanted} at this step"),
            ));
        }
        fields.texts(wanted, 1, LIST_MAX, TEXT_BYTES_MAX).map_err(|refusal| refusal.under("R-SUPPLEMENT-3"))?;
        Ok(step)
    }
}

fn check_open(request: &RecordRow, rule: &'static str) -> Result<(), Refusal> {
    match request.closed_by() {
        Some(id) => Err(Refusal::rule(rule, Code::Closed, format!("closed by {id}"), "a request without answer or withdrawal")),
        None => Ok(()),
    }
}

impl KindRules for ShareSupplement {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, request) = place.referred(Kind::ShareRequest, ["R-SUPPLEMENT-1", "R-SUPPLEMENT-2"])?;
        let party = if *self == ShareSupplement::Ask { request.provider() } else { request.requester() };
        check_party(place, party, "R-SUPPLEMENT-4")?;
        check_open(&request, "R-SUPPLEMENT-5")?;
        let (is_asked, is_given) = (request.has("asked"), request.has("given"));
        let member = match self {
            ShareSupplement::Ask if is_asked => {
                return Err(Refusal::rule("R-SUPPLEMENT-6", Code::Duplicate, "a second list of what is missing", "one complete list"));
            }
            ShareSupplement::Give if is_given => {
                return Err(Refusal::rule("R-SUPPLEMENT-7", Code::Duplicate, "a second supplement", "one supplement"));
            }
            ShareSupplement::Give if !is_asked => {
                return Err(Refusal::rule("R-SUPPLEMENT-7", Code::TooEarly, "nothing asked for", "a list of what is missing first"));
            }
            ShareSupplement::Ask => "asked",
            ShareSupplement::Give => "given",
        };
        let mut changes = place.rows([("request", Some(id.to_hex().into()))]);
        changes.put(RECORD, id.to_hex(), request.with(member, place.date_of(&request).to_string().into()));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}

/// The body of `share.withdraw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareWithdraw;

impl ShareWithdraw {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.text("reason", TEXT_BYTES_MAX)?;
        Ok(ShareWithdraw)
    }
}

impl KindRules for ShareWithdraw {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, request) = place.referred(Kind::ShareRequest, ["R-WITHDRAW-1", "R-WITHDRAW-2"])?;
        check_party(place, request.requester(), "R-WITHDRAW-3")?;
        check_open(&request, "R-WITHDRAW-4")?;
        let mut changes = place.rows([("request", Some(id.to_hex().into()))]);
        let own: Hash = place.record.id();
        changes.put(RECORD, id.to_hex(), request.withdrawn(&own));
        for party in [request.provider(), request.requester()] {
            tables::end_open(&mut changes, place.state, party);
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        add_request_subjects(state, record, subjects);
    }
}
