//! The left-overs of interrupted commands in the state folder, which no other command would name.

mod parts;

use std::path::PathBuf;

use tracing::{info, warn};

use super::export;
use super::moves;
use super::open_rotations::{self, RotationReport};
use super::target::Target;
use super::target::lines::quoted;
use crate::causes::Causes;
use crate::config::{Config, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings::Content;
use crate::store::{Move, MoveKind, Moves, Removals, Stores};

/// A left-over.
#[derive(Debug)]
pub(super) struct Leftover {
    /// The file.
    path: PathBuf,
    /// Its description.
    what: String,
    /// The remedy for a person; `None` if Jeton continues without one.
    pub(super) remedy: Option<String>,
    /// The doctor's name for the check if Jeton continues without a person.
    pub(super) check: &'static str,
}

/// Finds the credential files that no profile of this configuration names, and the unfinished removals, moves and
/// rotations. A file that cannot be read is not listed: the state folder has findings of its own.
pub(super) fn find(target: &Target, config: &Config, env: &Env) -> Vec<Leftover> {
    let removals = Removals::new(&target.state, target.owner);
    let begun = removals.names().unwrap_or_default();
    let moves = Moves::new(&target.state, target.owner);
    let moving = moves.names().unwrap_or_default();
    let usual = target.usual_config_of_state(env);
    let stores = target.stores();
    let is_named = |config: &Config, name: &ProfileName, kind: &StoreKind| {
        let profile = config.profiles.get(name);
        profile.is_some_and(|profile| profile.store() == Some(kind))
    };
    let mut found: Vec<_> = begun
        .iter()
        .filter_map(|name| of_removal(target, &removals, name))
        .collect();
    let of_moves = moving.iter();
    found.extend(of_moves.filter_map(|name| of_move(target, &stores, &moves, config, name)));
    found.extend(
        open_rotations::find(target, config)
            .into_iter()
            .map(of_rotation),
    );
    let files = StoreKind::WORDS.into_iter().flat_map(|kind| {
        let files = stores.store(&kind).files().unwrap_or_default();
        files
            .into_iter()
            .map(move |(path, name)| (kind.clone(), path, name))
    });
    for (kind, path, name) in files {
        let is_needed = |name: &ProfileName| {
            let mut configs = usual.iter().chain([config]);
            configs.any(|config| is_named(config, name, &kind))
                || begun.contains(name)
                || moving.contains(name)
        };
        if !name.as_ref().is_some_and(is_needed) {
            found.push(of_credential(target, config, path, name));
        }
    }
    let bindings = stores.bindings().files().unwrap_or_default();
    let is_read = |name: &ProfileName| {
        let profiles = usual.iter().chain([config]);
        let mut profiles = profiles.filter_map(|config| config.profiles.get(name));
        profiles.any(|profile| profile.store().is_none())
    };
    let unread = bindings
        .into_iter()
        .filter(|(_, name)| !name.as_ref().is_some_and(is_read));
    found.extend(unread.map(|(path, _)| of_binding(target, path)));
    found.extend(parts::find(target, false).into_iter().map(of_part));
    found
}

/// Describes a file with a temporary name.
fn of_part(path: PathBuf) -> Leftover {
    let what = "an interrupted command has left a part of a file".to_owned();
    let remedy = format!("if no command runs now, remove the file {}", quoted(&path));
    leftover(path, what, Some(remedy))
}

const fn leftover(path: PathBuf, what: String, remedy: Option<String>) -> Leftover {
    Leftover {
        path,
        what,
        remedy,
        check: "leftover",
    }
}

fn of_rotation(rotation: RotationReport) -> Leftover {
    let RotationReport { path, what, remedy } = rotation;
    Leftover {
        check: "rotation",
        ..leftover(path, what, remedy)
    }
}

/// Describes the recorded binding of a source that is no longer used.
fn of_binding(target: &Target, path: PathBuf) -> Leftover {
    let what = format!(
        "this file records a credential source that no profile of {} uses",
        target.config.display()
    );
    let remedy = format!(
        "if no other configuration does, remove the file {}",
        quoted(&path)
    );
    leftover(path, what, Some(remedy))
}

fn of_credential(
    target: &Target,
    config: &Config,
    path: PathBuf,
    name: Option<ProfileName>,
) -> Leftover {
    let remove = format!(
        "if no other configuration uses it, remove the file {}",
        quoted(&path)
    );
    let free = name.filter(|name| !config.profiles.contains_key(name));
    let remedy = match free {
        Some(name) => {
            let add = target.line(&format!("add {name} …"));
            format!("{add} takes the name again and replaces it; or, {remove}")
        }
        // The profile has this name, but keeps its credential elsewhere.
        None => remove,
    };
    let what = format!(
        "no profile of {} keeps its credential in this file",
        target.config.display()
    );
    leftover(path, what, Some(remedy))
}

fn of_removal(target: &Target, removals: &Removals, name: &ProfileName) -> Option<Leftover> {
    if moves::is_said_of_removal(target, name) {
        return None;
    }
    let path = removals.path(name);
    let (what, remedy) = match removals.begun(name) {
        Ok(None) => return None,
        Ok(Some(removal)) => (
            format!("a removal of {name} was begun and has not ended"),
            moves::end_of_removal(target, name, &removal),
        ),
        Err(error) => (
            format!(
                "a removal of {name} was begun, and its record cannot be read: {}",
                Causes(&error)
            ),
            format!("remove the file {}", quoted(&path)),
        ),
    };
    Some(leftover(path, what, Some(remedy)))
}

fn of_move(
    target: &Target,
    stores: &Stores,
    moves: &Moves,
    config: &Config,
    name: &ProfileName,
) -> Option<Leftover> {
    let path = moves.path(name);
    let (what, remedy) = match moves.begun(name) {
        Ok(None) => return None,
        Ok(Some(begun)) => match moves::move_message(target, stores, config, name, &begun) {
            Some((what, remedy)) => (what, Some(remedy)),
            None => of_no_file(target, name, &begun)?,
        },
        Err(error) => (
            format!(
                "a move of the credential of {name} was begun, and its record cannot be read: {}",
                Causes(&error)
            ),
            Some(format!("remove the file {}", quoted(&path))),
        ),
    };
    Some(leftover(path, what, remedy))
}

/// Describes a move whose file is missing: it was killed before it made one, or a person has removed the file to keep
/// the profile here. `None` if the report of the removal covers it.
fn of_no_file(
    target: &Target,
    name: &ProfileName,
    begun: &Move,
) -> Option<(String, Option<String>)> {
    let MoveKind::Export { file } = &begun.kind else {
        return None;
    };
    if moves::is_being_removed(target, name) {
        return None;
    }
    let what = format!(
        "a move of {name} into the file {} was begun",
        file.display()
    );
    Some(match export::unfinished(file, target) {
        Some(left) => (
            format!("{what}, and has left a part of that file"),
            Some(format!("remove the file {}", quoted(&left))),
        ),
        None => (
            format!(
                "{what}, and that file is not there, so the profile stays here; its next migration or export removes this note"
            ),
            None,
        ),
    })
}

/// Reports at the daemon's start what interrupted commands have left.
pub(super) fn note_at_start(target: &Target) {
    let removals = Removals::new(&target.state, target.owner);
    let moves = Moves::new(&target.state, target.owner);
    let (begun, moving) = (
        removals.names().unwrap_or_default(),
        moves.names().unwrap_or_default(),
    );
    let rotations = open_rotations::has_any(target);
    let parts = parts::find(target, true);
    if begun.is_empty() && moving.is_empty() && !rotations && parts.is_empty() {
        return;
    }
    let config = target.read_after(&Content::Missing { link: None });
    let config = config.map(|found| found.config).unwrap_or_default();
    let stores = target.stores();
    let removals = begun
        .iter()
        .filter_map(|name| of_removal(target, &removals, name));
    let moves = moving
        .iter()
        .filter_map(|name| of_move(target, &stores, &moves, &config, name));
    let rotations = open_rotations::find(target, &config);
    let rotations = rotations.into_iter().map(of_rotation);
    let parts = parts.into_iter().map(of_part);
    for leftover in removals.chain(moves).chain(rotations).chain(parts) {
        let (file, what) = (leftover.path.display(), &leftover.what);
        match &leftover.remedy {
            Some(remedy) => warn!(
                %file,
                "an interrupted command has left something: {what}; {remedy}"
            ),
            None => info!(%file, "{what}"),
        }
    }
}

// === impl Leftover ===

impl Leftover {
    /// The file and its description.
    pub(super) fn found(&self) -> String {
        format!("{}: {}", self.path.display(), self.what)
    }
}
