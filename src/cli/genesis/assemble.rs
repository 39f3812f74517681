//! A genesis file from its parts, checked as a node will check it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::genesis::part::{Node, Part};
use crate::core::genesis::{Genesis, GenesisParts};
use crate::core::json::Value;
use crate::core::policy;
use crate::core::refusal::{Code, Refusal};
use crate::core::time::Time;

/// A genesis made now says so many ms earlier: block 1 must be later, also by a clock that is slow.
const CREATED_EARLIER_MS: u64 = 5_000;

/// Everything that a genesis file holds.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    pub name: &'a str,
    /// `None` for now.
    pub created: Option<Time>,
    /// The body of `policy.set`; `None` for the defaults.
    pub policy: Option<Value>,
    /// Bodies of `calendar.set`.
    pub calendars: Vec<Value>,
    pub parts: Vec<Part>,
}

/// Puts the parts together and checks the whole.
///
/// # Errors
/// The codes of [`Genesis::parse`], naming the member.
pub fn assemble(plan: Plan<'_>) -> Result<Genesis, Refusal> {
    let validator = |node| match node {
        Some(Node::Validator(validator)) => Some(validator),
        Some(Node::Follower(_)) | None => None,
    };
    let (agencies, validators): (Vec<_>, Vec<_>) = plan.parts.into_iter().map(|part| (part.agency, validator(part.node))).unzip();
    let parts = GenesisParts {
        name: plan.name.to_owned(),
        created: plan.created.map_or_else(recently, Ok)?,
        agencies,
        calendars: plan.calendars,
        policy: plan.policy.unwrap_or_else(policy::default_body),
        validators: validators.into_iter().flatten().collect(),
    };
    Genesis::parse(&parts.to_bytes())
}

/// A few seconds ago.
fn recently() -> Result<Time, Refusal> {
    let wrong = || Refusal::new(Code::FieldInvalid, "this machine's clock", "a clock between 1970 and 9999");
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
    let unix_ms = u64::try_from(since.as_millis()).map_err(|_| wrong())?;
    Time::from_unix_ms(unix_ms.saturating_sub(CREATED_EARLIER_MS)).ok_or_else(wrong)
}
