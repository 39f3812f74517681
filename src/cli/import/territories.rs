//! `sharelog import territories`: a tree of territories, level by level, so that a parent is always known before its own.

use std::collections::BTreeMap;

use clap::Args;

use crate::cli::Global;
use crate::cli::client::{Client, PAGE_MAX, items_of};
use crate::cli::failure::Failure;
use crate::cli::import::fields::{Field, Mapping, check_known, needed, optional};
use crate::cli::import::run::{OnError, Run, Want};
use crate::cli::import::table::{Row, Table};
use crate::cli::import::{Authority, AuthoritySource, Ended};
use crate::cli::kinds::members::Members;
use crate::core::json::Value;
use crate::core::kinds::Kind;
use crate::core::refusal::{Code, Refusal};

pub const HELP: &str = "Fields (* needed): code* level* name, name_zh or name_en (one*) parent; name is Chinese where it holds more than ASCII. A field that nothing fills is filled from the column of its name.

Examples:
  sharelog import territories divisions.csv --key authority.pem
  sharelog import territories codes.csv --key authority.pem --map code=area_code --map name_en=area --set level=district --set parent=3301";

const FIELDS: [Field; 6] =
    [needed("code"), needed("level"), optional("name"), optional("name_zh"), optional("name_en"), optional("parent")];
/// Upper to lower.
const LEVELS: [&str; 4] = ["city", "district", "street", "community"];
/// Territories of one record.
const PER_RECORD: usize = 100;

#[derive(Debug, Args)]
pub struct TerritoriesArgs {
    #[command(flatten)]
    source: AuthoritySource,
}

/// A row as the ledger will have it.
struct Territory {
    line: u64,
    code: String,
    value: Value,
}

/// # Errors
/// [`Failure`], when nothing could begin.
pub fn run(args: &TerritoriesArgs, global: &Global) -> Result<Ended, Failure> {
    let sheet = &args.source.sheet;
    check_known(&[&FIELDS], &sheet.maps)?;
    check_known(&[&FIELDS], &sheet.sets)?;
    let table = Table::read(&sheet.file)?;
    let mapping = Mapping::with_names(&FIELDS, &sheet.maps, &sheet.sets, &table)?;
    let (mut run, authority) = args.source.begin(global)?;
    let outcome = import(&mut run, &table, &mapping, &authority);
    Ok((run.summary, outcome))
}

fn import(run: &mut Run, table: &Table, mapping: &Mapping, authority: &Authority) -> Result<(), Failure> {
    run.summary.add("rows", table.rows.len() + table.faults.len());
    if run.on_error == OnError::Stop {
        run.faults(table)?;
    }
    let known = on_ledger(&run.client)?;
    let mut levels: [Vec<Territory>; LEVELS.len()] = Default::default();
    let mut made: BTreeMap<String, Value> = BTreeMap::new();
    for row in &table.rows {
        match territory(mapping, row).and_then(|(rank, territory)| place(&made, rank, territory)) {
            Ok((_, None)) => run.summary.add("repeated", 1),
            Ok((rank, Some(territory))) => {
                made.insert(territory.code.clone(), territory.value.clone());
                levels[rank].push(territory);
            }
            Err(refusal) => run.refuse(table, row.line, refusal.into())?,
        }
    }
    for territories in levels {
        let mut wants = Vec::new();
        for chunk in territories.chunks(PER_RECORD) {
            let new: Vec<_> = chunk.iter().filter(|territory| known.get(&territory.code) != Some(&territory.value)).collect();
            run.summary.add("kept", chunk.len() - new.len());
            let Some(first) = new.first() else { continue };
            let body = Members::new().with("territories", new.iter().map(|territory| territory.value.clone()).collect::<Vec<_>>());
            wants.push(Want {
                line: first.line,
                // By the chunk of the file, so that a rerun finds what it signed before.
                key: format!("territory.set {}", chunk[0].code),
                kind: Kind::parse("territory.set")?,
                refs: Vec::new(),
                body: body.into_value(),
                signer: authority.signer.clone(),
                by: authority.id.clone(),
                opening: None,
            });
        }
        run.phase(table, "territories", wants)?;
    }
    if run.on_error == OnError::Skip { run.faults(table) } else { Ok(()) }
}

/// What a row asks for, and the rank of its level.
fn territory(mapping: &Mapping, row: &Row) -> Result<(usize, Territory), Refusal> {
    let code = mapping.needed(row, "code")?;
    let level = mapping.needed(row, "level")?;
    let rank = LEVELS.iter().position(|known| *known == level);
    let rank = rank.ok_or_else(|| Refusal::new(Code::FieldInvalid, format!("level {level}"), LEVELS.join(", ")))?;
    let plain = mapping.text(row, "name");
    let (zh, en) = match plain {
        Some(name) if name.is_ascii() => (None, Some(name)),
        name => (name, None),
    };
    let names = Members::new().maybe("en", mapping.text(row, "name_en").or(en)).maybe("zh", mapping.text(row, "name_zh").or(zh));
    let names = names.into_value();
    if names.as_object().is_none_or(BTreeMap::is_empty) {
        return Err(Refusal::new(Code::FieldMissing, "no name in this row", "name, name_zh or name_en"));
    }
    let parent = mapping.text(row, "parent");
    if rank > 0 && parent.is_none() {
        return Err(Refusal::new(Code::FieldMissing, format!("no parent of {level} {code}"), "a parent for every level but city"));
    }
    let value =
        Members::new().with("code", code.as_str()).with("level", level.as_str()).with("names", names).maybe("parent", parent).into_value();
    Ok((rank, Territory { line: row.line, code, value }))
}

/// `None` for a row that says again what an earlier one said.
fn place(made: &BTreeMap<String, Value>, rank: usize, territory: Territory) -> Result<(usize, Option<Territory>), Refusal> {
    match made.get(&territory.code) {
        Some(value) if *value == territory.value => return Ok((rank, None)),
        Some(_) => return Err(Refusal::new(Code::Duplicate, format!("code {} again, otherwise", territory.code), "each code once")),
        None => {}
    }
    let parent = territory.value.get("parent").and_then(Value::as_str);
    // A parent further down in the file is found later, by the rules; one of the wrong code never is.
    match parent.filter(|parent| !territory.code.starts_with(*parent) || *parent == territory.code) {
        Some(parent) => {
            let found = format!("parent {parent} of {}", territory.code);
            Err(Refusal::new(Code::FieldInvalid, found, "a code that begins with the parent's"))
        }
        None => Ok((rank, Some(territory))),
    }
}

/// The territories on the ledger, each as it was set last.
fn on_ledger(client: &Client) -> Result<BTreeMap<String, Value>, Failure> {
    let mut known = BTreeMap::new();
    client.each_page(&format!("/api/v1/records?kind=territory.set&limit={PAGE_MAX}"), |page| {
        for record in items_of(page) {
            let territories = record.get("body").and_then(|body| body.get("territories")).and_then(Value::as_array);
            for territory in territories.unwrap_or_default() {
                if let Some(code) = territory.get("code").and_then(Value::as_str) {
                    known.insert(code.to_owned(), territory.clone());
                }
            }
        }
    })?;
    Ok(known)
}
