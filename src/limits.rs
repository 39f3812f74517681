//! The bounds of a node's own behaviour, each with its reason. Those of the formats are in [`crate::core::limits`].
