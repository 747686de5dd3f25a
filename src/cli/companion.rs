//! The path of the companion program, by which other programs start it.

use std::path::{Path, PathBuf};

use super::search::is_executable;
use super::target::lines::quoted;
use crate::process::program::this_program;

/// The reason why no companion is known, as a line for people.
#[derive(Debug)]
pub(super) enum NoCompanion {
    /// The given path cannot be used.
    Usage(&'static str),
    /// No companion was found; the text names the places.
    Missing(String),
}

/// The absolute path of the given companion, else of the one beside this program.
///
/// # Errors
/// [`NoCompanion`] if it is not a program that this user may execute.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf, NoCompanion> {
    let path = path(named)?;
    if path.is_file() && is_executable(&path) {
        return Ok(path);
    }
    Err(NoCompanion::Missing(format!(
        "there is no companion at {}: name it with --jeton PATH",
        quoted(&path)
    )))
}

/// The same path, even if there is no program.
///
/// # Errors
/// [`NoCompanion`] if no path is known.
pub(super) fn path(named: Option<&Path>) -> Result<PathBuf, NoCompanion> {
    match named {
        Some(path) if path.is_absolute() => Ok(path.to_owned()),
        Some(_) => Err(NoCompanion::Usage("--jeton takes an absolute path")),
        None => match this_program() {
            Ok(program) => Ok(program.with_file_name("jeton")),
            Err(error) => Err(NoCompanion::Missing(format!(
                "this program's own path is not known ({error}): name the companion with --jeton PATH"
            ))),
        },
    }
}
