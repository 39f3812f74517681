//! `share.answer`: the provider agrees, agrees partly, or refuses with its reason.
//!
//! An answer that agrees, in whole or in part, is a grant; its record id is the grant's.
//!
//! - R-ANSWER-1: the request is committed.
//! - R-ANSWER-2: what is referred to is a request.
//! - R-ANSWER-3: the writer is its provider.
//! - R-ANSWER-4: it has no answer yet.
//! - R-ANSWER-5: `agree` names all its datasets, `partly` fewer of them.
//! - R-ANSWER-6: no dataset twice.
//! - R-ANSWER-7: a term does not end before it begins.
//! - R-ANSWER-8: the request was not withdrawn.

use std::collections::BTreeSet;

use crate::core::fields::Fields;
use crate::core::json::strings;
use crate::core::key::Role;
use crate::core::kinds::{
    FREQUENCIES, Kind, KindRules, Place, check_basis, check_party, check_refs, check_scoped, check_writer_signs, only_ref, optional_term,
};
use crate::core::limits::{DATASETS_MAX, TEXT_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, RECORD, RecordRow};
use crate::core::time::Day;

const CODES: [&str; 7] = ["not-held", "outside-duty", "withheld-by-law", "purpose-unfit", "scope-excess", "incomplete", "other"];

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareAnswer {
    /// All datasets of the request.
    Agree(Granted),
    /// Fewer, at least one.
    Partly(Granted),
    Refuse,
}

/// What an answer grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    pub datasets: BTreeSet<String>,
    /// The last day of its term.
    pub to: Option<Day>,
}

impl ShareAnswer {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        match fields.one_of("outcome", &["agree", "partly", "refuse"])? {
            "refuse" => {
                fields.one_of("code", &CODES)?;
                fields.text("reason", TEXT_BYTES_MAX)?;
                check_basis(fields)?;
                Ok(ShareAnswer::Refuse)
            }
            outcome => {
                let datasets = granted(fields)?;
                if fields.has("promised") {
                    fields.day("promised")?;
                }
                if fields.has("frequency") {
                    fields.one_of("frequency", &FREQUENCIES)?;
                }
                let granted = Granted { datasets, to: optional_term(fields, "R-ANSWER-7")?.map(|(_, to)| to) };
                Ok(if outcome == "agree" { ShareAnswer::Agree(granted) } else { ShareAnswer::Partly(granted) })
            }
        }
    }

    /// None when it refuses.
    pub fn granted(&self) -> Option<&Granted> {
        match self {
            ShareAnswer::Agree(granted) | ShareAnswer::Partly(granted) => Some(granted),
            ShareAnswer::Refuse => None,
        }
    }

    /// The granted datasets; `None` when it refuses.
    pub fn datasets(&self) -> Option<&BTreeSet<String>> {
        self.granted().map(|granted| &granted.datasets)
    }

    fn check_datasets(&self, request: &RecordRow) -> Result<(), Refusal> {
        let asked: BTreeSet<&str> = request.datasets().expect("a request's row lists its datasets").collect();
        let refuse = |found: String, expected: &str| Err(Refusal::rule("R-ANSWER-5", Code::RefWrong, found, expected));
        let Some(granted) = self.datasets() else {
            return Ok(());
        };
        if let Some(foreign) = granted.iter().find(|id| !asked.contains(id.as_str())) {
            return refuse(foreign.clone(), "a dataset of the request");
        }
        let all = granted.len() == asked.len();
        match self {
            ShareAnswer::Agree(_) if !all => refuse(format!("{} of {} datasets", granted.len(), asked.len()), "all, or the outcome partly"),
            ShareAnswer::Partly(_) if all => refuse(format!("all {} datasets", asked.len()), "fewer, or the outcome agree"),
            _ => Ok(()),
        }
    }
}

fn granted(fields: &mut Fields<'_>) -> Result<BTreeSet<String>, Refusal> {
    let mut datasets = BTreeSet::new();
    for id in fields.strings("datasets", 1, DATASETS_MAX)? {
        check_scoped(id).map_err(|refusal| refusal.within("body.datasets"))?;
        if !datasets.insert(id.to_owned()) {
            return Err(Refusal::rule("R-ANSWER-6", Code::FieldInvalid, id, "each dataset once"));
        }
    }
    Ok(datasets)
}

impl KindRules for ShareAnswer {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, request) = place.referred(Kind::ShareRequest, ["R-ANSWER-1", "R-ANSWER-2"])?;
        check_party(place, request.provider(), "R-ANSWER-3")?;
        if request.has("withdrawn") {
            return Err(Refusal::rule("R-ANSWER-8", Code::Closed, format!("{id}, withdrawn"), "a request that was not withdrawn"));
        }
        if let Some(answer) = request.closed_by() {
            return Err(Refusal::rule("R-ANSWER-4", Code::AlreadyAnswered, format!("answer {answer}"), "a request without an answer"));
        }
        self.check_datasets(&request)?;
        let mut changes = place.rows([
            ("datasets", self.datasets().map(strings)),
            ("provider", Some(request.provider().into())),
            ("request", Some(id.to_hex().into())),
            ("requester", Some(request.requester().into())),
            ("term_to", self.granted().and_then(|granted| granted.to).map(|day| day.to_string().into())),
        ]);
        changes.put(RECORD, id.to_hex(), request.closing(&place.record.id()));
        if self.granted().is_none() {
            for party in [request.provider(), request.requester()] {
                tables::end_open(&mut changes, place.state, party);
            }
        }
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        let request = only_ref(record);
        if let Some(row) = RecordRow::read(state, &request) {
            subjects.add_agency(row.requester());
        }
        subjects.datasets.extend(self.datasets().into_iter().flatten().cloned());
        subjects.request = Some(request);
    }
}
