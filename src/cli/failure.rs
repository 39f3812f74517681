//! How commands end: exit codes, and what is printed on the way out.

use std::process::ExitCode;

use crate::core::refusal::{Code, Refusal};
use crate::locale::{self, Language};

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
                Code::MethodNotAllowed | Code::MediaType => 70,
                _ => 5,
            },
            Failure::Unreadable(_) => 6,
        }
    }
}

/// Prints an error for people, in the language of the environment, and gives the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    if let Some(Failure::Refused(refusal)) = failure {
        let language = Language::from_environment();
        let sentences = locale::refusal(refusal, language);
        anstream::eprintln!("{}: {} {}\n  {}\n  {}", refusal.code, sentences.title, sentences.detail, refusal, sentences.next);
    } else {
        anstream::eprintln!("sharelog: {error:#}");
    }
    ExitCode::from(failure.map_or(70, Failure::exit_code))
}
