//! Kills commands that change credentials, and daemons that rotate keys, at every system call with an outside effect.
//!
//! These are the calls that write, rename, sync, connect, send or receive. Meanwhile the control plane answers
//! correctly, loses its answer, executes late or twice, or fails after it has executed. After each kill the next
//! commands must find every key and every credential, and no output may be false.
//!
//!     cargo test --test kills                            a few kills of each kind
//!     cargo test --test kills -- --points 300 --seed 2   300, spread evenly; another seed selects others
//!     cargo test --test kills -- --all                   all kills
//!     cargo test --test kills -- --rotations --points 5000 --at-once 16   only of rotations, 16 at once
//!     cargo test --test kills -- --two-hosts 200         200 rounds of two hosts with one home
//!     cargo test --test kills -- --power-loss 1000       1000 power losses instead of kills
//!     cargo test --test kills -- --only TEXT             those whose label contains TEXT, with the output
//!     cargo test --test kills -- --rows                  the names of the operations, with which labels begin
//!
//! A third as many commands meet a disk that is full, read-only or broken, or writes that are cut short. The seed
//! differs in each run and is printed.
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
    reason = "a failing test panics, and these tests wait in real time"
)]

#[path = "../support/support.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "these modules belong to the suite, which uses and tests all of them"
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
mod rotation;
mod table;
mod tracer;
mod words;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use batch::Choice;

/// The number of kills that `cargo test` tries.
const FEW: usize = 24;

/// The number of kills of rotating daemons that `cargo test` tries.
const FEW_ROTATIONS: usize = 9;

/// One of this many kills hits a daemon that rotates a key.
const SHARE: usize = 6;

/// The number of simultaneous rotations, which wait most of the time.
const AT_ONCE: usize = 40;

/// The number of power losses that `cargo test` tries.
const VARIANTS: usize = 80;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let is = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        let value = arguments.get(at + 1).cloned();
        Some(value.unwrap_or_else(|| panic!("{flag} takes a value")))
    };
    let number = |flag: &str| {
        let number = after(flag)?.parse();
        Some(number.unwrap_or_else(|_| panic!("{flag} takes a number")))
    };
    if is("--rows") {
        let commands = operation::ALL.iter().map(|it| it.name);
        let rotations = rotation::mode::MODES.iter().map(|it| it.name);
        commands.chain(rotations).for_each(|row| println!("{row}"));
        return ExitCode::SUCCESS;
    }
    // The seed differs in each run and is printed, so that a failed run can be repeated.
    let seed = number("--seed").unwrap_or_else(|| fastrand::usize(..1_000_000));
    let at_once = number("--at-once").unwrap_or(AT_ONCE);
    if let Some(variants) = number("--power-loss") {
        return code(power::run(variants, seed));
    }
    if let Some(rounds) = number("--two-hosts") {
        return code(rotation::run_hosts(rounds, at_once));
    }
    let choice = if let Some(text) = after("--only") {
        Some(Choice::Only(text))
    } else if is("--all") {
        Some(Choice::All)
    } else {
        number("--points").map(|points| Choice::Some { points, seed })
    };
    if let Some(choice) = choice {
        return code(match is("--rotations") {
            true => rotation::run(&choice, at_once),
            false => both(choice, at_once),
        });
    }
    let few = Choice::Some { points: FEW, seed };
    let trial = Trial::test("killed_commands_lose_nothing", move || {
        batch::run(&few).then_some(()).ok_or("see above".into())
    });
    let few = Choice::Some {
        points: FEW_ROTATIONS,
        seed,
    };
    let rotations = Trial::test("killed_rotations_lose_nothing", move || {
        rotation::run(&few, at_once)
            .then_some(())
            .ok_or("see above".into())
    });
    let power = Trial::test("a_power_loss_leaves_every_credential", move || {
        power::run(VARIANTS, seed)
            .then_some(())
            .ok_or("see above".into())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial, rotations, power]).exit_code()
}

const fn code(is_well: bool) -> ExitCode {
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Kills commands and rotations at the same time.
fn both(choice: Choice, at_once: usize) -> bool {
    let (commands, rotations) = match choice {
        Choice::Some { points, seed } => {
            let part = |points| Choice::Some { points, seed };
            (part(points - points / SHARE), part(points / SHARE))
        }
        Choice::All => (Choice::All, Choice::All),
        Choice::Only(text) => (Choice::Only(text.clone()), Choice::Only(text)),
    };
    std::thread::scope(|scope| {
        let rotations = scope.spawn(|| rotation::run(&rotations, at_once));
        let is_well = batch::run(&commands);
        rotations.join().unwrap() && is_well
    })
}
