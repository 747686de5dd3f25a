//! `jetond keyring-call`: makes one call of the OS keyring for the `jetond` that has started this process.

use std::io::{stdin, stdout};
use std::os::fd::AsFd;

use rustix::fs::{FileType, fstat};

use super::output::{Exit, fail};
use crate::profile::ProfileName;
use crate::store::keyring::{self, Operation};

/// The arguments of `jetond keyring-call`.
#[derive(Debug, clap::Args)]
pub(super) struct KeyringCallArgs {
    /// What to do
    operation: Operation,
    /// The profile
    #[arg(value_parser = ProfileName::parse)]
    profile: ProfileName,
}

pub(super) fn keyring_call(args: &KeyringCallArgs) -> Exit {
    // What goes through them is secret, so they are not a terminal or a file.
    if !is_pipe(stdin()) || !is_pipe(stdout()) {
        return fail(Exit::Usage, "only jetond itself runs this command");
    }
    match keyring::serve_call(args.operation, &args.profile) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

fn is_pipe(stream: impl AsFd) -> bool {
    fstat(stream).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}
