//! The folders of the state and of the sockets: their owners and their file systems.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::target::Target;
use super::facts::{FolderFacts, FolderUse, Host, Traversal};
use super::finding::Finding;
use super::limit::within;
use super::{judge, mounts};
use crate::config::SocketMode;
use crate::daemon::sockets::socket_spec::sharing;
use crate::paths::{Env, PathError, SocketPlaces};
use crate::trust::{self, SocketFolder, TrustFault, UntrustedPath};

/// The sockets of a daemon that would start now.
pub(super) struct Sockets {
    /// Their place.
    pub(super) place: Result<SocketPlaces, PathError>,
    /// The mode of the sockets, which decides which users can connect.
    pub(super) mode: SocketMode,
    /// Whether a daemon answers there already.
    pub(super) is_served: bool,
    /// Whether a service manager has made them.
    pub(super) is_of_service: bool,
}

/// Judges the folders of the credentials and of the sockets.
pub(super) async fn folders(target: &Target, sockets: Sockets, env: &Env) -> Vec<Finding> {
    let (path, owner) = (target.state.clone(), target.owner);
    let mut findings = match within(move || state(path, owner)).await {
        Ok(facts) => judge::folder(FolderUse::State, &facts),
        Err(why) => vec![judge::missed(FolderUse::State.name(), &target.state, &why)],
    };
    let place = match sockets.place {
        Ok(place) => place,
        Err(error) => {
            let finding = Finding::fail(FolderUse::Sockets.name(), error.to_string());
            findings.push(finding.remedy("name another one: --socket".to_owned()));
            return findings;
        }
    };
    let (token, uid) = (place.token.clone(), env.uid);
    let is_of_unit = target.system || sockets.is_of_service;
    let daemon = target.system.then_some(target.owner);
    let looked = within(move || match is_of_unit {
        true => of_a_unit(&place, uid, daemon),
        false => of_the_user(&place, sockets.mode, uid),
    });
    match looked.await {
        Ok((facts, volume)) => {
            findings.extend(judge::sockets(&facts, volume.as_deref(), sockets.is_served));
        }
        Err(why) => findings.push(judge::missed(FolderUse::Sockets.name(), &token, &why)),
    }
    findings
}

fn state(path: PathBuf, owner: u32) -> FolderFacts {
    // The state folder itself may be readable by others: credentials have a private folder inside it.
    let private = path.join("credentials");
    let judged = match trust::open_private(&private, owner) {
        Ok(_) => trust::resolve(&private, owner).map(drop),
        Err(untrusted) => Err(untrusted),
    };
    FolderFacts {
        passage: Traversal::Owner,
        ..FolderFacts::new(path, judged)
    }
}

/// The folder that a daemon of this user would create or use, judged as the daemon would judge it.
fn of_the_user(place: &SocketPlaces, mode: SocketMode, uid: u32) -> (FolderFacts, Option<PathBuf>) {
    let path = folder_of(place);
    let folder = SocketFolder {
        path: &path,
        uid,
        sharing: sharing(mode),
        named: place.explicit,
        below_volume: place.below_volume(),
    };
    let (judged, volume) = match folder.judge() {
        Ok(volume) => (there(&path), volume),
        Err(untrusted) => (Err(untrusted), None),
    };
    (FolderFacts::new(path, judged), volume)
}

/// The folder that a socket unit makes. It belongs to the manager's user, or to the daemon's if the daemon has made it.
/// `daemon` is the user of the system's daemon, who must be able to traverse it.
fn of_a_unit(
    place: &SocketPlaces,
    uid: u32,
    daemon: Option<u32>,
) -> (FolderFacts, Option<PathBuf>) {
    let path = folder_of(place);
    let meta = path.metadata();
    let owner = meta.as_ref().map_or(uid, MetadataExt::uid);
    let judged = trust::resolve(&path, owner).map(drop);
    let mut facts = FolderFacts::new(path, judged);
    let mode = meta.map_or(0, |meta| meta.mode() & 0o7777);
    if let Some(daemon) = daemon.filter(|&daemon| daemon != 0 && daemon != owner)
        && facts.judged.is_ok()
        && mode & 0o001 == 0
    {
        facts.passage = Traversal::NotEvenOwner(daemon, mode);
    }
    (facts, None)
}

fn folder_of(place: &SocketPlaces) -> PathBuf {
    place.token.parent().unwrap_or(Path::new("/")).to_owned()
}

/// A missing folder is not a fault if it can be created.
fn there(path: &Path) -> Result<(), UntrustedPath> {
    match path.symlink_metadata() {
        Ok(_) => Ok(()),
        Err(_) => Err(UntrustedPath::new(path, TrustFault::Missing)),
    }
}

// === impl FolderFacts ===

impl FolderFacts {
    fn new(path: PathBuf, judged: Result<(), UntrustedPath>) -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        // A missing folder will be on its parent's file system.
        let real = path
            .ancestors()
            .find_map(|folder| folder.canonicalize().ok());
        let mode = path.metadata().map_or(0, |meta| meta.mode() & 0o7777);
        let kind = real.and_then(|real| mounts::kind(&mounts, &real).map(str::to_owned));
        Self {
            passage: match mode & 0o011 {
                0 => Traversal::Owner,
                _ => Traversal::Others(mode),
            },
            shared: kind.as_deref().is_some_and(mounts::is_shared),
            path,
            judged,
            kind,
        }
    }
}

// === impl Host ===

impl Host {
    pub(super) fn read(target: &Target, env: &Env) -> Self {
        // The user's name is used as a file name here.
        let user = env.user.clone().filter(|user| !user.contains('/'));
        let lingers = Path::new("/var/lib/systemd/linger");
        Self {
            systemd: Path::new("/run/systemd/system").is_dir(),
            uid: env.uid,
            lingers: user
                .as_ref()
                .is_some_and(|user| lingers.join(user).exists()),
            user,
            system: target.system,
        }
    }
}
