//! Maps: tables in a parent module's documentation with a row for each child, which lists what the child names.
//!
//! The crate and the daemon have a map, and any other file may have one. The column `Names` lists other rows, all of
//! them further down. The optional column `Edges` lists what the module names of the crate's edges.

use std::collections::BTreeSet;

use super::check::{Check, assert_clean, assert_finds};
use super::tree::{Module, Table, Tree};

/// The files that must have a map.
const MAPS: [&str; 2] = ["src/lib.rs", "src/daemon.rs"];

fn the_code_is_as_its_maps(tree: &Tree) -> Vec<String> {
    let parents = tree.library().into_iter();
    parents
        .flat_map(|parent| map_faults(tree, &parent))
        .collect()
}

/// Returns the tables that are maps.
fn map(tree: &Tree, file: &str) -> Vec<Table> {
    let mut tables = tree.tables(file);
    tables.retain(|table| table.head.iter().any(|head| head == "Names"));
    tables
}

/// Checks the map in this module's documentation.
fn map_faults(tree: &Tree, parent: &Module) -> Vec<String> {
    let file = &parent.file;
    let tables = map(tree, file);
    if tables.is_empty() && !MAPS.contains(&file.as_str()) {
        return vec![];
    }
    let mut faults = vec![];
    let depth = parent.path.len();
    let mut modules = tree.library();
    modules.retain(|module| module.path.len() > depth && module.path.starts_with(&parent.path));
    let there: BTreeSet<&str> = modules.iter().map(|m| m.path[depth].as_str()).collect();
    let rows: Vec<(&Table, &Vec<String>)> = tables
        .iter()
        .flat_map(|table| table.rows.iter().map(move |row| (table, row)))
        .collect();
    let order: Vec<&str> = rows.iter().map(|(_, row)| row[0].as_str()).collect();
    for name in &there {
        let count = order.iter().filter(|other| *other == name).count();
        if count != 1 {
            faults.push(format!("{file}: {name} is in the map {count} times"));
        }
    }
    let edges = of_table(tree, "Edges");
    for (at, (table, row)) in rows.iter().enumerate() {
        let name = order[at];
        if !there.contains(name) {
            faults.push(format!("{file}: there is no {name}"));
        }
        let (mut beside, mut edge) = (BTreeSet::new(), BTreeSet::new());
        for module in modules.iter().filter(|module| module.path[depth] == name) {
            for path in tree.named(module) {
                if path.starts_with(&parent.path) && path.len() > depth {
                    let other = path[depth].as_str();
                    if other != name && there.contains(other) {
                        beside.insert(other.to_owned());
                    }
                } else if let Some(first) = path.first().filter(|first| edges.contains(*first)) {
                    edge.insert(first.clone());
                }
            }
        }
        for (is, column) in [(beside, "Names"), (edge, "Edges")] {
            let Some(says) = table.words(row, column) else {
                continue;
            };
            for other in is.difference(&says) {
                faults.push(format!("{file}: {name} names {other}"));
            }
            for other in says.difference(&is) {
                faults.push(format!("{file}: {name} no longer names {other}"));
            }
        }
        for other in table.words(row, "Names").unwrap_or_default() {
            if !order[at..].contains(&other.as_str()) {
                let fault = format!("{file}: {name} names {other}, which stands above it");
                faults.push(fault);
            }
        }
    }
    faults
}

/// Returns the modules in that table of the crate's map whose title is `title`.
pub(crate) fn of_table(tree: &Tree, title: &str) -> BTreeSet<String> {
    let mut tables = map(tree, "src/lib.rs");
    tables.retain(|table| table.head[0].starts_with(title));
    let rows = tables.into_iter().flat_map(|table| table.rows);
    rows.map(|row| row[0].clone()).collect()
}

/// The test programs of the keeper are linked with `keep` alone.
fn keep_names_nothing_else_of_the_daemon(tree: &Tree) -> Vec<String> {
    let keep = ["daemon", "keep"].map(str::to_owned);
    let mut faults = vec![];
    for module in tree
        .library()
        .iter()
        .filter(|module| module.path.starts_with(&keep))
    {
        for path in tree.named(module) {
            if path.starts_with(&keep[..1]) && !path.starts_with(&keep) {
                faults.push(format!("{} names {}", module.file, path.join("::")));
            }
        }
    }
    faults
}

