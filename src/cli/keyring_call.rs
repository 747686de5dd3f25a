//! `jetond keyring-call` and `jetond keyring-watch`: make one call of the OS keyring, and watch it, for the `jetond` that
//! has started this process.

use std::io::{stdin, stdout};
use std::os::fd::AsFd;

use rustix::fs::{FileType, fstat};

use super::output::{Exit, fail};
use crate::profile::ProfileName;
use crate::store::keyring::{self, Item, Operation};

const FOR_ITSELF: &str = "only jetond itself runs this command";

/// The arguments of `jetond keyring-call`.
#[derive(Debug, clap::Args)]
pub(super) struct KeyringCallArgs {
    /// What to do
    operation: Operation,
    /// The profile
    #[arg(value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// Which of its entries
    #[arg(value_enum, default_value_t = Item::Record)]
    item: Item,
}

pub(super) fn keyring_call(args: &KeyringCallArgs) -> Exit {
    // The pipes carry a secret, so a terminal or a file is refused.
    if !is_pipe(stdin()) || !is_pipe(stdout()) {
        return fail(Exit::Usage, FOR_ITSELF);
    }
    match keyring::serve_call(args.operation, args.item, &args.profile) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

pub(super) fn keyring_watch() -> Exit {
    if !is_pipe(stdout()) {
        return fail(Exit::Usage, FOR_ITSELF);
    }
    match keyring::serve_watch() {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

fn is_pipe(stream: impl AsFd) -> bool {
    fstat(stream).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}
