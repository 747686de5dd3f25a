//! The folders of the state and of the sockets: whose they are, and on which file system.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::super::target::Target;
use super::finding::Finding;
use super::{judge, mounts, within};
use crate::paths::Env;
use crate::trust::{self, Untrusted};

/// What a folder is for, which decides how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    State,
    Sockets,
}

/// What is known of a folder.
#[derive(Debug)]
pub(super) struct FolderFacts {
    pub(super) path: PathBuf,
    /// Whether it can be trusted; a missing one is made by whoever needs it.
    pub(super) judged: Result<(), Untrusted>,
    /// The type of its file system, where that can be told.
    pub(super) kind: Option<String>,
    /// Whether that is one which other hosts may have too.
    pub(super) shared: bool,
}

/// Judges the folder of the credentials and that of the sockets.
pub(super) async fn folders(target: &Target, sockets: Option<&Path>, env: &Env) -> Vec<Finding> {
    let state = (Use::State, target.state.clone(), target.owner);
    let mut folders = vec![state];
    if let Some(sockets) = sockets {
        // The system's sockets are its daemon's; ours are ours.
        let owner =
            sockets.metadata().map_or(
                env.uid,
                |meta| if target.system { meta.uid() } else { env.uid },
            );
        folders.push((Use::Sockets, sockets.to_owned(), owner));
    }
    let mut findings = vec![];
    for (what, path, owner) in folders {
        let looked = path.clone();
        match within(move || look(what, looked, owner)).await {
            Ok(facts) => findings.extend(judge::folder(what, &facts)),
            Err(why) => findings.push(judge::missed(what.name(), &path, &why)),
        }
    }
    findings
}

fn look(what: Use, path: PathBuf, owner: u32) -> FolderFacts {
    let private = match what {
        // The state's own folder may be readable by others: credentials are in one of their own.
        Use::State => path.join("credentials"),
        Use::Sockets => path.clone(),
    };
    let judged = match trust::open_private(&private, owner) {
        Ok(_) => trust::resolve(&private, owner).map(drop),
        Err(untrusted) => Err(untrusted),
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // One that is not there yet will be where its parent is.
    let real = path
        .ancestors()
        .find_map(|folder| folder.canonicalize().ok());
    let kind = real.and_then(|real| mounts::kind(&mounts, &real).map(str::to_owned));
    FolderFacts {
        shared: kind.as_deref().is_some_and(mounts::is_shared),
        path,
        judged,
        kind,
    }
}

// === impl Use ===

impl Use {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Sockets => "sockets",
        }
    }
}

/// What the machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Whether systemd runs it.
    pub(super) systemd: bool,
    pub(super) uid: u32,
    /// What the user is called, where the environment says it.
    pub(super) user: Option<String>,
    /// Whether the user's services outlive the last session (loginctl(1)).
    pub(super) lingers: bool,
    /// Whether the system's daemon is looked at.
    pub(super) system: bool,
}

// === impl Host ===

impl Host {
    pub(super) fn read(target: &Target, env: &Env) -> Self {
        // It is a file's name here.
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
