//! HTTP from the command line to a node.
