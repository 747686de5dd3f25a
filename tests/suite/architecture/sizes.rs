//! What is longer than a few screens is two things.

use std::collections::BTreeSet;

use super::check::{finds, holds};
use super::tree::Tree;

/// The longest file, in lines, tests left out.
const LONGEST: usize = 400;

fn files_are_short(tree: &Tree) -> Vec<String> {
    let modules = tree.modules("src/lib.rs").into_iter();
    let tests: BTreeSet<String> = modules
        .filter(|module| module.is_test)
        .map(|module| module.file)
        .collect();
    let files = tree.0.keys();
    files
        .filter(|file| file.starts_with("src/") && !tests.contains(*file))
        .map(|file| (file, tree.source(file).lines))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(file, lines)| format!("{file} has {lines} lines"))
        .collect()
}

#[test]
fn no_file_is_long() {
    holds(files_are_short);
    finds(files_are_short, "src/token.rs", &"//\n".repeat(LONGEST));
}
