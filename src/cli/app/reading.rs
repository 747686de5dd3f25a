//! `jetond app list` and `jetond app show`: print keys at the server.

use super::super::output::{Exit, print, print_line};
use super::lost_calls::open_and_look;
use super::session::{ORDINARY, exit_with_api_error};
use super::whose::{KeyOptions, TokenProfile};
use crate::applications::{Row, json, json_of_one, lines_of_one, table};
use crate::paths::Env;

/// The arguments of `jetond app list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    whose: TokenProfile,
    /// List the keys of every user; requires an administrator
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) common: KeyOptions,
}

/// The arguments of `jetond app show`.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The key's name, ID or client ID
    key: String,
    #[command(flatten)]
    whose: TokenProfile,
    /// Search the keys of every user; requires an administrator
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) common: KeyOptions,
}

pub(super) fn list(args: &ListArgs, env: &Env) -> Result<(), Exit> {
    let session = open_and_look(&args.common.target.find(env)?, &args.whose, env, ORDINARY)?;
    let listed = session.wait(session.api.list(args.common.kind, args.all));
    let listed = listed.map_err(|trouble| exit_with_api_error(&trouble, "no list"))?;
    let used: Vec<_> = listed.keys.iter().map(|key| session.used_by(key)).collect();
    let rows: Vec<_> = listed
        .keys
        .iter()
        .zip(&used)
        .map(|(key, used_by)| Row { key, used_by })
        .collect();
    if args.json {
        print_line(json(listed.family, &rows));
    } else {
        let now = session.now();
        print(&table(listed.family, &rows, now, listed.may_have_more));
    }
    Ok(())
}

pub(super) fn show(args: &ShowArgs, env: &Env) -> Result<(), Exit> {
    let session = open_and_look(&args.common.target.find(env)?, &args.whose, env, ORDINARY)?;
    let (listed, key) = session.find(&args.common, args.all, &args.key, "nothing to show")?;
    let used_by = session.used_by(&key);
    let row = Row {
        key: &key,
        used_by: &used_by,
    };
    if args.json {
        print_line(json_of_one(listed.family, &row));
    } else {
        print(&lines_of_one(listed.family, &row, session.now()));
    }
    Ok(())
}
