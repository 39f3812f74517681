//! The record kinds, one small file each: its body, its rules of form, its rules of state, its tests.
//!
//! A body holds what the rules read; every other member is checked and stays in the signed text
//! ([`Record::body_value`](crate::core::record::Record::body_value)). Rules are numbered `R-<KIND>-n` in the doc of their file.

mod agency_admit;
mod agency_change;
mod agency_standing;
mod calendar_set;
mod catalogue_course;
mod collect_notice;
mod correction;
mod dataset_publish;
mod dispute;
mod duty_declare;
mod finding;
mod grant_course;
mod key_revoke;
mod key_rotate;
mod node;
mod policy_set;
mod record_amend;
mod request_course;
mod share_answer;
mod share_deliver;
mod share_extend;
mod share_receipt;
mod share_request;
mod territory_set;
mod validator;

pub use agency_admit::AgencyAdmit;
pub(crate) use agency_admit::{AgencyMembers, check_agency_members};
pub use agency_change::AgencyChange;
pub use agency_standing::{AgencyRetire, AgencySuspend};
pub use calendar_set::CalendarSet;
pub use catalogue_course::{DatasetRetire, DatasetReview, DutyRetire};
pub use collect_notice::CollectNotice;
pub use correction::{CorrectionClose, CorrectionFile};
pub use dataset_publish::DatasetPublish;
pub use dispute::{DisputeDecide, DisputeFile, DisputeRefer};
pub use duty_declare::DutyDeclare;
pub use finding::{FindingClose, FindingFile, FindingRectify};
pub use grant_course::{ShareDispose, ShareEnd, ShareResume, ShareSuspend, ShareUse};
pub use key_revoke::KeyRevoke;
pub use key_rotate::KeyRotate;
pub use node::{NodeAdmit, NodeRemove};
pub use policy_set::PolicySet;
pub use record_amend::RecordAmend;
pub use request_course::{ShareSupplement, ShareWithdraw};
pub use share_answer::ShareAnswer;
pub use share_deliver::ShareDeliver;
pub use share_extend::ShareExtend;
pub use share_receipt::{ReceiptResult, ShareReceipt};
pub use share_request::{RequestedDataset, ShareRequest};
pub use territory_set::TerritorySet;
pub use validator::{ValidatorAdd, ValidatorChange, ValidatorRemove};

use crate::core::fields::Fields;
use crate::core::hash::Hash;
use crate::core::json::{Value, object};
use crate::core::key::{PublicKey, Role, VerifierKey};
use crate::core::limits::{BASIS_MAX, NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::core::names;
use crate::core::record::{Record, RecordSignature};
use crate::core::refusal::{Code, Refusal};
use crate::core::rules::{BlockContext, Subjects};
use crate::core::state::{Changes, Rows};
use crate::core::tables::{self, AgencyRow, RECORD, RecordRow, Status, end_of_chain, stands_for};
use crate::core::time::Day;

macro_rules! kinds {
    ($($variant:ident = $text:literal,)*) => {
        /// A record kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($variant,)* }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $text,)* }
            }

            /// # Errors
            /// `kind-unknown`.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                match text {
                    $($text => Ok(Kind::$variant),)*
                    _ => Err(Refusal::new(Code::KindUnknown, text, "a kind of the rule set in force")),
                }
            }
        }

        /// A checked body.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Body { $($variant($variant),)* }

        impl Body {
            pub(crate) fn rules(&self) -> &dyn KindRules {
                match self { $(Body::$variant(body) => body,)* }
            }
        }

        /// # Errors
        /// `field-missing`, `field-unknown`, `field-invalid`, `text-forbidden`.
        pub fn parse_body(kind: Kind, body: &Value, origin: &str) -> Result<Body, Refusal> {
            let mut fields = Fields::of(body, "body")?;
            let body = match kind { $(Kind::$variant => Body::$variant($variant::parse(&mut fields, origin)?),)* };
            fields.end()?;
            Ok(body)
        }
    };
}

