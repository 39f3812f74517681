//! `share.deliver`: one batch was handed over under a grant; its content is bound by a commitment.
//!
//! - R-DELIVER-1: the answer is committed.
//! - R-DELIVER-2: what is referred to is an answer.
//! - R-DELIVER-3: the answer grants.
//! - R-DELIVER-4: the writer is its provider.
//! - R-DELIVER-5: the dataset is granted.
//! - R-DELIVER-6: the version is a published one.
//! - R-DELIVER-7: the batch is new under the grant.
//! - R-DELIVER-8: the grant is neither ended nor suspended.

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::ids::check_local;
use crate::core::key::Role;
use crate::core::kinds::{GRANTS, KindRules, MODES, Place, check_party, check_refs, check_scoped, check_writer_signs, only_ref};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{BATCH, DatasetRow, RecordRow};
use crate::core::time::check_period;

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareDeliver {
    pub batch: String,
    pub commitment: Hash,
    pub dataset: String,
    pub rows: Option<u64>,
    pub version: u64,
}

impl ShareDeliver {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        fields.integer("bytes")?;
        fields.one_of("mode", &MODES)?;
        fields.optional_checked("period", check_period)?;
        Ok(ShareDeliver {
            batch: fields.checked("batch", check_local)?.to_owned(),
            commitment: fields.hash("commitment")?,
            dataset: fields.checked("dataset", check_scoped)?.to_owned(),
            rows: fields.optional_integer("rows")?,
            version: fields.integer("version")?,
        })
    }
}

impl KindRules for ShareDeliver {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 1)?;
        check_writer_signs(record, Role::Office)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let (id, answer) = place.referred_of(&GRANTS, ["R-DELIVER-1", "R-DELIVER-2"])?;
        let Some(mut granted) = answer.datasets() else {
            return Err(Refusal::rule("R-DELIVER-3", Code::NotGranted, format!("{id}, which refuses"), "an answer that agrees"));
        };
        check_party(place, answer.provider(), "R-DELIVER-4")?;
        if let Some(state) = ["ended", "suspended"].into_iter().find(|state| answer.has(state)) {
            return Err(Refusal::rule(
                "R-DELIVER-8",
                Code::NotGranted,
                format!("{id}, {state}"),
                "a grant that is neither ended nor suspended",
            ));
        }
        if !granted.any(|granted| granted == self.dataset) {
            return Err(Refusal::rule("R-DELIVER-5", Code::NotGranted, self.dataset.as_str(), "a dataset of the grant"));
        }
        let newest = DatasetRow::read(place.state, &self.dataset).map_or(0, |row| row.version());
        if !(1..=newest).contains(&self.version) {
            let found = format!("{} version {}", self.dataset, self.version);
            return Err(Refusal::rule("R-DELIVER-6", Code::VersionWrong, found, format!("a version from 1 to {newest}")));
        }
        let grant = id.to_hex();
        let batch = format!("{grant}/{}", self.batch);
        if place.state.get(BATCH, &batch).is_some() {
            return Err(Refusal::rule("R-DELIVER-7", Code::Duplicate, self.batch.as_str(), "a batch that is new under this grant"));
        }
        let mut changes = place.rows([
            ("commitment", Some(self.commitment.to_hex().into())),
            ("grant", Some(grant.into())),
            ("rows", self.rows.map(Into::into)),
        ]);
        changes.put(BATCH, batch, place.block.position.into());
        Ok(changes)
    }

    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
        subjects.datasets.push(self.dataset.clone());
        if let Some(answer) = RecordRow::read(state, &only_ref(record)) {
            subjects.add_agency(answer.requester());
            subjects.request = Some(answer.request());
        }
    }
}
