//! Messages about an interrupted move, and about the removal at the end of a move into a file.

use std::path::{Path, PathBuf};

use super::super::target::Target;
use super::super::target::lines::{option, quoted};
use crate::config::{Config, Profile, StoreKind};
use crate::profile::ProfileName;
use crate::settings;
use crate::store::{Move, MoveKind, Moves, Removal, Removals, Stores};

/// The purpose of an unfinished move, and the remedy; `None` if nothing is left of it, or it has made no file.
pub(in super::super) fn move_message(
    target: &Target,
    stores: &Stores,
    config: &Config,
    name: &ProfileName,
    begun: &Move,
) -> Option<(String, String)> {
    let place = |store: &StoreKind| stores.store(store).place_of(name);
    let is_ours = begun.config == settings::real_path(&target.config);
    let profile = config.profiles.get(name).filter(|_| is_ours);
    let what = match &begun.kind {
        MoveKind::Migration { from, to, .. } => {
            format!(
                "a migration of {name} from {} to {}",
                place(from),
                place(to)
            )
        }
        MoveKind::Export { file } if is_there(file) => {
            format!("a move of {name} into the file {}", file.display())
        }
        MoveKind::Export { .. } => return None,
        MoveKind::Import { store, .. } => {
            // The last step is done, and only the record of the move is left.
            if profile.and_then(Profile::store) == Some(store) {
                return None;
            }
            format!("an import of {name} into {}", place(store))
        }
    };
    let what = format!("{what} was begun and has not ended");
    let line = line(target, name, begun);
    let remedy = match &begun.kind {
        MoveKind::Migration { from, to, .. } if is_ours && profile.is_none() => format!(
            "{} has no profile {name} any more: put it back and run: {line}; or remove the credential from {} and {}, and this file",
            target.config.display(),
            place(from),
            place(to)
        ),
        MoveKind::Migration { .. } => format!("to end it, run: {line}"),
        MoveKind::Export { file } => {
            format!("to end it, run: {line}{}", keeping_here(target, name, file))
        }
        MoveKind::Import { .. } => {
            format!("to end it, run the import again, with the same file: {line}")
        }
    };
    Some((what, remedy))
}

/// The command line that finishes a move.
pub(super) fn line(target: &Target, name: &ProfileName, begun: &Move) -> String {
    let command = match &begun.kind {
        MoveKind::Migration { to, .. } => format!("migrate {name} --to {}", to.as_str()),
        MoveKind::Export { file } => format!("export {name}{} --move", option("--to", file)),
        MoveKind::Import { .. } => "import FILE".to_owned(),
    };
    target.line_for(&command, &begun.config)
}

/// How a person keeps the profile here instead, as the end of a sentence. Once its removal has begun, only the file may
/// have the whole credential.
pub(super) fn keeping_here(target: &Target, name: &ProfileName, file: &Path) -> String {
    if is_being_removed(target, name) {
        return String::new();
    }
    format!(
        "; to keep the profile here instead, remove the file {}",
        quoted(file)
    )
}

/// Whether this profile has an unfinished removal.
pub(in super::super) fn is_being_removed(target: &Target, name: &ProfileName) -> bool {
    let removals = Removals::new(&target.state, target.owner);
    !matches!(removals.begun(name), Ok(None))
}

fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok()
}

/// The move into a file to which this profile's unfinished removal belongs, if any.
fn ended_by_removal(target: &Target, name: &ProfileName) -> Option<(Move, PathBuf)> {
    let begun = Moves::new(&target.state, target.owner).begun(name).ok()??;
    match &begun.kind {
        MoveKind::Export { file } => {
            let file = file.clone();
            Some((begun, file))
        }
        MoveKind::Migration { .. } | MoveKind::Import { .. } => None,
    }
}

/// Whether the message about the profile's move covers its removal, too.
pub(in super::super) fn is_said_of_removal(target: &Target, name: &ProfileName) -> bool {
    ended_by_removal(target, name).is_some_and(|(_, file)| is_there(&file))
}

/// The remedy for an unfinished removal. A removal that belongs to a move into a file continues. If the file is
/// missing, the credential here may be the only one, so it is not removed.
pub(in super::super) fn end_of_removal(
    target: &Target,
    name: &ProfileName,
    removal: &Removal,
) -> String {
    let Some((begun, file)) = ended_by_removal(target, name) else {
        let line = target.line_of_removal(name, &removal.config);
        return format!("to end it, run: {line}");
    };
    let line = line(target, name, &begun);
    if is_there(&file) {
        return format!("to end it, run: {line}");
    }
    let removals = Removals::new(&target.state, target.owner);
    format!(
        "it ends a move into the file {}, which is gone, so the credential here may be the only one; to keep it, remove the file {}; to move it, run: {line}",
        file.display(),
        quoted(&removals.path(name))
    )
}
