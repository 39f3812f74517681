//! `dataset.publish`: a provider catalogues a dataset, or its next version.
//!
//! - R-DATASET-1: the id begins with the writer's own, or with that of an agency whose chain of successors ends with it.
//! - R-DATASET-2: conditions and purposes exactly when the class is `conditional`.
//! - R-DATASET-3: a legal bar exactly when the class is `withheld`.
//! - R-DATASET-4: no item name twice.
//! - R-DATASET-5: the duty is declared and not retired.
//! - R-DATASET-6: version 1 first, then one more each time.
//! - R-DATASET-7: the dataset is not retired.

use std::collections::BTreeSet;

use crate::core::fields::Fields;
use crate::core::key::Role;
use crate::core::kinds::{FREQUENCIES, KindRules, Place, check_own_id, check_refs, check_scoped, check_writer_signs};
use crate::core::limits::{ITEM_NAME_BYTES_MAX, ITEMS_MAX, LIST_MAX, TEXT_BYTES_MAX, TITLE_BYTES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables::{DATASET, DatasetRow, DutyRow};

const CLASSES: [&str; 3] = ["unconditional", "conditional", "withheld"];

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetPublish {
    pub id: String,
    pub version: u64,
    pub class: String,
    pub duty: Option<String>,
}

impl DatasetPublish {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let id = fields.checked("id", check_scoped)?.to_owned();
        let version = fields.integer("version")?;
        let class = fields.one_of("class", &CLASSES)?.to_owned();
        let duty = fields.optional_checked("duty", check_scoped)?.map(str::to_owned);
        fields.text("title", TITLE_BYTES_MAX)?;
        fields.one_of("frequency", &FREQUENCIES)?;
        for name in ["summary", "system", "topic", "grade"] {
            fields.optional_text(name, TEXT_BYTES_MAX)?;
        }
        if fields.has("format") {
            fields.texts("format", 1, LIST_MAX, TEXT_BYTES_MAX)?;
        }
        check_items(fields)?;
        check_exactly_when(fields, class == "conditional", &["conditions", "purposes"]).map_err(|refusal| refusal.under("R-DATASET-2"))?;
        check_exactly_when(fields, class == "withheld", &["bar"]).map_err(|refusal| refusal.under("R-DATASET-3"))?;
        if class == "conditional" {
            fields.text("conditions", TEXT_BYTES_MAX)?;
            fields.texts("purposes", 1, LIST_MAX, TEXT_BYTES_MAX)?;
        }
        if class == "withheld" {
            fields.text("bar", TEXT_BYTES_MAX)?;
        }
        Ok(DatasetPublish { id, version, class, duty })
    }
}

fn check_exactly_when(fields: &Fields<'_>, wanted: bool, names: &[&str]) -> Result<(), Refusal> {
    match names.iter().find(|name| fields.has(name) != wanted) {
        Some(name) if wanted => Err(Refusal::new(Code::FieldMissing, format!("no body.{name}"), "this member in this class")),
        Some(name) => Err(Refusal::new(Code::FieldUnknown, format!("body.{name}"), "no such member in this class")),
        None => Ok(()),
    }
}

fn check_items(fields: &mut Fields<'_>) -> Result<(), Refusal> {
    if !fields.has("items") {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    for (index, item) in fields.list("items", 1, ITEMS_MAX)?.iter().enumerate() {
        let mut item = Fields::of(item, &format!("body.items[{index}]"))?;
        let name = item.text("name", ITEM_NAME_BYTES_MAX)?;
        item.optional_text("type", TEXT_BYTES_MAX)?;
        item.end()?;
        if !names.insert(name) {
            return Err(Refusal::rule("R-DATASET-4", Code::FieldInvalid, name, "each item name once"));
        }
    }
    Ok(())
}

impl KindRules for DatasetPublish {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Head)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        check_own_id(place, &self.id, "R-DATASET-1")?;
        if let Some(duty) = &self.duty
            && DutyRow::read_active(place.state, duty).is_none()
        {
            return Err(Refusal::rule("R-DATASET-5", Code::DutyUnknown, duty, "id of a declared duty"));
        }
        let row = DatasetRow::read(place.state, &self.id);
        if row.as_ref().is_some_and(DatasetRow::is_retired) {
            return Err(Refusal::rule("R-DATASET-7", Code::Closed, self.id.as_str(), "a dataset that is not retired"));
        }
        let newest = row.map_or(0, |row| row.version());
        if self.version != newest + 1 {
            let found = format!("{} version {}", self.id, self.version);
            return Err(Refusal::rule("R-DATASET-6", Code::VersionWrong, found, format!("version {}", newest + 1)));
        }
        let mut changes = place.rows([]);
        changes.put(DATASET, &*self.id, DatasetRow::value(&self.class, place.block.position, &place.record.by, self.version));
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, subjects: &mut Subjects) {
        subjects.datasets.push(self.id.clone());
        subjects.duties.extend(self.duty.clone());
    }
}
