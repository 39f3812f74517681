//! `sharelog import calendar`: announced days off and make-up working days, one calendar.set for each notice's year.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;

use crate::cli::Global;
use crate::cli::client::{Client, PAGE_MAX, items_of};
use crate::cli::failure::Failure;
use crate::cli::genesis::read_json;
use crate::cli::import::fields::{Field, Mapping, check_known, needed, optional};
use crate::cli::import::run::{OnError, Run, Want};
use crate::cli::import::table::{Row, Table};
use crate::cli::import::{Authority, AuthoritySource, Ended};
use crate::cli::kinds::members::Members;
use crate::core::calendar::Calendar;
use crate::core::json::{Value, strings};
use crate::core::kinds::Kind;
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Day;

pub const HELP: &str = "Fields (* needed): date* kind* (off or work) notice_year* notice_url* notice_sha256; a field that nothing fills is filled from the column of its name.

Examples:
  sharelog import calendar holidays.csv --key authority.pem
  sharelog import calendar days.csv --key authority.pem --map date=day --set notice_year=2027 --set notice_url=https://www.gov.cn/notice";

const FIELDS: [Field; 5] = [needed("date"), needed("kind"), needed("notice_year"), needed("notice_url"), optional("notice_sha256")];

#[derive(Debug, Args)]
pub struct CalendarArgs {
    #[command(flatten)]
    source: AuthoritySource,
}

/// What one notice says, as its rows come.
#[derive(Debug, Default)]
struct Notice {
    line: u64,
    url: String,
    sha256: Option<String>,
    off: BTreeSet<Day>,
    work: BTreeSet<Day>,
}

impl Notice {
    fn body(&self, year: u64) -> Value {
        let notice = Members::new().text("sha256", self.sha256.as_ref()).with("url", self.url.as_str());
        let days = |days: &BTreeSet<Day>| strings(days.iter().map(ToString::to_string));
        let body = Members::new().with("notice", notice.into_value()).with("off", days(&self.off)).with("work", days(&self.work));
        body.with("year", year).into_value()
    }
}

/// # Errors
/// [`Failure`], when nothing could begin.
pub fn run(args: &CalendarArgs, global: &Global) -> Result<Ended, Failure> {
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
    let mut notices = BTreeMap::new();
    for row in &table.rows {
        if let Err(refusal) = take(&mut notices, mapping, row) {
            run.refuse(table, row.line, refusal.into())?;
        }
    }
    let known = in_force(&run.client)?;
    let mut wants = Vec::new();
    for (year, notice) in &notices {
        let body = notice.body(*year);
        if known.get(year) == Some(&body) {
            run.summary.add("kept", 1);
            continue;
        }
        let (signer, by) = (authority.signer.clone(), authority.id.clone());
        let (key, kind) = (format!("calendar.set {year}"), Kind::parse("calendar.set")?);
        wants.push(Want { line: notice.line, key, kind, refs: Vec::new(), body, signer, by, opening: None });
    }
    run.phase(table, "calendars", wants)?;
    if run.on_error == OnError::Skip { run.faults(table) } else { Ok(()) }
}

/// Adds a row to its notice.
fn take(notices: &mut BTreeMap<u64, Notice>, mapping: &Mapping, row: &Row) -> Result<(), Refusal> {
    let invalid = |found: String, expected: &str| Refusal::new(Code::FieldInvalid, found, expected);
    let day = Day::parse(&mapping.needed(row, "date")?).map_err(|refusal| refusal.within("date"))?;
    let year = mapping.needed(row, "notice_year")?;
    let year: u64 = year.parse().map_err(|_| invalid(format!("notice_year {year}"), "a year as 2026"))?;
    let kind = mapping.needed(row, "kind")?;
    let url = mapping.needed(row, "notice_url")?;
    let notice = notices.entry(year).or_insert_with(|| Notice { line: row.line, url: url.clone(), ..Notice::default() });
    if notice.url != url {
        return Err(invalid(format!("notice_url {url}"), &format!("one notice for {year}: {}", notice.url)));
    }
    notice.sha256 = mapping.text(row, "notice_sha256").or(notice.sha256.take());
    if notice.off.contains(&day) || notice.work.contains(&day) {
        return Err(invalid(format!("{day} twice"), "each day once in a notice"));
    }
    match kind.as_str() {
        "off" => notice.off.insert(day),
        "work" => notice.work.insert(day),
        _ => return Err(invalid(format!("kind {kind}"), "off or work")),
    };
    Ok(())
}

/// The calendars on the ledger, the newest of each year.
fn in_force(client: &Client) -> Result<BTreeMap<u64, Value>, Failure> {
    let mut known = BTreeMap::new();
    let mut add = |body: &Value| {
        if let Some(year) = body.get("year").and_then(Value::as_u64) {
            known.insert(year, body.clone());
        }
    };
    client.genesis()?.calendars.iter().for_each(&mut add);
    client.each_page(&format!("/api/v1/records?kind=calendar.set&limit={PAGE_MAX}"), |page| {
        items_of(page).iter().filter_map(|record| record.get("body")).for_each(&mut add);
    })?;
    Ok(known)
}

/// The body of calendar.set for one year, from JSON (the body itself) or a table of days.
///
/// # Errors
/// [`Failure::Unreadable`] naming the line, [`Failure::Usage`] when it is open which year is meant.
pub fn read_one(path: &Path, year: Option<u64>) -> Result<Value, Failure> {
    if path.extension().is_some_and(|extension| extension == "json") {
        let body = read_json(path)?;
        Calendar::from_value(&body)?;
        return Ok(body);
    }
    let table = Table::read(path)?;
    let mapping = Mapping::with_names(&FIELDS, &[], &[], &table)?;
    let at = |line: u64, what: String| Failure::Unreadable(format!("{} line {line}: {what}", path.display()));
    if let Some(fault) = table.faults.first() {
        return Err(at(fault.line, format!("found {}; expected {}", fault.found, fault.expected)));
    }
    let mut notices = BTreeMap::new();
    for row in &table.rows {
        take(&mut notices, &mapping, row).map_err(|refusal| at(row.line, refusal.to_string()))?;
    }
    let found = match year {
        Some(year) => notices.get_key_value(&year),
        None if notices.len() == 1 => notices.first_key_value(),
        None => None,
    };
    let years = || notices.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (year, notice) =
        found.ok_or_else(|| Failure::Usage(format!("{} has notices of {}: name one with --year", path.display(), years())))?;
    Ok(notice.body(*year))
}
