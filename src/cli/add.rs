//! `jetond add`: enrols a credential. Nothing is written before the issuer has given a token for it.

use std::path::PathBuf;

use super::admin;
use super::issuer;
use super::open_here::{Opening, open_here};
use super::output::{Exit, fail, print_line};
use super::prompt;
use super::store_choice::{self, StoreChoice};
use super::target::{Target, TargetArgs};
use crate::causes::Causes;
use crate::certificates::ClientFiles;
use crate::config::oauth2::ClientAuth;
use crate::config::{self, CredentialLocation, Profile, Proxy, StoreKind};
use crate::credential::Credential;
use crate::fault::Fault;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::provider::AuthMethods;
use crate::provider::configured::{self, ProviderFiles};
use crate::settings::Content;
use crate::store::source::ca_file;
use crate::store::{BoundTarget, Required, StoreReading, Stores};
use enrolment::Enrolment;
use provider::ProviderArgs;

mod authentication;
mod credential;
mod dialogue;
mod enrolment;
mod finished;
mod granted;
mod profile;
mod proposal;
mod provider;
mod rebound;
mod steps;
mod ways;
mod written;

pub(super) use steps::Steps;

/// The advice for replacing a credential that cannot be read.
const UNREAD: &str = "to replace the credential without reading it, give --client-id ID with --client-secret-file PATH or --client-secret-stdin";

/// The arguments of `jetond add`.
#[derive(Debug, Clone, clap::Args)]
#[command(override_usage = provider::usage(), after_help = provider::examples())]
pub(super) struct AddArgs {
    /// The profile's name
    #[arg(value_parser = ProfileName::parse, required = true)]
    name: Option<ProfileName>,
    #[command(flatten)]
    provider: ProviderArgs,
    /// The file of the certificates to trust (PEM), instead of the system's
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
    /// How to reach the issuer: http://HOST:PORT, or "environment" for HTTPS_PROXY
    #[arg(long, value_parser = Proxy::parse)]
    proxy: Option<Proxy>,
    /// The client certificate for the issuer, in PEM form
    #[arg(long, value_name = "PATH", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// The certificate's key, in PEM form and not encrypted
    #[arg(long, value_name = "PATH", requires = "client_certificate")]
    client_key: Option<PathBuf>,
    /// The client ID; if missing, jetond asks for it
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the client secret from standard input
    #[arg(long, conflicts_with = "client_secret_file")]
    client_secret_stdin: bool,
    /// Read the client secret from a file
    #[arg(long, value_name = "PATH")]
    client_secret_file: Option<PathBuf>,
    /// The store for the credential; default: encrypted-file if that store exists, otherwise keyring if it works,
    /// otherwise file
    #[arg(long, value_name = "STORE", value_parser = store_choice::asked())]
    store: Option<StoreKind>,
    /// Bind an existing profile's credential to the current configuration, or replace the credential
    #[arg(long, conflicts_with_all = ["ca_file", "proxy", "client_certificate", "client_key", "store"])]
    rebind: bool,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn add(args: &AddArgs, env: &Env) -> Exit {
    try_add(args, env).err().unwrap_or(Exit::Done)
}

/// Makes the required arguments optional in the parser: missing ones are asked for.
pub(super) fn without_demands(command: clap::Command) -> clap::Command {
    let command = command.mut_arg("name", |name| {
        name.required(false).required_if_eq("rebind", "true")
    });
    provider::without_demands(command)
}

fn try_add(args: &AddArgs, env: &Env) -> Result<(), Exit> {
    let is_whole = args.rebind || args.provider.is_whole() || !prompt::possible();
    let Some(name) = args.name.as_ref().filter(|_| is_whole) else {
        return args.converse(env);
    };
    let target = args.target.find_own(env)?;
    target.note_beside_the_systems();
    if let Some(rebound) = args.rebind_source(name, &target, env) {
        return rebound;
    }
    let stores = target.stores();
    let mut plan = Plan::make(args, name, env, &target, &stores)?;
    let files = files(&plan.profile, &target)?;
    let (bound, listed) = destination(&plan.profile, &files, env)?;
    args.take_listed(&mut plan.profile, listed.as_ref());
    let Required { binding, .. } = Required::of(&plan.profile, &bound, files.ca_file.clone());
    let mut seen = stores.reader(plan.place.kind()).look(name);
    let is_locked = seen.record.as_ref().is_err_and(|error| error.is_locked());
    if is_locked && args.needs_the_stored() {
        let opening = Opening::typed(UNREAD);
        open_here(&target, &stores, plan.place.kind(), env, &opening)?;
        seen = stores.reader(plan.place.kind()).look(name);
    }
    let credential = args
        .credential(Some(&seen), &binding.bound, plan.profile.origin().is_none())?
        .bound_to(binding.bound.as_str())
        .trusting(binding.ca.clone());
    let credential = shared_as_before(credential, &seen);
    let proved = args.prove(&plan.profile, &files, &credential, listed.as_ref(), env)?;
    let enrolment = Enrolment::new(credential, binding, &proved);
    plan.keep(proved.client_auth);
    plan.finish(&enrolment, name, &seen, &target, &stores, env)
}

/// Marks the credential as shared with another machine if the stored one is marked so and is the same.
fn shared_as_before(credential: Credential, seen: &StoreReading) -> Credential {
    let stored = seen.record.as_ref().ok().and_then(Option::as_ref);
    let is_shared = stored
        .map(|record| &record.key.credential)
        .is_some_and(|stored| {
            stored.is_shared()
                && stored.client_id == credential.client_id
                && stored.client_secret == credential.client_secret
        });
    credential.shared(is_shared)
}

/// A planned enrolment: the profile and the places to write it to.
pub(super) struct Plan {
    pub(super) profile: Profile,
    pub(super) place: StoreChoice,
    /// Whether the profile is to be written into the configuration.
    is_new: bool,
    /// The client authentication to write into an existing profile, if the issuer accepted another than the profile's.
    client_auth: Option<ClientAuth>,
    /// The configuration file's content that the plan is based on.
    before: Content,
}

impl Plan {
    fn make(
        args: &AddArgs,
        name: &ProfileName,
        env: &Env,
        target: &Target,
        stores: &Stores,
    ) -> Result<Self, Exit> {
        let shown = target.config.display();
        let found = target.read_to_change()?;
        if found.content != Content::Text {
            admin::refuse_if_gone(target, env)?;
        }
        stores.keys().encrypt_to(found.config.recipient.clone());
        let before = found.content.clone();
        match (found.config.profiles.get(name), args.profile(env)?) {
            (Some(profile), None) => Ok(Self {
                profile: profile.clone(),
                place: StoreChoice::of(Self::store_of(profile, name, target)?),
                is_new: false,
                client_auth: None,
                before,
            }),
            (None, None) => {
                let add = target.line(&format!("add {name} --provider runai --url https://…"));
                let system = target.hint_of_system(name, &format!("add {name} --rebind"));
                let what = format!(
                    "there is no profile {name} in {shown} to rebind{system}; add it, for example with: {add}"
                );
                Err(fail(Exit::Config, what))
            }
            (Some(_), Some(_)) => Err(fail(Exit::Config, Self::is_there(target, name))),
            (None, Some(profile)) => {
                Self::of_new(profile, args.store.clone(), env, target, stores, name)
            }
        }
    }

