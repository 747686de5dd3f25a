//! The common start of every `jetond app` command: the profile, its token, and the API that manages keys.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use super::super::admin;
use super::super::bound::bound;
use super::super::open_here::{Opening, open_here};
use super::super::output::{Exit, fail};
use super::super::proof::Proof;
use super::super::target::Target;
use super::stored::holders;
use super::token::{self, HeldToken};
use super::whose::{KeyOptions, TokenProfile};
use crate::applications::{
    ApiError, ApiErrorKind, Application, Applications, KeyMatch, Listed, find, printable,
};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Profile, Provider};
use crate::credential::Credential;
use crate::fault::Fault;
use crate::offload;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::provider::configured::{self, ProviderFiles};
use crate::store::{Binding, Stores};

/// The validity that the token needs for an ordinary command, in seconds.
pub(super) const ORDINARY: u64 = 60;

/// A profile with its token, and the API.
pub(super) struct Session {
    pub(super) target: Target,
    pub(super) stores: Stores,
    pub(super) name: ProfileName,
    pub(super) profile: Profile,
    /// The profile's files, as they were read for this session.
    pub(super) files: ProviderFiles,
    /// The binding of the profile's credential.
    pub(super) binding: Binding,
    pub(super) api: Applications,
    /// The token's remaining lifetime, in seconds.
    pub(super) left: u64,
    pub(super) config: Config,
    /// Our profiles of this control plane whose credential cannot be read: each may use any key.
    pub(super) unread: Vec<ProfileName>,
    /// The client IDs that the readable profiles of this control plane use.
    holders: Vec<(String, ProfileName)>,
    /// The client IDs of the other keys of profiles whose key is being rotated.
    rotating: Vec<(String, ProfileName)>,
    socket: PathBuf,
    admin: PathBuf,
    runtime: Runtime,
}

impl Session {
    /// Opens a session; sends nothing to the issuer yet. `validity` is the lifetime that the token needs, in seconds.
    pub(super) fn open(
        target: Target,
        whose: &TokenProfile,
        env: &Env,
        validity: u64,
    ) -> Result<Self, Exit> {
        let config = target.read_config()?;
        let (name, profile) = pick(&config, whose, env)?;
        let Provider::Runai(_) = &profile.provider else {
            let what = format!(
                "the profile {name} is of the provider {}: only Run:ai's keys are managed here",
                profile.provider.as_str()
            );
            return Err(fail(Exit::Config, what));
        };
        let stores = target.stores().encrypting_for(&config);
        if let Some(store) = profile.store() {
            let opening = Opening::typed("run this on a terminal");
            open_here(&target, &stores, store, env, &opening)?;
        }
        let (files, binding) = bound(&target, &stores, &name, &profile)?;
        let places = admin::places(&target, env).map_err(|error| fail(Exit::Config, error))?;
        admin::refuse_another_daemon(&target, &places)?;
        let runtime = offload::event_loop().map_err(|error| fail(Exit::Failed, error))?;
        let HeldToken { token, left } =
            runtime.block_on(token::ask(&places.token, &target, &name, validity))?;
        let Some(api) = Applications::new(&profile, &files, Some(binding.ca.clone()), token) else {
            return Err(fail(Exit::Config, "only Run:ai's keys are managed here"));
        };
        let holders = holders(&stores, &config, &profile);
        Ok(Self {
            holders: holders.in_use,
            rotating: holders.rotating,
            unread: holders.unread,
            socket: places.token,
            admin: places.admin,
            target,
            stores,
            name,
            profile,
            files,
            binding,
            api,
            left,
            config,
            runtime,
        })
    }

    /// Asks for a token again, since the person's answer may have taken most of its lifetime.
    pub(super) fn renew_token(&mut self, validity: u64) -> Result<(), Exit> {
        let asked = token::ask(&self.socket, &self.target, &self.name, validity);
        let HeldToken { token, left } = self.runtime.block_on(asked)?;
        let ca = Some(self.binding.ca.clone());
        if let Some(api) = Applications::new(&self.profile, &self.files, ca, token) {
            self.api = api;
        }
        self.left = left;
        Ok(())
    }

    /// Gets a token with this credential as proof, discards it, and reports the success to the daemon.
    pub(super) fn prove(
        &self,
        profile: &Profile,
        files: &ProviderFiles,
        credential: &Credential,
    ) -> Result<(), Fault> {
        let provider = configured::provider(profile, files);
        self.wait(provider.fetch(credential)).map(drop)?;
        if let Some(proof) = Proof::of(credential) {
            proof.tell(&self.admin);
        }
        Ok(())
    }

