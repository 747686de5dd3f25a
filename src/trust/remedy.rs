//! Remedies for a file or folder that is not trusted.
//!
//! A remedy depends on the reader: no user is asked to change something that only its owner or root can change. And no
//! remedy damages anything else, such as the mode of `/tmp` or the owner of a home.

use std::path::Path;

use super::full::is_full;
use super::trust_fault::{GroupFault, OVERFLOW_UID, Purpose, TrustFault};
use crate::command_line;

/// Folders for every user's files. That is safe because of the sticky bit.
const FOR_EVERYBODY: [&str; 5] = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/var/lock"];

/// System folders that are inside other folders.
const OF_THE_SYSTEM: [&str; 8] = [
    "/dev/shm",
    "/run/lock",
    "/run/user",
    "/var/lib",
    "/var/lock",
    "/var/run",
    "/var/tmp",
    "/usr/local",
];

/// The folder of the system's configuration, which belongs to root.
const OF_THE_SYSTEMS_CONFIGURATION: &str = "/etc/jeton";

const STICKY: u32 = 0o1000;

/// Returns what `reader` can do about `path`, if known.
pub(super) fn remedy(
    path: &Path,
    why: &TrustFault,
    purpose: Purpose,
    reader: u32,
) -> Option<String> {
    let is_system = command_line::is_of_the_system();
    remedy_in(is_system, path, why, purpose, reader)
}

/// Does the same with `is_system` given. The system's daemon has only one place for its configuration and its state.
fn remedy_in(
    is_system: bool,
    path: &Path,
    why: &TrustFault,
    purpose: Purpose,
    reader: u32,
) -> Option<String> {
    let shown = path.display();
    let elsewhere = elsewhere(purpose, is_system);
    Some(match why {
        TrustFault::NotAFile => match purpose {
            Purpose::Lock => "move it away".into(),
            _ => "put an ordinary file there".into(),
        },
        TrustFault::IsALink => match purpose {
            Purpose::Secret
            | Purpose::Notes
            | Purpose::Config
            | Purpose::CaFile
            | Purpose::ClientCertificate
            | Purpose::ClientKey
            | Purpose::SecretFile
            | Purpose::Program => "put the file itself there".into(),
            Purpose::Lock => "remove it".into(),
            Purpose::State | Purpose::Links | Purpose::Sink | Purpose::Socket { .. } => {
                format!("put the folder itself there, or {elsewhere}")
            }
        },
        TrustFault::Owner {
            owner,
            uid,
            is_file,
        } => match purpose {
            Purpose::Socket { .. } => elsewhere.into(),
            // The daemon must not be able to change where its secret is sent, but it must be able to read a key.
            _ if *is_file && reader == 0 && *owner != OVERFLOW_UID => match purpose {
                Purpose::ClientKey | Purpose::SecretFile => format!("chown {uid} {shown}"),
                _ => format!("chown 0 {shown}"),
            },
            _ if is_system && path.starts_with(OF_THE_SYSTEMS_CONFIGURATION) => match reader {
                0 => format!("chown 0 {shown}"),
                _ => format!("have root run: chown 0 {shown}"),
            },
            Purpose::Config if *is_file => {
                "make a copy of your own, and name it with --config or JETON_CONFIG".into()
            }
            Purpose::CaFile
            | Purpose::ClientCertificate
            | Purpose::ClientKey
            | Purpose::SecretFile
            | Purpose::Program
                if *is_file =>
            {
                format!("make a copy of your own, and {elsewhere}")
            }
            _ => as_owner(*owner, elsewhere),
        },
        TrustFault::NotOurs { owner, uid } => {
            not_ours(path, purpose, reader, *owner, *uid, elsewhere)
        }
        TrustFault::Writable { mode, owner, .. } => {
            writable(path, purpose, reader, *mode, *owner, elsewhere)
        }
        TrustFault::Readable { owner, doubt, .. } => {
            let has_list = *doubt == Some(GroupFault::AccessList);
            readable(path, reader, *owner, has_list)
        }
        TrustFault::Open { mode, folder } => match purpose {
            // Only for a file: an open folder is reported before the files in it.
            Purpose::Secret if !folder => {
                format!("chmod 600 {shown}, and replace the secret if another user may have read it")
            }
            Purpose::Socket { named: true } if is_shared(path, *mode) => folder_of_its_own(path),
            Purpose::Socket { named: true } => {
                format!("chmod 700 {shown}, or {}", folder_of_its_own(path))
            }
            _ if *folder => format!("chmod 700 {shown}"),
            _ => format!("chmod 600 {shown}"),
        },
        TrustFault::Shared { mode, .. } if is_shared(path, *mode) => folder_of_its_own(path),
        TrustFault::Shared { right, group, .. } => {
            let chgrp = group.map(|group| format!("chgrp {group} {shown}; "));
            format!("{}chmod {right:o} {shown}", chgrp.unwrap_or_default())
        }
        TrustFault::OfTheSystem { .. } => {
            "start the service (systemctl start jetond), or choose another place with --socket; if no service uses this folder, remove it"
                .into()
        }
        TrustFault::NotOurGroup(_) => {
            "have root put this user into it and log in again, or name another group in [socket]"
                .into()
        }
        TrustFault::Denied(denied) => {
            denied.remedy(path, purpose == Purpose::ClientKey, reader, elsewhere)
        }
        TrustFault::HardLinks(_) => "copy it to a new file and remove this one".into(),
        TrustFault::Io { source, .. } if is_full(source) => "make room there and try again".into(),
        TrustFault::Io { action, source } => {
            let denied = matches!(
                source.kind(),
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
            );
            match purpose {
                Purpose::Socket { named: false } => elsewhere.into(),
                Purpose::Socket { named: true } if denied => elsewhere.into(),
                // Only for creating: an existing folder that cannot be opened belongs to another user, who has to check
                // it.
                Purpose::State if denied && *action == "make" => elsewhere.into(),
                _ => return None,
            }
        }
        TrustFault::Missing if purpose == Purpose::Sink => {
            format!("make the folder, so that those who read the file get through it: mkdir {shown}; or {elsewhere}")
        }
        TrustFault::Missing
        | TrustFault::NotAFolder
        | TrustFault::TooManyLinks
        | TrustFault::TooLarge(_) => return None,
    })
}

