//! The facts from which findings are made.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::process::manager::SystemdManager;
use crate::provider::configured::ProbeAnswer;
use crate::store::{BoundTarget, Difference, StoreError};
use crate::trust::UntrustedPath;

/// The use of a folder, which decides how severe a finding about it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderUse {
    State,
    Sockets,
}

/// Facts about a folder.
#[derive(Debug)]
pub(super) struct FolderFacts {
    pub(super) path: PathBuf,
    /// Whether it can be trusted. [`TrustFault::Missing`](crate::trust::TrustFault::Missing) is not a fault: the folder
    /// is created when it is needed.
    pub(super) judged: Result<(), UntrustedPath>,
    /// The users who can traverse it.
    pub(super) passage: Traversal,
    /// The type of its file system, if known.
    pub(super) kind: Option<String>,
    /// Whether other hosts may have mounted that file system as well.
    pub(super) shared: bool,
}

/// The users who can traverse a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traversal {
    /// Only its owner.
    Owner,
    /// Other users as well, by this mode.
    Others(u32),
    /// Not even this user, whose sockets are in it, by this mode.
    NotEvenOwner(u32, u32),
}

/// Facts about the machine and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Whether it runs systemd.
    pub(super) systemd: bool,
    pub(super) uid: u32,
    /// The name of the user, if the environment has it.
    pub(super) user: Option<String>,
    /// Whether the user's services outlive the last session (loginctl(1)).
    pub(super) lingers: bool,
    /// Whether the doctor examines the system-wide daemon.
    pub(super) system: bool,
}

/// Facts about the path of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SocketState {
    /// There is no file.
    Missing,
    /// Something that is not a socket.
    NotASocket,
    /// A stale socket: no daemon listens.
    Stale,
    /// A process holds the lock, and the socket is missing or stale.
    Locked,
    /// A service manager listens, and the file of the socket is missing.
    Unlinked,
    /// The system refuses us the connection.
    Denied,
    /// A process accepts the connection and does not answer.
    Silent,
    /// A process answers with this HTTP status; the listener, if the system reports it.
    Answers(u16, Option<Listener>),
    /// Connecting failed for another reason.
    Failed(String),
}

/// The process that listens at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// A process of this user; its number is 0 if it is in another PID namespace.
    Process {
        /// The user.
        uid: u32,
        /// The process.
        pid: i32,
    },
    /// A service manager, for our service.
    Service(SystemdManager),
}

/// Facts about a stored credential, without the credential itself.
#[derive(Debug)]
pub(super) enum CredentialFacts {
    /// The store cannot be read.
    Unreadable(StoreError),
    /// There is no record.
    Absent,
    /// There is a record for this address; the configuration differs from it in these parts.
    Bound(BoundTarget, Vec<Difference>),
    /// The credential comes from a source and was not used yet. Its binding is not recorded, and the configuration has
    /// this one.
    Unused(BoundTarget),
    /// There is a record, but the data to compare it with cannot be read.
    Uncompared(String),
}

/// Facts about an issuer and its clock.
#[derive(Debug)]
pub(super) struct IssuerFacts {
    pub(super) reached: Result<ProbeAnswer, Fault>,
    /// The wall clock directly after the answer.
    pub(super) now: UnixTime,
    /// The token endpoint that the issuer's discovery document names, if the configuration does not name one.
    pub(super) discovered: Option<Result<Url, Fault>>,
}

// === impl Listener ===

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { uid, pid } if *pid > 0 => write!(f, "uid {uid}, process {pid}"),
            Self::Process { uid, .. } => write!(f, "uid {uid}"),
            // The process is the service manager, not the daemon.
            Self::Service(manager) => f.write_str(manager.service()),
        }
    }
}

// === impl FolderUse ===

impl FolderUse {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Sockets => "sockets",
        }
    }
}
