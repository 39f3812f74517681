//! `sharelog import agencies`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::import::fields::{Field, Mapping, check_known, needed, optional};
use crate::cli::import::ledger::{self, KnownAgency, fold};
use crate::cli::import::run::{OnError, Run, Want};
use crate::cli::import::table::{Row, Table};
use crate::cli::import::{Authority, Ended, Source, text};
use crate::cli::kinds::members::Members;
use crate::core::ids::{check_agency, check_line};
use crate::core::json::{Value, strings};
use crate::core::kinds::Kind;
use crate::core::refusal::{Code, Refusal};

pub const HELP: &str = "Fields (* needed): id* name_zh name_en (one*) scheme level line territory parent

Examples:
  sharelog import agencies agencies.csv --key authority.pem --keys clients --map id=agency_code --map name_zh=agency_name --set level=city --set territory=3301
  sharelog import agencies agreements.csv --key authority.pem --keys clients --map id=organisation --map name_en=organisation --map line=org_type --set level=outside";

const FIELDS: [Field; 8] = [
    needed("id"),
    optional("name_zh"),
    optional("name_en"),
    optional("scheme"),
    optional("level"),
    optional("line"),
    optional("territory"),
    optional("parent"),
];

#[derive(Debug, Args)]
pub struct AgenciesArgs {
    #[command(flatten)]
    source: Source,
    /// The authority's key
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
}

/// A row as the register will have it, its keys apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub id: String,
    /// By language.
    pub names: BTreeMap<String, String>,
    /// The other members.
    pub rest: BTreeMap<String, Value>,
}

/// # Errors
/// [`Failure`], when nothing could begin.
pub fn run(args: &AgenciesArgs, global: &Global) -> Result<Ended, Failure> {
    check_known(&[&FIELDS], &args.source.sheet.maps)?;
    check_known(&[&FIELDS], &args.source.sheet.sets)?;
    let table = Table::read(&args.source.sheet.file)?;
    let mapping = Mapping::new(&FIELDS, &args.source.sheet.maps, &args.source.sheet.sets, &table)?;
    let mut run = args.source.begin(global)?;
    let authority = Authority::load(&args.key, &run.origin)?;
    let known = ledger::agencies(&run.client)?;
    let outcome = import(&mut run, &table, &mapping, &known, &authority);
    Ok((run.summary, outcome))
}

fn import(
    run: &mut Run,
    table: &Table,
    mapping: &Mapping,
    known: &HashMap<String, KnownAgency>,
    authority: &Authority,
) -> Result<(), Failure> {
    let mut made: HashMap<String, Admission> = HashMap::new();
    let mut admissions = Vec::new();
    let first_fault = table.faults.first().map_or(u64::MAX, |fault| fault.line);
    let mut ended = None;
    run.summary.add("rows", table.rows.len() + table.faults.len());
    for row in &table.rows {
        if run.on_error == OnError::Stop && row.line > first_fault {
            break;
        }
        let outcome = admission(mapping, row).and_then(|admission| place(known, &made, admission));
        match outcome {
            Ok(Placed::New(admission)) => {
                made.insert(fold(&admission.id), admission.clone());
                admissions.push((row.line, admission));
            }
            Ok(Placed::Repeated) => run.summary.add("repeated", 1),
            Ok(Placed::Kept(admission)) => {
                made.insert(fold(&admission.id), admission);
                run.summary.add("kept", 1);
            }
            Err(refusal) => {
                if let Err(failure) = run.refuse(table, row.line, refusal.into()) {
                    ended = Some(failure);
                    break;
                }
            }
        }
    }
    let ids: Vec<_> = admissions.iter().map(|(_, admission)| admission.id.clone()).collect();
    run.keys.make_missing(&ids)?;
    let mut wants = Vec::with_capacity(admissions.len());
    for (line, admission) in admissions {
        let keys = run.keys.set_of(&admission.id)?;
        let key = format!("agency.admit {}", fold(&admission.id));
        let body = body(admission, &keys);
        let (refs, signer, by) = (Vec::new(), authority.signer.clone(), authority.id.clone());
        wants.push(Want { line, key, kind: Kind::AgencyAdmit, refs, body, signer, by, opening: None });
    }
    run.phase(table, "agencies", wants)?;
    ended.map_or_else(|| run.faults(table), Err)
}

