//! What a test does with a check.

use super::tree::Tree;

/// What is wrong with a tree, one fault a line.
pub(crate) type Check = fn(&Tree) -> Vec<String>;

/// Fails with the faults of the tree as it is.
#[track_caller]
pub(crate) fn holds(check: Check) {
    let faults = check(&Tree::read());
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Fails unless the check finds this line in this file, without which it would prove nothing.
#[track_caller]
pub(crate) fn finds(check: Check, file: &str, line: &str) {
    let faults = check(&Tree::read().with(file, line));
    assert!(!faults.is_empty(), "{line:?} in {file} was not found");
}
