//! What keeps a secret that the issuer makes. It is ready before the call, so that the secret goes straight into it.

use std::path::PathBuf;

use super::super::add::{self, Plan};
use super::super::output::{Exit, fail};
use super::secret_file::SecretFile;
use super::session::Session;
use crate::applications::Made;
use crate::causes::Causes;
use crate::clock::{Clock as _, SystemClock};
use crate::config::StoreKind;
use crate::credential::Credential;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{Binding, Keeper, Key, Look, ProfileLock, Record, Revision, StoreError};

/// Where a new secret goes.
#[derive(Debug, clap::Args)]
pub(super) struct Into {
    /// Make a profile of this name that uses the key, with the address, CA and proxy of the profile whose token is used
    #[arg(long, value_name = "NEW", value_parser = ProfileName::parse, conflicts_with = "secret_file")]
    pub(super) enrol: Option<ProfileName>,
    /// Put the secret into this file, which must not be there yet
    #[arg(long, value_name = "PATH")]
    pub(super) secret_file: Option<PathBuf>,
}

/// What keeps the secret.
pub(super) enum Keep {
    /// A new profile.
    Profile {
        plan: Box<Plan>,
        name: ProfileName,
        seen: Box<Look>,
    },
    /// A new file.
    File(SecretFile),
    /// A profile that has the key already.
    Held(Box<Held>),
}

/// A profile that has the key already. Nobody else changes its record meanwhile.
pub(super) struct Held {
    pub(super) name: ProfileName,
    store: StoreKind,
    lock: ProfileLock,
    seen: Revision,
    binding: Binding,
}

// === impl Keep ===

impl Keep {
    /// Makes it ready. `nothing` says what follows if it cannot be.
    pub(super) fn prepare(
        into: &Into,
        env: &Env,
        session: &Session,
        nothing: &str,
    ) -> Result<Self, Exit> {
        let target = &session.target;
        if let Some(path) = &into.secret_file {
            return SecretFile::make(path).map(Self::File).map_err(|error| {
                let what = format!("{nothing}: {}: {error}", path.display());
                fail(Exit::Config, what)
            });
        }
        let Some(name) = into.enrol.clone() else {
            let what = format!("{nothing}: give --enrol NEW or --secret-file PATH");
            return Err(fail(Exit::Usage, what));
        };
        let found = target.read_to_change()?;
        if found.config.profiles.contains_key(&name) {
            let what = format!("{nothing}: there is a profile {name} already; choose another name");
            return Err(fail(Exit::Config, what));
        }
        let profile = session.profile.clone();
        let plan = Plan::of_new(profile, None, env, target, &session.stores, &name)?;
        let store = session.stores.store(plan.place.kind());
        store
            .probe(&name)
            .map_err(|error| refused(&error, nothing))?;
        let seen = Box::new(store.look(&name));
        Ok(Self::Profile {
            plan: Box::new(plan),
            name,
            seen,
        })
    }

    /// Makes the store ready of a profile that has the key: it is proved by a real write of what is there.
    pub(super) fn of_holder(
        session: &Session,
        name: &ProfileName,
        store: &StoreKind,
        nothing: &str,
    ) -> Result<Self, Exit> {
        let lock = session.stores.lock(name);
        let lock = lock.map_err(|error| refused(&error, nothing))?;
        let kept = session.stores.store(store);
        let look = kept.look(name);
        let record = look.record.map_err(|error| refused(&error, nothing))?;
        let Some(record) = record.filter(|record| record.previous.is_none()) else {
            let what = format!("{nothing}: what is stored of {name} is being changed; try again");
            return Err(fail(Exit::Later, what));
        };
        let seen = kept.replace(&lock, &look.revision, &record);
        let seen = seen.map_err(|error| refused(&error, nothing))?;
        Ok(Self::Held(Box::new(Held {
            name: name.clone(),
            store: store.clone(),
            lock,
            seen,
            binding: record.binding,
        })))
    }

    /// Keeps the secret of the key that is called `key_name`. With a new profile, a token is got with what is stored before
    /// the profile is written.
    pub(super) fn keep(
        &self,
        session: &Session,
        env: &Env,
        key_name: &str,
        made: Made,
    ) -> Result<(), Exit> {
        let binding = match self {
            Self::Profile { .. } => &session.binding,
            Self::Held(held) => &held.binding,
            Self::File(file) => {
                return file.keep(&made.secret).map_err(|error| {
                    let path = file.path.display();
                    let what = format!("the secret cannot be written to {path}: {error}");
                    fail(Exit::Config, what)
                });
            }
        };
        let record = record(made, key_name, binding.clone())?;
        match self {
            Self::Profile { plan, name, seen } => {
                let proof = || {
                    let (profile, files) = (&plan.profile, &session.files);
                    add::prove(profile, files, &record.key.credential, env).map(drop)
                };
                plan.write(&session.target, &session.stores, name, seen, &record, proof)
            }
            Self::Held(held) => held.keep(session, &record),
            Self::File(_) => Ok(()),
        }
    }

    /// What is written down of it.
    pub(super) fn keeper(&self) -> Keeper {
        match self {
            Self::Profile { plan, name, .. } => {
                Keeper::Profile(name.clone(), plan.place.kind().clone())
            }
            Self::File(file) => Keeper::File(file.path.clone()),
            Self::Held(held) => Keeper::Profile(held.name.clone(), held.store.clone()),
        }
    }

    /// Whether the store surely does not have this key.
    pub(super) fn is_without(&self, session: &Session, key_id: &str) -> bool {
        let (name, store) = match self {
            Self::Profile { plan, name, .. } => (name, plan.place.kind()),
            Self::Held(held) => (&held.name, &held.store),
            Self::File(_) => return true,
        };
        match session.stores.reader(store).load(name) {
            Ok(None) => true,
            Ok(Some(record)) => record.key.key_id.as_deref() != Some(key_id),
            Err(_) => false,
        }
    }

    /// Removes a file into which no secret will go.
    pub(super) fn discard(&self) {
        if let Self::File(file) = self {
            file.discard();
        }
    }
}

impl Held {
    /// Puts the record in place of the former one; a write that fails is repeated once.
    fn keep(&self, session: &Session, record: &Record) -> Result<(), Exit> {
        let store = session.stores.store(&self.store);
        if store.replace(&self.lock, &self.seen, record).is_ok() {
            return Ok(());
        }
        let now = store.look(&self.name).revision;
        let again = store.replace(&self.lock, &now, record);
        again
            .map(drop)
            .map_err(|error| refused(&error, "the new secret cannot be stored"))
    }
}

fn record(made: Made, key_name: &str, binding: Binding) -> Result<Record, Exit> {
    let Made {
        id,
        client_id,
        secret,
    } = made;
    let credential = Credential::new(&client_id, secret).map_err(|why| {
        let what = format!("the key cannot be used: its client ID: {why}");
        fail(Exit::Failed, what)
    })?;
    let credential = credential
        .bound_to(binding.bound.as_str())
        .trusting(binding.ca.clone());
    Ok(Record {
        key: Key {
            credential,
            key_id: Some(id),
            key_name: Some(key_name.to_owned()),
            created_at: SystemClock.now().unix,
        },
        binding,
        previous: None,
    })
}

fn refused(error: &StoreError, so: &str) -> Exit {
    let exit = match error.kind.is_for_later() {
        true => Exit::Later,
        false => Exit::Config,
    };
    fail(exit, format!("{so}: {}", Causes(error)))
}