/// Only the code that wires the parts together may name an implementation, apart from the implementation.
fn only_the_wiring_names_implementations(tree: &Tree) -> Vec<String> {
    let implementations = [
        ["provider", "http"],
        ["provider", "runai"],
        ["store", "FileStore"],
    ];
    let wiring = |module: &Module| match module.path.first().map(String::as_str) {
        Some("daemon") => module.path.last().unwrap() == "wiring",
        Some("cli" | "provider" | "store") => true,
        _ => false,
    };
    let mut faults = vec![];
    for module in tree.library().iter().filter(|module| !wiring(module)) {
        for path in tree.named(module) {
            if implementations
                .iter()
                .any(|own| path.starts_with(&own.map(str::to_owned)))
            {
                faults.push(format!("{} names {}", module.file, path.join("::")));
            }
        }
    }
    faults
}

#[test]
fn modules_name_only_modules_further_down_the_map() {
    let checks: [Check; 3] = [
        the_code_is_as_its_maps,
        keep_names_nothing_else_of_the_daemon,
        only_the_wiring_names_implementations,
    ];
    for check in checks {
        assert_clean(check);
    }
    assert_finds(the_code_is_as_its_maps, "src/token.rs", "use crate::wire;");
    assert_finds(
        the_code_is_as_its_maps,
        "src/token.rs",
        "use super::{daemon::clock, fault};",
    );
    assert_finds(
        the_code_is_as_its_maps,
        "src/dialect/args.rs",
        "use super::super::store;",
    );
    assert_finds(the_code_is_as_its_maps, "src/lib.rs", "mod forgotten;");
    assert_finds(
        the_code_is_as_its_maps,
        "src/lib.rs",
        "//! | `token` | twice | |",
    );
    assert_finds(
        the_code_is_as_its_maps,
        "src/daemon/keep/keeper.rs",
        "use super::roster;",
    );
    assert_finds(
        the_code_is_as_its_maps,
        "src/daemon/serve/server.rs",
        "use crate::provider::Provider;",
    );
    assert_finds(
        the_code_is_as_its_maps,
        "src/daemon/keep/keeper.rs",
        "use crate::daemon::service::Service;",
    );
    assert_finds(
        keep_names_nothing_else_of_the_daemon,
        "src/daemon/keep/handle/refresh.rs",
        "use crate::daemon::Daemon;",
    );
    assert_finds(
        only_the_wiring_names_implementations,
        "src/daemon/keep/keeper.rs",
        "use crate::provider::{Provider, runai::Runai};",
    );
}

#[test]
fn any_file_may_have_a_map() {
    let files = |row: &str| {
        let text = [
            (
                "lib",
                "//! | Core | | Names |\n//! |---|---|---|\n//! | `a` | | |\nmod a;",
            ),
            (
                "a",
                &format!("//! | File | Names |\n//! |---|---|\n{row}\nmod b; mod c;"),
            ),
            ("a/b", "use super::c::C;"),
            ("a/c", "pub struct C;"),
        ];
        let text = text.map(|(name, text)| (format!("src/{name}.rs"), text.to_owned()));
        Tree(text.into())
    };
    let daemon = "src/daemon.rs";
    for (rows, faults) in [
        ("//! | `b` | c |\n//! | `c` | |", [].as_slice()),
        ("//! | `b` | |\n//! | `c` | |", &["src/a.rs: b names c"]),
        (
            "//! | `b` | c |\n//! | `c` | b |",
            &[
                "src/a.rs: c no longer names b",
                "src/a.rs: c names b, which stands above it",
            ],
        ),
        (
            "//! | `b` | c |",
            &[
                "src/a.rs: c is in the map 0 times",
                "src/a.rs: b names c, which stands above it",
            ],
        ),
        (
            "//! | `b` | c |\n//! | `c` | |\n//! | `d` | |",
            &["src/a.rs: there is no d"],
        ),
    ] {
        assert_eq!(the_code_is_as_its_maps(&files(rows)), faults, "{rows}");
    }
    let mut tree = Tree::read();
    let text = tree.0.get_mut(daemon).unwrap();
    *text = text.replace("//! |", "//! ");
    assert!(
        !the_code_is_as_its_maps(&tree).is_empty(),
        "a daemon without a map"
    );
}
