//! `jetond demo`.

use super::output::Exit;

/// The arguments of `jetond demo`.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {}

pub(super) fn demo(_: &DemoArgs) -> Exit {
    Exit::Done
}
