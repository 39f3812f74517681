//! Faults for the tests, chosen by the variable `SHARELOG_FAULT`; never part of a release build.
