//! How commands end: exit codes, and what is printed on the way out.

use std::io;
use std::process::ExitCode;

use crate::audit::AuditError;
use crate::audit::source::SourceError;
use crate::config::ConfigError;
use crate::core::refusal::{Code, Refusal};
use crate::keystore::KeyError;
use crate::locale::{self, Language};
use crate::node::local::LocalError;
use crate::store::StoreError;

/// Everything that has no exit code of its own.
const BUG: u8 = 70;

/// Why a command ended without its result; everything else that goes wrong is a bug (70).
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// 1: the answer is no: not found, not verified.
    #[error("{0}")]
    Negative(String),
    /// 2
    #[error("{0}")]
    Usage(String),
    /// 3: settings, keys, genesis.
    #[error("{0}")]
    Configuration(String),
    /// 4: no node answers, no commit in time, busy.
    #[error("{0}")]
    Network(String),
    /// 5: a rule or form refused it; 4 where the node was only busy, 1 for `not-found`.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// 6: an input file that cannot be read, or has the wrong form.
    #[error("{0}")]
    Unreadable(String),
}

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Negative(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Configuration(_) => 3,
            Failure::Network(_) => 4,
            Failure::Refused(refusal) => match refusal.code {
                Code::NotFound => 1,
                Code::Quota | Code::Syncing | Code::LowSpace | Code::PoolFull | Code::NotCovered => 4,
                Code::MethodNotAllowed | Code::MediaType => BUG,
                _ => 5,
            },
            Failure::Unreadable(_) => 6,
        }
    }
}

/// The exit code of an error: of the [`Failure`] in it, or of the layer that it comes from.
fn exit_code(error: &anyhow::Error) -> u8 {
    let known = error.chain().find_map(|cause| {
        let failure = cause.downcast_ref::<Failure>().map(Failure::exit_code);
        let config = || cause.downcast_ref::<ConfigError>().map(|_| 3);
        let key = || {
            cause.downcast_ref::<KeyError>().map(|error| match error {
                KeyError::Io { .. } => 6,
                KeyError::Invalid { .. } => 3,
            })
        };
        let audit = || {
            cause.downcast_ref::<AuditError>().map(|error| match error {
                AuditError::Unsound(_) => 1,
                AuditError::Incomparable(_) => 2,
                AuditError::Source(SourceError::Unreachable { .. } | SourceError::Refused { .. }) => 4,
                AuditError::Source(SourceError::Unreadable { .. })
                | AuditError::Io { .. }
                | AuditError::Unreadable { .. }
                | AuditError::RulesUnknown { .. } => 6,
            })
        };
        let store = || cause.downcast_ref::<StoreError>().map(|_| 6);
        let local = || {
            cause.downcast_ref::<LocalError>().map(|error| match error {
                LocalError::Io { .. } | LocalError::Malformed { .. } => 6,
                LocalError::TimedOut { .. } | LocalError::Http { .. } => 4,
            })
        };
        let io = || {
            cause.downcast_ref::<io::Error>().map(|error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => 3,
                _ => 6,
            })
        };
        failure.or_else(config).or_else(key).or_else(audit).or_else(store).or_else(local).or_else(io)
    });
    known.unwrap_or(BUG)
}

/// Prints an error for people, in the language of the environment, and gives the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let refusal = error.chain().find_map(|cause| match cause.downcast_ref::<Failure>() {
        Some(Failure::Refused(refusal)) => Some(refusal),
        _ => None,
    });
    if let Some(refusal) = refusal {
        let language = Language::from_environment();
        let sentences = locale::refusal(refusal, language);
        anstream::eprintln!("{}: {} {}\n  {}\n  {}", refusal.code, sentences.title, sentences.detail, refusal, sentences.next);
    } else {
        anstream::eprintln!("sharelog: {error:#}");
    }
    ExitCode::from(exit_code(error))
}

/// Ends the process on a panic anywhere, with the code of a bug: half a program is worse than none. A reader that went away
/// (`sharelog query records | head`) is no bug.
pub fn end_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(0);
        }
        print(panic);
        std::process::exit(i32::from(BUG));
    }));
}