fn body(admission: Admission, keys: &[String]) -> Value {
    let names = admission.names.into_iter().map(|(language, name)| (language, name.into())).collect();
    let mut members = admission.rest;
    members.insert("id".to_owned(), admission.id.into());
    members.insert("keys".to_owned(), strings(keys));
    members.insert("names".to_owned(), Value::Object(names));
    Value::Object(members)
}

/// What a row asks for.
///
/// # Errors
/// `field-missing`; `field-invalid` for an id of which the rule for slugs leaves nothing.
pub fn admission(mapping: &Mapping, row: &Row) -> Result<Admission, Refusal> {
    let agency = |name: &str, value: &str| {
        let id = text::identifier(value, |id| check_agency(id).is_ok());
        check_agency(&id)
            .map_err(|_| Refusal::new(Code::FieldInvalid, format!("{name} {value}"), "a name with Latin letters or digits"))?;
        Ok::<_, Refusal>(id)
    };
    let id = agency("id", &mapping.needed(row, "id")?)?;
    let names = [("en", "name_en"), ("zh", "name_zh")];
    let names: BTreeMap<_, _> =
        names.into_iter().filter_map(|(language, field)| Some((language.to_owned(), mapping.text(row, field)?))).collect();
    if names.is_empty() {
        return Err(Refusal::new(Code::FieldMissing, "no name_zh and no name_en in this row", "one of them"));
    }
    let parent = mapping.text(row, "parent").map(|value| agency("parent", &value)).transpose()?;
    let line = mapping.text(row, "line").map(|value| text::identifier(&value, |line| check_line(line).is_ok()));
    let rest = Members::new()
        .maybe("level", mapping.text(row, "level"))
        .maybe("line", line.filter(|line| !line.is_empty()))
        .maybe("parent", parent)
        .with("scheme", mapping.text(row, "scheme").unwrap_or_else(|| "plain".to_owned()))
        .maybe("territory", mapping.text(row, "territory"));
    let rest = rest.into_value().as_object().cloned().unwrap_or_default();
    Ok(Admission { id, names, rest })
}

/// Where a row stands beside those before it and the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    New(Admission),
    /// This file has made the same agency.
    Repeated,
    /// It is in the register.
    Kept(Admission),
}

/// The first row of an id wins; a later one counts as repeated when the names are equal but for letter case.
///
/// # Errors
/// `duplicate` for other names.
pub fn place(known: &HashMap<String, KnownAgency>, made: &HashMap<String, Admission>, admission: Admission) -> Result<Placed, Refusal> {
    let key = fold(&admission.id);
    let equal = |names: &BTreeMap<String, String>| folded(names) == folded(&admission.names);
    let duplicate = |names: &BTreeMap<String, String>| {
        let names = names.values().cloned().collect::<Vec<_>>().join(" / ");
        Refusal::new(Code::Duplicate, format!("id {} again, for another name", admission.id), format!("the first's name, {names}"))
    };
    if let Some(first) = made.get(&key) {
        return if equal(&first.names) { Ok(Placed::Repeated) } else { Err(duplicate(&first.names)) };
    }
    match known.get(&key) {
        Some(agency) if equal(&agency.names) => Ok(Placed::Kept(admission)),
        Some(agency) => Err(duplicate(&agency.names)),
        None => Ok(Placed::New(admission)),
    }
}

fn folded(names: &BTreeMap<String, String>) -> Vec<(String, String)> {
    names.iter().map(|(language, name)| (language.clone(), name.to_lowercase())).collect()
}
