//! Which column or constant fills which field.

use std::collections::BTreeMap;

use crate::cli::failure::Failure;
use crate::cli::import::table::{Row, Table};
use crate::cli::import::text;
use crate::core::refusal::{Code, Refusal};

/// What an import knows of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// A row without it cannot become a record.
    pub needed: bool,
}

/// A field that a row may lack.
pub const fn optional(name: &'static str) -> Field {
    Field { name, needed: false }
}

/// A field that every row has.
pub const fn needed(name: &'static str) -> Field {
    Field { name, needed: true }
}

#[derive(Clone, Debug)]
enum Source {
    Column(usize),
    Constant(String),
}

/// `--map` and `--set` of one file.
#[derive(Clone, Debug)]
pub struct Mapping(BTreeMap<&'static str, Source>);

impl Mapping {
    /// `maps` are `FIELD=COLUMN`, `sets` are `FIELD=VALUE`; only those of `fields` are looked at.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a needed field that nothing fills, or one that is filled twice; [`Failure::Unreadable`] for
    /// a column that the file lacks.
    pub fn new(fields: &[Field], maps: &[(String, String)], sets: &[(String, String)], table: &Table) -> Result<Self, Failure> {
        Mapping::with_fallback(fields, maps, sets, table, |_| None)
    }

    /// As [`Mapping::new`]; a field that neither fills is filled from the column of its name, where the file has one.
    ///
    /// # Errors
    /// As [`Mapping::new`].
    pub fn with_names(fields: &[Field], maps: &[(String, String)], sets: &[(String, String)], table: &Table) -> Result<Self, Failure> {
        let own = |field: &Field| table.columns.iter().position(|column| column == field.name).map(Source::Column);
        Mapping::with_fallback(fields, maps, sets, table, own)
    }

    fn with_fallback(
        fields: &[Field],
        maps: &[(String, String)],
        sets: &[(String, String)],
        table: &Table,
        fallback: impl Fn(&Field) -> Option<Source>,
    ) -> Result<Self, Failure> {
        let mut sources = BTreeMap::new();
        for field in fields {
            let columns = maps.iter().filter(|(name, _)| name == field.name).map(|(_, column)| table.column(column).map(Source::Column));
            let constants = sets.iter().filter(|(name, _)| name == field.name).map(|(_, value)| Ok(Source::Constant(value.clone())));
            let mut found = columns.chain(constants);
            let first = found.next().or_else(|| fallback(field).map(Ok));
            match (first, found.next()) {
                (Some(source), None) => {
                    sources.insert(field.name, source?);
                }
                (Some(_), Some(_)) => return Err(Failure::Usage(format!("field {} is filled twice", field.name))),
                (None, _) if field.needed => {
                    return Err(Failure::Usage(format!("nothing fills field {0}: give --map {0}=COLUMN or --set {0}=VALUE", field.name)));
                }
                (None, _) => {}
            }
        }
        Ok(Mapping(sources))
    }

    /// The cell as read; `None` when nothing fills the field or the cell is blank.
    pub fn raw<'a>(&'a self, row: &'a Row, name: &str) -> Option<&'a str> {
        let cell = match self.0.get(name)? {
            Source::Column(index) => row.cells.get(*index)?.as_str(),
            Source::Constant(value) => value.as_str(),
        };
        (!cell.trim().is_empty()).then_some(cell)
    }

    /// The cell as one of the ledger's texts.
    pub fn text(&self, row: &Row, name: &str) -> Option<String> {
        self.raw(row, name).map(text::clean).filter(|text| !text.is_empty())
    }

    /// # Errors
    /// `field-missing`.
    pub fn needed(&self, row: &Row, name: &str) -> Result<String, Refusal> {
        self.text(row, name).ok_or_else(|| Refusal::new(Code::FieldMissing, format!("no {name} in this row"), "a value"))
    }

    /// The entries of a list; empty when there is none.
    pub fn list(&self, row: &Row, name: &str) -> Vec<String> {
        self.raw(row, name).map(text::split).unwrap_or_default()
    }

    /// The ledger's code for a frequency word.
    ///
    /// # Errors
    /// `field-invalid` for a word that is not known.
    pub fn frequency(&self, row: &Row, name: &str) -> Result<Option<&'static str>, Refusal> {
        let Some(word) = self.text(row, name) else {
            return Ok(None);
        };
        let expected =
            "once, realtime, daily, weekly, monthly, quarterly, halfyearly, yearly, irregular, or their words in English or Chinese";
        text::frequency(&word).map(Some).ok_or_else(|| Refusal::new(Code::FieldInvalid, format!("{name} {word}"), expected))
    }
}

/// `FIELD=REST` of a flag.
///
/// # Errors
/// A sentence for clap.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() && !value.is_empty() => Ok((field.to_owned(), value.to_owned())),
        _ => Err("expected FIELD=COLUMN or FIELD=VALUE".to_owned()),
    }
}

/// # Errors
/// [`Failure::Usage`] for a field that no file of this import has.
pub fn check_known(known: &[&[Field]], given: &[(String, String)]) -> Result<(), Failure> {
    let names: Vec<_> = known.iter().flat_map(|fields| fields.iter()).map(|field| field.name).collect();
    match given.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(Failure::Usage(format!("no field {name} in this import; there are {}", names.join(", ")))),
        None => Ok(()),
    }
}
