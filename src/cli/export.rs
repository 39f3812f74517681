//! `sharelog export`: what others read: the catalogue, and the ledger as a folder of tiles.
//!
//! The catalogue goes out as DCAT 3 in JSON-LD. Terms of DCAT and Dublin Core are used where there are any: identifier, title,
//! description, publisher, accrualPeriodicity (EU authority table), theme, version, and a distribution for each format. The
//! rest stands under `sharelog:`: class (sharing class), conditions, purposes, bar (the law that bars sharing), duty, items
//! (name and type), system, grade. `sharelog import datasets` reads the file back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::audit::copy::copy;
use crate::audit::source::Url;
use crate::cli::Global;
use crate::cli::audit::{advance, bar, refused};
use crate::cli::client::{Client, escaped};
use crate::cli::failure::Failure;
use crate::cli::import::catalogue_file::{FREQUENCIES, FREQUENCY_TABLE, VOCABULARY};
use crate::cli::kinds::handover::with_suffix;
use crate::cli::kinds::members::Members;
use crate::cli::output::show;
use crate::core::json::{Value, object, strings};
use crate::web;

#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Write the catalogue as DCAT 3 JSON-LD
    Catalogue(CatalogueArgs),
    /// Write the verifier of evidence files as one page, for any browser, without a network
    Verifier(VerifierArgs),
    /// Write the whole ledger as static files: checkpoint, tiles, entries, policy and genesis
    Tiles(TilesArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Asks no node: the page is part of this program.

Examples:
  sharelog export verifier -o verify.html
  sharelog export verifier --module -o verify.mjs")]
pub struct VerifierArgs {
    /// The JavaScript module alone, for Node or a page of your own
    #[arg(long)]
    module: bool,
    /// The file; one that exists is replaced
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

fn verifier(args: &VerifierArgs, global: &Global) -> anyhow::Result<()> {
    let text = if args.module { web::VERIFIER_MODULE } else { &web::verifier().html };
    std::fs::write(&args.out, text).map_err(|error| Failure::Unreadable(format!("writing {}: {error}", args.out.display())))?;
    let told = object([("file", args.out.display().to_string().into())]);
    show(global, &told, |_| format!("{}: open it in a browser, also without a network", args.out.display()));
    Ok(())
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sharelog export catalogue -o catalogue.jsonld
  sharelog export catalogue --agency nhs-digital -o nhs.jsonld")]
pub struct CatalogueArgs {
    /// Only the datasets of this provider
    #[arg(long, value_name = "ID")]
    agency: Option<String>,
    /// The file; one that exists is replaced
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Any file server can carry the folder, and any C2SP tlog-tiles client read it; `sharelog audit DIR`
checks it. Run it again to go on after an interruption, or to bring the folder up to date: what is there and good is kept. Every
tile and entry is checked against the checkpoint's root before it is written; who signed the checkpoint is for the audit.

Examples:
  sharelog export tiles copy
  sharelog export tiles /srv/www/ledger --node http://127.0.0.1:8600 --json")]
pub struct TilesArgs {
    /// The folder; it is made, or gone on with
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Members of a dataset that DCAT has no term for.
const OWN: [&str; 8] = ["bar", "class", "conditions", "duty", "grade", "items", "purposes", "system"];

/// # Errors
/// [`Failure`].
pub fn run(command: &ExportCommand, global: &Global) -> anyhow::Result<()> {
    match command {
        ExportCommand::Catalogue(args) => catalogue_file(args, global),
        ExportCommand::Verifier(args) => verifier(args, global),
        ExportCommand::Tiles(args) => tiles(args, global),
    }
}

fn tiles(args: &TilesArgs, global: &Global) -> anyhow::Result<()> {
    let bar = bar("copying");
    let copied = copy(&Url::new(&global.node), &args.dir, &mut |done, all| advance(&bar, done, all));
    bar.finish_and_clear();
    let copied = copied.map_err(|error| refused(error.into(), &global.node, global))?;
    let told = object([
        ("dir", args.dir.display().to_string().into()),
        ("kept", copied.kept.into()),
        ("ledger", copied.ledger.as_str().into()),
        ("root", copied.root.to_hex().into()),
        ("size", copied.size.into()),
        ("written", copied.written.into()),
    ]);
    show(global, &told, |_| {
        format!(
            "{}: {} at size {}, {} tiles and bundles written, {} kept; check it with\n  sharelog audit {} --genesis HASH",
            args.dir.display(),
            copied.ledger,
            copied.size,
            copied.written,
            copied.kept,
            args.dir.display()
        )
    });
    Ok(())
}

fn catalogue_file(args: &CatalogueArgs, global: &Global) -> anyhow::Result<()> {
    let client = Client::new(global)?;
    let origin = client.genesis()?.origin;
    let filter = args.agency.as_ref().map_or_else(String::new, |agency| format!("?agency={}", escaped(agency)));
    let mut datasets = client.all(&format!("/api/v1/datasets{filter}"))?;
    datasets.retain(|dataset| text(dataset, "status") != Some("retired"));
    if let Some(agency) = &args.agency {
        datasets.retain(|dataset| text(dataset, "provider").is_some_and(|provider| provider.eq_ignore_ascii_case(agency)));
    }
    let agencies = client.all("/api/v1/agencies")?;
    let names = agencies.iter().filter_map(|agency| Some((text(agency, "id")?, agency.get("names")?))).collect();
    let entries: Vec<_> = datasets.iter().map(|dataset| entry(dataset, &names)).collect();
    let count = entries.len();
    let file = catalogue(&origin, entries);
    write(&args.out, &file)?;
    let told = object([("datasets", u64::try_from(count).unwrap_or(u64::MAX).into()), ("file", args.out.display().to_string().into())]);
    show(global, &told, |_| format!("{}: {count} datasets of {origin}", args.out.display()));
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn catalogue(origin: &str, datasets: Vec<Value>) -> Value {
    let context = object([
        ("dcat", "http://www.w3.org/ns/dcat#".into()),
        ("dct", "http://purl.org/dc/terms/".into()),
        ("foaf", "http://xmlns.com/foaf/0.1/".into()),
        ("sharelog", VOCABULARY.into()),
        ("skos", "http://www.w3.org/2004/02/skos/core#".into()),
    ]);
    object([
        ("@context", context),
        ("@type", "dcat:Catalog".into()),
        ("dcat:dataset", datasets.into()),
        ("dct:identifier", origin.into()),
        ("dct:title", format!("Catalogue of {origin}").into()),
    ])
}

/// A dataset of the catalogue at its newest version.
fn entry(dataset: &Value, names: &HashMap<&str, &Value>) -> Value {
    let member = |name: &str| text(dataset, name).map(Value::from);
    let provider = text(dataset, "provider").unwrap_or_default();
    let named = names.get(provider).and_then(|names| names.as_object()).into_iter().flatten();
    let named: Vec<_> = named.map(|(language, name)| object([("@language", language.as_str().into()), ("@value", name.clone())])).collect();
    let publisher = Members::new().with("@type", "foaf:Agent").with("dct:identifier", provider).with("foaf:name", named);
    let frequency = FREQUENCIES.iter().find(|(code, _)| text(dataset, "frequency") == Some(code));
    let frequency = frequency.map(|(_, name)| object([("@id", format!("{FREQUENCY_TABLE}{name}").into())]));
    let theme = text(dataset, "topic").map(|topic| object([("@type", "skos:Concept".into()), ("skos:prefLabel", topic.into())]));
    let formats = dataset.get("format").and_then(Value::as_array).unwrap_or_default();
    let distribution = |format: &Value| object([("@type", "dcat:Distribution".into()), ("dct:format", format.clone())]);
    let distributions: Vec<_> = formats.iter().map(distribution).collect();
    let own = OWN.iter().filter_map(|name| Some((format!("sharelog:{name}"), own_value(name, dataset.get(name)?))));
    let entry = Members::new()
        .with("@type", "dcat:Dataset")
        .maybe("dcat:distribution", (!distributions.is_empty()).then_some(distributions))
        .maybe("dcat:theme", theme)
        .maybe("dcat:version", dataset.get("version").map(Value::to_jcs))
        .maybe("dct:accrualPeriodicity", frequency)
        .maybe("dct:description", member("summary"))
        .maybe("dct:identifier", member("id"))
        .with("dct:publisher", publisher.into_value())
        .maybe("dct:title", member("title"));
    own.fold(entry, |entry, (name, value)| entry.with(&name, value)).into_value()
}

fn own_value(name: &str, value: &Value) -> Value {
    let item = |item: &Value| {
        let member = |name| item.get(name).cloned().unwrap_or_else(|| strings::<&str>([]));
        object([("sharelog:name", member("name")), ("sharelog:type", member("type"))])
    };
    match value.as_array() {
        Some(items) if name == "items" => Value::Array(items.iter().map(item).collect()),
        _ => value.clone(),
    }
}

/// All of the file or nothing.
fn write(path: &Path, value: &Value) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Unreadable(format!("writing {}: {error}", path.display()));
    let json: serde_json::Value = serde_json::from_str(&value.to_jcs()).expect("JCS is JSON");
    let beside = with_suffix(path, ".part");
    std::fs::write(&beside, format!("{json:#}\n")).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
