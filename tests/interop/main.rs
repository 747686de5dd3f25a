//! Interoperability tests with real clients and servers from Debian, PyPI and npm. A test whose programs are missing
//! prints the reason. `.ci/run` installs all of them, and fails if a test is skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on an unexpected result, and wait and measure in real time"
)]

#[path = "../support/support.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the helpers are shared; the suite uses and tests all of them"
)]
mod support;

mod agents;
mod bound;
mod clients;
mod contract;
mod examples;
mod file_readers;
mod files;
mod git_clients;
mod http_clients;
mod identity_files;
mod indexes;
mod issuers;
mod jeton_client;
mod kubernetes;
mod logins;
mod models;
mod oauth2_clients;
mod oidc_provider;
mod package_attacks;
mod registries;
mod runapy;
mod runapy_keys;
mod servers;
mod setup;
mod tools;
mod watchers;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

use tools::{MissingProgram, Test};

fn main() -> ExitCode {
    let topics: &[(&str, &[(&str, Test)])] = &[
        ("agents", agents::TESTS),
        ("clients", clients::TESTS),
        ("contract", contract::TESTS),
        ("examples", examples::TESTS),
        ("file_readers", file_readers::TESTS),
        ("files", files::TESTS),
        ("git_clients", git_clients::TESTS),
        ("http_clients", http_clients::TESTS),
        ("identity_files", identity_files::TESTS),
        ("indexes", indexes::TESTS),
        ("issuers", issuers::TESTS),
        ("jeton_client", jeton_client::TESTS),
        ("kubernetes", kubernetes::TESTS),
        ("logins", logins::TESTS),
        ("models", models::TESTS),
        ("oauth2_clients", oauth2_clients::TESTS),
        ("oidc_provider", oidc_provider::TESTS),
        ("package_attacks", package_attacks::TESTS),
        ("registries", registries::TESTS),
        ("runapy", runapy::TESTS),
        ("runapy_keys", runapy_keys::TESTS),
        ("setup", setup::TESTS),
        ("watchers", watchers::TESTS),
    ];
    let trials = topics
        .iter()
        .flat_map(|(topic, tests)| tests.iter().map(move |test| (topic, *test)))
        .map(|(topic, (name, test))| {
            Trial::ignorable_test(format!("{topic}::{name}"), move || run(test))
        })
        .collect();
    let mut arguments = Arguments::from_args();
    // The usual harness reads this variable; this one does not.
    arguments.test_threads = arguments
        .test_threads
        .or_else(|| std::env::var("RUST_TEST_THREADS").ok()?.parse().ok());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(test: Test) -> Result<Completion, libtest_mimic::Failed> {
    Ok(match test() {
        Ok(()) => Completion::Completed,
        Err(MissingProgram(what)) => {
            support::ignored(&what);
            Completion::ignored_with(what)
        }
    })
}