kinds! {
    AgencyAdmit = "agency.admit",
    KeyRotate = "key.rotate",
    DutyDeclare = "duty.declare",
    DatasetPublish = "dataset.publish",
    ShareRequest = "share.request",
    ShareAnswer = "share.answer",
    ShareDeliver = "share.deliver",
    ShareReceipt = "share.receipt",
    DutyRetire = "duty.retire",
    DatasetRetire = "dataset.retire",
    DatasetReview = "dataset.review",
    ShareSupplement = "share.supplement",
    ShareWithdraw = "share.withdraw",
    ShareExtend = "share.extend",
    ShareSuspend = "share.suspend",
    ShareResume = "share.resume",
    ShareEnd = "share.end",
    ShareUse = "share.use",
    ShareDispose = "share.dispose",
    CorrectionFile = "correction.file",
    CorrectionClose = "correction.close",
    DisputeFile = "dispute.file",
    DisputeRefer = "dispute.refer",
    DisputeDecide = "dispute.decide",
    CollectNotice = "collect.notice",
    FindingFile = "finding.file",
    FindingRectify = "finding.rectify",
    FindingClose = "finding.close",
    PolicySet = "policy.set",
    CalendarSet = "calendar.set",
    TerritorySet = "territory.set",
    AgencyChange = "agency.change",
    AgencySuspend = "agency.suspend",
    AgencyRetire = "agency.retire",
    KeyRevoke = "key.revoke",
    NodeAdmit = "node.admit",
    NodeRemove = "node.remove",
    ValidatorAdd = "validator.add",
    ValidatorChange = "validator.change",
    ValidatorRemove = "validator.remove",
    RecordAmend = "record.amend",
}

/// What the file of a kind provides beside the parsing of its body.
pub(crate) trait KindRules {
    /// Who signs, how many records are referred to, and what else needs the whole record but no state.
    fn check_form(&self, record: &Record) -> Result<(), Refusal>;

    /// The rules of state, then the rows.
    fn apply(&self, place: &Place<'_>) -> Result<Changes, Refusal>;

    /// Adds what the record is about beside its writer; `state` holds the rows after it.
    fn subjects(&self, state: &dyn Rows, record: &Record, subjects: &mut Subjects);

    /// A key that signs the record which brings it.
    fn brought_key(&self) -> Option<&AgencyKey> {
        None
    }

    /// The agency whose keys this record replaces or ends; it may sign that while it is suspended or retired.
    fn mended_agency(&self) -> Option<&str> {
        None
    }
}

/// A record at its place: well-formed, its signatures verified.
pub(crate) struct Place<'a> {
    pub state: &'a dyn Rows,
    pub record: &'a Record,
    pub block: &'a BlockContext,
    /// The key of each signature line.
    pub signers: &'a [PublicKey],
}

impl Place<'_> {
    /// The rows with the record's own, which holds what later rules read; the writer where record.amend asks for it.
    pub fn rows<const N: usize>(&self, members: [(&str, Option<Value>); N]) -> Changes {
        let mut row =
            vec![("kind".to_owned(), Value::from(self.record.kind.as_str())), ("position".to_owned(), Value::from(self.block.position))];
        if record_amend::asks_row_for_writer(self.record.kind) {
            row.push(("by".to_owned(), self.record.by.as_str().into()));
        }
        row.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let mut changes = Changes::default();
        changes.put(RECORD, self.record.id().to_hex(), Value::Object(row.into_iter().collect()));
        changes
    }

    /// The row of the record's only reference, which must be a `wanted`; `rules` number its absence and another kind.
    pub fn referred(&self, wanted: Kind, rules: [&'static str; 2]) -> Result<(Hash, RecordRow), Refusal> {
        self.referred_of(&[wanted], rules)
    }

    /// As [`Place::referred`], for one of several kinds.
    pub fn referred_of(&self, wanted: &[Kind], rules: [&'static str; 2]) -> Result<(Hash, RecordRow), Refusal> {
        let id = only_ref(self.record);
        let expected = || format!("id of a committed {}", wanted.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" or "));
        let Some(row) = RecordRow::read(self.state, &id) else {
            return Err(Refusal::rule(rules[0], Code::RefUnknown, id.to_hex(), expected()));
        };
        if !wanted.iter().any(|kind| row.is(*kind)) {
            return Err(Refusal::rule(rules[1], Code::RefWrong, id.to_hex(), expected()));
        }
        Ok((id, row))
    }

    /// The ledger's offset in force, minutes: it stays that of every clock that starts here.
    pub fn offset(&self) -> Value {
        tables::utc_offset_minutes(self.state).into()
    }

    /// The block's day at the ledger's offset.
    pub fn date(&self) -> Day {
        self.block.time.day(tables::utc_offset_minutes(self.state))
    }

    /// The block's day at the offset of the clock that the record of this row started.
    pub fn date_of(&self, started: &RecordRow) -> Day {
        self.block.time.day(started.number("offset").expect("a clock's record keeps its offset"))
    }

    /// As [`Place::date`], for a row.
    pub fn day(&self) -> String {
        self.date().to_string()
    }
}

/// The reference of a kind that has exactly one.
fn only_ref(record: &Record) -> Hash {
    *record.refs.first().expect("the form of this kind has one reference")
}

/// An agency's key, its name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyKey {
    pub vkey: VerifierKey,
    pub agency: String,
    pub role: Role,
}

