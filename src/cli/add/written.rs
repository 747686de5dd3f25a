//! Writes an enrolment: first the record, then the configuration, both under the locks of the configuration and of the
//! profile.

use super::super::output::{Exit, fail};
use super::super::target::{ChangeError, Target};
use super::Plan;
use super::steps::Steps;
use crate::causes::Causes;
use crate::config::{self, Config};
use crate::profile::ProfileName;
use crate::store::{
    ProfileLock, Record, Removals, Revision, Store, StoreError, StoreErrorKind, StoreReading,
    Stores,
};

const NOT_WRITTEN: &str = "the profile is not written, so the credential is not stored either";

impl Plan {
    /// Writes the record, and the profile if it is new. A person may have taken minutes to find the secret, so the
    /// configuration is read again first, and the record replaces only the revision that was `seen` before. If the
    /// profile cannot be written, the record is removed again.
    pub(in super::super) fn write(
        &self,
        target: &Target,
        stores: &Stores,
        name: &ProfileName,
        seen: &StoreReading,
        record: &Record,
        steps: &Steps<'_>,
    ) -> Result<(), Exit> {
        let _lock = target.lock(NOT_WRITTEN)?;
        let now = target.read_after(&self.before).map_err(|unusable| {
            let what = format!("nothing is written: {unusable}");
            fail(Exit::Config, what)
        })?;
        self.still_holds(&now.config, target, name)?;
        stores.keys().encrypt_to(now.config.recipient);
        let lock = stores.lock(name).map_err(|error| not_saved(&error))?;
        let store = stores.store(self.place.kind());
        let removals = Removals::new(&target.state, target.owner);
        let begun = removals.begun(name).map_err(|error| not_saved(&error))?;
        let is_of_another = begun.is_some_and(|removal| removal.store != *self.place.kind());
        let written = if is_of_another {
            // The removal still has to remove the credential from another store.
            let written = store.replace(&lock, &seen.revision, record);
            written.map_err(|error| not_saved(&error))?
        } else {
            replace(store.as_ref(), &removals, &lock, seen, record)?
        };
        let undo = || {
            (steps.undoing)();
            restore(store.as_ref(), &lock, &written, seen)
        };
        if let Err(exit) = (steps.proof)() {
            // `jetond check` names a record that cannot be removed.
            let _: Result<(), StoreError> = undo();
            return Err(exit);
        }
        if self.is_new {
            let add = |text: &str| config::add_profile(text, name, &self.profile);
            let changed = target.change(&self.before, add);
            changed.map_err(|error| not_written(&error, undo))?;
        } else if let Some(taken) = self.client_auth {
            let set = |text: &str| config::set_client_auth(text, name, taken);
            let changed = target.change(&self.before, set);
            changed.map_err(|error| not_written(&error, undo))?;
        }
        Ok(())
    }

    /// Whether the configuration of this profile is unchanged.
    pub(super) fn still_holds(
        &self,
        now: &Config,
        target: &Target,
        name: &ProfileName,
    ) -> Result<(), Exit> {
        let rebind = || target.line(&format!("add {name} --rebind"));
        let (exit, what) = match (now.profiles.get(name), self.is_new) {
            (None, true) => return Ok(()),
            (Some(profile), false) if *profile == self.profile => return Ok(()),
            (Some(_), true) => (
                Exit::Config,
                format!("was added meanwhile; for this credential run: {}", rebind()),
            ),
            (Some(_), false) => (Exit::Later, "was changed meanwhile; try again".to_owned()),
            (None, false) => (Exit::Config, "was removed meanwhile".to_owned()),
        };
        let what = format!("nothing is written: the profile {name} {what}");
        Err(fail(exit, what))
    }
}

