//! A genesis file from its parts, checked as a node will check it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::genesis::part::Part;
use crate::core::genesis::Genesis;
use crate::core::json::{Value, object};
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

/// Puts the parts in their order and checks the whole.
///
/// # Errors
/// The codes of `Genesis::parse`, naming the member.
pub fn assemble(plan: Plan<'_>) -> Result<Genesis, Refusal> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut agencies: Vec<_> = plan.parts.iter().map(|part| part.agency.clone()).collect();
    agencies.sort_by_key(|agency| text(agency, "id"));
    if let Some(pair) = agencies.windows(2).find(|pair| text(&pair[0], "id").eq_ignore_ascii_case(&text(&pair[1], "id"))) {
        return Err(Refusal::new(Code::Duplicate, format!("two parts of agency {}", text(&pair[1], "id")), "one part for each agency"));
    }
    let mut validators: Vec<_> = plan.parts.iter().filter_map(|part| part.validator.clone()).collect();
    validators.sort_by_key(|validator| text(validator, "agency"));
    let mut calendars = plan.calendars;
    calendars.sort_by_key(|calendar| calendar.get("year").and_then(Value::as_u64));
    let genesis = object([
        ("agencies", Value::Array(agencies)),
        ("calendars", Value::Array(calendars)),
        ("created", plan.created.map_or_else(recently, Ok)?.to_string().into()),
        ("format", "sharelog/genesis/v1".into()),
        ("name", plan.name.into()),
        ("policy", plan.policy.unwrap_or_else(default_policy)),
        ("validators", Value::Array(validators)),
    ]);
    Genesis::parse(genesis.to_jcs().as_bytes())
}

/// A few seconds ago.
fn recently() -> Result<Time, Refusal> {
    let wrong = || Refusal::new(Code::FieldInvalid, "this machine's clock", "a clock between 1970 and 9999");
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
    let unix_ms = u64::try_from(since.as_millis()).map_err(|_| wrong())?;
    Time::from_unix_ms(unix_ms.saturating_sub(CREATED_EARLIER_MS)).ok_or_else(wrong)
}

/// The policy of the Government Data Sharing Regulations in working days, with the limits of blocks and clocks.
pub fn default_policy() -> Value {
    let days = |list: &[(&str, u64)]| Value::Object(list.iter().map(|(name, days)| ((*name).to_owned(), (*days).into())).collect());
    object([
        ("authority_threshold", 1.into()),
        ("block_bytes_max", 1_048_576.into()),
        ("block_drift_ms", 5_000.into()),
        ("block_records_max", 4_096.into()),
        ("checkpoint_ms", 1_000.into()),
        (
            "clocks",
            days(&[
                ("answer_conditional", 10),
                ("answer_unconditional", 1),
                ("backflow", 20),
                ("catalogue_review", 2),
                ("catalogue_update", 10),
                ("correction", 10),
                ("delivery", 20),
                ("dispute", 20),
                ("mismatch", 20),
                ("receipt", 5),
                ("rectification", 20),
            ]),
        ),
        (
            "extensions",
            days(&[("answer", 10), ("backflow", 0), ("catalogue_update", 5), ("dispute", 0), ("mismatch", 0), ("rectification", 0)]),
        ),
        ("heartbeat_ms", 600_000.into()),
        ("pause_on_supplement", true.into()),
        ("record_age_ms_max", 604_800_000.into()),
        ("rules", 1.into()),
        ("unreviewed_requestable", true.into()),
        ("utc_offset_minutes", 480.into()),
    ])
}
