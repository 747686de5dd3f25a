//! What the examinations found out: the facts that findings are made of.

use std::path::PathBuf;

use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::provider::configured::Reached;
use crate::store::{BindingPart, StoreError};
use crate::trust::Untrusted;

/// What a folder is for, which decides how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderUse {
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

/// What is at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SocketState {
    /// Nothing.
    Missing,
    /// Something that is not a socket.
    NotASocket,
    /// A socket that nobody serves.
    Stale,
    /// No socket that is served, although a process holds the lock of the place.
    Locked,
    /// We may not connect.
    Denied,
    /// Somebody accepts and does not answer.
    Silent,
    /// Somebody answers with this status; the user and the process that made the socket, where the system tells.
    Answers(u16, Option<(u32, i32)>),
    /// The system refused something else.
    Failed(String),
}

/// What is known of a stored credential: nothing of the credential itself.
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

/// What an issuer answered.
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
