//! `jetond remove`: forgets a profile and its credential.

use super::admin;
use super::output::{Exit, fail, say};
use super::target::TargetArgs;
use crate::config::{self, EditError};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings;
use crate::store::CredentialStore;

/// The arguments of `jetond remove`.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// The profile
    #[arg(value_parser = ProfileName::parse)]
    name: ProfileName,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn remove(args: &RemoveArgs, env: &Env) -> Exit {
    try_remove(args, env).err().unwrap_or(Exit::Done)
}

fn try_remove(args: &RemoveArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find(env)?;
    let text = target.config_text()?;
    let in_config = match config::remove_profile(&text, &args.name) {
        Ok(without) => {
            settings::write_config(&target.config, &without, target.uid, target.readers)
                .map_err(|error| fail(Exit::Config, error))?;
            true
        }
        Err(EditError::Unknown(_)) => false,
        Err(error) => return Err(fail(Exit::Config, error)),
    };
    let in_store = target
        .store()
        .remove(&args.name)
        .map_err(|error| fail(Exit::Config, error))?;
    if !in_config && !in_store {
        return Err(fail(
            Exit::Config,
            format!("there is no profile {}", args.name),
        ));
    }
    say(format!(
        "{} is removed from this machine; its key at the issuer is still valid until it is deleted there",
        args.name
    ));
    admin::reload(&target, env);
    Ok(())
}
