//! `jetond add`: enrols a credential. Nothing is written before the issuer has given a token for it.

use std::path::PathBuf;

use clap::ArgGroup;
use zeroize::Zeroizing;

use super::admin;
use super::output::{Exit, fail, fail_with, say};
use super::place::{Asked, Place};
use super::prompt;
use super::target::TargetArgs;
use crate::causes::Causes;
use crate::config::{self, BaseUrl, Profile, Proxy};
use crate::credential::{ClientSecret, Credential, InvalidCredential};
use crate::daemon::clock::{Clock, SystemClock};
use crate::daemon::issuer;
use crate::daemon::source::binding_of;
use crate::fault::{Fault, FaultKind};
use crate::offload;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings::{self, WriteError};
use crate::store::{CredentialStore, Key, Record, StoreError, StoreErrorKind};
use crate::token::{Grant, Validity};
use oauth2::Oauth2Args;

mod oauth2;
mod profile;

/// The arguments of `jetond add`.
#[derive(Debug, clap::Args)]
#[command(override_usage = USAGE, after_help = EXAMPLE)]
#[command(group(ArgGroup::new("oauth2").args(oauth2::NAMES).multiple(true)))]
pub(super) struct AddArgs {
    /// The profile's name
    #[arg(value_parser = ProfileName::parse)]
    name: ProfileName,
    /// The kind of issuer
    #[arg(long, value_parser = ["runai", "oauth2"], required_unless_present = "rebind")]
    provider: Option<String>,
    /// The control plane's address, such as https://acme.run.ai
    #[arg(long, value_name = "URL", value_parser = BaseUrl::parse, required_if_eq("provider", "runai"))]
    url: Option<BaseUrl>,
    /// Which of Run:ai's APIs to use
    #[arg(long, value_parser = ["auto", "v2", "v1"])]
    api: Option<String>,
    /// The certificates to trust, and no others
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
    /// How to reach the issuer: http://HOST:PORT, or "environment" for HTTPS_PROXY
    #[arg(long, value_parser = Proxy::parse)]
    proxy: Option<Proxy>,
    /// The certificate to show to the issuer, in PEM form
    #[arg(long, value_name = "PATH", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// The certificate's key, in PEM form and not encrypted
    #[arg(long, value_name = "PATH", requires = "client_certificate")]
    client_key: Option<PathBuf>,
    /// The client ID; asked for when it is missing
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the client secret from standard input
    #[arg(long, conflicts_with = "client_secret_file")]
    client_secret_stdin: bool,
    /// Read the client secret from a file
    #[arg(long, value_name = "PATH")]
    client_secret_file: Option<PathBuf>,
    /// Where to keep the credential; without it the OS keyring if it can be used here, else a file
    #[arg(long, value_name = "STORE")]
    store: Option<Asked>,
    /// Bind the credential of an existing profile to what the configuration says now, or give the profile a new credential
    #[arg(long, conflicts_with_all = ["provider", "url", "api", "ca_file", "proxy", "client_certificate", "client_key", "store", "oauth2"])]
    rebind: bool,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    oauth2: Oauth2Args,
}

const USAGE: &str = "\
jetond add <NAME> --provider runai --url <URL> [OPTIONS]
       jetond add <NAME> --provider oauth2 --issuer <URL> [OPTIONS]
       jetond add <NAME> --rebind [OPTIONS]";

const EXAMPLE: &str = "\
Example: jetond add research --provider runai --url https://acme.run.ai
         jetond add reports --provider oauth2 --issuer https://login.acme.com --scope read
It asks for the client ID and, without showing it, for the client secret.";

pub(super) fn add(args: &AddArgs, env: &Env) -> Exit {
    try_add(args, env).err().unwrap_or(Exit::Done)
}

