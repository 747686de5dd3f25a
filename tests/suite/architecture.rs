//! The code is as its maps say. Every check is also given a tree with one bad line in it, which it must find.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

mod tree;

use std::collections::BTreeSet;

use tree::{Module, Tree, named, without_tests};

/// The longest file, in lines, tests left out: what is longer is two things.
const LONGEST: usize = 400;

/// What does not belong in the core, where time, randomness and surroundings are arguments.
const OUTSIDE: [&str; 14] = [
    "tokio",
    "hyper",
    "reqwest",
    "rustls",
    "rustix",
    "tempfile",
    "getrandom",
    "fastrand",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "::now()",
    "async ",
];

/// Where a secret or a token leaves its type, and how often.
const DOORS: [(&str, usize); 13] = [
    // the types themselves, comparing two secrets or two tokens, and the hash of one
    ("src/credential.rs", 3),
    ("src/token.rs", 4),
    // what is stored, and what is sent or must not be quoted
    ("src/store/record.rs", 1),
    ("src/provider/quote.rs", 1),
    ("src/provider/oauth2/request.rs", 1),
    ("src/provider/runai/endpoint.rs", 1),
    // what a control plane of our own gives to who makes a key
    ("src/sandbox/manage.rs", 2),
    // what was asked for
    ("src/daemon/serve/respond.rs", 1),
    ("src/wire.rs", 2),
    ("src/dialect/verb/exec.rs", 1),
    ("src/dialect/verb/header.rs", 1),
    ("src/dialect/http/oauth2.rs", 1),
    ("src/dialect/verb/token.rs", 1),
];

/// Commands that enrol: they hold the secret that they were given.
const ENROLLING: (&str, usize) = ("src/cli/add/credential.rs", 2);

type Check = fn(&Tree) -> Vec<String>;

// === The maps ===

/// What is wrong with the map on the page of `file`, which is the module `owner`.
fn map_faults(tree: &Tree, file: &str, owner: &[String]) -> Vec<String> {
    let mut faults = vec![];
    let depth = owner.len();
    let modules: Vec<Module> = tree
        .library()
        .into_iter()
        .filter(|module| module.path.len() > depth && module.path.starts_with(owner))
        .collect();
    let rows = tree.tables(file);
    let order: Vec<&str> = rows.iter().map(|(_, cells)| cells[0].as_str()).collect();
    let there: BTreeSet<&str> = modules.iter().map(|m| m.path[depth].as_str()).collect();
    for name in &there {
        let count = order.iter().filter(|other| *other == name).count();
        if count != 1 {
            faults.push(format!("{file}: {name} is in the map {count} times"));
        }
    }
    let edges = edges(tree);
    for (at, (_, cells)) in rows.iter().enumerate() {
        let name = cells[0].as_str();
        let listed = |cell: Option<&String>| -> BTreeSet<String> {
            let words = cell.map_or("", String::as_str).split_whitespace();
            words.map(str::to_owned).collect()
        };
        let (mut beside, mut edge) = (BTreeSet::new(), BTreeSet::new());
        for module in modules.iter().filter(|module| module.path[depth] == name) {
            for path in named(&tree.code(&module.file), &module.path) {
                if path.starts_with(owner) && path.len() > depth {
                    let other = path[depth].as_str();
                    if other != name && there.contains(other) {
                        beside.insert(other.to_owned());
                    }
                } else if let Some(first) = path.first().filter(|first| edges.contains(*first)) {
                    edge.insert(first.clone());
                }
            }
        }
        if !there.contains(name) {
            faults.push(format!("{file}: there is no {name}"));
        }
        for (is, says) in [(beside, listed(cells.get(2))), (edge, listed(cells.get(3)))] {
            for other in is.difference(&says) {
                faults.push(format!("{file}: {name} names {other}"));
            }
            for other in says.difference(&is) {
                faults.push(format!("{file}: {name} no longer names {other}"));
            }
        }
        for other in listed(cells.get(2)) {
            if !order[at..].contains(&other.as_str()) {
                faults.push(format!(
                    "{file}: {name} names {other}, which stands above it"
                ));
            }
        }
    }
    faults
}

/// The modules of the crate's map that are edges.
fn edges(tree: &Tree) -> BTreeSet<String> {
    of_table(tree, "Edges")
}

