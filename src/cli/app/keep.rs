//! The place for a secret that the issuer makes. It is ready before the call, so that the secret goes straight into it.

use std::cell::Cell;
use std::path::PathBuf;

use super::super::add::{Plan, Steps};
use super::super::output::{Exit, fail};
use super::secret_file::SecretFile;
use super::session::Session;
use crate::applications::CreatedKey;
use crate::causes::Causes;
use crate::clock::{Clock as _, SystemClock};
use crate::credential::Credential;
use crate::fault::Fault;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{Binding, Key, Record, SecretDestination, StoreError, StoreReading};

/// Where a new secret goes.
#[derive(Debug, clap::Args)]
pub(super) struct SecretTarget {
    /// Create a profile with this name for the key; it gets the address, CA and proxy of the profile whose token is
    /// used
    #[arg(long, value_name = "NEW", value_parser = ProfileName::parse, conflicts_with = "secret_file")]
    pub(super) enrol: Option<ProfileName>,
    /// Write the secret to this file, which must not exist yet
    #[arg(long, value_name = "PATH")]
    pub(super) secret_file: Option<PathBuf>,
}

/// The place for a new secret.
pub(super) enum SecretPlace {
    /// A new profile.
    Profile {
        plan: Box<Plan>,
        name: ProfileName,
        seen: Box<StoreReading>,
    },
    /// A new file.
    File(SecretFile),
}

/// The result of keeping a secret.
pub(super) enum KeepOutcome {
    /// The secret is kept, and the issuer gave a token for it.
    Proved,
    /// The secret is kept, but the issuer could not be asked.
    Unproved(Fault),
}

// === impl Keep ===

impl SecretPlace {
    /// Makes the place ready. `nothing` is the message's beginning if that fails.
    pub(super) fn prepare(
        into: &SecretTarget,
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

    /// Keeps the secret of the key with the name `key_name`, and gets a token with it. With `must_prove`, the secret is
    /// removed again if the issuer cannot be asked; `undoing` is called before that. A secret that the issuer rejects
    /// is not kept.
    pub(super) fn keep(
        &self,
        session: &Session,
        key_name: &str,
        made: CreatedKey,
        must_prove: bool,
        undoing: &dyn Fn(),
    ) -> Result<KeepOutcome, Exit> {
        let record = record(made, key_name, session.binding.clone())?;
        let credential = &record.key.credential;
        match self {
            Self::Profile { plan, name, seen } => {
                let unproved = Cell::new(None);
                let prove = || match session.prove(&plan.profile, &session.files, credential) {
                    Ok(()) => Ok(()),
                    Err(fault) if must_prove || fault.is_of_credential() => Err(rejected(&fault)),
                    Err(fault) => {
                        unproved.set(Some(fault));
                        Ok(())
                    }
                };
                let steps = Steps {
                    proof: &prove,
                    undoing,
                };
                plan.write(
                    &session.target,
                    &session.stores,
                    name,
                    seen,
                    &record,
                    &steps,
                )?;
                Ok(unproved
                    .take()
                    .map_or(KeepOutcome::Proved, KeepOutcome::Unproved))
            }
            Self::File(file) => {
                file.keep(&credential.client_secret).map_err(|error| {
                    let path = file.path.display();
                    let what = format!("the secret cannot be written to {path}: {error}");
                    fail(Exit::Config, what)
                })?;
                proved(session.prove(&session.profile, &session.files, credential))
            }
        }
    }

    /// The place as it is recorded in the journal.
    pub(super) fn keeper(&self) -> SecretDestination {
        match self {
            Self::Profile { plan, name, .. } => {
                SecretDestination::Profile(name.clone(), plan.place.kind().clone())
            }
            Self::File(file) => SecretDestination::File(file.path.clone()),
        }
    }

    /// Whether the store surely does not have this key.
    pub(super) fn is_without(&self, session: &Session, key_id: &str) -> bool {
        let (name, store) = match self {
            Self::Profile { plan, name, .. } => (name, plan.place.kind()),
            Self::File(_) => return true,
        };
        match session.stores.reader(store).load(name) {
            Ok(None) => true,
            Ok(Some(record)) => record.key.key_id.as_deref() != Some(key_id),
            Err(_) => false,
        }
    }

    /// Removes a file that will receive no secret.
    pub(super) fn discard(&self) {
        if let Self::File(file) = self {
            file.discard();
        }
    }
}

fn refused(error: &StoreError, so: &str) -> Exit {
    let exit = match error.kind.is_for_later() {
        true => Exit::Later,
        false => Exit::Config,
    };
    fail(exit, format!("{so}: {}", Causes(error)))
}

fn proved(proof: Result<(), Fault>) -> Result<KeepOutcome, Exit> {
    match proof {
        Ok(()) => Ok(KeepOutcome::Proved),
        Err(fault) if fault.is_of_credential() => Err(rejected(&fault)),
        Err(fault) => Ok(KeepOutcome::Unproved(fault)),
    }
}

/// The error for a new secret that gives no token.
pub(super) fn rejected(fault: &Fault) -> Exit {
    let exit = match fault.is_of_credential() {
        true => Exit::Failed,
        false => Exit::Later,
    };
    fail(
        exit,
        format!("no token with the new secret: {}", fault.detail),
    )
}

fn record(made: CreatedKey, key_name: &str, binding: Binding) -> Result<Record, Exit> {
    let CreatedKey {
        id,
        client_id,
        secret,
        server_date,
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
            server_date,
        },
        binding,
        rotation: None,
    })
}
