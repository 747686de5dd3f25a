//! The folders of the files that tokens are written to, checked as the daemon checks them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::admin;
use super::target::Target;
use crate::config::{Config, Sink};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::trust::{UntrustedPath, open_file_folder};

/// The advice for mounting a file into a container: the mount keeps the old file when a new one replaces it.
pub(super) const MOUNT: &str =
    "for a container, mount the folder, never the single file: a mounted file stays the old one";

/// A file that a token is written to, and its folder.
#[derive(Debug)]
pub(super) struct SinkFolder {
    pub(super) profile: ProfileName,
    /// The format, as the configuration names it.
    pub(super) format: &'static str,
    /// The file.
    pub(super) path: PathBuf,
    /// The fault of the folder, and its remedy.
    pub(super) fault: Option<(String, String)>,
    /// Whether the folder is on a disk.
    pub(super) is_on_disk: bool,
}

/// Checks the folders of all sinks, as the user that the daemon runs as.
pub(super) fn look(target: &Target, config: &Config, env: &Env) -> Vec<SinkFolder> {
    let Ok(places) = admin::places(target, env) else {
        // This error is reported elsewhere.
        return vec![];
    };
    let runtime = places.token.parent().unwrap_or(Path::new("/")).to_owned();
    // The daemon's own files, which a sink must not replace.
    let mut taken: BTreeMap<PathBuf, Option<&ProfileName>> = BTreeMap::new();
    taken.extend([places.token, places.lock].map(|own| (own, None)));
    let all = config.sinks.iter();
    let all = all.flat_map(|(profile, sinks)| sinks.iter().map(move |sink| (profile, sink)));
    let look = |(profile, sink): (_, &Sink)| {
        let files = sink.files(&runtime);
        let twice = files.iter().find_map(|file| taken.get(file)).copied();
        taken.extend(files.into_iter().map(|file| (file, Some(profile))));
        let mut found = one(target, profile, sink, &runtime);
        if let Some(other) = twice {
            found.fault = Some(taken_fault(other));
        }
        found
    };
    all.map(look).collect()
}

fn taken_fault(by: Option<&ProfileName>) -> (String, String) {
    let found = match by {
        Some(profile) => format!("another sink, of the profile {profile}, writes this file"),
        None => "it is the daemon's own file".to_owned(),
    };
    (found, "give each sink a file of its own".to_owned())
}

fn one(target: &Target, profile: &ProfileName, sink: &Sink, runtime: &Path) -> SinkFolder {
    let path = runtime.join(&sink.path);
    let parent = path.parent().unwrap_or(Path::new("/"));
    let opened = target.as_daemon(|| open_file_folder(parent, target.daemon));
    let is_on_disk = opened.as_ref().is_ok_and(|folder| !folder.is_in_memory);
    let fault = match opened {
        // The daemon makes the folder.
        Err(untrusted) if untrusted.is_missing() && sink.is_relative() => {
            owner_fault(target, sink).or_else(|| group_fault(target, sink))
        }
        Err(untrusted) => Some(folder_fault(&untrusted)),
        Ok(_) => owner_fault(target, sink).or_else(|| group_fault(target, sink)),
    };
    SinkFolder {
        profile: profile.clone(),
        format: sink.format.as_str(),
        path,
        fault,
        is_on_disk,
    }
}

fn folder_fault(untrusted: &UntrustedPath) -> (String, String) {
    let found = format!("{}: {}", untrusted.path.display(), untrusted.what());
    let remedy = untrusted.remedy();
    (
        found,
        remedy.unwrap_or_else(|| "name another path for the sink".to_owned()),
    )
}

fn owner_fault(target: &Target, sink: &Sink) -> Option<(String, String)> {
    let owner = sink.owner.as_ref()?.id()?;
    (target.daemon != 0 && owner != target.daemon).then(|| {
        (
            format!("only a daemon that runs as root can give a file to uid {owner}"),
            "remove owner, or use group".to_owned(),
        )
    })
}

/// A daemon that does not run as root can give a file only to one of its own groups.
fn group_fault(target: &Target, sink: &Sink) -> Option<(String, String)> {
    let group = sink.group.as_ref()?.id()?;
    let is_known = target.daemon == target.uid || rustix::process::geteuid().is_root();
    if target.daemon == 0 || !is_known || target.as_daemon(|| is_in(group)) {
        return None;
    }
    Some((
        format!("the daemon's user is not in group {group}"),
        "have root put it there and restart the daemon, or name another group".to_owned(),
    ))
}

/// Whether this thread is in a group; false if the system does not say.
fn is_in(group: u32) -> bool {
    let groups = rustix::process::getgroups().unwrap_or_default();
    let all = groups.into_iter().chain([rustix::process::getegid()]);
    all.map(rustix::process::Gid::as_raw)
        .any(|gid| gid == group)
}

impl SinkFolder {
    /// The remedy for a folder on a disk.
    pub(super) const DISK_REMEDY: &'static str =
        "use a folder on a tmpfs: a relative path is below that of the socket";

    /// The message that the folder is on a disk.
    pub(super) fn disk(&self) -> String {
        format!(
            "{} is on a disk, where a token that was deleted may be read again",
            self.path.display()
        )
    }
}
