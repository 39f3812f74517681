//! The trust core: what a record is, what may be signed, and which records may stand. Pure: no disk, clock or network.

pub mod calendar;
pub mod commitment;
pub mod fields;
pub mod genesis;
pub mod hash;
pub mod ids;
pub mod json;
pub mod key;
pub mod kinds;
pub mod limits;
pub mod note;
pub mod policy;
mod prepared;
pub mod privacy;
pub mod record;
pub mod refusal;
pub mod rules;
pub mod state;
pub(crate) mod tables;
pub mod text;
pub mod time;
pub mod uscc;
pub mod validators;
