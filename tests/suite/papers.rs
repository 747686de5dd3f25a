//! Truth of the README and `docs/`: links lead somewhere, code blocks run, and tables match the program.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod blocks;
mod links;
mod marks;
mod page;
mod story;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use page::Page;

/// The maximum number of lines of the README.
const README_LINES: usize = 200;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the README and every page of `docs/`, sorted by name.
fn pages() -> Vec<Page> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let names = paths
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap());
    let mut names: Vec<_> = names.map(|name| format!("docs/{name}")).collect();
    names.sort();
    names.insert(0, "README.md".to_owned());
    names
        .iter()
        .map(|name| Page::parse(name, &read(name)))
        .collect()
}

#[test]
fn the_readme_stays_within_its_line_limit() {
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES, "{lines} lines");
}
