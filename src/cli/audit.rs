//! `sharelog audit`: a whole ledger from a node or a copy, executed again, believing the genesis file alone.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::audit::copy::GENESIS_PATH;
use crate::audit::finding::{Fault, Finding};
use crate::audit::held::Held;
use crate::audit::memory::Memory;
use crate::audit::source::{self, Source};
use crate::audit::{Audit, AuditError, Report};
use crate::cli::Global;
use crate::cli::failure::Failure;
use crate::cli::genesis::read_genesis;
use crate::cli::output::{printable, show};
use crate::core::genesis::Genesis;
use crate::core::hash::Hash;
use crate::core::json::{Value, object, strings};
use crate::core::limits::GENESIS_BYTES_MAX;
use crate::limits::AUDIT_SNAPSHOT_LEAVES;

#[derive(Debug, Args)]
#[command(after_help = "Reads every tile and entry, and believes nothing but the genesis: each leaf must be in the tree,
each record is judged again with its signatures, each block must give its entry, and more than two thirds of the last validator
set must have signed the checkpoint. A later audit goes on where this one ended, and refuses a source that shows less or
another history than before.

Exit 0 when the ledger is sound, 1 when it is not, 4 when the source does not answer, 6 when a file cannot be read.

Examples:
  sharelog audit http://127.0.0.1:8600 --genesis 5f3a09c1d2e4b677000102030405060708090a0b0c0d0e0f1011121314151617
  sharelog audit copy --genesis genesis.json --since checkpoint --json")]
pub struct AuditArgs {
    /// A node, a file server with a copy, or a folder as `sharelog export tiles` writes it
    #[arg(value_name = "URL|DIR")]
    place: String,
    /// The genesis hash that you know from elsewhere, or a genesis file that you trust
    #[arg(long, value_name = "FILE|HEX")]
    genesis: String,
    /// Where verified checkpoints and snapshots are kept (default: sharelog/audit under $XDG_STATE_HOME, or under ~/.local/state)
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A checkpoint that you hold: the ledger must continue it
    #[arg(long, value_name = "CHECKPOINT")]
    since: Option<PathBuf>,
}

pub fn run(args: &AuditArgs, global: &Global) -> Result<()> {
    let source = source::open(&args.place);
    let outcome = audit(args, source.as_ref());
    let report = outcome.map_err(|error| refused(error, &args.place, global))?;
    show(global, &to_value(&report), |_| describe(&report));
    Ok(())
}

fn audit(args: &AuditArgs, source: &dyn Source) -> Result<Report> {
    let genesis = genesis(&args.genesis, source)?;
    let memory = Memory::open(&state_dir(args.state.as_deref())?, &genesis)?;
    let since = args.since.as_deref().map(Held::read).transpose()?;
    let audit = Audit { source, genesis: &genesis, memory: Some(&memory), since: since.as_ref(), snapshot_leaves: AUDIT_SNAPSHOT_LEAVES };
    let bar = bar("checking");
    let report = audit.run(&mut |done, all| advance(&bar, done, all));
    bar.finish_and_clear();
    Ok(report?)
}

/// The pinned genesis: a file, or the source's own if it has the hash.
pub fn genesis(pin: &str, source: &dyn Source) -> Result<Genesis> {
    let Ok(hash) = Hash::parse(pin) else {
        return read_genesis(Path::new(pin)).map_err(|failure| {
            Failure::Unreadable(format!("--genesis is neither 64 lower-case hex digits nor a genesis file: {failure}")).into()
        });
    };
    let bytes = source.read(GENESIS_PATH, GENESIS_BYTES_MAX).map_err(AuditError::from)?;
    let found = Hash::of(&bytes);
    if found != hash {
        let found = format!("genesis {found} at {}", source.name());
        return Err(AuditError::from(Finding::new(Fault::Genesis, found, format!("genesis {hash}"))).into());
    }
    let parsed = Genesis::parse(&bytes);
    parsed.map_err(|refusal| AuditError::from(Finding::new(Fault::Genesis, refusal.found, refusal.expected)).into())
}