impl AgencyKey {
    /// # Errors
    /// `field-invalid` for anything but the vkey of an agency's key on this ledger.
    pub(crate) fn parse(text: &str, origin: &str) -> Result<Self, Refusal> {
        use crate::core::key::{Algorithm, split_agency_key_name};
        let vkey = VerifierKey::parse(text)?;
        let Some((agency, role)) = split_agency_key_name(origin, vkey.name()) else {
            return Err(Refusal::new(Code::FieldInvalid, text, format!("a key named {origin}/agency/<agency id>/<role>")));
        };
        if vkey.algorithm() != Algorithm::Ed25519 {
            return Err(Refusal::new(Code::FieldInvalid, text, "a key of algorithm 0x01"));
        }
        Ok(AgencyKey { agency: agency.to_owned(), role, vkey })
    }

    /// Whether `line` shows this key's name and key id.
    pub(crate) fn signed(&self, line: &RecordSignature) -> bool {
        line.id == self.vkey.id() && line.role == self.role && line.agency == self.agency
    }
}

/// What needs the whole record but no state: the roles that signed, the number of refs.
///
/// # Errors
/// `role-wrong`, `signature-missing`, `ref-wrong`, `not-party`.
pub fn check_form(record: &Record) -> Result<(), Refusal> {
    record.body.rules().check_form(record)
}

fn check_refs(record: &Record, count: usize) -> Result<(), Refusal> {
    if record.refs.len() != count {
        return Err(Refusal::new(Code::RefWrong, format!("{} refs", record.refs.len()), format!("{count} for {}", record.kind.as_str())));
    }
    Ok(())
}

/// Exactly one line: the writer's, by a key of this role.
fn check_writer_signs(record: &Record, role: Role) -> Result<(), Refusal> {
    let expected = || format!("one signature, by {}/{role}", record.by);
    let wrong = |line: &RecordSignature| Refusal::new(Code::RoleWrong, format!("{}/{}", line.agency, line.role), expected());
    let is_wanted = |line: &RecordSignature| line.agency == record.by && line.role == role;
    let Some(wanted) = record.signatures.iter().position(is_wanted) else {
        return Err(match record.signatures.iter().find(|line| line.agency == record.by) {
            Some(line) => wrong(line),
            None => Refusal::new(Code::SignatureMissing, format!("no signature of {}", record.by), expected()),
        });
    };
    match record.signatures.iter().enumerate().find(|(index, _)| *index != wanted) {
        Some((_, line)) => Err(wrong(line)),
        None => Ok(()),
    }
}

/// A duty or dataset id that begins with the writer's own, or with that of an agency whose chain of successors ends with it.
fn check_own_id(place: &Place<'_>, id: &str, rule: &'static str) -> Result<(), Refusal> {
    let by = &place.record.by;
    if id.split_once(':').is_none_or(|(agency, _)| !stands_for(place.state, by, agency)) {
        return Err(Refusal::rule(rule, Code::NotParty, id, format!("an id that begins with {by}:, or with an agency that it succeeded")));
    }
    Ok(())
}

/// The writer is this party, or the end of its chain of successors.
fn check_party(place: &Place<'_>, party: &str, rule: &'static str) -> Result<(), Refusal> {
    if !stands_for(place.state, &place.record.by, party) {
        let expected = end_of_chain(place.state, party);
        return Err(Refusal::rule(rule, Code::NotParty, place.record.by.as_str(), expected));
    }
    Ok(())
}

/// The writer holds a trusted authority key, and covers an agency, which stands for itself at the end of its chain.
fn covers(place: &Place<'_>, agency: &str) -> bool {
    tables::covers(place.state, &place.record.by, &end_of_chain(place.state, agency))
}

/// The request that a record's only reference belongs to, with its two parties.
fn add_request_subjects(state: &dyn Rows, record: &Record, subjects: &mut Subjects) {
    let id = only_ref(record);
    let request = RecordRow::read(state, &id).and_then(|row| row.request_in(state, &id));
    if let Some(row) = request.and_then(|request| RecordRow::read(state, &request)) {
        subjects.add_agency(row.provider());
        subjects.add_agency(row.requester());
        subjects.request = request;
    }
}

/// Names in en or zh, at least one, each Highly Restrictive; `rules` number the two.
fn parse_names(fields: &mut Fields<'_>, rules: [&'static str; 2]) -> Result<Vec<String>, Refusal> {
    let mut names = fields.object("names")?;
    let named = [names.optional_text("en", NAME_BYTES_MAX)?, names.optional_text("zh", NAME_BYTES_MAX)?];
    names.end()?;
    let named: Vec<String> = named.into_iter().flatten().map(str::to_owned).collect();
    if named.is_empty() {
        return Err(Refusal::rule(rules[0], Code::FieldMissing, "no name", "a name in en or zh"));
    }
    for name in &named {
        names::check(name).map_err(|refusal| refusal.under(rules[1]))?;
    }
    Ok(named)
}

