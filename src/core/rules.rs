//! Admission: one pure function decides on every node whether a record may stand at its place.
//!
//! [`apply`] checks in this order, so that every node gives the same, most useful code:
//!
//! 1. the id was not admitted before (`duplicate`);
//! 2. the claimed time is near the block's (`at-out-of-range`);
//! 3. each signature line names a registered key (`key-unknown`) that is trusted here (`key-revoked`) and verifies
//!    (`signature-invalid`);
//! 4. each agency that signs may act: it is not suspended (R-AGENCY-1, `agency-suspended`) nor retired (R-AGENCY-2,
//!    `agency-retired`); but either may still replace and revoke its own keys;
//! 5. the rules of the kind, in the order of their numbers.
//!
//! Which roles sign, and how many records are referred to, was checked when the record was parsed.
//!
//! # State rows
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `agency` | agency id in ASCII lower case | `{"id","keys":[vkeys, ascending],"level","line"?,"parent"?,"position","status","successor"?,"territory"?}`; position 0 for an agency of the genesis file; status active, suspended or retired |
//! | `batch` | `<grant id>/<batch>` | position of the delivery |
//! | `calendar` | year | the calendar's body |
//! | `dataset` | dataset id | `{"class","position","provider","retired"?,"reviewed"?,"version"}` of the newest version; retired: true; reviewed: its outcome |
//! | `duty` | duty id | `{"agency","position","retired"?}`; retired: true |
//! | `key` | `<agency id>/<role>+<key id in hex>` | `[{"from"?,"public","revoked"?,"until"?}]`: the keys with this name and key id, nearly always one; no `from`: of the genesis file; `revoked` is `true` for one that key.revoke ended and that was not replaced since |
//! | `name` | SHA-256 in hex of the skeleton (UTS 39) of a name's NFKC case fold | id of the agency that took the name |
//! | `node` | agency id in ASCII lower case | `[{"addresses","peer","publication","records"}]`: the followers that it admitted, ascending by peer; no row: none |
//! | `open` | agency id in ASCII lower case | the number of open matters of those agencies whose chain of successors ends with this one; no row: none |
//! | `policy` | `admission` | `{"record_age_ms_max","unreviewed_requestable"}` of the policy in force |
//! | `policy` | `body` | the body of the policy in force |
//! | `policy` | `rules` | `[{"from","rules"}]`, ascending: the rule set in force and those to follow, by their first heights |
//! | `public` | base64 of a public key | `true`: registered, for whatever use; the key inside a peer id too |
//! | `record` | record id | `{"kind","position"}` and `"by"`, the writer, of a kind that record.amend may amend, save share.request and share.answer; of a share.request, `"asked"?,"backflow"?,"class","closed"?,"datasets","extended"?,"given"?,"limit","offset","pauses"?,"provider","requester","start","withdrawn"?` (closed: id of its answer or withdrawal; start, asked, given: days; limit, backflow: working days; offset: minutes, of the policy at the start; extended: `{clock: days}`); of a grant (share.answer, dispute.decide), `"datasets"?,"disposed"?,"ended"?,"provider","request","requester","suspended"?,"term_to"?` (no datasets: it grants nothing); of a share.deliver, `"closed"?,"commitment","grant","rows"?` (closed: id of its receipt); of a share.receipt `"delivery"` and, of a mismatch, `"extended"?,"limit","offset","provider","start"`; of a correction.file, `"closed"?,"grant","request"`; of a dispute.file, `"closed"?,"extended"?,"limit","offset","provider","referred"?,"request","requester","start"`; of a finding.file, `"agency","closed"?,"due"?,"extended"?,"limit","offset","start"`; of a duty.retire, `"extended"?,"limit","offset","provider","start"`; of the other share, correction and dispute kinds `"request"` |
//! | `role` | `authority` | the agencies that hold a trusted authority key and are not retired, ascending |
//! | `role` | `follower` | the agencies that have followers, ascending |
//! | `role` | `validator` | the agencies that are, were or will be validators, ascending |
//! | `territory` | code | `{"level","parent"?,"position"}` of the newest territory.set with this code |
//! | `use` | `<grant id>/<period>` | position of the share.use |
//! | `validator` | agency id in ASCII lower case | `[{"addresses","from","peer","publication","records"}]`, ascending by `from`: where the validator is reached from a height on; it stays when the validator is removed |
//! | `validators` | `changed` | `{"agencies","height","power"}`: the agencies whose membership or keys the newest changing block changed, ascending; its height; the power of the last set before it |
//! | `validators` | `heights` | the first heights of all validator sets, ascending |
//! | `validators` | a first height | the set that judges from this height on, as block entries hash it |

use crate::core::hash::Hash;
use crate::core::key::{PublicKey, Role, VerifierKey};
use crate::core::kinds::{self, Place};
use crate::core::limits::AT_AHEAD_MS_MAX;
use crate::core::policy::Policy;
use crate::core::record::Record;
use crate::core::refusal::{Code, Refusal};
use crate::core::state::{Changes, Rows, Table};
use crate::core::tables::{self, AgencyRow, Reach, ReachRow, RecordRow, Status};
use crate::core::time::Time;
use crate::core::validators::ValidatorSet;

