//! The questions of DOMAIN.md as pure functions of the book at a moment. Answers name records by position, agencies,
//! datasets and duties by number; texts are for the caller to read.

pub mod basis;
pub mod burden;
pub mod catalogue;
pub mod matrix;
pub mod promises;
pub mod public_view;
pub mod purpose;
pub mod work;
