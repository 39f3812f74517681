//! `sharelog import datasets`.

use std::collections::HashMap;

use clap::Args;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::import::catalogue_file::{self, Entry, checked_frequency};
use crate::cli::import::fields::{Field, Mapping, check_known, needed, optional};
use crate::cli::import::ledger::{self, KnownAgency, KnownDataset, fold};
use crate::cli::import::run::{OnError, Run, Want};
use crate::cli::import::table::{Row, Table};
use crate::cli::import::{Ended, Source, text};
use crate::cli::kinds::members::{ITEM_TYPE, Members};
use crate::core::ids::{check_agency, check_local};
use crate::core::json::{Value, object};
use crate::core::key::Role;
use crate::core::kinds::Kind;
use crate::core::limits::TEXT_BYTES_MAX;
use crate::core::refusal::{Code, Refusal};

pub const HELP: &str = "Fields (* needed): provider* id* title* class items format frequency duty conditions purposes bar summary system topic grade
A catalogue in JSON, DCAT 3 as JSON-LD or a data.json, needs no map; --set fills what its entries lack.

Examples:
  sharelog import datasets catalogue.jsonld --keys clients --set class=unconditional
  sharelog import datasets catalogue.csv --keys clients --map provider=agency_code --map id=no --map title=title --map items=main_fields --map frequency=update_freq --set class=unconditional
  sharelog import datasets releases.csv --keys clients --map id=dataset --map title=dataset --set provider=nhs-digital --set class=conditional --set conditions=agreement --set purposes=health --set frequency=irregular";

const FIELDS: [Field; 15] = [
    needed("provider"),
    needed("id"),
    needed("title"),
    optional("class"),
    optional("items"),
    optional("format"),
    optional("frequency"),
    optional("duty"),
    optional("conditions"),
    optional("purposes"),
    optional("bar"),
    optional("summary"),
    optional("system"),
    optional("topic"),
    optional("grade"),
];

#[derive(Debug, Args)]
pub struct DatasetsArgs {
    #[command(flatten)]
    source: Source,
    /// What the file is: a table, or a catalogue in JSON (default: by its name, .json and .jsonld being catalogues)
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "dcat", "data-json"])]
    format: Option<String>,
}

impl DatasetsArgs {
    fn is_catalogue(&self) -> bool {
        let extension = self.source.sheet.file.extension().unwrap_or_default().to_ascii_lowercase();
        self.format.as_ref().map_or_else(|| extension == "json" || extension == "jsonld", |format| format != "csv")
    }
}

/// A row as the catalogue will have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// As spelled on the ledger.
    pub provider: String,
    pub id: String,
    pub title: String,
    pub body: Value,
}

/// # Errors
/// [`Failure`], when nothing could begin.
pub fn run(args: &DatasetsArgs, global: &Global) -> Result<Ended, Failure> {
    check_known(&[&FIELDS], &args.source.sheet.maps)?;
    check_known(&[&FIELDS], &args.source.sheet.sets)?;
    let sheet = &args.source.sheet;
    if args.is_catalogue() {
        if !sheet.maps.is_empty() {
            return Err(Failure::Usage("--map is for tables; of a catalogue in JSON, --set fills what an entry lacks".to_owned()));
        }
        let entries = catalogue_file::read(&sheet.file)?;
        let table = Table::of_entries(&sheet.file);
        let mut run = args.source.begin(global)?;
        let agencies = ledger::agencies(&run.client)?;
        let numbered = (1..).zip(entries);
        let wanted = numbered.map(|(number, entry)| (number, entry_publication(entry, &sheet.sets, &agencies))).collect();
        let outcome = import(&mut run, &table, wanted);
        return Ok((run.summary, outcome));
    }
    let table = Table::read(&sheet.file)?;
    let mapping = Mapping::new(&FIELDS, &sheet.maps, &sheet.sets, &table)?;
    let mut run = args.source.begin(global)?;
    let agencies = ledger::agencies(&run.client)?;
    let wanted = table.rows.iter().map(|row| (row.line, publication(&mapping, row, &agencies))).collect();
    let outcome = import(&mut run, &table, wanted);
    Ok((run.summary, outcome))
}