/// Where a record would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockContext {
    pub height: u64,
    /// The record's own position.
    pub position: u64,
    /// The block's time.
    pub time: Time,
    /// The rule set in force.
    pub rules: u64,
}

/// The rows that `record` writes at its place, or why it is refused.
///
/// # Errors
/// The codes of status 403 and 409.
pub fn apply(state: &dyn Rows, record: &Record, block: &BlockContext) -> Result<Changes, Refusal> {
    if let Some(position) = position_of(state, &record.id()) {
        let found = format!("{} at position {position}", record.id());
        return Err(Refusal::new(Code::Duplicate, found, "an id that is not on the ledger"));
    }
    check_at(state, record, block)?;
    let signers = check_signatures(state, record, block)?;
    check_agencies(state, record)?;
    record.body.rules().apply(&Place { state, record, block, signers: &signers })
}

/// The claimed time drives no clock; it bounds the life of a record that was signed and not sent.
fn check_at(state: &dyn Rows, record: &Record, block: &BlockContext) -> Result<(), Refusal> {
    let age_ms_max = tables::record_age_ms_max(state);
    let (at, now) = (record.at.unix_ms(), block.time.unix_ms());
    if at > now.saturating_add(AT_AHEAD_MS_MAX) || at < now.saturating_sub(age_ms_max) {
        let expected = format!("at most {AT_AHEAD_MS_MAX} ms after {} and at most {age_ms_max} ms before", block.time);
        return Err(Refusal::new(Code::AtOutOfRange, record.at.to_string(), expected));
    }
    Ok(())
}

/// The key under which each line verifies. A line of the key that the record itself brings is judged by that key.
fn check_signatures(state: &dyn Rows, record: &Record, block: &BlockContext) -> Result<Vec<PublicKey>, Refusal> {
    let brought = record.body.rules().brought_key();
    let mut signers = Vec::with_capacity(record.signatures.len());
    for (index, line) in record.signatures.iter().enumerate() {
        let shown = || format!("{}/{}+{}", line.agency, line.role, crate::core::hash::to_hex(&line.id));
        let candidates = match brought {
            Some(key) if key.signed(line) => vec![*key.vkey.public()],
            _ => {
                let registered = tables::registered_keys(state, &line.agency, line.role, line.id);
                if registered.is_empty() {
                    return Err(Refusal::new(Code::KeyUnknown, shown(), "a key that the ledger knows"));
                }
                registered.iter().filter(|key| key.is_trusted_at(block.position)).map(|key| key.public).collect()
            }
        };
        if candidates.is_empty() {
            return Err(Refusal::new(Code::KeyRevoked, shown(), format!("a key that is trusted at position {}", block.position)));
        }
        let signer = candidates.into_iter().find(|public| record.verifies(index, public));
        signers
            .push(signer.ok_or_else(|| Refusal::new(Code::SignatureInvalid, shown(), "a signature of this key over the record's text"))?);
    }
    Ok(signers)
}

/// Every agency that signs may act; its own keys it may mend in any case.
fn check_agencies(state: &dyn Rows, record: &Record) -> Result<(), Refusal> {
    let mended = record.body.rules().mended_agency();
    for line in record.signatures.iter().filter(|line| Some(line.agency.as_str()) != mended) {
        let agency = AgencyRow::read_exact(state, &line.agency).expect("a registered key is an agency's");
        kinds::check_standing(&agency).map_err(|refusal| match refusal.code {
            Code::AgencySuspended => refusal.under("R-AGENCY-1"),
            _ => refusal.under("R-AGENCY-2"),
        })?;
    }
    Ok(())
}

/// The position of a committed record with this id.
pub fn position_of(state: &dyn Rows, id: &Hash) -> Option<u64> {
    RecordRow::read(state, id).map(|row| row.position())
}

/// An agency as the state knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyState {
    /// As spelled on the ledger.
    pub id: String,
    /// Of the record that admitted it; 0 for an agency of the genesis file.
    pub position: u64,
    /// `active`, `suspended` or `retired`.
    pub status: String,
}

/// A key as the register knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    pub vkey: VerifierKey,
    pub agency: String,
    pub role: Role,
    /// Position of the record that brought it; `None` for a key of the genesis file.
    pub from: Option<u64>,
    /// Position of the record that replaced or revoked it, up to and including which it is trusted.
    pub until: Option<u64>,
}

/// What a committed record is about, for indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// The writer and the other party, as spelled on the ledger, none repeated.
    pub agencies: Vec<String>,
    /// Those that the record's body names.
    pub datasets: Vec<String>,
    pub duties: Vec<String>,
    /// The request that a share record belongs to.
    pub request: Option<Hash>,
}