/// Says how to use another place.
const fn elsewhere(purpose: Purpose, is_system: bool) -> &'static str {
    match purpose {
        Purpose::Config if is_system => "fix it as root: the system's daemon reads no other file",
        Purpose::State | Purpose::Secret | Purpose::Notes | Purpose::Lock if is_system => {
            "fix it as root: the system's daemon has its state in /var/lib/jeton alone"
        }
        Purpose::Config => "name another one with --config or JETON_CONFIG",
        Purpose::State | Purpose::Secret | Purpose::Notes | Purpose::Lock => {
            "keep the state elsewhere with --state or XDG_STATE_HOME"
        }
        Purpose::CaFile => "name it with ca-file (add: --ca-file)",
        Purpose::ClientCertificate | Purpose::ClientKey => {
            "name it with client-certificate (add: --client-certificate, --client-key)"
        }
        Purpose::SecretFile => "name it with client-id or client-secret",
        Purpose::Program => "name it with client-secret",
        Purpose::Links => "name another folder",
        Purpose::Sink => "name another path for the sink",
        Purpose::Socket { named: true } => "choose another place with --socket or JETON_SOCKET",
        Purpose::Socket { named: false } => {
            "set XDG_RUNTIME_DIR to a folder of yours, name a socket with --socket, or serve one command: jetond run -- CMD"
        }
    }
}

/// Formats a remedy that needs the owner. The overflow user stands for other users: no process runs as it, and its
/// files cannot change owner.
fn as_owner(owner: u32, elsewhere: &str) -> String {
    if owner == OVERFLOW_UID {
        elsewhere.to_owned()
    } else {
        format!("run this as uid {owner}, or {elsewhere}")
    }
}

