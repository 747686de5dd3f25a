//! Deterministic simulation: one seed determines one run, byte for byte.
//!
//! The daemon is the shipped one, from the bytes of a connection to the call of its provider, on a paused clock. The
//! seed draws the behaviour of its issuers, stores, machine and clients. A checker judges what they saw. Each seed is
//! also a machine on which a key is rotated ([`rotations`]).
//!
//!     cargo simulate --seeds 1000               the first thousand
//!     cargo simulate --seeds 500 --from 1000    the next five hundred
//!     cargo simulate --seed 17                  one of them, with its whole trace
//!
//! `cargo simulate` (`.cargo/config.toml`) builds the test so that only the seed decides. `cargo test` also runs a
//! few seeds. There, tokio itself draws which of several waiting tasks it wakes first, so no run can be repeated.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a failing test panics, and its clock is the paused one of tokio"
)]

mod batch;
mod bug;
mod checker;
mod clients;
mod clock;
mod coverage;
mod daemon;
mod history;
mod issuer;
mod planted;
mod rotations;
mod run;
mod scenes;
mod story;
mod watchers;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// The number of seeds that `cargo test` runs.
const FEW: u64 = 50;

fn main() -> ExitCode {
    run::catch_panics();
    let arguments: Vec<String> = std::env::args().collect();
    let number = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        let number = arguments.get(at + 1).and_then(|number| number.parse().ok());
        Some(number.unwrap_or_else(|| panic!("{flag} takes a number")))
    };
    if let Some(seed) = number("--seed") {
        return exit_code(batch::one(seed));
    }
    if let Some(seeds) = number("--seeds") {
        return exit_code(batch::many(number("--from").unwrap_or(0), seeds));
    }
    let seeds = Trial::test("seeds", || {
        let all_is_well = batch::many(0, FEW);
        all_is_well.then_some(()).ok_or("see above".into())
    });
    let planted = planted::PLANTED.into_iter().map(|(bug, rule)| {
        let name = format!("planted::{bug:?}_is_found_by_{rule:?}");
        Trial::test(name, move || planted::is_found(bug, rule))
    });
    let in_rotations = planted::PLANTED_IN_ROTATIONS.into_iter();
    let in_rotations = in_rotations.map(|(bug, rule)| {
        let name = format!("planted::rotations::{bug:?}_is_found_by_{rule:?}");
        let found = move || planted::is_found_in_rotations(bug, rule);
        Trial::test(name, found)
    });
    let trials = planted.chain(in_rotations).chain([seeds]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn exit_code(all_is_well: bool) -> ExitCode {
    if all_is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
