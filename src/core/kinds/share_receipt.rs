//! `share.receipt`: the requester's own word on a delivery.
//!
//! - R-RECEIPT-1: the delivery is committed.
//! - R-RECEIPT-2: what is referred to is a delivery.
//! - R-RECEIPT-3: the writer is its requester.
//! - R-RECEIPT-4: it has no receipt yet.
//! - R-RECEIPT-5: `match` repeats the delivery's commitment, and its rows where both count them; `mismatch` differs in
//!   commitment or rows.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::key::Role;
use crate::core::kinds::{Kind, KindRules, Place, check_party, check_refs, check_writer_signs, only_ref};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, RECORD, RecordRow};

/// What the requester found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptResult {
    Match,
    Mismatch,
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareReceipt {
    pub commitment: Hash,
    pub result: ReceiptResult,
    pub rows: Option<u64>,
}

impl ShareReceipt {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let result = match fields.one_of("result", &["match", "mismatch"])? {
            "match" => ReceiptResult::Match,
            _ => ReceiptResult::Mismatch,
        };
        Ok(ShareReceipt { commitment: fields.hash("commitment")?, result, rows: fields.optional_integer("rows")? })
    }

    fn check_result(&self, delivery: &RecordRow) -> Result<(), Refusal> {
        let same_commitment = self.commitment.to_hex() == delivery.commitment();
        let same_rows = self.rows.zip(delivery.rows()).is_none_or(|(own, theirs)| own == theirs);
        let show = |commitment: &str, rows: Option<u64>| match rows {
            Some(rows) => format!("{commitment}, {rows} rows"),
            None => commitment.to_owned(),
        };
        let word = match (self.result, same_commitment && same_rows) {
            (ReceiptResult::Match, false) => "match",
            (ReceiptResult::Mismatch, true) => "mismatch",
            _ => return Ok(()),
        };
        let found = format!("{word} of {}", show(&self.commitment.to_hex(), self.rows));
        let expected = format!("what fits the delivery's {}", show(delivery.commitment(), delivery.rows()));
        Err(Refusal::rule("R-RECEIPT-5", Code::ReceiptContradicts, found, expected))
    }
}

impl KindRules for ShareReceipt {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, delivery) = place.referred(Kind::ShareDeliver, ["R-RECEIPT-1", "R-RECEIPT-2"])?;
        let grant = RecordRow::read(place.state, &delivery.grant()).expect("a delivery's grant is committed");
        check_party(place, grant.requester(), "R-RECEIPT-3")?;
        if let Some(receipt) = delivery.closed_by() {
            return Err(Refusal::rule("R-RECEIPT-4", Code::Duplicate, format!("receipt {receipt}"), "a delivery without a receipt"));
        }
        self.check_result(&delivery)?;
        // Who is told of a mismatch has a day by which it is cleared; the many rows of matches stay small.
        let is_mismatch = self.result == ReceiptResult::Mismatch;
        let mut changes = place.rows([
            ("delivery", Some(id.to_hex().into())),
            ("limit", is_mismatch.then(|| tables::limit(place.state, "mismatch").into())),
            ("offset", is_mismatch.then(|| place.offset())),
            ("provider", is_mismatch.then(|| grant.provider().into())),
            ("start", is_mismatch.then(|| place.day().into())),
        ]);
        changes.put(RECORD, id.to_hex(), delivery.closing(&place.record.id()));
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        let delivery = RecordRow::read(state, &only_ref(record));
        if let Some(grant) = delivery.and_then(|delivery| RecordRow::read(state, &delivery.grant())) {
            subjects.add_agency(grant.provider());
            subjects.request = Some(grant.request());
        }
    }
}
