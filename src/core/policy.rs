//! The limits in force, as the body of `policy.set` and the genesis file give them.

use crate::core::fields::Fields;
use crate::core::json::{Value, object};
use crate::core::refusal::{Code, Refusal};

/// The rule sets that this program has: 1 to this one.
pub const RULES_NEWEST: u64 = 1;
/// At most 14 hours east of UTC.
const UTC_OFFSET_MINUTES_MAX: u64 = 840;
/// A block must be able to hold the largest record.
const BLOCK_BYTES_LEAST: u64 = 16_384;
/// So that an idle ledger does not fill itself with block entries.
const HEARTBEAT_MS_LEAST: u64 = 10_000;

/// A limit, and all extensions of one clock together: some 14 years, so that every due day can be counted.
const WORKING_DAYS_MAX: u64 = 3_660;

/// The working-day limits with their defaults.
const CLOCKS: [(&str, u64); 11] = [
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
];

/// The greatest extensions, in working days, with their defaults.
const EXTENSIONS: [(&str, u64); 6] =
    [("answer", 10), ("backflow", 0), ("catalogue_update", 5), ("dispute", 0), ("mismatch", 0), ("rectification", 0)];

/// A checked policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub authority_threshold: u64,
    pub block_bytes_max: u64,
    pub block_drift_ms: u64,
    pub block_records_max: u64,
    pub checkpoint_ms: u64,
    pub heartbeat_ms: u64,
    pub record_age_ms_max: u64,
    pub rules: u64,
    pub unreviewed_requestable: bool,
    pub utc_offset_minutes: u64,
    pub test_clock: bool,
    /// The whole body, working-day limits and extensions included.
    pub body: Value,
}

impl Policy {
    /// # Errors
    /// `field-missing`, `field-unknown`, `field-invalid`.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value, "policy")?;
        let policy = Policy::from_fields(&mut fields)?;
        fields.end()?;
        Ok(policy)
    }

    /// As [`Policy::from_value`], leaving it to the caller to end `fields`.
    ///
    /// # Errors
    /// `field-missing`, `field-invalid`; R-POLICY-3.
    pub fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Refusal> {
        let body = fields.rest();
        check_days(fields.object("clocks")?, &CLOCKS)?;
        check_days(fields.object("extensions")?, &EXTENSIONS)?;
        fields.boolean("pause_on_supplement")?;
        let policy = Policy {
            authority_threshold: at_least(fields, "authority_threshold", 1)?,
            block_bytes_max: at_least(fields, "block_bytes_max", BLOCK_BYTES_LEAST)?,
            block_drift_ms: fields.integer("block_drift_ms")?,
            block_records_max: at_least(fields, "block_records_max", 1)?,
            checkpoint_ms: at_least(fields, "checkpoint_ms", 1)?,
            heartbeat_ms: at_least(fields, "heartbeat_ms", HEARTBEAT_MS_LEAST)?,
            record_age_ms_max: fields.integer("record_age_ms_max")?,
            rules: at_least(fields, "rules", 1)?,
            unreviewed_requestable: fields.boolean("unreviewed_requestable")?,
            utc_offset_minutes: fields.integer("utc_offset_minutes")?,
            test_clock: if fields.has("test_clock") { fields.boolean("test_clock")? } else { false },
            body,
        };
        if policy.utc_offset_minutes > UTC_OFFSET_MINUTES_MAX {
            let found = format!("policy.utc_offset_minutes {}", policy.utc_offset_minutes);
            return Err(Refusal::new(Code::FieldInvalid, found, format!("0 to {UTC_OFFSET_MINUTES_MAX}")));
        }
        Ok(policy)
    }
}

fn at_least(fields: &mut Fields<'_>, name: &str, least: u64) -> Result<u64, Refusal> {
    let number = fields.integer(name)?;
    if number < least {
        return Err(Refusal::new(Code::FieldInvalid, format!("policy.{name} {number}"), format!("at least {least}")));
    }
    Ok(number)
}

