//! Finds the parameters of a set-up: the address, its profile in the configuration, and the companion.

use std::path::{Path, PathBuf};

use super::super::companion::{self, NoCompanion};
use super::super::socket_unit;
use super::super::target::Target;
use super::super::target::lines::quoted;
use super::recipe::{Needs, Recipe, Refusal, Subject, key_of};
use crate::address::Address;
use crate::config::{Config, HostEntry, entry_for};
use crate::paths::Env;
use crate::process::manager::SystemdManager;
use crate::profile::ProfileName;

/// The arguments as typed.
pub(super) struct TypedArguments<'a> {
    pub(super) address: Option<&'a str>,
    pub(super) profile: Option<&'a str>,
    pub(super) jeton: Option<&'a Path>,
}

/// The parameters of a set-up, and the lines of TOML that the configuration still lacks for it.
pub(super) struct FoundSubject<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) lacks: Option<String>,
}

/// Finds the parameters of a set-up.
///
/// # Errors
/// A [`Refusal`] if a parameter that the tool needs is missing or wrong.
pub(super) fn find<'a>(
    recipe: &Recipe,
    typed: &TypedArguments<'_>,
    config: &Config,
    target: &Target,
    env: &'a Env,
) -> Result<FoundSubject<'a>, Refusal> {
    let jeton = companion(typed.jeton)?;
    let named = typed.profile.map(profile_named).transpose()?;
    let address = typed.address.map(parse).transpose()?;
    let address = match address {
        None if recipe.needs != Needs::Profile => Some(only_address(recipe, config)?),
        address => address,
    };
    let entries = || {
        let entries = config.hosts.iter();
        entries.flat_map(|(name, entries)| entries.iter().map(move |entry| (name, entry)))
    };
    let entry = address
        .as_ref()
        .and_then(|address| entry_for(entries(), |(_, entry)| entry, address));
    let entry = entry.map(|(name, entry)| (name.clone(), entry.clone()));
    if let (Some((given, _)), Some(named)) = (&entry, &named)
        && given != named
    {
        return Err(Refusal::usage(&format!(
            "the configuration has this address for the profile {given}, not for {named}: leave out --profile"
        )));
    }
    let profile = entry.as_ref().map(|(name, _)| name.clone()).or(named);
    let profile = profile.or_else(|| only_profile(config));
    if profile.is_none() && recipe.needs != Needs::Address {
        return Err(Refusal::usage(&format!(
            "say for which profile: jetond setup {} … --profile NAME{}",
            recipe.name,
            known_profiles(config)
        )));
    }
    let lacks = match (&address, &entry) {
        (Some(address), None) => Some(host_lines(address, profile.as_ref())),
        _ => None,
    };
    let entry = entry.map(|(_, entry): (_, HostEntry)| entry);
    let runtime = runtime(target, env);
    let bare_file = profile.as_ref().and_then(|profile| {
        let mut sinks = config.sinks(profile).iter();
        let bare = sinks.find(|sink| sink.is_bare())?;
        match &runtime {
            Some(runtime) => Some(runtime.join(&bare.path)),
            None => Some(bare.path.clone()).filter(|path| path.is_absolute()),
        }
    });
    let subject = Subject {
        address,
        entry,
        profile,
        jeton,
        bare_file,
        runtime,
        is_of_system: socket_unit::manager(target) == SystemdManager::System,
        reload: target.line_of_reload(),
        env,
    };
    Ok(FoundSubject { subject, lacks })
}

/// The parameters for undoing a set-up. They do not come from the configuration, which may have changed since.
///
/// # Errors
/// A [`Refusal`] if the address or the companion is wrong.
pub(super) fn to_undo<'a>(
    address: &str,
    jeton: Option<&Path>,
    env: &'a Env,
) -> Result<Subject<'a>, Refusal> {
    let address = Some(address).filter(|address| !address.is_empty());
    Ok(Subject {
        address: address.map(parse).transpose()?,
        entry: None,
        profile: None,
        jeton: companion(jeton)?,
        bare_file: None,
        runtime: None,
        is_of_system: false,
        reload: "jeton reload",
        env,
    })
}

/// The folder of the token socket of this target's daemon.
fn runtime(target: &Target, env: &Env) -> Option<PathBuf> {
    let places = socket_unit::places(socket_unit::manager(target), env).ok()?;
    places.token.parent().map(Path::to_owned)
}

/// Parses an address that was typed. Errors do not quote it, since it may contain a password.
///
/// # Errors
/// A [`Refusal`] with the fault.
pub(super) fn parse(text: &str) -> Result<Address, Refusal> {
    Address::parse(text).map_err(|error| {
        Refusal::usage(&format!(
            "this ADDRESS cannot be used: {error}; it is as https://git.example/team"
        ))
    })
}

fn profile_named(text: &str) -> Result<ProfileName, Refusal> {
    ProfileName::parse(text).map_err(|error| Refusal::usage(&format!("--profile: {error}")))
}

/// The only address in the configuration.
fn only_address(recipe: &Recipe, config: &Config) -> Result<Address, Refusal> {
    let known: Vec<_> = config.hosts.values().flatten().collect();
    match known.as_slice() {
        [one] => Ok(one.url.clone()),
        _ => {
            let known: Vec<_> = known.iter().map(|entry| entry.url.to_string()).collect();
            let known = match known.as_slice() {
                [] => String::new(),
                known => format!("; the configuration has {}", known.join(", ")),
            };
            Err(Refusal::usage(&format!(
                "say for which address: jetond setup {} ADDRESS{known}",
                recipe.name
            )))
        }
    }
}

fn only_profile(config: &Config) -> Option<ProfileName> {
    let mut names = config.profiles.keys();
    match (names.next(), names.next()) {
        (Some(name), None) => Some(name.clone()),
        _ => None,
    }
}

fn known_profiles(config: &Config) -> String {
    let names: Vec<_> = config.profiles.keys().map(ProfileName::as_str).collect();
    match names.as_slice() {
        [] => "; the configuration has none yet, and 'jetond add' makes one".to_owned(),
        names => format!("; the configuration has {}", names.join(", ")),
    }
}

/// The lines of the configuration that give this address tokens of this profile.
fn host_lines(address: &Address, profile: Option<&ProfileName>) -> String {
    let key = profile.map_or("NAME".to_owned(), key_of);
    format!("[[profiles.{key}.hosts]]\nurl = \"{address}\"\n")
}

fn companion(named: Option<&Path>) -> Result<PathBuf, Refusal> {
    companion::find(named).map_err(|error| match error {
        NoCompanion::Usage(why) => Refusal::usage(why),
        NoCompanion::Missing(why) => Refusal::config(&why),
    })
}

/// The sentence that the configuration lacks an address.
pub(super) fn sentence_of_lack(target: &Target) -> String {
    format!(
        "no profile has this address yet: add the next lines to {}, then run: {}",
        quoted(&target.config),
        target.line_of_reload()
    )
}
