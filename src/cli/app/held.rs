//! A profile of ours that has a key already, whose store takes the key's new secret.

use std::sync::Arc;

use super::super::output::{Exit, fail};
use super::journal::Journal;
use super::session::Session;
use crate::applications::Application;
use crate::causes::Causes;
use crate::config::{Profile, StoreKind};
use crate::profile::ProfileName;
use crate::provider::configured::Files;
use crate::store::{Binding, ProfileLock, Record, Revision, StoreError};

/// A profile that has the key already. No other command changes its record meanwhile.
pub(super) struct Held {
    pub(super) name: ProfileName,
    pub(super) profile: Profile,
    /// The store that takes the new secret.
    pub(super) store: StoreKind,
    pub(super) files: Files,
    lock: Arc<ProfileLock>,
    seen: Revision,
    pub(super) binding: Binding,
}

// === impl Held ===

impl Held {
    /// Makes the store of a profile ready that has the key: it is proved by a real write of what is there.
    pub(super) fn of(
        session: &Session,
        journal: &Journal,
        name: &ProfileName,
        key: &Application,
        nothing: &str,
    ) -> Result<Self, Exit> {
        let (profile, files) = session.route_of(name)?;
        let Some(store) = profile.store().cloned() else {
            let what = format!(
                "{nothing}: {name} has the key, and its secret comes {}, which is only read: another program has to write the new secret there; give {name} a store first, or use the console",
                session.stores.whereabouts(&profile)
            );
            return Err(fail(Exit::Config, what));
        };
        let lock = if *name == session.name {
            Arc::clone(journal.lock())
        } else {
            let lock = session.stores.lock(name);
            Arc::new(lock.map_err(|error| refused(&error, nothing))?)
        };
        let kept = session.stores.store(&store);
        let look = kept.look(name);
        let record = look.record.map_err(|error| refused(&error, nothing))?;
        let is_of_key = |record: &Record| {
            record.rotation.is_none() && record.key.credential.client_id == key.client_id
        };
        let Some(record) = record.filter(is_of_key) else {
            let what = format!("{nothing}: what is stored of {name} is being changed; try again");
            return Err(fail(Exit::Later, what));
        };
        let seen = kept.replace(&lock, &look.revision, &record);
        let seen = seen.map_err(|error| refused(&error, nothing))?;
        Ok(Self {
            name: name.clone(),
            profile,
            store,
            files,
            lock,
            seen,
            binding: record.binding,
        })
    }

    /// Puts the record in place of the former one; a write that fails is repeated once.
    pub(super) fn keep(&self, session: &Session, record: &Record) -> Result<(), Exit> {
        let store = session.stores.store(&self.store);
        let Err(first) = store.replace(&self.lock, &self.seen, record) else {
            return Ok(());
        };
        let now = store.look(&self.name);
        let client_id = &record.key.credential.client_id;
        let is_of_another =
            |now: &Record| now.key.credential.client_id != *client_id || now.rotation.is_some();
        let again = match &now.record {
            // It was changed past our lock: what is there now is of use, too.
            Ok(Some(other)) if is_of_another(other) => Err(first),
            _ => store.replace(&self.lock, &now.revision, record),
        };
        again
            .map(drop)
            .map_err(|error| refused(&error, "the new secret cannot be stored"))
    }
}

pub(super) fn refused(error: &StoreError, so: &str) -> Exit {
    let exit = match error.kind.is_for_later() {
        true => Exit::Later,
        false => Exit::Config,
    };
    fail(exit, format!("{so}: {}", Causes(error)))
}
