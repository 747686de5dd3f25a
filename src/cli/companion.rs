//! The companion that belongs to this program, by the path under which other programs start it.

use std::path::{Path, PathBuf};

use super::search::is_executable;
use super::target::lines::quoted;
use crate::process::program::this_program;

/// Why no companion is known: a line for people.
#[derive(Debug)]
pub(super) enum NoCompanion {
    /// What was named makes no sense.
    Usage(&'static str),
    /// No companion was found; the text says where it was looked for.
    Missing(String),
}

/// The absolute path of the companion that was named, else of the one beside this program.
///
/// # Errors
/// [`NoCompanion`] if it is no program that this user may execute.
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

/// The same path, also where no program is.
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
