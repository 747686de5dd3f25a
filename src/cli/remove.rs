//! `jetond remove`: forgets a profile and its credential.

use super::admin;
use super::output::{Exit, fail, fail_with, say};
use super::target::TargetArgs;
use crate::causes::Causes;
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
    // Its faults are told first, with their places.
    target.read_config()?;
    let text = target.config_text()?;
    let in_config = match config::remove_profile(&text, &args.name) {
        Ok(without) => {
            settings::write_config(&target.config, &without, target.uid, target.readers)
                .map_err(|error| fail_with(Exit::Config, &error))?;
            true
        }
        Err(EditError::Unknown(_)) => false,
        Err(error) => {
            let config = target.config.display();
            return Err(fail(Exit::Config, format!("{config}: {error}")));
        }
    };
    let removed = target.store().remove(&args.name);
    if matches!(removed, Ok(false)) && !in_config {
        let (name, config) = (&args.name, target.config.display());
        return Err(fail(
            Exit::Config,
            format!("there is no profile {name} in {config}"),
        ));
    }
    // The profile is gone whatever became of its credential.
    let done = match removed {
        Ok(_) => {
            say(format!(
                "{} is removed from this machine; its key at the issuer is still valid until it is deleted there",
                args.name
            ));
            Ok(())
        }
        Err(error) => {
            let left = format!("the credential is still there: {}", Causes(&error));
            Err(fail(Exit::Config, left))
        }
    };
    admin::reload(&target, env, None);
    done
}