/// `wanted` by the lines of the table, or the numbers of the entries.
fn import(run: &mut Run, table: &Table, wanted: Vec<(u64, Result<Publication, Refusal>)>) -> Result<(), Failure> {
    let mut known: HashMap<String, HashMap<String, KnownDataset>> = HashMap::new();
    let mut made: HashMap<String, String> = HashMap::new();
    let mut wants = Vec::new();
    let first_fault = table.faults.first().map_or(u64::MAX, |fault| fault.line);
    let mut ended = None;
    run.summary.add("rows", wanted.len() + table.faults.len());
    for (line, publication) in wanted {
        if run.on_error == OnError::Stop && line > first_fault {
            break;
        }
        let publication = match publication {
            Ok(publication) => publication,
            Err(refusal) => {
                if let Err(failure) = run.refuse(table, line, refusal.into()) {
                    ended = Some(failure);
                    break;
                }
                continue;
            }
        };
        if !known.contains_key(&publication.provider) {
            let datasets = ledger::datasets(&run.client, &publication.provider)?;
            known.insert(publication.provider.clone(), datasets);
        }
        match place(&known[&publication.provider], &made, &publication) {
            Ok(Placed::New) => {
                made.insert(fold(&publication.id), publication.title.clone());
                wants.push(want(run, line, publication)?);
            }
            Ok(Placed::Repeated) => run.summary.add("repeated", 1),
            Ok(Placed::Kept) => {
                made.insert(fold(&publication.id), publication.title);
                run.summary.add("kept", 1);
            }
            Err(refusal) => {
                if let Err(failure) = run.refuse(table, line, refusal.into()) {
                    ended = Some(failure);
                    break;
                }
            }
        }
    }
    run.phase(table, "datasets", wants)?;
    ended.map_or_else(|| run.faults(table), Err)
}

fn want(run: &mut Run, line: u64, publication: Publication) -> Result<Want, Failure> {
    let signer = run.keys.get(&publication.provider, Role::Head)?;
    let key = format!("dataset.publish {}", fold(&publication.id));
    let (body, by) = (publication.body, publication.provider);
    Ok(Want { line, key, kind: Kind::DatasetPublish, refs: Vec::new(), body, signer, by, opening: None })
}

/// The agency that a cell names, as spelled on the ledger.
///
/// # Errors
/// `agency-unknown`.
pub fn agency_of<'a>(agencies: &'a HashMap<String, KnownAgency>, value: &str) -> Result<&'a str, Refusal> {
    let id = text::identifier(value, |id| check_agency(id).is_ok());
    let unknown = || Refusal::new(Code::AgencyUnknown, format!("{value} ({id})"), "an agency of the register; import agencies first");
    agencies.get(&fold(&id)).map(|agency| agency.id.as_str()).ok_or_else(unknown)
}

/// What a row asks for.
///
/// # Errors
/// `field-missing`, `field-invalid`, `agency-unknown`.
pub fn publication(mapping: &Mapping, row: &Row, agencies: &HashMap<String, KnownAgency>) -> Result<Publication, Refusal> {
    let provider = agency_of(agencies, &mapping.needed(row, "provider")?)?.to_owned();
    let value = mapping.needed(row, "id")?;
    let local = text::identifier(&value, |local| check_local(local).is_ok());
    check_local(&local).map_err(|_| Refusal::new(Code::FieldInvalid, format!("id {value}"), "an id with Latin letters or digits"))?;
    let id = format!("{provider}:{local}");
    let title = mapping.needed(row, "title")?;
    let summary = mapping.text(row, "summary").map(|summary| text::cut(&summary, TEXT_BYTES_MAX).to_owned());
    let item = |name: String| object([("name", name.into()), ("type", ITEM_TYPE.into())]);
    let items: Vec<_> = mapping.list(row, "items").into_iter().map(item).collect();
    let body = Members::new()
        .maybe("bar", mapping.text(row, "bar"))
        .maybe("class", mapping.text(row, "class"))
        .maybe("conditions", mapping.text(row, "conditions"))
        .maybe("duty", mapping.text(row, "duty"))
        .list("format", &mapping.list(row, "format"))
        .maybe("frequency", mapping.frequency(row, "frequency")?)
        .maybe("grade", mapping.text(row, "grade"))
        .with("id", id.as_str())
        .maybe("items", (!items.is_empty()).then_some(items))
        .list("purposes", &mapping.list(row, "purposes"))
        .maybe("summary", summary)
        .maybe("system", mapping.text(row, "system"))
        .with("title", title.as_str())
        .maybe("topic", mapping.text(row, "topic"))
        .with("version", 1)
        .into_value();
    Ok(Publication { provider, id, title, body })
}

