//! The paths, owners and modes of a sink's files.

use std::path::PathBuf;

use crate::config::{Account, Sink};
use crate::profile::ProfileName;
use crate::sink::SinkFile;

/// Returns the files at these paths.
///
/// # Errors
/// Which user or group name has no number, and what to do.
pub(super) fn targets(
    sink: &Sink,
    paths: &[PathBuf],
    profile: &ProfileName,
) -> Result<Vec<SinkFile>, String> {
    let owner = number(sink.owner.as_ref(), "owner")?;
    let group = number(sink.group.as_ref(), "group")?;
    let file = |path: &PathBuf| SinkFile {
        path: path.clone(),
        profile: profile.clone(),
        owner,
        group,
        mode: sink.mode,
        replace: sink.replace,
        make_folders: sink.is_relative(),
    };
    Ok(paths.iter().map(file).collect())
}

fn number(account: Option<&Account>, what: &str) -> Result<Option<u32>, String> {
    match account.map(Account::id) {
        None => Ok(None),
        Some(Some(id)) => Ok(Some(id)),
        Some(None) => Err(format!(
            "the machine does not know its {what}; 'jetond check' says more"
        )),
    }
}