fn state_dir(flag: Option<&Path>) -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let default = || {
        let base = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
        Some(base.join("sharelog/audit"))
    };
    flag.map(Path::to_owned).or_else(default).ok_or_else(|| {
        Failure::Usage(
            "no place to remember verified checkpoints: neither XDG_STATE_HOME nor HOME is set; name one with --state DIR".to_owned(),
        )
    })
}

/// A progress bar over leaves on stderr, shown on a terminal alone.
pub fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg} leaf {pos} of {len} {wide_bar} {eta}").expect("a template of known keys");
    bar.set_style(style);
    bar.set_message(what);
    bar
}

pub fn advance(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

/// How an audit that found something ends: with what was found, also in JSON, and the next step.
pub fn refused(error: anyhow::Error, place: &str, global: &Global) -> anyhow::Error {
    let Some(AuditError::Unsound(finding)) = error.downcast_ref::<AuditError>() else {
        return error;
    };
    if global.json {
        anstream::println!("{}", object([("failed", finding.to_value()), ("ok", false.into())]).to_jcs());
    }
    let finding = printable(&finding.to_string());
    Failure::Negative(format!("{place} is not sound: {finding}\n  {}", next_of(&error))).into()
}

fn next_of(error: &anyhow::Error) -> &'static str {
    match error.downcast_ref::<AuditError>() {
        Some(AuditError::Unsound(finding)) => finding.fault.next(),
        _ => "",
    }
}

fn to_value(report: &Report) -> Value {
    let now = object([
        ("blocks", report.blocks_now.into()),
        ("records", report.records_now.into()),
        ("signatures", report.signatures_now.into()),
    ]);
    object([
        ("blocks", report.blocks.into()),
        ("checked_now", now),
        ("cosigners", strings(&report.vouched.cosigners)),
        ("duration_ms", report.duration_ms.into()),
        ("ledger", report.ledger.as_str().into()),
        ("lines_not_checked", strings(&report.vouched.unknown)),
        ("not_shown", strings(report.not_shown())),
        ("notes", strings(&report.notes)),
        ("ok", true.into()),
        ("records", report.records.into()),
        ("resumed_from", report.resumed_from.into()),
        ("root", report.root.to_hex().into()),
        ("sets", u64::try_from(report.sets).unwrap_or(u64::MAX).into()),
        ("signatures", report.signatures.into()),
        ("size", report.size.into()),
        ("validators", strings(&report.vouched.members)),
    ])
}

fn describe(report: &Report) -> String {
    let seconds = report.duration_ms as f64 / 1e3;
    let mut lines = vec![
        format!("Sound: {} at size {}, root {}", report.ledger, report.size, report.root),
        format!(
            "  {} blocks with {} records and {} signatures under {} validator sets, from the genesis file on",
            report.blocks, report.records, report.signatures, report.sets
        ),
        match report.resumed_from {
            0 => format!("  all of it executed now, in {seconds:.1} s"),
            from => format!(
                "  of these {} blocks with {} records and {} signatures now, in {seconds:.1} s; an earlier audit ended at size {from}",
                report.blocks_now, report.records_now, report.signatures_now
            ),
        },
        format!("On the word of {}: more than two thirds of {}", report.vouched.cosigners.join(", "), report.vouched.members.join(", ")),
    ];
    if !report.vouched.unknown.is_empty() {
        let unknown = report.vouched.unknown.iter().map(|name| printable(name)).collect::<Vec<_>>();
        lines.push(format!("Signature lines that were not checked, of keys that the ledger does not hold: {}", unknown.join(", ")));
    }
    lines.extend(report.notes.iter().map(|note| format!("Note: {}", printable(note))));
    lines.push("Not shown:".to_owned());
    lines.extend(report.not_shown().iter().map(|what| format!("  - {what}")));
    lines.join("\n")
}
