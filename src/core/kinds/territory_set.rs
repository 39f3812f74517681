//! `territory.set`: territories with their levels, names and parents; a code's later entry replaces it.
//!
//! - R-TERRITORY-1: each code once.
//! - R-TERRITORY-2: a parent at every level but `city`.
//! - R-TERRITORY-3: the code begins with the parent's, and is longer.
//! - R-TERRITORY-4: at least one name.
//! - R-TERRITORY-5: the parent stands earlier in the list, or is known.
//! - R-TERRITORY-6: the parent is of a level above.

use std::collections::BTreeMap;

use crate::core::fields::Fields;
use crate::core::ids::check_territory;
use crate::core::key::Role;
use crate::core::kinds::{KindRules, Place, check_refs, check_writer_signs};
use crate::core::limits::{NAME_BYTES_MAX, TERRITORIES_MAX};
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::Subjects;
use crate::core::state::{Changes, Rows};
use crate::core::tables;

/// From the top down.
const LEVELS: [&str; 4] = ["city", "district", "street", "community"];

/// One territory; its names stay in the signed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Territory {
    pub code: String,
    pub level: String,
    pub parent: Option<String>,
}

/// The body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerritorySet {
    /// 1 to 100.
    pub territories: Vec<Territory>,
}

impl TerritorySet {
    pub(crate) fn parse(fields: &mut Fields<'_>, _origin: &str) -> Result<Self, Refusal> {
        let mut territories: Vec<Territory> = Vec::new();
        for (index, item) in fields.list("territories", 1, TERRITORIES_MAX)?.iter().enumerate() {
            let mut item = Fields::of(item, &format!("body.territories[{index}]"))?;
            let territory = parse_territory(&mut item)?;
            item.end()?;
            if territories.iter().any(|earlier| earlier.code == territory.code) {
                return Err(Refusal::rule("R-TERRITORY-1", Code::FieldInvalid, territory.code, "each code once"));
            }
            territories.push(territory);
        }
        Ok(TerritorySet { territories })
    }
}

fn parse_territory(item: &mut Fields<'_>) -> Result<Territory, Refusal> {
    let code = item.checked("code", check_territory)?.to_owned();
    let level = item.one_of("level", &LEVELS)?.to_owned();
    let parent = item.optional_checked("parent", check_territory)?.map(str::to_owned);
    match &parent {
        None if level != LEVELS[0] => {
            return Err(Refusal::rule(
                "R-TERRITORY-2",
                Code::FieldMissing,
                format!("no parent of {code}"),
                "a parent at every level but city",
            ));
        }
        Some(parent) if level == LEVELS[0] => {
            let found = format!("parent {parent} of {code}");
            return Err(Refusal::rule("R-TERRITORY-2", Code::FieldInvalid, found, "no parent at level city"));
        }
        Some(parent) if !(code.starts_with(parent) && code.len() > parent.len()) => {
            let expected = format!("a code that begins with {parent} and is longer");
            return Err(Refusal::rule("R-TERRITORY-3", Code::FieldInvalid, code, expected));
        }
        _ => {}
    }
    let mut names = item.object("names")?;
    let named = [names.optional_text("en", NAME_BYTES_MAX)?, names.optional_text("zh", NAME_BYTES_MAX)?];
    names.end()?;
    if named == [None, None] {
        return Err(Refusal::rule("R-TERRITORY-4", Code::FieldMissing, format!("no name of {code}"), "a name in en or zh"));
    }
    Ok(Territory { code, level, parent })
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

impl KindRules for TerritorySet {
    fn check_form(&self, record: &Record) -> Result<(), Refusal> {
        check_refs(record, 0)?;
        check_writer_signs(record, Role::Authority)
    }

    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal> {
        let mut changes = place.rows([]);
        let mut levels: BTreeMap<&str, &str> = BTreeMap::new();
        for territory in &self.territories {
            if let Some(parent) = &territory.parent {
                let earlier = levels.get(parent.as_str()).map(|level| (*level).to_owned());
                let Some(level) = earlier.or_else(|| tables::territory_level(place.state, parent)) else {
                    let expected = "a territory that is known, or earlier in the list";
                    return Err(Refusal::rule("R-TERRITORY-5", Code::RefUnknown, parent, expected));
                };
                if rank(&level) >= rank(&territory.level) {
                    let found = format!("{} {} under {level} {parent}", territory.level, territory.code);
                    return Err(Refusal::rule("R-TERRITORY-6", Code::RefWrong, found, "a parent of a level above"));
                }
            }
            levels.insert(&territory.code, &territory.level);
            let parent = territory.parent.as_deref();
            tables::put_territory(&mut changes, &territory.code, &territory.level, parent, place.block.position);
        }
        Ok(changes)
    }

    fn subjects(&self, _state: &dyn Rows, _record: &Record, _subjects: &mut Subjects) {}
}
