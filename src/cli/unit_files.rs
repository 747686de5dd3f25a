//! The unit files of systemd's system manager, as it reads them (systemd.unit(5)).

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the system's units; the first one takes precedence.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// An installed unit and its drop-ins.
#[derive(Debug, Default)]
pub(super) struct UnitFiles {
    texts: Vec<String>,
}

// === impl UnitFiles ===

impl UnitFiles {
    /// Reads the files of a unit below this root folder; `None` if it is not installed, or masked.
    pub(super) fn read(root: &Path, unit: &str) -> Option<Self> {
        let folders = FOLDERS.map(|folder| root.join(folder.trim_start_matches('/')));
        let text = folders
            .iter()
            .find_map(|folder| fs::read_to_string(folder.join(unit)).ok())?;
        // A masked unit is a link to /dev/null.
        if text.is_empty() {
            return None;
        }
        let drop_ins = drop_ins(&folders, unit).into_iter();
        let drop_ins = drop_ins.map(|path| fs::read_to_string(path).unwrap_or_default());
        Some(Self {
            texts: std::iter::once(text).chain(drop_ins).collect(),
        })
    }

    /// Each key with its value, in the order of precedence: a later value replaces an earlier one, or is added to it.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.texts.iter().flat_map(|text| text.lines());
        lines.filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            Some((key.trim(), value.trim()))
        })
    }
}

/// The drop-ins of the unit, sorted by name; for each name, the first folder takes precedence.
fn drop_ins(folders: &[PathBuf], unit: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = vec![];
    for folder in folders {
        let entries = fs::read_dir(folder.join(format!("{unit}.d")));
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            let is_drop_in = path.extension().is_some_and(|end| end == "conf");
            let is_known = found
                .iter()
                .any(|known| known.file_name() == path.file_name());
            if is_drop_in && !is_known {
                found.push(path);
            }
        }
    }
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    found
}