    /// The store for the credential of an existing profile.
    fn store_of(profile: &Profile, name: &ProfileName, target: &Target) -> Result<StoreKind, Exit> {
        profile.store().cloned().ok_or_else(|| {
            let what = format!(
                "nothing is changed: the credential of {name} comes {}, and is not stored",
                target.stores().whereabouts(profile)
            );
            fail(Exit::Config, what)
        })
    }

    /// The error that a profile of this name exists, and the remedy.
    fn is_there(target: &Target, name: &ProfileName) -> String {
        let rebind = target.line(&format!("add {name} --rebind"));
        let remove = target.line(&format!("remove {name}"));
        format!(
            "there is a profile {name} already; for a new credential run: {rebind}; for another issuer run first: {remove}"
        )
    }

    /// Plans a new profile whose name the current configuration does not have.
    pub(super) fn of_new(
        mut profile: Profile,
        asked: Option<StoreKind>,
        env: &Env,
        target: &Target,
        stores: &Stores,
        name: &ProfileName,
    ) -> Result<Self, Exit> {
        let found = target.read_to_change()?;
        stores.keys().encrypt_to(found.config.recipient.clone());
        let place = StoreChoice::choose(asked, target.system, stores, name).map_err(|why| {
            let why = why.named("--store");
            fail(Exit::Config, format!("nothing is changed: {why}"))
        })?;
        profile.credential = CredentialLocation::Store(place.kind().clone());
        if let Some(other) = target.shares_credential(env, name, place.kind()) {
            let other = other.display();
            let what = format!(
                "{other} has a profile {name}, whose credential this would replace: choose another name, or another state with --state PATH"
            );
            return Err(fail(Exit::Config, what));
        }
        target.refuse_to_forget(name, place.kind())?;
        // A configuration that cannot be added to must be reported before the person is asked for anything.
        config::add_profile(&found.text, name, &profile).map_err(|error| {
            let shown = target.config.display();
            fail(Exit::Config, format!("{shown}: {error}"))
        })?;
        Ok(Self {
            profile,
            place,
            is_new: true,
            client_auth: None,
            before: found.content,
        })
    }
}

/// Reads the files that the profile names, before anything is asked for. The CA file is read only this once: discovery,
/// the proof and the record use the same certificates, even if the file changes while a person looks for the secret.
///
/// The files are read as the daemon's user, who has to read them later.
fn files(profile: &Profile, target: &Target) -> Result<ProviderFiles, Exit> {
    let owner = target.daemon;
    let ca_file = target.as_daemon(|| ca_file(profile, owner));
    let ca_file = ca_file.map_err(|error| fail(Exit::Config, Causes(&error)))?;
    if let Some(files) = &profile.client_certificate {
        let read = target.as_daemon(|| ClientFiles::examine(files, owner));
        read.map_err(|error| fail(Exit::Config, Causes(&error)))?;
    }
    Ok(ProviderFiles::with_ca(owner, ca_file))
}

/// Finds where the secret will be sent, and the authentication methods in the issuer's document. The address is shown
/// if it differs from the one that the person typed.
fn destination(
    profile: &Profile,
    files: &ProviderFiles,
    env: &Env,
) -> Result<(BoundTarget, Option<AuthMethods>), Exit> {
    let located = ask(profile, env, configured::destination(profile, files))?;
    let bound = BoundTarget::of(profile, located.endpoint);
    if profile.origin().is_none() {
        print_line(format!(
            "the issuer's token endpoint is {bound}: the credential is sent only there"
        ));
    }
    Ok((bound, located.auth_methods))
}

/// Runs a call to the issuer to its end.
fn ask<T>(
    profile: &Profile,
    env: &Env,
    question: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Exit> {
    issuer::ask(profile, env, "no token, so nothing is written", question)
}

#[cfg(test)]
mod tests;
