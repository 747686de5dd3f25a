//! The temporary files that killed writers left.

use std::path::{Path, PathBuf};

use super::super::target::Target;
use crate::folder::{Folder, is_temporary};

/// The folders of the state whose files are not listed otherwise.
const FOLDERS: [&str; 6] = [
    "encrypted-file",
    "kept",
    "key-intents",
    "moves",
    "removals",
    "rotations",
];

/// The folders whose files are listed elsewhere: temporary ones together with those that no profile names.
const LISTED: [&str; 2] = ["bindings", "credentials"];

/// Finds the temporary files in the folders of the state and beside the configuration; with `all`, in every folder of
/// the state. A file that cannot be read is not listed.
pub(super) fn find(target: &Target, all: bool) -> Vec<PathBuf> {
    let listed = LISTED.into_iter().filter(|_| all);
    let of_state = FOLDERS.into_iter().chain(listed);
    let of_state = of_state.map(|name| target.state.join(name));
    let of_config = target.config.parent().map(Path::to_owned);
    let folders = of_state.chain(of_config);
    folders.flat_map(|folder| temporaries(&folder)).collect()
}

fn temporaries(folder: &Path) -> Vec<PathBuf> {
    let names = Folder::open(folder).and_then(|folder| folder.names());
    let names = names.unwrap_or_default().into_iter();
    let left = names.filter(|name| is_temporary(name));
    left.map(|name| folder.join(name)).collect()
}
