//! The results of the examinations: the facts that findings are made from.

use std::path::PathBuf;

use url::Url;

use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::provider::configured::Reached;
use crate::store::{Bound, Difference, StoreError};
use crate::trust::Untrusted;

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
    /// Whether it can be trusted. [`Distrust::Missing`](crate::trust::Distrust::Missing) is not a fault: the folder is
    /// created when it is needed.
    pub(super) judged: Result<(), Untrusted>,
    /// The type of its file system, if known.
    pub(super) kind: Option<String>,
    /// Whether other hosts may have mounted that file system as well.
    pub(super) shared: bool,
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
    /// There is nothing.
    Missing,
    /// Something that is not a socket.
    NotASocket,
    /// A stale socket: no daemon listens.
    Stale,
    /// A process holds the lock, and the socket is missing or stale.
    Locked,
    /// The system refuses us the connection.
    Denied,
    /// A process accepts the connection and does not answer.
    Silent,
    /// A process answers with this HTTP status; the user and the process that listen, if the system reports them.
    Answers(u16, Option<(u32, i32)>),
    /// Connecting failed for another reason.
    Failed(String),
}

/// Facts about a stored credential, without the credential itself.
#[derive(Debug)]
pub(super) enum CredentialFacts {
    /// The store cannot be read.
    Unreadable(StoreError),
    /// There is no record.
    Absent,
    /// There is a record for this address; the configuration differs from it in these parts.
    Bound(Bound, Vec<Difference>),
    /// There is a record, but what to compare it with cannot be read.
    Uncompared(String),
}

/// Facts about an issuer and its clock.
#[derive(Debug)]
pub(super) struct IssuerFacts {
    pub(super) reached: Result<Reached, Fault>,
    /// The wall clock directly after the answer.
    pub(super) now: UnixTime,
    /// The token endpoint that the issuer's discovery document names, if the configuration does not name one.
    pub(super) discovered: Option<Result<Url, Fault>>,
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
