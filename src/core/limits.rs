//! The bounds of the formats: part of the contract, the same on every node. Bounds of a node's own behaviour are in
//! [`crate::limits`].

/// The largest integer that every JSON reader keeps exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Arrays and objects inside one another, the outermost included: more than any format here needs.
pub const DEPTH_MAX: usize = 8;
/// A whole record note: tile entries end at 65,535 bytes, and 16 KiB hold any honest record.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// A key name, as in a signature line.
pub const KEY_NAME_BYTES_MAX: usize = 255;
/// A ledger's name without the hash.
pub const LEDGER_NAME_BYTES_MAX: usize = 100;
pub const NAME_BYTES_MAX: usize = 200;
pub const TITLE_BYTES_MAX: usize = 300;
pub const ITEM_NAME_BYTES_MAX: usize = 512;
/// Any other text.
pub const TEXT_BYTES_MAX: usize = 2_000;
/// Lists without a bound of their own.
pub const LIST_MAX: usize = 64;
pub const ITEMS_MAX: usize = 256;
pub const DATASETS_MAX: usize = 64;
pub const BASIS_MAX: usize = 8;
pub const REFS_MAX: usize = 16;
/// Texts that one record amends.
pub const AMENDED_TEXTS_MAX: usize = 16;
/// Territories of one record.
pub const TERRITORIES_MAX: usize = 100;
/// Followers that an agency admits: every node's allow-list holds them.
pub const NODES_MAX: usize = 4;
/// Validators in a set: so that 16 published signature lines hold a quorum.
pub const VALIDATORS_MAX: usize = 22;
/// Fewer cannot stand one faulty member.
pub const VALIDATORS_MIN: usize = 4;
/// A record's claimed time may lie this far after its block's time.
pub const AT_AHEAD_MS_MAX: u64 = 3_600_000;
/// A block without records is at least this much later than its predecessor.
pub const EMPTY_BLOCK_GAP_MS: u64 = 10_000;
/// An evidence file.
pub const EVIDENCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Signature lines on a published checkpoint that standard clients accept.
pub const CHECKPOINT_LINES_MAX: usize = 16;
/// A genesis file: every evidence file holds a copy of it.
pub const GENESIS_BYTES_MAX: usize = 1024 * 1024;
/// Agencies of a genesis file; more are admitted by records.
pub const GENESIS_AGENCIES_MAX: usize = 1_024;
/// Calendars of a genesis file, one a year.
pub const CALENDARS_MAX: usize = 64;
