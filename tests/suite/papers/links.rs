//! Links between pages: every page is reachable, and every link and every named test exists.

use std::collections::BTreeSet;
use std::path::Path;

use super::page::Page;
use super::{pages, read, root};

/// Returns the path that a page's link leads to, relative to the root, and its anchor.
fn target<'a>(page: &str, link: &'a str) -> (String, &'a str) {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    if path.is_empty() {
        return (page.to_owned(), anchor);
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    (parts.join("/"), anchor)
}

/// Returns every page that has links or that a link may lead to.
fn all() -> Vec<Page> {
    let others = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ];
    let others = others.map(|path| Page::parse(path, &read(path)));
    pages().into_iter().chain(others).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = all();
    let mut broken = vec![];
    for page in &pages {
        for link in &page.links {
            let (path, anchor) = target(&page.path, link);
            let is_there = root().join(&path).exists();
            let named = pages.iter().find(|page| page.path == path);
            let has_anchor = anchor.is_empty()
                || named.is_some_and(|page| page.anchors.iter().any(|known| known == anchor));
            if !is_there || !has_anchor {
                broken.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(pages.iter().map(|page| page.links.len()).sum::<usize>() > 60);
}

#[test]
fn every_page_is_reachable_from_the_readme() {
    let pages = all();
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut waiting = vec!["README.md".to_owned()];
    while let Some(path) = waiting.pop() {
        let page = pages.iter().find(|page| page.path == path);
        for link in page.iter().flat_map(|page| &page.links) {
            let (path, _) = target(&path, link);
            if reached.insert(path.clone()) {
                waiting.push(path);
            }
        }
    }
    let lost: Vec<_> = pages
        .iter()
        .map(|page| &page.path)
        .filter(|path| !reached.contains(*path))
        .collect();
    assert_eq!(lost, Vec::<&String>::new());
}

/// Returns whether this name is a test file, a folder of tests, or a file of the library.
fn is_test(folders: &[&str], name: &str) -> bool {
    let name = name.replace("::", "/");
    let is_file = |folder: &&str| root().join(format!("{folder}/{name}.rs")).is_file();
    let is_folder = |folder: &&str| root().join(format!("{folder}/{name}")).is_dir();
    folders
        .iter()
        .any(|folder| is_file(folder) || is_folder(folder))
}

/// Returns the quoted words of a table cell that look like names of modules.
fn names(cell: &str) -> Vec<&str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let is_name = |word: &&str| !word.contains([' ', '/', '.']);
    quoted.filter(is_name).collect()
}

#[test]
fn the_tests_named_for_the_promises_of_the_readme_exist() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("| held by the tests |").unwrap();
    let rows: Vec<_> = table
        .lines()
        .skip(2)
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(rows.len(), 8);
    let folders = ["tests", "tests/suite", "src", "src/daemon/serve"];
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names = names(cell);
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(is_test(&folders, name), "there is no {name}: {row}");
        }
    }
}

#[test]
fn the_tests_named_for_the_claims_of_security_md_exist() {
    let page = read("SECURITY.md");
    let (_, table) = page.split_once("| claim | tests |").unwrap();
    let rows: Vec<_> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() > 20);
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut crates = vec![];
        for name in names(cell) {
            let folder = format!("tests/{name}");
            match Path::new(&root().join(&folder)).is_dir() {
                true => crates = vec![folder],
                false => {
                    let crates: Vec<_> = crates.iter().map(String::as_str).collect();
                    assert!(is_test(&crates, name), "there is no {name}: {row}");
                }
            }
        }
        assert!(!crates.is_empty(), "{row}");
    }
}