fn of_table(tree: &Tree, title: &str) -> BTreeSet<String> {
    let rows = tree.tables("src/lib.rs");
    let rows = rows
        .into_iter()
        .filter(|(table, _)| table.starts_with(title));
    rows.map(|(_, cells)| cells[0].clone()).collect()
}

fn the_crate_is_as_its_map(tree: &Tree) -> Vec<String> {
    map_faults(tree, "src/lib.rs", &[])
}

fn the_daemon_is_as_its_map(tree: &Tree) -> Vec<String> {
    map_faults(tree, "src/daemon.rs", &["daemon".to_owned()])
}

fn the_daemons_rooms_are_as_their_maps(tree: &Tree) -> Vec<String> {
    let room = |name: &str| {
        let owner = ["daemon", name].map(str::to_owned);
        map_faults(tree, &format!("src/daemon/{name}.rs"), &owner)
    };
    ["keep", "serve"].into_iter().flat_map(room).collect()
}

/// Implementations are named where things are put together, and by themselves.
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
        for path in named(&tree.code(&module.file), &module.path) {
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
fn arrows_point_downwards_only() {
    let checks: [Check; 4] = [
        the_crate_is_as_its_map,
        the_daemon_is_as_its_map,
        the_daemons_rooms_are_as_their_maps,
        only_the_wiring_names_implementations,
    ];
    for check in checks {
        holds(check);
    }
    finds(the_crate_is_as_its_map, "src/token.rs", "use crate::wire;");
    finds(
        the_crate_is_as_its_map,
        "src/token.rs",
        "use super::{daemon::clock, fault};",
    );
    finds(
        the_crate_is_as_its_map,
        "src/dialect/args.rs",
        "use super::super::store;",
    );
    finds(the_crate_is_as_its_map, "src/lib.rs", "mod forgotten;");
    finds(
        the_crate_is_as_its_map,
        "src/lib.rs",
        "//! | `token` | twice | |",
    );
    finds(
        the_daemons_rooms_are_as_their_maps,
        "src/daemon/keep/keeper.rs",
        "use super::roster;",
    );
    finds(
        the_daemon_is_as_its_map,
        "src/daemon/keep/keeper.rs",
        "use crate::daemon::service::Service;",
    );
    finds(
        the_daemons_rooms_are_as_their_maps,
        "src/daemon/serve/server.rs",
        "use crate::provider::Provider;",
    );
    finds(
        only_the_wiring_names_implementations,
        "src/daemon/keep/keeper.rs",
        "use crate::provider::{Provider, runai::Runai};",
    );
}

// === The core ===

fn the_core_does_nothing(tree: &Tree) -> Vec<String> {
    let core = of_table(tree, "Core");
    let mut faults = vec![];
    for module in tree.library() {
        if module.path.first().is_some_and(|top| core.contains(top)) {
            let code = tree.code(&module.file);
            let words = OUTSIDE.iter().filter(|word| code.contains(**word));
            faults.extend(words.map(|word| format!("{} has {word}", module.file)));
        }
    }
    faults
}

#[test]
fn the_core_touches_no_file_socket_clock_or_thread() {
    holds(the_core_does_nothing);
    assert!(of_table(&Tree::read(), "Core").len() > 10);
    for line in [
        "use std::fs::File;",
        "fn f() { std::time::Instant::now(); }",
        "async fn f() {}",
        "use tokio::time;",
    ] {
        finds(the_core_does_nothing, "src/dialect/verb/status.rs", line);
    }
}

// === Secrets and unsafe code ===

fn secrets_leave_through_known_doors(tree: &Tree) -> Vec<String> {
    let mut faults = vec![];
    for module in tree.library() {
        let code = tree.code(&module.file);
        let doors = [
            ".expose()",
            ".expose_secret()",
            ".expose_or_make(",
            "::expose",
        ];
        let count: usize = doors.iter().map(|door| code.matches(door).count()).sum();
        let mut doors = DOORS.iter().chain([&ENROLLING]);
        let known = doors
            .find(|(file, _)| *file == module.file)
            .map_or(0, |(_, n)| *n);
        if count != known {
            faults.push(format!("{} has {count} doors, not {known}", module.file));
        }
    }
    faults
}

#[test]
fn a_secret_leaves_its_type_only_where_it_is_stored_sent_or_asked_for() {
    holds(secrets_leave_through_known_doors);
    for (file, line) in [
        ("src/process/logging.rs", "fn f(t: &T) { t.expose(); }"),
        (
            "src/daemon/keep/handle.rs",
            "fn f(t: &T) { t.map(AccessToken::expose); }",
        ),
        ("src/wire.rs", "fn f(t: &T) { t.0.expose_secret(); }"),
    ] {
        finds(secrets_leave_through_known_doors, file, line);
    }
}

fn unsafe_code_is_in_the_companions_system_calls(tree: &Tree) -> Vec<String> {
    let mut faults = vec![];
    for (file, text) in tree.0.iter().filter(|(file, _)| file.starts_with("src/")) {
        let code = tree.code(file);
        let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| word == "unsafe") && !file.starts_with("src/bin/jeton/sys") {
            faults.push(format!("{file} has unsafe code"));
        }
        let is_root = ["src/lib.rs", "src/bin/jetond.rs"].contains(&file.as_str());
        if is_root && !text.contains("\n#![forbid(unsafe_code)]\n") {
            faults.push(format!("{file} does not forbid unsafe code"));
        }
    }
    faults
}