fn check_days(mut fields: Fields<'_>, names: &[(&str, u64)]) -> Result<(), Refusal> {
    for (name, _) in names {
        let days = fields.integer(name)?;
        if days > WORKING_DAYS_MAX {
            let found = format!("policy, {name} of {days} working days");
            return Err(Refusal::rule("R-POLICY-3", Code::FieldInvalid, found, format!("at most {WORKING_DAYS_MAX}")));
        }
    }
    fields.end()
}

/// The body that a new network starts from.
pub fn default_body() -> Value {
    let days =
        |defaults: &[(&str, u64)]| Value::Object(defaults.iter().map(|(name, days)| ((*name).to_owned(), Value::Int(*days))).collect());
    object([
        ("authority_threshold", 1.into()),
        ("block_bytes_max", 1_048_576.into()),
        ("block_drift_ms", 5_000.into()),
        ("block_records_max", 4_096.into()),
        ("checkpoint_ms", 1_000.into()),
        ("clocks", days(&CLOCKS)),
        ("extensions", days(&EXTENSIONS)),
        ("heartbeat_ms", 600_000.into()),
        ("pause_on_supplement", true.into()),
        ("record_age_ms_max", 604_800_000.into()),
        ("rules", 1.into()),
        ("unreviewed_requestable", true.into()),
        ("utc_offset_minutes", 480.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of INTERFACES.md.
    const DEFAULT: &str = concat!(
        r#"{"authority_threshold":1,"block_bytes_max":1048576,"block_drift_ms":5000,"block_records_max":4096,"checkpoint_ms":1000,"#,
        r#""clocks":{"answer_conditional":10,"answer_unconditional":1,"backflow":20,"catalogue_review":2,"catalogue_update":10,"#,
        r#""correction":10,"delivery":20,"dispute":20,"mismatch":20,"receipt":5,"rectification":20},"#,
        r#""extensions":{"answer":10,"backflow":0,"catalogue_update":5,"dispute":0,"mismatch":0,"rectification":0},"#,
        r#""heartbeat_ms":600000,"pause_on_supplement":true,"record_age_ms_max":604800000,"rules":1,"unreviewed_requestable":true,"#,
        r#""utc_offset_minutes":480}"#
    );

    fn with(name: &str, value: Option<Value>) -> Result<Policy, Refusal> {
        let Value::Object(mut members) = default_body() else { unreachable!() };
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        Policy::from_value(&Value::Object(members))
    }

    #[test]
    fn the_default_is_the_documented_one() {
        assert_eq!(default_body().to_jcs(), DEFAULT);
        let policy = Policy::from_value(&default_body()).unwrap();
        assert_eq!((policy.heartbeat_ms, policy.test_clock), (600_000, false));
    }

    #[test]
    fn least_values_hold_and_every_member_counts() {
        let least = [("heartbeat_ms", 10_000), ("checkpoint_ms", 1), ("block_records_max", 1), ("block_bytes_max", 16_384), ("rules", 1)];
        for (name, least) in least {
            assert!(with(name, Some(least.into())).is_ok(), "{name}");
            assert_eq!(with(name, Some((least - 1).into())).unwrap_err().code, Code::FieldInvalid, "{name}");
        }
        assert!(with("utc_offset_minutes", Some(840.into())).is_ok());
        assert!(with("utc_offset_minutes", Some(841.into())).is_err());
        assert!(with("test_clock", Some(true.into())).unwrap().test_clock);
        for name in default_body().as_object().unwrap().keys() {
            assert_eq!(with(name, None).unwrap_err().code, Code::FieldMissing, "{name}");
        }
        assert_eq!(with("more", Some(1.into())).unwrap_err().code, Code::FieldUnknown);
        assert!(with("clocks", Some(object([]))).is_err());
        for (days, fits) in [(3_660, true), (3_661, false)] {
            let clocks = Value::Object(CLOCKS.iter().map(|(name, _)| ((*name).to_owned(), Value::Int(days))).collect());
            assert_eq!(with("clocks", Some(clocks)).is_ok(), fits, "{days}");
        }
    }
}