fn try_add(args: &AddArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    let config = target.read_config_to_change()?;
    let name = &args.name;
    let stores = target.stores();
    let (profile, place, new_text) = match (config.profiles.get(name), args.profile(env)?) {
        (Some(profile), None) => (profile.clone(), Place::of(profile.store), None),
        (None, None) => {
            return Err(fail(
                Exit::Config,
                format!(
                    "there is no profile {name} in {} to rebind; add it with --provider and --url or --issuer",
                    target.config.display()
                ),
            ));
        }
        (Some(_), Some(_)) => {
            return Err(fail(
                Exit::Config,
                format!(
                    "there is a profile {name} already; for a new credential run: jetond add {name} --rebind, for another issuer first: jetond remove {name}"
                ),
            ));
        }
        (None, Some(mut profile)) => {
            let place = Place::choose(args.store, target.system, || stores.keyring().probe(name))
                .map_err(|why| fail(Exit::Config, format!("nothing is changed: {why}")))?;
            profile.store = place.kind();
            let text =
                config::add_profile(&target.config_text()?, name, &profile).map_err(|error| {
                    fail(
                        Exit::Config,
                        format!("{}: {error}", target.config.display()),
                    )
                })?;
            (profile, place, Some(text))
        }
    };
    let origin = destination(&profile)?;
    let binding = binding_of(&profile, &origin).map_err(|error| fail(Exit::Config, error))?;
    let store = stores.of(profile.store);
    let credential = args
        .credential(store.as_ref(), &origin, profile.origin().is_none())?
        .bound_to(&origin);
    let validity = prove(&profile, &credential)?;
    let key = Key {
        credential,
        key_id: None,
        key_name: None,
        created_at: SystemClock.now().unix,
    };
    let record = Record {
        key,
        binding,
        previous: None,
    };
    // Of a profile that was taken out of the configuration by hand, there may be one.
    let before = store.load(name).ok().flatten();
    store
        .save(name, &record)
        .map_err(|error| not_saved(&error))?;
    if let Some(text) = new_text {
        settings::write_config(&target.config, &text, target.uid, target.readers).map_err(
            |error| not_written(&error, || restore(store.as_ref(), name, before.as_ref())),
        )?;
    }
    say(format!(
        "{name} is enrolled: {} gave a token that holds for {} s; {}",
        record.binding.origin,
        validity.lifetime.as_secs(),
        place.sentence(&stores.file().path(name))
    ));
    admin::reload(&target, env, Some(name));
    Ok(())
}

/// Where the secret will be sent. It is shown where it is not what the person has typed.
fn destination(profile: &Profile) -> Result<String, Exit> {
    let origin = ask(issuer::destination(profile))?;
    if profile.origin().is_none() {
        say(format!(
            "the issuer's token endpoint is at {origin}: the credential is for it alone"
        ));
    }
    Ok(origin)
}

fn not_saved(error: &StoreError) -> Exit {
    let exit = match error.kind {
        StoreErrorKind::Busy => Exit::Later,
        _ => Exit::Config,
    };
    let what = match error.kind {
        StoreErrorKind::Keyring(_) if error.changed => "the configuration is not changed",
        _ if error.changed => "the credential is stored, but perhaps not for long",
        _ => "the credential is not stored",
    };
    fail(exit, format!("{what}: {}", Causes(error)))
}

/// A credential without its profile is of no use, so it goes again, unless the profile is in place all the same.
fn not_written(error: &WriteError, restore: impl FnOnce() -> Result<(), StoreError>) -> Exit {
    let what = if error.replaced {
        "the profile is written, but perhaps not for long"
    } else if restore().is_ok() {
        "the profile is not written, so the credential is not stored either"
    } else {
        "the credential is stored, but its profile is not written"
    };
    fail(Exit::Config, format!("{what}: {}", Causes(error)))
}

/// Puts the store back to what it was.
fn restore(
    store: &dyn CredentialStore,
    name: &ProfileName,
    before: Option<&Record>,
) -> Result<(), StoreError> {
    match before {
        Some(record) => store.save(name, record),
        None => store.remove(name).map(drop),
    }
}

/// Gets one token as proof, and throws it away.
fn prove(profile: &Profile, credential: &Credential) -> Result<Validity, Exit> {
    let provider = issuer::provider(profile).map_err(|error| fail(Exit::Config, error))?;
    let Grant { lifetime, .. } = ask(provider.fetch(credential))?.grant;
    Ok(Validity::new(SystemClock.now().boot, lifetime))
}

/// Waits for the issuer.
fn ask<T>(question: impl Future<Output = Result<T, Fault>>) -> Result<T, Exit> {
    let runtime = offload::event_loop().map_err(|error| fail(Exit::Failed, error))?;
    runtime.block_on(question).map_err(|fault| {
        fail(
            exit_of(&fault),
            format!("no token, so nothing is written: {}", fault.detail),
        )
    })
}