#[test]
fn unsafe_code_is_in_the_companions_system_calls_alone() {
    holds(unsafe_code_is_in_the_companions_system_calls);
    let check: Check = unsafe_code_is_in_the_companions_system_calls;
    for file in ["src/bin/jeton/main.rs", "src/daemon/serve/peers.rs"] {
        finds(check, file, "fn f() { unsafe { g() } }");
    }
    let mut tree = Tree::read();
    tree.0.insert("src/lib.rs".to_owned(), String::new());
    assert!(!check(&tree).is_empty());
}

// === Event loops ===

/// tokio panics when the system has no descriptors for one. The lint cannot tell ours from those of `#[tokio::test]`.
fn event_loops_are_made_in_one_place(tree: &Tree) -> Vec<String> {
    let makers = ["new_current_thread", "new_multi_thread", "Runtime::new"];
    let library = tree.library();
    let others = library.iter().filter(|m| m.file != "src/offload.rs");
    others
        .flat_map(|module| {
            let code = tree.code(&module.file);
            let made = makers.iter().filter(|maker| code.contains(**maker));
            let told = made.map(|maker| format!("{} has {maker}", module.file));
            told.collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_event_loop_is_made_where_a_lack_of_descriptors_is_an_error() {
    holds(event_loops_are_made_in_one_place);
    finds(
        event_loops_are_made_in_one_place,
        "src/cli/add.rs",
        "fn f() { tokio::runtime::Builder::new_current_thread().build(); }",
    );
}

// === The files ===

fn every_file_is_reached(tree: &Tree) -> Vec<String> {
    let roots = [
        "src/lib.rs",
        "src/bin/jetond.rs",
        "src/bin/jeton/main.rs",
        "tests/suite/main.rs",
    ];
    let modules = roots.iter().flat_map(|root| tree.modules(root));
    let reached: BTreeSet<String> = modules.map(|module| module.file).collect();
    let forgotten = tree.0.keys().filter(|file| !reached.contains(*file));
    forgotten
        .map(|file| format!("no module is {file}"))
        .collect()
}

#[test]
fn no_file_is_forgotten() {
    holds(every_file_is_reached);
    for file in [
        "src/daemon/new.rs",
        "tests/suite/new.rs",
        "src/bin/jeton/sys/new.rs",
    ] {
        finds(every_file_is_reached, file, "fn f() {}");
    }
}

fn files_are_short(tree: &Tree) -> Vec<String> {
    let tests: BTreeSet<String> = tree
        .modules("src/lib.rs")
        .into_iter()
        .filter(|module| module.is_test)
        .map(|module| module.file)
        .collect();
    let files = tree
        .0
        .iter()
        .filter(|(file, _)| file.starts_with("src/") && !tests.contains(*file));
    files
        .map(|(file, text)| (file, without_tests(text).lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(file, lines)| format!("{file} has {lines} lines"))
        .collect()
}

#[test]
fn no_file_is_long() {
    holds(files_are_short);
    finds(files_are_short, "src/token.rs", &"//\n".repeat(LONGEST));
}

// === What the tests share ===

#[track_caller]
fn holds(check: Check) {
    let faults = check(&Tree::read());
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The check finds this line at the beginning of this file, or else it would prove nothing.
#[track_caller]
fn finds(check: Check, file: &str, line: &str) {
    let faults = check(&Tree::read().with(file, line));
    assert!(!faults.is_empty(), "{line:?} in {file} was not found");
}
