//! Limit on the length of a file: a longer one is about two things.

use std::collections::BTreeSet;

use super::check::{assert_clean, assert_finds};
use super::tree::Tree;

/// The maximum number of lines of a file, without its tests.
const LONGEST: usize = 300;

fn files_are_short(tree: &Tree) -> Vec<String> {
    let modules = tree.modules("src/lib.rs").into_iter();
    let tests: BTreeSet<String> = modules
        .filter(|module| module.is_test)
        .map(|module| module.file)
        .collect();
    let mut faults = vec![];
    for file in tree
        .0
        .keys()
        .filter(|file| file.starts_with("src/") && !tests.contains(*file))
    {
        let lines = tree.source(file).lines;
        if lines > LONGEST {
            faults.push(format!(
                "{file} has {lines} lines without tests, and may have {LONGEST}"
            ));
        }
    }
    faults
}

#[test]
fn no_file_exceeds_the_line_limit() {
    assert_clean(files_are_short);
    assert_finds(files_are_short, "src/token.rs", &"//\n".repeat(LONGEST));
}

#[test]
fn test_lines_do_not_count_towards_the_limit() {
    let long = |lines: usize| {
        let code = "//\n".repeat(lines);
        let tests = "#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n#[cfg(test)]\nmod more;\n";
        let more = ("src/a/more.rs".to_owned(), "//\n".repeat(LONGEST + 1));
        let files = [
            ("src/lib.rs".to_owned(), "mod a;".to_owned()),
            ("src/a.rs".to_owned(), code + tests),
            more,
        ];
        Tree(files.into())
    };
    let too_long = "src/a.rs has 301 lines without tests, and may have 300";
    assert_eq!(files_are_short(&long(LONGEST)), [""; 0]);
    assert_eq!(files_are_short(&long(LONGEST + 1)), [too_long]);
}
