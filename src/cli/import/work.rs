//! `sharelog import duties` and `notices`: what agencies are responsible for, and what they collect for it.

use std::collections::{HashMap, HashSet};

use crate::cli::client::{PAGE_MAX, escaped, items_of};
use crate::cli::failure::Failure;
use crate::cli::import::datasets::agency_of;
use crate::cli::import::fields::{Field, needed, optional};
use crate::cli::import::ledger::{self, fold};
use crate::cli::import::plan::{Plan, Planned, Reading, Rows};
use crate::cli::import::table::Row;
use crate::cli::import::text;
use crate::cli::kinds::members::Members;
use crate::core::ids::{check_line, check_local};
use crate::core::json::Value;
use crate::core::refusal::{Code, Refusal};

pub const DUTIES_HELP: &str = "Fields (* needed): agency* id* (its local part, or all of it) title* basis* line territory delegated_from; a field that nothing fills is filled from the column of its name.

Examples:
  sharelog import duties duties.csv --keys clients
  sharelog import duties list.csv --keys clients --map agency=bureau --map id=code --map title=duty --set basis='Organisation Order 2026'";

pub const NOTICES_HELP: &str = "Fields (* needed): agency* duty* title* items* frequency* level* territory*; a field that nothing fills is filled from the column of its name.

Examples:
  sharelog import notices forms.csv --keys clients
  sharelog import notices forms.csv --keys clients --map items=fields --set level=community --set territory=330102001";

/// Duties.
#[derive(Default)]
pub struct Duties {
    /// Folded ids on the ledger.
    known: Option<HashSet<String>>,
    /// Titles by folded id.
    made: HashMap<String, String>,
}

impl Rows for Duties {
    const FIELDS: &'static [Field] = &[
        needed("agency"),
        needed("id"),
        needed("title"),
        needed("basis"),
        optional("line"),
        optional("territory"),
        optional("delegated_from"),
    ];
    const WHAT: &'static str = "duties";

    fn read(&mut self, reading: &Reading<'_>, row: &Row) -> Result<Planned, Failure> {
        let mapping = reading.mapping;
        let agency = agency_of(reading.agencies, &mapping.needed(row, "agency")?)?.to_owned();
        let given = mapping.needed(row, "id")?;
        let local = match given.split_once(':') {
            Some((prefix, local)) if prefix.eq_ignore_ascii_case(&agency) => local,
            _ => &given,
        };
        let local = text::identifier(local, |local| check_local(local).is_ok());
        check_local(&local).map_err(|_| Refusal::new(Code::FieldInvalid, format!("id {given}"), "an id with Latin letters or digits"))?;
        let id = format!("{agency}:{local}");
        let title = mapping.needed(row, "title")?;
        if self.known.is_none() {
            self.known = Some(ledger::duties(&reading.run.client)?);
        }
        if self.known.as_ref().is_some_and(|known| known.contains(&fold(&id))) {
            return Ok(Planned::Kept);
        }
        match self.made.insert(fold(&id), title.clone()) {
            Some(first) if first.to_lowercase() == title.to_lowercase() => return Ok(Planned::Repeated),
            Some(first) => {
                let found = format!("id {id} again, for {title}");
                return Err(Refusal::new(Code::Duplicate, found, format!("the first's title, {first}")).into());
            }
            None => {}
        }
        let line = mapping.text(row, "line").map(|line| text::identifier(&line, |line| check_line(line).is_ok()));
        let body = Members::new()
            .list("basis", &mapping.list(row, "basis"))
            .maybe("delegated_from", mapping.text(row, "delegated_from"))
            .with("id", id.as_str())
            .maybe("line", line.filter(|line| !line.is_empty()))
            .maybe("territory", mapping.text(row, "territory"))
            .with("title", title);
        Ok(Planned::New(Plan { key: format!("duty.declare {}", fold(&id)), kind: "duty.declare", refs: Vec::new(), body, by: agency }))
    }
}

/// Notices of collection.
#[derive(Default)]
pub struct Notices {
    /// Bodies on the ledger, by agency.
    known: HashMap<String, Vec<Value>>,
    made: Vec<Value>,
}

impl Rows for Notices {
    const FIELDS: &'static [Field] =
        &[needed("agency"), needed("duty"), needed("title"), needed("items"), needed("frequency"), needed("level"), needed("territory")];
    const WHAT: &'static str = "notices";

    fn read(&mut self, reading: &Reading<'_>, row: &Row) -> Result<Planned, Failure> {
        let mapping = reading.mapping;
        let agency = agency_of(reading.agencies, &mapping.needed(row, "agency")?)?.to_owned();
        let title = mapping.needed(row, "title")?;
        let duty = mapping.needed(row, "duty")?;
        let (level, territory) = (mapping.needed(row, "level")?, mapping.needed(row, "territory")?);
        let key = format!("collect.notice {duty} {level} {territory} {title}");
        let body = Members::new()
            .with("duty", duty)
            .maybe("frequency", mapping.frequency(row, "frequency")?)
            .list("items", &mapping.list(row, "items"))
            .with("level", level)
            .with("territory", territory)
            .with("title", title)
            .into_value();
        if !self.known.contains_key(&agency) {
            let mut known = Vec::new();
            let path = format!("/api/v1/records?kind=collect.notice&agency={}&limit={PAGE_MAX}", escaped(&agency));
            reading.run.client.each_page(&path, |page| {
                known.extend(items_of(page).iter().filter_map(|record| record.get("body").cloned()));
            })?;
            self.known.insert(agency.clone(), known);
        }
        if self.known.get(&agency).is_some_and(|known| known.contains(&body)) {
            return Ok(Planned::Kept);
        }
        if self.made.contains(&body) {
            return Ok(Planned::Repeated);
        }
        self.made.push(body.clone());
        Ok(Planned::New(Plan { key, kind: "collect.notice", refs: Vec::new(), body: Members::of(body), by: agency }))
    }
}