fn not_ours(
    path: &Path,
    purpose: Purpose,
    reader: u32,
    owner: u32,
    uid: u32,
    elsewhere: &str,
) -> String {
    let shown = path.display();
    let is_file = matches!(purpose, Purpose::Secret | Purpose::Notes);
    match purpose {
        Purpose::Lock => "remove it".to_owned(),
        Purpose::Socket { named: true } if is_for_everybody(path) => {
            let example = path.join(format!("jeton-{uid}/jeton.sock"));
            own_folder(&example)
        }
        Purpose::Socket { .. } if reader == 0 && owner != 0 => as_owner(owner, elsewhere),
        Purpose::Socket { .. } => elsewhere.to_owned(),
        _ if owner == OVERFLOW_UID => elsewhere.to_owned(),
        _ if is_file && reader == 0 => format!("chown {uid} {shown}"),
        // Root set it up for this user. A folder of root's own may be in the home of its owner.
        _ if reader == 0 && uid != 0 => format!("chown -R {uid} {shown}"),
        _ if owner == 0 => {
            let all = if is_file { "" } else { "-R " };
            format!("have root run: chown {all}{uid} {shown}; or {elsewhere}")
        }
        _ => as_owner(owner, elsewhere),
    }
}

fn writable(
    path: &Path,
    purpose: Purpose,
    reader: u32,
    mode: u32,
    owner: u32,
    elsewhere: &str,
) -> String {
    let shown = path.display();
    // This is the folder of a socket itself: for folders above it the sticky bit is enough.
    if mode & STICKY != 0 {
        return folder_of_its_own(path);
    }
    let change = if is_for_everybody(path) {
        format!("chmod +t {shown}")
    } else if purpose == (Purpose::Socket { named: false }) && !is_shared(path, mode) {
        // The folder of the sockets or a user's runtime folder, which must be private to the user.
        format!("chmod 700 {shown}")
    } else {
        format!("chmod go-w {shown}")
    };
    match (owner, purpose) {
        _ if reader == 0 || reader == owner => change,
        (_, Purpose::Socket { named: false }) => elsewhere.to_owned(),
        (0, _) => format!("{change} as root, or {elsewhere}"),
        (owner, _) => format!("{change} as uid {owner}, or {elsewhere}"),
    }
}

/// Returns the remedy for a private key that others can read.
fn readable(path: &Path, reader: u32, owner: u32, has_list: bool) -> String {
    let shown = path.display();
    // Root's key stays readable by its group: a daemon that runs as another user needs it.
    let change = match owner {
        _ if has_list => format!("setfacl -b {shown}"),
        0 => format!("chmod o= {shown}"),
        _ => format!("chmod 600 {shown}"),
    };
    let change = match owner {
        _ if reader == 0 || reader == owner => change,
        0 => format!("{change} as root"),
        owner => format!("{change} as uid {owner}"),
    };
    format!("{change}, and replace the key if another user may have read it")
}

/// Suggests a folder for the socket alone, below a folder that has other uses.
fn folder_of_its_own(path: &Path) -> String {
    own_folder(&path.join("jeton/jeton.sock"))
}

fn own_folder(example: &Path) -> String {
    let example = example.display();
    format!("give the socket a folder of its own: --socket {example}")
}

fn is_for_everybody(path: &Path) -> bool {
    FOR_EVERYBODY.iter().any(|folder| path == Path::new(folder))
}

/// Reports whether other programs use a folder, so that it must not be closed.
fn is_shared(path: &Path, mode: u32) -> bool {
    mode & STICKY != 0
        || path.components().count() <= 2
        || path.parent() == Some(Path::new("/home"))
        || OF_THE_SYSTEM.iter().any(|folder| path == Path::new(folder))
}

#[cfg(test)]
mod tests;
