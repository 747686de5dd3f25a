//! What the examinations found out: the facts that findings are made of.

use std::path::PathBuf;

use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::provider::configured::Reached;
use crate::store::{BindingPart, StoreError};
use crate::trust::Untrusted;

/// What a folder is for: decides how grave a finding about it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderUse {
    State,
    Sockets,
}

/// Facts about a folder.
#[derive(Debug)]
pub(super) struct FolderFacts {
    pub(super) path: PathBuf,
    /// Whether it can be trusted. [`Distrust::Missing`](crate::trust::Distrust::Missing) is no fault: the folder is
    /// made when it is needed.
    pub(super) judged: Result<(), Untrusted>,
    /// The type of its file system, where that can be told.
    pub(super) kind: Option<String>,
    /// Whether other hosts may have mounted that file system too.
    pub(super) shared: bool,
}

/// Facts about the machine and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Whether systemd runs it.
    pub(super) systemd: bool,
    pub(super) uid: u32,
    /// The name of the user, where the environment has it.
    pub(super) user: Option<String>,
    /// Whether the user's services outlive the last session (loginctl(1)).
    pub(super) lingers: bool,
    /// Whether the doctor examines the daemon of the whole machine.
    pub(super) system: bool,
}

/// Facts about the path of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SocketState {
    /// Nothing.
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
    /// A process answers with this HTTP status; the user and the process that listen, where the system tells.
    Answers(u16, Option<(u32, i32)>),
    /// The system refused something else.
    Failed(String),
}

/// Facts about a stored credential, without the credential itself.
#[derive(Debug)]
pub(super) enum CredentialFacts {
    /// The store cannot be read.
    Unreadable(StoreError),
    /// There is no record.
    Absent,
    /// There is one, for this origin; the configuration differs in this part.
    Bound(String, Option<BindingPart>),
    /// There is one, and what it is to be compared with cannot be read.
    Uncompared(String),
}

/// Facts about an issuer and its clock.
#[derive(Debug)]
pub(super) struct IssuerFacts {
    pub(super) reached: Result<Reached, Fault>,
    /// The wall clock just after.
    pub(super) now: UnixTime,
    /// Where the issuer says that its token endpoint is, when the configuration does not say it.
    pub(super) discovered: Option<Result<String, Fault>>,
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