/// What an entry of a catalogue asks for; `sets` fill what it lacks.
fn entry_publication(entry: Entry, sets: &[(String, String)], agencies: &HashMap<String, KnownAgency>) -> Result<Publication, Refusal> {
    let set = |name: &str| sets.iter().find(|(field, _)| field == name).map(|(_, value)| text::clean(value));
    let needed = |value: Option<String>, name: &str| {
        let missing = || Refusal::new(Code::FieldMissing, format!("no {name} in this entry"), "a value");
        value.or_else(|| set(name)).ok_or_else(missing)
    };
    let list = |entries: Vec<String>, name: &str| if entries.is_empty() { text::split(&set(name).unwrap_or_default()) } else { entries };
    let provider = agency_of(agencies, &needed(entry.provider, "provider")?)?.to_owned();
    let value = needed(entry.id, "id")?;
    let own = value.split_once(':').filter(|(agency, _)| agency.eq_ignore_ascii_case(&provider)).map_or(value.as_str(), |(_, own)| own);
    let local = text::identifier(own, |local| check_local(local).is_ok());
    check_local(&local).map_err(|_| Refusal::new(Code::FieldInvalid, format!("id {value}"), "an id with Latin letters or digits"))?;
    let id = format!("{provider}:{local}");
    let title = needed(entry.title, "title")?;
    let class = entry.class.or_else(|| set("class"));
    let only = |wanted: &str, name: &str| set(name).filter(|_| class.as_deref() == Some(wanted));
    let purposes = if class.as_deref() == Some("conditional") { list(entry.purposes, "purposes") } else { entry.purposes };
    let item = |(name, kind): (String, Option<String>)| {
        object([("name", name.into()), ("type", kind.unwrap_or_else(|| ITEM_TYPE.to_owned()).into())])
    };
    let items: Vec<_> = entry.items.into_iter().map(item).collect();
    let frequency = entry.frequency.or_else(|| set("frequency")).map(|word| checked_frequency(&word)).transpose()?;
    let body = Members::new()
        .maybe("bar", entry.bar.or_else(|| only("withheld", "bar")))
        .maybe("conditions", entry.conditions.or_else(|| only("conditional", "conditions")))
        .maybe("class", class)
        .maybe("duty", entry.duty.or_else(|| set("duty")))
        .list("format", &list(entry.format, "format"))
        .maybe("frequency", frequency)
        .maybe("grade", entry.grade.or_else(|| set("grade")))
        .with("id", id.as_str())
        .maybe("items", (!items.is_empty()).then_some(items))
        .list("purposes", &purposes)
        .maybe("summary", entry.summary.or_else(|| set("summary")).map(|summary| text::cut(&summary, TEXT_BYTES_MAX).to_owned()))
        .maybe("system", entry.system.or_else(|| set("system")))
        .with("title", title.as_str())
        .maybe("topic", entry.topic.or_else(|| set("topic")))
        .with("version", 1)
        .into_value();
    Ok(Publication { provider, id, title, body })
}

/// Where a row stands beside those before it and the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    New,
    /// This file has made the same dataset.
    Repeated,
    /// It is in the catalogue.
    Kept,
}

/// The first row of an id wins; a later one counts as repeated when the title is equal but for letter case. `made` holds
/// titles by folded id.
///
/// # Errors
/// `duplicate` for another title.
pub fn place(known: &HashMap<String, KnownDataset>, made: &HashMap<String, String>, row: &Publication) -> Result<Placed, Refusal> {
    let key = fold(&row.id);
    let (title, placed) = match (made.get(&key), known.get(&key)) {
        (Some(title), _) => (title, Placed::Repeated),
        (None, Some(dataset)) => (&dataset.title, Placed::Kept),
        (None, None) => return Ok(Placed::New),
    };
    if title.to_lowercase() == row.title.to_lowercase() {
        return Ok(placed);
    }
    Err(Refusal::new(Code::Duplicate, format!("id {} again, for {}", row.id, row.title), format!("the first's title, {title}")))
}