impl Subjects {
    pub(crate) fn add_agency(&mut self, id: &str) {
        if !self.agencies.iter().any(|known| known == id) {
            self.agencies.push(id.to_owned());
        }
    }
}

/// The agency with this id, under ASCII case folding.
pub fn agency(state: &dyn Rows, id: &str) -> Option<AgencyState> {
    let row = AgencyRow::read(state, id)?;
    Some(AgencyState { id: row.id().to_owned(), position: row.position(), status: row.status().as_str().to_owned() })
}

/// All keys that an agency ever had, ascending by vkey.
pub fn agency_keys(state: &dyn Rows, id: &str) -> Vec<KeyState> {
    let Some(row) = AgencyRow::read(state, id) else {
        return Vec::new();
    };
    row.vkeys().filter_map(|vkey| key_state(state, row.id(), vkey)).collect()
}

/// The register's entry of a verifier key.
pub fn key(state: &dyn Rows, vkey: &str) -> Option<KeyState> {
    let name = vkey.split_once('+')?.0;
    let (agency, _) = name.rsplit_once('/')?;
    let row = AgencyRow::read(state, agency.rsplit_once('/')?.1)?;
    let known = row.vkeys().any(|known| known == vkey);
    if known { key_state(state, row.id(), vkey) } else { None }
}

/// `vkey` stands in the agency's row.
fn key_state(state: &dyn Rows, agency: &str, vkey: &str) -> Option<KeyState> {
    let vkey = VerifierKey::from_registered(vkey)?;
    let role = Role::parse(vkey.name().rsplit_once('/')?.1).ok()?;
    let registered = tables::registered_keys(state, agency, role, vkey.id()).into_iter().find(|key| key.public == *vkey.public())?;
    Some(KeyState { agency: agency.to_owned(), role, from: registered.from, until: registered.until, vkey })
}

/// A node that the ledger names: of a validator, also of one that was removed or is still to come, or a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    pub agency: String,
    pub addresses: Vec<String>,
    pub peer: String,
    /// In base64.
    pub publication: String,
    pub records: Vec<String>,
    /// The first height from which the validator is reached here; 0 for a follower.
    pub from: u64,
    /// Whether its agency is in the set of the height asked for or of a later one.
    pub is_validator: bool,
}

/// The nodes of `height` and of later ones: those of validators first, each list ascending by agency. A validator whose
/// change is to come has two; a removed one stays, as a follower; the followers of a retired agency are left out.
pub fn nodes(state: &dyn Rows, height: u64) -> Vec<NodeState> {
    let node = |agency: &str, reach: Reach, from: u64, is_validator: bool| NodeState {
        agency: agency.to_owned(),
        addresses: reach.addresses,
        peer: reach.peer,
        publication: reach.publication,
        records: reach.records,
        from,
        is_validator,
    };
    let heights = tables::set_heights(state);
    let sets: Vec<_> = std::iter::once(height)
        .chain(heights.into_iter().filter(|first| *first > height))
        .map(|height| tables::validator_set(state, height))
        .collect();
    let mut nodes = Vec::new();
    for agency in tables::all_validators(state) {
        let is_validator = sets.iter().any(|set| set.member(&agency).is_some());
        let entries = ReachRow::read(state, &agency).map_or_else(Vec::new, |row| row.entries());
        let past = entries.iter().filter(|(from, _)| *from <= height).count();
        let now = entries.into_iter().skip(past.saturating_sub(1));
        nodes.extend(now.map(|(from, reach)| node(&agency, reach, from, is_validator)));
    }
    for agency in tables::followers(state) {
        let is_retired = AgencyRow::read_exact(state, &agency).is_some_and(|row| row.status() == Status::Retired);
        if !is_retired {
            nodes.extend(tables::admitted_nodes(state, &agency).into_iter().map(|reach| node(&agency, reach, 0, false)));
        }
    }
    nodes
}

/// The first heights of all validator sets, those to come included, ascending.
pub fn set_heights(state: &dyn Rows) -> Vec<u64> {
    tables::set_heights(state)
}

/// What `record` is about; `state` holds the rows after it.
pub fn subjects(state: &dyn Rows, record: &Record) -> Subjects {
    let mut subjects = Subjects { agencies: vec![record.by.clone()], ..Subjects::default() };
    record.body.rules().subjects(state, record, &mut subjects);
    subjects
}

/// The policy after the newest applied block.
pub fn policy(state: &dyn Rows) -> Policy {
    tables::policy(state)
}

/// The rule set of `height`, which is not below the newest applied block.
pub fn rules_in_force(state: &dyn Rows, height: u64) -> u64 {
    tables::rules_in_force(state, height)
}

/// The table of the state with this name.
pub fn table(name: &str) -> Option<Table> {
    tables::named(name)
}

/// The validator set that judges `height`.
pub fn validator_set(state: &dyn Rows, height: u64) -> ValidatorSet {
    tables::validator_set(state, height)
}