/// Each name is this agency's own, or nobody's.
fn check_names(place: &Place<'_>, agency: &str, names: &[String], rule: &'static str) -> Result<(), Refusal> {
    for name in names {
        if let Some(owner) = tables::name_owner(place.state, name).filter(|owner| owner != agency) {
            return Err(Refusal::rule(
                rule,
                Code::Duplicate,
                format!("{name}, as {owner}"),
                "a name that cannot be taken for another agency's",
            ));
        }
    }
    Ok(())
}

/// The row of an agency that is known and may act.
fn check_active(place: &Place<'_>, agency: &str, rules: [&'static str; 2]) -> Result<AgencyRow, Refusal> {
    let Some(row) = AgencyRow::read_exact(place.state, agency) else {
        return Err(Refusal::rule(rules[0], Code::AgencyUnknown, agency, "an admitted agency"));
    };
    check_standing(&row).map_err(|refusal| refusal.under(rules[1]))?;
    Ok(row)
}

/// Neither suspended nor retired.
pub(crate) fn check_standing(agency: &AgencyRow) -> Result<(), Refusal> {
    let code = match agency.status() {
        Status::Active => return Ok(()),
        Status::Suspended => Code::AgencySuspended,
        Status::Retired => Code::AgencyRetired,
    };
    Err(Refusal::new(code, agency.id(), "an agency that is active"))
}

/// Lines of authorities alone, one an agency, the writer among them.
fn check_authorities_sign(record: &Record, rule: &'static str) -> Result<(), Refusal> {
    let expected = || format!("one authority key of {} and of each other authority", record.by);
    let shown = |line: &RecordSignature| format!("{}/{}", line.agency, line.role);
    if let Some(line) = record.signatures.iter().find(|line| line.role != Role::Authority) {
        return Err(Refusal::rule(rule, Code::RoleWrong, shown(line), expected()));
    }
    // Lines ascend by key name, so those of one agency are neighbours.
    if let Some(pair) = record.signatures.windows(2).find(|pair| pair[0].agency == pair[1].agency) {
        return Err(Refusal::rule(rule, Code::RoleWrong, format!("a second line of {}", shown(&pair[1])), expected()));
    }
    if !record.signatures.iter().any(|line| line.agency == record.by) {
        return Err(Refusal::rule(rule, Code::SignatureMissing, format!("no signature of {}", record.by), expected()));
    }
    Ok(())
}

/// As many authorities as the policy in force wants.
fn check_threshold(place: &Place<'_>, rule: &'static str) -> Result<(), Refusal> {
    let threshold = tables::authority_threshold(place.state);
    let count = place.signers.len();
    if u64::try_from(count).is_ok_and(|count| count >= threshold) {
        return Ok(());
    }
    Err(Refusal::rule(rule, Code::LimitExceeded, format!("{count} authorities"), format!("at least {threshold}")))
}

/// `public` was never registered, for any use.
fn check_new_key(place: &Place<'_>, public: &PublicKey, rule: &'static str) -> Result<(), Refusal> {
    if tables::is_registered(place.state, public) {
        return Err(Refusal::rule(rule, Code::Duplicate, public.to_base64(), "a public key that was never registered"));
    }
    Ok(())
}

fn check_scoped(id: &str) -> Result<(), Refusal> {
    crate::core::ids::split_scoped(id).map(|_| ())
}

/// Legal bases; the list may be empty.
fn check_basis(fields: &mut Fields<'_>) -> Result<(), Refusal> {
    fields.texts("basis", 0, BASIS_MAX, TEXT_BYTES_MAX).map(|_| ())
}

const FREQUENCIES: [&str; 9] = ["once", "realtime", "daily", "weekly", "monthly", "quarterly", "halfyearly", "yearly", "irregular"];

/// What a grant may be: an answer that agrees, a decision that the data are shared.
const GRANTS: [Kind; 2] = [Kind::ShareAnswer, Kind::DisputeDecide];
const TERRITORY_LEVELS: [&str; 4] = ["city", "district", "street", "community"];
const MODES: [&str; 3] = ["file", "api", "query"];

/// `term`, if present: two days, the second not before the first.
fn optional_term(fields: &mut Fields<'_>, rule: &'static str) -> Result<Option<(Day, Day)>, Refusal> {
    if !fields.has("term") {
        return Ok(None);
    }
    let mut term = fields.object("term")?;
    let (from, to) = (term.day("from")?, term.day("to")?);
    term.end()?;
    if to < from {
        return Err(Refusal::rule(
            rule,
            Code::FieldInvalid,
            format!("body.term from {from} to {to}"),
            "an end that is not before the start",
        ));
    }
    Ok(Some((from, to)))
}

/// The row of a declared duty.
fn duty_row(agency: &str, position: u64) -> Value {
    object([("agency", agency.into()), ("position", position.into())])
}
