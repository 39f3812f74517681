//! What the book keeps of each record: who, when and where, and what stopped what. Facts refer to each other by number.
//!
//! A fact that ends something is written into what it ends, with its place; [`At::seen`] hides it from earlier moments.

use crate::core::book::at::At;
use crate::core::book::period::Period;
use crate::core::hash::Hash;

macro_rules! numbers {
    ($($name:ident: $doc:literal,)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            pub(crate) fn index(self) -> usize {
                usize::try_from(self.0).expect("an index of this machine has 32 bits or more")
            }

            pub(crate) fn of(index: usize) -> Self {
                $name(u32::try_from(index).expect("a ledger of more records than a book can hold"))
            }
        }
    )*};
}

numbers! {
    AgencyNo: "An agency, numbered by first mention.",
    DatasetNo: "A dataset.",
    DutyNo: "A duty.",
    CodeNo: "A territory code or a line, as text.",
    RequestNo: "A request.",
    GrantNo: "A grant.",
    ItemNo: "One dataset of a grant.",
    DeliveryNo: "A delivery.",
}

macro_rules! words {
    ($($(#[doc = $doc:literal])* $name:ident { $($variant:ident = $text:literal,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    /// A kind of obligation.
    Clock {
        Answer = "answer", Delivery = "delivery", Receipt = "receipt", Mismatch = "mismatch", Correction = "correction",
        CatalogueUpdate = "catalogue_update", CatalogueReview = "catalogue_review", Backflow = "backflow", Dispute = "dispute",
        Rectification = "rectification",
    }
    /// Of an agency.
    Level { City = "city", District = "district", Street = "street", Community = "community", Outside = "outside", }
    /// Of an agency.
    Status { Active = "active", Suspended = "suspended", Retired = "retired", }
    /// Of a dataset.
    Class { Unconditional = "unconditional", Conditional = "conditional", Withheld = "withheld", }
    /// Of a dataset, and of what an answer grants.
    Frequency {
        Once = "once", Realtime = "realtime", Daily = "daily", Weekly = "weekly", Monthly = "monthly", Quarterly = "quarterly",
        Halfyearly = "halfyearly", Yearly = "yearly", Irregular = "irregular",
    }
    /// Of a request.
    Sort { Ordinary = "ordinary", Backflow = "backflow", Onward = "onward", PurposeChange = "purpose-change", }
    /// Of an answer.
    Outcome { Agree = "agree", Partly = "partly", Refuse = "refuse", }
    /// Of a refusal.
    RefusalCode {
        NotHeld = "not-held", OutsideDuty = "outside-duty", WithheldByLaw = "withheld-by-law", PurposeUnfit = "purpose-unfit",
        ScopeExcess = "scope-excess", Incomplete = "incomplete", Other = "other",
    }
}

/// The beginning of the SHA-256 of a text: equal texts have equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextKey(pub [u8; 8]);

/// From one day to another, both included, as day numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    pub from: i32,
    pub to: i32,
}

impl TextKey {
    pub fn of(text: &str) -> Self {
        let mut key = [0; 8];
        key.copy_from_slice(&Hash::of(text.as_bytes()).as_bytes()[..8]);
        TextKey(key)
    }

    /// Letter case set aside.
    pub fn folded(text: &str) -> Self {
        Self::of(&text.to_lowercase())
    }
}

/// The limits of a policy, in working days.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub at: At,
    pub utc_offset_minutes: u64,
    pub pause_on_supplement: bool,
    pub answer_conditional: u64,
    pub answer_unconditional: u64,
    pub backflow: u64,
    pub catalogue_review: u64,
    pub catalogue_update: u64,
    pub correction: u64,
    pub delivery: u64,
    pub dispute: u64,
    pub mismatch: u64,
    pub receipt: u64,
    pub rectification: u64,
}

/// Where an agency belongs, from `at` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    pub at: At,
    pub level: Level,
    pub territory: Option<CodeNo>,
    pub line: Option<CodeNo>,
    pub parent: Option<AgencyNo>,
}

/// An authority key and the time of its trust.
#[derive(Clone, Copy, Debug)]
pub struct AuthorityKey {
    pub key: TextKey,
    pub from: At,
    pub until: At,
}

/// An agency.
#[derive(Clone, Debug, Default)]
pub struct Agency {
    pub memberships: Vec<Membership>,
    pub statuses: Vec<(At, Status)>,
    /// The retirement and who follows.
    pub retired: Option<(At, Option<AgencyNo>)>,
    pub authority_keys: Vec<AuthorityKey>,
}

/// A territory as it was last set.
#[derive(Clone, Copy, Debug)]
pub struct Territory {
    pub at: At,
    pub code: CodeNo,
    pub level: Level,
    pub parent: Option<CodeNo>,
}