/// Replaces the record, and then ends an interrupted removal, which must not continue with the new credential. It must
/// continue with the old one, so it stays if the record was not replaced.
fn replace(
    store: &dyn Store,
    removals: &Removals,
    lock: &ProfileLock,
    seen: &StoreReading,
    record: &Record,
) -> Result<Revision, Exit> {
    let written = match store.replace(lock, &seen.revision, record) {
        Ok(written) => written,
        Err(error) => {
            if error.changed {
                // The first error is the one to mend.
                let _: Result<(), StoreError> = removals.end(lock);
            }
            return Err(not_saved(&error));
        }
    };
    removals.end(lock).map_err(|error| {
        let what = match restore(store, lock, &written, seen) {
            Ok(()) => NOT_WRITTEN,
            Err(_) => "the credential is stored, but an interrupted removal may still remove it",
        };
        let exit = match error.kind.is_for_later() {
            true => Exit::Later,
            false => Exit::Config,
        };
        fail(exit, format!("{what}: {}", Causes(&error)))
    })?;
    Ok(written)
}

fn not_saved(error: &StoreError) -> Exit {
    let exit = if error.kind.is_for_later() {
        Exit::Later
    } else {
        Exit::Config
    };
    let what = match error.kind {
        StoreErrorKind::Unavailable(_) if error.changed => "the configuration is not changed",
        _ if error.changed => "the credential is stored, but may be lost in a power failure",
        _ => "the credential is not stored",
    };
    fail(exit, format!("{what}: {}", Causes(error)))
}

/// Removes the credential from the store again, unless the profile was written despite the error: without a profile the
/// credential would stay unused.
fn not_written(error: &ChangeError, restore: impl FnOnce() -> Result<(), StoreError>) -> Exit {
    let what = if error.is_changed() {
        "the profile is written, but may be lost in a power failure"
    } else if restore().is_ok() {
        NOT_WRITTEN
    } else {
        "the credential is stored, but its profile is not written"
    };
    error.tell(what)
}

/// Restores the former content of the store. A profile that was taken out of the configuration by hand may have left a
/// record there.
fn restore(
    store: &dyn Store,
    lock: &ProfileLock,
    written: &Revision,
    seen: &StoreReading,
) -> Result<(), StoreError> {
    match &seen.record {
        Ok(Some(record)) => store.replace(lock, written, record).map(drop),
        Ok(None) | Err(_) => store.remove(lock, written).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{DirBuilder, Permissions, set_permissions};
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    use std::time::Duration;

    use super::*;
    use crate::config::StoreKind;
    use crate::credential::{Ca, Credential};
    use crate::instant::UnixTime;
    use crate::store::{Binding, BoundTarget, Key, Removal};

    fn record() -> Record {
        Record {
            key: Key {
                credential: Credential::parse("app", "s").unwrap(),
                key_id: None,
                key_name: None,
                created_at: UnixTime::from_epoch(Duration::from_secs(5)),
                server_date: None,
            },
            binding: Binding {
                bound: BoundTarget::Origin("https://a.b".into()),
                issuer: None,
                ca: Ca::System,
                proxy: None,
            },
            rotation: None,
        }
    }

    #[test]
    fn an_interrupted_removal_is_cleared_only_after_its_credential_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let (stores, removals) = (Stores::new(dir.path(), uid), Removals::new(dir.path(), uid));
        let (store, name) = (
            stores.store(&StoreKind::File),
            ProfileName::parse("a").unwrap(),
        );
        let lock = stores.lock(&name).unwrap();
        let removal = Removal {
            store: StoreKind::File,
            config: "/c.toml".into(),
        };
        removals.begin(&lock, &removal).unwrap();
        let seen = store.look(&name);
        let again = || replace(store.as_ref(), &removals, &lock, &seen, &record());
        // The store refuses a folder that others can read.
        let folder = dir.path().join("credentials");
        DirBuilder::new().mode(0o755).create(&folder).unwrap();
        set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        again().unwrap_err();
        assert_eq!(removals.begun(&name).unwrap(), Some(removal));
        set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        again().unwrap();
        assert_eq!(removals.begun(&name).unwrap(), None);
    }
}
