//! `jetond remove`: forgets a profile and its credential.

use super::admin;
use super::output::{Exit, fail, say};
use super::target::TargetArgs;
use crate::causes::Causes;
use crate::config::{self, EditError, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings;

/// The arguments of `jetond remove`.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// The profile
    #[arg(value_parser = ProfileName::parse)]
    name: ProfileName,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn remove(args: &RemoveArgs, env: &Env) -> Exit {
    try_remove(args, env).err().unwrap_or(Exit::Done)
}

fn try_remove(args: &RemoveArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    // Its faults are told first, with their places.
    let config = target.read_config_to_change()?;
    let text = target.config_text()?;
    let new_text = match config::remove_profile(&text, &args.name) {
        Ok(without) => Some(without),
        Err(EditError::Unknown(_)) => None,
        Err(error) => {
            let config = target.config.display();
            return Err(fail(Exit::Config, format!("{config}: {error}")));
        }
    };
    // Of a profile that is in no configuration there may be a file, which an interrupted command left.
    let profile = config.profiles.get(&args.name);
    let kind = profile.map_or(StoreKind::File, |profile| profile.store);
    // The credential first: while the profile is there, it says which store to look in.
    let in_store = target
        .stores()
        .of(kind)
        .remove(&args.name)
        .map_err(|error| {
            let what = if error.changed {
                "the configuration is not changed"
            } else {
                "nothing is removed"
            };
            fail(Exit::Config, format!("{what}: {}", Causes(&error)))
        })?;
    if new_text.is_none() && !in_store {
        let (name, config) = (&args.name, target.config.display());
        return Err(fail(
            Exit::Config,
            format!("there is no profile {name} in {config}"),
        ));
    }
    let written = new_text.map_or(Ok(()), |without| {
        settings::write_config(&target.config, &without, target.uid, target.readers)
    });
    let done = match written {
        Ok(()) => {
            say(format!(
                "{} is removed from this machine; its key at the issuer is still valid until it is deleted there",
                args.name
            ));
            Ok(())
        }
        Err(error) => {
            let what = if error.replaced {
                "the credential is removed, and its profile too, but perhaps not for long"
            } else {
                "the credential is removed, but its profile is still there"
            };
            Err(fail(Exit::Config, format!("{what}: {}", Causes(&error))))
        }
    };
    // The credential is gone whatever became of its profile.
    admin::reload(&target, env, None);
    done
}