/// A duty.
#[derive(Clone, Copy, Debug)]
pub struct Duty {
    pub at: At,
    pub agency: AgencyNo,
    pub territory: Option<CodeNo>,
    pub line: Option<CodeNo>,
    pub delegated_from: Option<DutyNo>,
    /// Of the title, letter case set aside.
    pub title: TextKey,
    pub retired: At,
}

/// One published version of a dataset.
#[derive(Clone, Debug)]
pub struct Version {
    pub at: At,
    /// Who published it: the provider, or a successor.
    pub provider: AgencyNo,
    pub number: u64,
    pub class: Class,
    pub frequency: Frequency,
    pub duty: Option<DutyNo>,
    /// Whether a withheld one names its bar, a conditional one its conditions.
    pub reasoned: bool,
    pub purposes: Box<[TextKey]>,
    /// Of the item names, ascending.
    pub items: Box<[TextKey]>,
    /// Its review, and whether it was returned.
    pub reviewed: At,
    pub returned: bool,
}

/// A dataset.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Ascending.
    pub versions: Vec<Version>,
    pub retired: At,
}

/// A dataset that names a retired duty.
#[derive(Clone, Copy, Debug)]
pub struct Orphaned {
    /// Of the duty's retirement.
    pub at: At,
    pub duty: DutyNo,
    pub dataset: DatasetNo,
    /// The dataset's next version, or its retirement.
    pub stop: At,
}

/// A request with its answer.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub at: At,
    pub provider: AgencyNo,
    pub requester: AgencyNo,
    pub class: Class,
    pub sort: Sort,
    pub duty: DutyNo,
    pub purpose: TextKey,
    pub term: Option<Term>,
    /// Its part of [`crate::core::book::Book::requested`].
    pub first: u32,
    pub count: u32,
    pub asked: At,
    pub given: At,
    pub withdrawn: At,
    pub answer: At,
    pub outcome: Option<Outcome>,
    pub code: Option<RefusalCode>,
    /// Whether the refusal names a legal basis.
    pub based: bool,
    /// What ends the wait for a backflow: delivery, refusal or withdrawal.
    pub backflow_stop: At,
}

/// One dataset of a request.
#[derive(Clone, Copy, Debug)]
pub struct Requested {
    pub dataset: DatasetNo,
    pub version: u64,
}

/// A suspension of a grant.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    pub suspended: At,
    pub resumed: At,
}

/// A grant: an answer that agrees, or the decision of a dispute.
#[derive(Clone, Debug)]
pub struct Grant {
    pub at: At,
    pub request: RequestNo,
    pub frequency: Option<Frequency>,
    pub promised: Option<i32>,
    pub term: Option<Term>,
    /// Its part of [`crate::core::book::Book::items`].
    pub first: u32,
    pub count: u32,
    pub pauses: Vec<Pause>,
    pub ended: At,
    pub disposed: At,
    pub used: At,
}

/// One dataset of a grant.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub grant: GrantNo,
    pub dataset: DatasetNo,
    /// The first delivery.
    pub delivered: At,
}

/// Of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    Unacknowledged,
    Match,
    Mismatch,
}

/// A delivery with its receipt: the one fact of which there are many.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    pub at: At,
    pub receipt: At,
    pub item: ItemNo,
    pub period: Option<Period>,
    pub matched: Matched,
}

/// A receipt that does not match.
#[derive(Clone, Copy, Debug)]
pub struct Mismatch {
    pub delivery: DeliveryNo,
    pub stop: At,
}

/// A correction.
#[derive(Clone, Copy, Debug)]
pub struct Correction {
    pub at: At,
    pub grant: GrantNo,
    pub dataset: DatasetNo,
    pub delivery: Option<DeliveryNo>,
    pub closed: At,
    pub repaired: bool,
}

/// A dispute.
#[derive(Clone, Debug)]
pub struct Dispute {
    pub at: At,
    pub by: AgencyNo,
    pub request: RequestNo,
    pub referrals: Vec<(At, AgencyNo)>,
    pub decided: At,
}

/// A finding.
#[derive(Clone, Debug)]
pub struct Finding {
    pub at: At,
    pub by: AgencyNo,
    pub agency: AgencyNo,
    pub offence: Box<str>,
    pub due: Option<i32>,
    pub rectified: At,
    pub closed: At,
}

/// A notice of collection.
#[derive(Clone, Debug)]
pub struct Notice {
    pub at: At,
    pub by: AgencyNo,
    pub duty: DutyNo,
    pub level: Level,
    pub territory: CodeNo,
    /// Of the item names, in the order of the notice.
    pub items: Box<[TextKey]>,
}

/// A report of use.
#[derive(Clone, Debug)]
pub struct Use {
    pub at: At,
    pub grant: GrantNo,
    /// Of each purpose, in the order of the report.
    pub purposes: Box<[TextKey]>,
}
