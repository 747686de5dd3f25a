//! Checks on the source tree, and how a test runs them.

use super::tree::Tree;

/// A check: returns what is wrong with a tree, one line for each fault.
pub(crate) type Check = fn(&Tree) -> Vec<String>;

/// Fails if the check finds faults in the real tree.
#[track_caller]
pub(crate) fn assert_clean(check: Check) {
    let faults = check(&Tree::read());
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Fails unless the check finds this line in this file. A check that finds nothing proves nothing.
#[track_caller]
pub(crate) fn assert_finds(check: Check, file: &str, line: &str) {
    let faults = check(&Tree::read().with(file, line));
    assert!(!faults.is_empty(), "{line:?} in {file} was not found");
}
