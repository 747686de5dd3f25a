//! Commands that change credentials are killed at every system call that writes, renames, syncs, connects, sends or receives,
//! while the control plane answers as it should, loses its answer, executes late or twice, or fails after it has executed.
//! After each kill the next commands find every key and every credential, and nothing was said that is not so.
//!
//!     cargo test --test kills                            a few kills of each kind
//!     cargo test --test kills -- --points 300 --seed 2   so many, spread evenly, others with another seed
//!     cargo test --test kills -- --all                   every one
//!     cargo test --test kills -- --power-loss 1000       so many power losses in place of kills
//!     cargo test --test kills -- --only TEXT             those whose label has this text, with what the commands say
//!
//! A third as many commands meet a disk that is full, read-only or broken, or writes that are cut short. The seed is another
//! one each time, and printed.
//!
//! A kill is named by the operation, the server's behaviour, the thread, the call, and the call's number in that
//! thread. It counts only if strace's log shows that it happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that meets the unexpected fails by panicking, and waits in real time"
)]

#[path = "../support/support.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "they are the suite's, which uses more of them and tests them"
)]
mod support;

mod batch;
mod behaviour;
mod encrypted;
mod encrypted_record;
mod judge;
mod keyring;
mod never;
mod operation;
mod place;
mod power;
mod table;
mod tracer;
mod words;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use batch::Choice;

/// How many kills `cargo test` tries.
const FEW: usize = 40;

/// How many power losses it tries.
const VARIANTS: usize = 120;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        let value = arguments.get(at + 1).cloned();
        Some(value.unwrap_or_else(|| panic!("{flag} takes a value")))
    };
    let number = |flag: &str| {
        let number = after(flag)?.parse();
        Some(number.unwrap_or_else(|_| panic!("{flag} takes a number")))
    };
    // Another one each time, and printed, so that a run that fails can be run again.
    let seed = number("--seed").unwrap_or_else(|| fastrand::usize(..1_000_000));
    if let Some(variants) = number("--power-loss") {
        return match power::run(variants, seed) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        };
    }
    let choice = if let Some(text) = after("--only") {
        Some(Choice::Only(text))
    } else if arguments.iter().any(|argument| argument == "--all") {
        Some(Choice::All)
    } else {
        number("--points").map(|points| Choice::Some { points, seed })
    };
    if let Some(choice) = choice {
        return match batch::run(&choice) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        };
    }
    let few = Choice::Some { points: FEW, seed };
    let trial = Trial::test("killed_commands_lose_nothing", move || {
        batch::run(&few).then_some(()).ok_or("see above".into())
    });
    let power = Trial::test("a_power_loss_leaves_every_credential", move || {
        power::run(VARIANTS, seed)
            .then_some(())
            .ok_or("see above".into())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial, power]).exit_code()
}
