//! Checks that the code follows its maps. Each check also gets a tree with one bad line, which it must find.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod check;
mod cycles;
mod maps;
mod names;
mod sizes;
mod source;
mod tree;

use std::collections::BTreeSet;

use check::{Check, assert_clean, assert_finds};
use maps::of_table;
use tree::{ROOTS, Tree};

/// Crates and modules that the core must not use: time, randomness and the environment are arguments there.
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

/// Every place where a secret or a token leaves its type, with the number of times.
const DOORS: [(&str, usize); 24] = [
    // the types themselves: comparing and hashing secrets and tokens
    ("src/credential.rs", 5),
    ("src/token.rs", 5),
    ("src/token/forms.rs", 4),
    // a passphrase and an identity: wrapped, typed twice, and passed to the daemon
    ("src/age_file/passphrase.rs", 3),
    ("src/age_file/identity.rs", 1),
    ("src/store/encrypted/identity_file.rs", 1),
    ("src/cli/unlock.rs", 1),
    // stored text, sent text, and text that must not be quoted
    ("src/store/record.rs", 1),
    ("src/store/kept/form.rs", 2),
    // an answer with a new secret, which is parsed again
    ("src/applications/made.rs", 1),
    ("src/transfer/form.rs", 1),
    ("src/provider/quote.rs", 3),
    ("src/provider/http/call.rs", 1),
    ("src/provider/body.rs", 1),
    // the claims in a token
    ("src/provider/claims.rs", 1),
    ("src/cli/app/secret_file.rs", 1),
    // the sandbox returns the secret of a new key
    ("src/sandbox/manage.rs", 2),
    // answers to requests
    ("src/daemon/serve/reply.rs", 1),
    ("src/wire.rs", 2),
    ("src/dialect/token_request.rs", 3),
    ("src/dialect/http/oauth2.rs", 2),
    // the content of a file
    ("src/daemon/command_files/task.rs", 1),
    ("src/file_format.rs", 3),
    ("src/file_format/template.rs", 3),
];

/// The command that enrols. It holds the secret that it got as input.
const ENROLLING: (&str, usize) = ("src/cli/add/credential.rs", 2);

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
fn the_core_uses_no_file_socket_clock_or_thread() {
    assert_clean(the_core_does_nothing);
    assert!(of_table(&Tree::read(), "Core").len() > 10);
    for line in [
        "use std::fs::File;",
        "fn f() { std::time::Instant::now(); }",
        "async fn f() {}",
        "use tokio::time;",
    ] {
        assert_finds(the_core_does_nothing, "src/dialect/verb/status.rs", line);
    }
}

// === Secrets and unsafe code ===

fn secrets_leave_through_known_doors(tree: &Tree) -> Vec<String> {
    let mut faults = vec![];
    for module in tree.library() {
        let code = tree.code(&module.file);
        let doors = [
            ".expose(",
            ".expose_json(",
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
fn only_listed_files_may_expose_a_secret() {
    assert_clean(secrets_leave_through_known_doors);
    for (file, line) in [
        ("src/process/logging.rs", "fn f(t: &T) { t.expose(); }"),
        (
            "src/daemon/keep/handle.rs",
            "fn f(t: &T) { t.map(AccessToken::expose); }",
        ),
        ("src/wire.rs", "fn f(t: &T) { t.0.expose_secret(); }"),
        ("src/wire.rs", "fn f(t: &T) { t.expose_json(); }"),
    ] {
        assert_finds(secrets_leave_through_known_doors, file, line);
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
fn only_the_companions_system_calls_contain_unsafe_code() {
    assert_clean(unsafe_code_is_in_the_companions_system_calls);
    let check: Check = unsafe_code_is_in_the_companions_system_calls;
    for file in ["src/bin/jeton/main.rs", "src/daemon/serve/peers.rs"] {
        assert_finds(check, file, "fn f() { unsafe { g() } }");
    }
    let mut tree = Tree::read();
    tree.0.insert("src/lib.rs".to_owned(), String::new());
    assert!(!check(&tree).is_empty());
}

// === Event loops ===

/// tokio panics if the system has no descriptors left for an event loop. The lint cannot tell our event loops from
/// those of `#[tokio::test]`.
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
fn only_offload_rs_creates_event_loops() {
    assert_clean(event_loops_are_made_in_one_place);
    assert_finds(
        event_loops_are_made_in_one_place,
        "src/cli/add.rs",
        "fn f() { tokio::runtime::Builder::new_current_thread().build(); }",
    );
}

// === The files ===

fn every_file_is_reached(tree: &Tree) -> Vec<String> {
    let modules = ROOTS.iter().flat_map(|root| tree.modules(root));
    let reached: BTreeSet<String> = modules.map(|module| module.file).collect();
    let forgotten = tree.0.keys().filter(|file| !reached.contains(*file));
    forgotten
        .map(|file| format!("no module is {file}"))
        .collect()
}

#[test]
fn every_source_file_is_a_module_of_some_target() {
    assert_clean(every_file_is_reached);
    for file in [
        "src/daemon/new.rs",
        "tests/suite/new.rs",
        "src/bin/jeton/sys/new.rs",
    ] {
        assert_finds(every_file_is_reached, file, "fn f() {}");
    }
}
