//! `jetond app`: the keys of Run:ai's users, which the vendor's manual has called applications, user applications and
//! access keys. Each command asks the running daemon for a token. It sends no client secret except, as proof that it
//! works, one that was just made or that an interrupted command may have had revoked.

mod create;
mod creations;
mod delete;
mod finish;
mod journal;
mod keep;
mod lost_calls;
mod reading;
mod regenerate;
mod regenerations;
mod renew;
mod secret_file;
mod session;
mod stored;
mod token;
mod whose;

use super::output::Exit;
use super::target::{Target, TargetArgs};
use crate::paths::Env;

/// Explains the keys to people who know them by another name.
pub(super) const ABOUT: &str = "\
Manage the keys of Run:ai's users. An access key (2.24 and later), a user application (2.20 to 2.24) and an application \
of a user are the same thing in different releases: a client ID and a client secret that get tokens with their user's \
roles. For the organisation's own keys (service accounts and applications), give --kind.

Each command uses a token from the running daemon. A new secret goes directly to a store or a file; it is never printed.";

/// The arguments of `jetond app`.
#[derive(Debug, clap::Args)]
pub(super) struct AppArgs {
    #[command(subcommand)]
    what: AppCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AppCommand {
    /// List the keys: name, client ID, creation, last login, and which profile here uses each
    List(reading::ListArgs),
    /// Show one key
    Show(reading::ShowArgs),
    /// Create a key and write its secret directly to a store or a file
    Create(create::CreateArgs),
    /// Replace a key's secret and write the new one directly to a store or a file; the old secret is revoked at once
    Regenerate(regenerate::RegenerateArgs),
    /// Delete a key; this revokes its secret at once
    Delete(delete::DeleteArgs),
}

impl AppArgs {
    /// The target of the command.
    pub(super) const fn target_mut(&mut self) -> &mut TargetArgs {
        match &mut self.what {
            AppCommand::List(args) => &mut args.common.target,
            AppCommand::Show(args) => &mut args.common.target,
            AppCommand::Create(args) => &mut args.common.target,
            AppCommand::Regenerate(args) => &mut args.common.target,
            AppCommand::Delete(args) => &mut args.common.target,
        }
    }
}

/// Checks what interrupted commands have left at the servers, as every command here does.
pub(super) fn look_for_lost(target: &Target, env: &Env) {
    lost_calls::look_everywhere(target, env);
}

pub(super) fn app(args: &AppArgs, env: &Env) -> Exit {
    let done = match &args.what {
        AppCommand::List(args) => reading::list(args, env),
        AppCommand::Show(args) => reading::show(args, env),
        AppCommand::Create(args) => create::create(args, env),
        AppCommand::Regenerate(args) => regenerate::regenerate(args, env),
        AppCommand::Delete(args) => delete::delete(args, env),
    };
    done.err().unwrap_or(Exit::Done)
}