    /// The daemon's admin socket.
    pub(super) fn admin(&self) -> &Path {
        &self.admin
    }

    /// One of our profiles with its files. Refuses if its credential is bound to another address.
    pub(super) fn route_of(&self, name: &ProfileName) -> Result<(Profile, ProviderFiles), Exit> {
        let Some(profile) = self.config.profiles.get(name) else {
            return Err(fail(Exit::Config, format!("there is no profile {name}")));
        };
        let (files, _) = bound(&self.target, &self.stores, name, profile)?;
        Ok((profile.clone(), files))
    }

    /// Runs a call to its end.
    pub(super) fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Our profiles whose rotation replaces this key or introduces it.
    pub(super) fn rotating(&self, key: &Application) -> Vec<ProfileName> {
        let rotating = self.rotating.iter().filter(|(id, _)| *id == key.client_id);
        rotating.map(|(_, name)| name.clone()).collect()
    }

    /// Our profiles that use this key.
    pub(super) fn holders_of(&self, key: &Application) -> Vec<ProfileName> {
        let uses = self.holders.iter().filter(|(id, _)| *id == key.client_id);
        uses.map(|(_, name)| name.clone()).collect()
    }

    /// The names of our profiles that use this key.
    pub(super) fn used_by(&self, key: &Application) -> Vec<String> {
        let names = self.holders_of(key).into_iter();
        names.map(|name| name.to_string()).collect()
    }

    /// Finds the key that a person names. `so` is the message's beginning if there is no such key.
    pub(super) fn find(
        &self,
        common: &KeyOptions,
        all: bool,
        text: &str,
        so: &str,
    ) -> Result<(Listed, Application), Exit> {
        let listed = self.wait(self.api.list_with(common.kind, all, text));
        let listed = listed.map_err(|trouble| exit_with_api_error(&trouble, so))?;
        let key = match find(&listed.keys, text) {
            KeyMatch::One(key) => key.clone(),
            KeyMatch::Nothing => {
                let noun = listed.family.noun();
                let what = if listed.may_have_more {
                    format!(
                        "{so}: the server shows only the first {} {noun}s, and none of them has this name, ID or client ID; give its client ID",
                        listed.keys.len()
                    )
                } else {
                    let list = self.target.line("app list");
                    format!(
                        "{so}: there is no {noun} of this name, ID or client ID; to see those there are, run: {list}"
                    )
                };
                return Err(fail(Exit::Failed, what));
            }
            KeyMatch::Several(keys) => {
                let ids: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
                let what = format!(
                    "{so}: {} {}s are called {}; give one of their IDs: {}",
                    ids.len(),
                    listed.family.noun(),
                    printable(text),
                    ids.join(", ")
                );
                return Err(fail(Exit::Usage, what));
            }
        };
        Ok((listed, key))
    }

    /// The wall clock, in Unix seconds.
    pub(super) fn now(&self) -> u64 {
        SystemClock.now().unix.seconds_down()
    }
}

/// Picks the profile: the named one, else that of `JETON_PROFILE`, else the only one.
fn pick(config: &Config, whose: &TokenProfile, env: &Env) -> Result<(ProfileName, Profile), Exit> {
    let named = match (&whose.profile, &env.profile) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(text)) => Some(ProfileName::parse(text).map_err(|error| {
            fail(
                Exit::Usage,
                format!("JETON_PROFILE names no profile: {error}"),
            )
        })?),
        (None, None) => None,
    };
    let mut all = config.profiles.iter();
    let found = match &named {
        Some(name) => config.profiles.get_key_value(name),
        None => match (all.next(), all.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => {
                let what = "there are several profiles; name the one whose token is to be used, or set JETON_PROFILE";
                return Err(fail(Exit::Usage, what));
            }
            _ => None,
        },
    };
    let found = found.map(|(name, profile)| (name.clone(), profile.clone()));
    found.ok_or_else(|| {
        let what = match &named {
            Some(name) => format!("there is no profile {name}"),
            None => "there is no profile whose token could be used".to_owned(),
        };
        fail(Exit::Config, what)
    })
}

/// Prints a call's error after the text `so`, and returns the exit code.
pub(super) fn exit_with_api_error(trouble: &ApiError, so: &str) -> Exit {
    fail(exit_of(trouble), format!("{so}: {trouble}"))
}

/// The exit code for a call's error.
pub(super) fn exit_of(trouble: &ApiError) -> Exit {
    match trouble.kind {
        ApiErrorKind::BadRequest => Exit::Failed,
        _ if trouble.is_of_configuration() => Exit::Config,
        _ if trouble.is_passing() => Exit::Later,
        _ => Exit::Failed,
    }
}
