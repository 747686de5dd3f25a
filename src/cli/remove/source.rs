//! The removal of a profile whose credential comes from a source. Another program writes the source, so it stays
//! unchanged.

use super::super::admin;
use super::super::output::{Exit, fail, print_note, report};
use super::{NOTHING, RemovalRun, confirm, exit_of};
use crate::causes::Causes;
use crate::config::{self, ReadOnlySource};
use crate::paths::Env;
use crate::settings::Content;

impl RemovalRun<'_> {
    /// The source of the profile's credential; `None` for a profile with a store, and for a profile that is not in the
    /// configuration.
    pub(super) fn source(&self) -> Result<Option<ReadOnlySource>, Exit> {
        let found = self.target.read_to_change()?;
        let profile = found.config.profiles.get(self.name);
        Ok(profile.and_then(|profile| profile.credential.source().cloned()))
    }

    /// Removes the profile.
    pub(super) fn remove_with_source(
        &self,
        source: &ReadOnlySource,
        is_sure: bool,
        env: &Env,
    ) -> Result<(), Exit> {
        let (name, target) = (self.name, self.target);
        let (config, secret) = (target.config.display(), &source.client_secret);
        if !is_sure {
            confirm(&format!(
                "this removes the profile {name} from {config}; its credential stays where it comes from: {secret}"
            ))?;
        }
        {
            let _lock = target.lock(NOTHING)?;
            // The person may have thought about it for a while.
            if self.source()?.as_ref() != Some(source) {
                let what =
                    format!("{NOTHING}: the profile {name} was changed meanwhile; try again");
                return Err(fail(Exit::Later, what));
            }
            // The lock makes sure that another command on this profile ends first.
            let bindings = self.stores.bindings();
            let is_bound = bindings.path(name).symlink_metadata().is_ok();
            let lock = is_bound.then(|| self.stores.lock(name)).transpose();
            let lock = lock.map_err(|error| {
                let what = format!("{NOTHING}: {}", Causes(&error));
                fail(exit_of(&error), what)
            })?;
            let without = |text: &str| config::remove_profile(text, name);
            let changed = target.change(&Content::Text, without);
            changed.map_err(|error| match error.is_changed() {
                true => error.tell("the profile is removed, but may be lost in a power failure"),
                false => error.tell(NOTHING),
            })?;
            if let Some(Err(error)) = lock.map(|lock| bindings.forget(&lock)) {
                print_note(format!(
                    "warning: the record of where its credential may be sent was not removed, and the next profile of this name would be bound to it; remove {}: {}",
                    bindings.path(name).display(),
                    Causes(&error)
                ));
            }
        }
        report(format!(
            "{name} is removed from {config}; its credential stays where it comes from: {secret}"
        ));
        admin::reload(target, env);
        Ok(())
    }
}
