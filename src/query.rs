//! Answers from state, indexes and log, as JSON values of INTERFACES' shapes.
