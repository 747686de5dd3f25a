//! The unfinished rotations, for a person: the progress, the owner and the remedy of each.

use std::path::PathBuf;

use super::target::Target;
use super::target::lines::quoted;
use crate::causes::Causes;
use crate::config::{Config, Profile, StoreKind};
use crate::profile::ProfileName;
use crate::store::{Machine, RotationJournal, RotationRead, Rotations, StartedOn};

/// A report about an unfinished rotation.
#[derive(Debug)]
pub(super) struct RotationReport {
    /// The file of its journal.
    pub(super) path: PathBuf,
    /// The rotation and its progress.
    pub(super) what: String,
    /// The remedy for a person; `None` if the rotation continues without one.
    pub(super) remedy: Option<String>,
}

/// Whether there are unfinished rotations, or keys that an ended one has left at a server.
pub(super) fn has_any(target: &Target) -> bool {
    let rotations = Rotations::new(&target.state, target.owner);
    let [open, left] = [rotations.profiles(), rotations.with_left()];
    [open, left]
        .into_iter()
        .any(|names| names.is_ok_and(|names| !names.is_empty()))
}

/// Finds them. `config` has their profiles.
pub(super) fn find(target: &Target, config: &Config) -> Vec<RotationReport> {
    let rotations = Rotations::new(&target.state, target.owner);
    let here = Machine::this();
    let names = rotations.profiles().unwrap_or_default();
    let shown = |name: ProfileName| {
        let path = rotations.path(&name);
        let is_used = config.profiles.contains_key(&name);
        let (what, remedy) = match rotations.read(&name) {
            Ok(RotationRead::Absent) => return None,
            Ok(RotationRead::Begun(journal)) => begun(&name, &journal, &here, is_used),
            Ok(RotationRead::Unclear { error, names }) => {
                let names = with_those_of_the_record(target, config, &name, names);
                unclear(&name, &Causes(&error), &names)
            }
            Err(error) => unclear(&name, &Causes(&error), &[]),
        };
        let remedy = remedy.map(|remedy| remedy.replace("PATH", &quoted(&path)));
        Some(RotationReport { path, what, remedy })
    };
    let open = names.into_iter().filter_map(shown);
    let with_left = rotations.with_left().unwrap_or_default();
    let left = with_left.into_iter().map(|name| left(&rotations, &name));
    open.chain(left).collect()
}

/// Describes the keys that an ended rotation has left at the server.
fn left(rotations: &Rotations, name: &ProfileName) -> RotationReport {
    let path = rotations.path(name).with_extension("left");
    let which = match rotations.left(name) {
        Ok(keys) => {
            let labels: Vec<_> = keys.into_iter().map(|key| key.label).collect();
            labels.join(", ")
        }
        Err(error) => Causes(&error).to_string(),
    };
    let what = format!(
        "the server did not let a rotation of the key of {name} delete the keys that it has left there (old_key_left): {which}"
    );
    let remedy = format!(
        "delete it at the server, as a user who may do that, and then run: jeton reload; or remove the file {}",
        quoted(&path)
    );
    RotationReport {
        path,
        what,
        remedy: Some(remedy),
    }
}

/// Adds the keys' names in the profile's record to these names, if the record belongs to the rotation. Only a file is
/// read: a keyring may ask a person for its password.
fn with_those_of_the_record(
    target: &Target,
    config: &Config,
    name: &ProfileName,
    mut names: Vec<String>,
) -> Vec<String> {
    let kept = config.profiles.get(name).and_then(Profile::store);
    let Some(kind) = kept.filter(|kind| **kind == StoreKind::File) else {
        return names;
    };
    let record = target.stores().reader(kind).load(name).ok().flatten();
    if let Some(record) = record.filter(|record| record.rotation.is_some()) {
        let others = record.other_key().and_then(|key| key.key_name.clone());
        names.extend(others.into_iter().chain(record.key.key_name));
        names.sort_unstable();
        names.dedup();
    }
    names
}

/// Describes a rotation whose journal is understood.
fn begun(
    name: &ProfileName,
    journal: &RotationJournal,
    here: &Machine,
    is_used: bool,
) -> (String, Option<String>) {
    let (phase, host) = (&journal.phase, printable(&journal.machine.host));
    let whose = match journal.started_on(here) {
        StartedOn::ThisBoot => "on this machine".to_owned(),
        StartedOn::EarlierBoot => "on this machine, before it was last started".to_owned(),
        StartedOn::OtherHost => format!("on another machine, {host}"),
    };
    let what = format!("the key of {name} is being rotated, {whose}: the phase is '{phase}'");
    let remedy = match journal.started_on(here) {
        _ if !is_used => Some(format!(
            "no profile of this configuration has the name, so no daemon continues it: put the profile back; or {}",
            clear(&journal.names())
        )),
        StartedOn::OtherHost => Some(format!(
            "leave it to {host}; if that machine is gone for good, run: jeton rotate {name} --take-over"
        )),
        StartedOn::ThisBoot | StartedOn::EarlierBoot => None,
    };
    (what, remedy)
}

/// Describes a rotation whose journal cannot be understood, for this reason.
fn unclear(name: &ProfileName, why: &Causes<'_>, names: &[String]) -> (String, Option<String>) {
    let what = format!(
        "a rotation of the key of {name} was begun, and its journal cannot be used: {why}; nothing is changed at the server, and tokens are still served"
    );
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let remedy = format!(
        "if another version of Jeton has written it, use that one; otherwise {}",
        clear(&names)
    );
    (what, Some(remedy))
}

/// The advice for ending a rotation that no program ends.
fn clear(names: &[&str]) -> String {
    let keys = match names {
        [] => "the server for keys that no program uses".to_owned(),
        names => format!("the server for these keys: {}", names.join(", ")),
    };
    format!("look at {keys}; delete those that are not in use, and remove the file PATH")
}

/// A host name from a journal, without control characters.
fn printable(host: &str) -> String {
    let is_safe = |c: &char| c.is_ascii_graphic();
    host.chars().filter(is_safe).take(64).collect()
}