/// How a command ends to which an issuer gave nothing: "try again later" only where that can help.
const fn exit_of(fault: &Fault) -> Exit {
    match fault.kind {
        FaultKind::Rejected if !fault.no_endpoint => Exit::Failed,
        // The address, the configuration, a certificate or a clock has to be put right first.
        FaultKind::Rejected
        | FaultKind::BindingChanged
        | FaultKind::TlsName
        | FaultKind::TlsExpired
        | FaultKind::TlsUntrusted
        | FaultKind::NoCa
        | FaultKind::Redirect
        | FaultKind::Malformed
        | FaultKind::TooLarge => Exit::Config,
        FaultKind::Dns
        | FaultKind::Connect
        | FaultKind::Timeout
        | FaultKind::Reset
        | FaultKind::RateLimited
        | FaultKind::ServerError => Exit::Later,
    }
}

impl AddArgs {
    /// The credential: as given, asked for, or with `--rebind` the one in the store. A person sees the origin before the
    /// secret goes there; where nobody can, a stored secret goes to no other place that was `discovered`.
    fn credential(
        &self,
        store: &dyn CredentialStore,
        origin: &str,
        discovered: bool,
    ) -> Result<Credential, Exit> {
        let secret_given = self.client_secret_stdin || self.client_secret_file.is_some();
        // What is replaced as a whole need not be readable.
        let stored = if self.rebind && !(self.client_id.is_some() && secret_given) {
            self.stored(store)?
        } else {
            None
        };
        if let (Some(stored), None, false, false) =
            (&stored, &self.client_id, secret_given, prompt::possible())
        {
            if discovered && stored.origin() != Some(origin) {
                return Err(fail(
                    Exit::Usage,
                    "the issuer names another token endpoint than at enrolment, and there is no terminal to confirm it on; nothing is sent: run this in a terminal, or give the secret with --client-secret-stdin or --client-secret-file PATH",
                ));
            }
            return copy(stored);
        }
        if !prompt::possible() && (self.client_id.is_none() && stored.is_none() || !secret_given) {
            return Err(fail(
                Exit::Usage,
                "there is no terminal to ask on: give --client-id ID with --client-secret-file PATH or --client-secret-stdin",
            ));
        }
        let id = match (&self.client_id, &stored) {
            (Some(id), _) => id.clone(),
            (None, Some(stored)) if secret_given => stored.client_id.clone(),
            (None, Some(stored)) => {
                let typed = prompt::line(&format!("Client ID (Enter keeps {})", stored.client_id))?;
                if typed.is_empty() {
                    stored.client_id.clone()
                } else {
                    typed
                }
            }
            (None, None) => prompt::line("Client ID")?,
        };
        check("the client ID", &id)?;
        let secret = if self.client_secret_stdin {
            prompt::secret_from_stdin()?
        } else if let Some(path) = &self.client_secret_file {
            prompt::secret_from_file(path)?
        } else if let Some(stored) = stored.filter(|stored| stored.client_id == id) {
            let typed = prompt::secret(&format!(
                "Client secret for {origin} (not shown; Enter keeps the stored one)"
            ))?;
            if typed.is_empty() {
                Zeroizing::new(stored.client_secret.expose().to_owned())
            } else {
                typed
            }
        } else {
            prompt::secret(&format!("Client secret for {origin} (not shown)"))?
        };
        check("the client secret", &secret)?;
        Credential::parse(&id, &secret).map_err(|why| refuse("the credential", why))
    }

    fn stored(&self, store: &dyn CredentialStore) -> Result<Option<Credential>, Exit> {
        let record = store
            .load(&self.name)
            .map_err(|error| fail_with(Exit::Config, &error))?;
        Ok(record.map(|record| record.key.credential))
    }
}

/// Both are of the same characters.
fn check(what: &str, text: &str) -> Result<(), Exit> {
    ClientSecret::parse(text)
        .map(drop)
        .map_err(|why| refuse(what, why))
}

fn refuse(what: &str, why: InvalidCredential) -> Exit {
    fail(Exit::Usage, format!("{what} cannot be used: {why}"))
}

fn copy(credential: &Credential) -> Result<Credential, Exit> {
    Credential::parse(&credential.client_id, credential.client_secret.expose()).map_err(|why| {
        fail(
            Exit::Config,
            format!("the stored credential cannot be used: {why}"),
        )
    })
}

#[cfg(test)]
mod tests;
