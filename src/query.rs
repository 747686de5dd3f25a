//! Requests to the daemon and its answers, independent of their form.
//!
//! Every question comes with the printer of its own answer, so that no printer can get the answer to another question.

use std::sync::Arc;
use std::time::Duration;

use crate::instant::Now;
use crate::problem::Problem;
use crate::profile::ProfileName;
use crate::wire::frame::Reply;
use crate::wire::{ProfileReply, Rejected, VersionReply};

mod address;
mod expiry;
mod identity;
mod keys;
mod rotation;
mod token;

pub use address::{
    AddressAnswer, AddressQuery, AddressRejectQuery, ExplainAnswer, ExplainQuery, HostListing,
    ReportFilter,
};
pub use expiry::{ReportedExpiry, reported_expiry};
pub use identity::{Identity, Members, WhoamiAnswer, WhoamiForm, WhoamiQuery};
pub use keys::{
    FormattedKey, KeyFacts, KeyForm, KeyKind, KeyList, KeyListing, KeyUser, KeysAnswer, KeysQuery,
};
pub use rotation::{RotateQuery, RotationEvent};
pub use token::{Freshness, TokenAnswer};

/// A question with the printer of its answer. If the question names no profile, it is about the only profile that the
/// caller may use, unless the variant says otherwise.
pub enum Question {
    /// Asks for a token.
    Token(TokenQuery, Box<dyn Print<TokenAnswer>>),
    /// A file with a token, kept up to date until the caller's process ends.
    File(TokenQuery, Box<dyn Print<FileAnswer>>),
    /// Asks for a token to send to an address.
    Address(AddressQuery, Box<dyn Print<AddressAnswer>>),
    /// Reports that the token for an address was rejected.
    AddressReject(AddressRejectQuery, Box<dyn Print<()>>),
    /// Asks for the addresses of all profiles that the caller may use.
    Hosts(Box<dyn Print<[HostListing]>>),
    /// Which profile an address leads to, and why.
    Explain(ExplainQuery, Box<dyn Print<ExplainAnswer>>),
    /// Asks for the state of the named profile.
    Profile(ProfileName, Box<dyn Print<ProfileState>>),
    /// Asks for the state of one profile, or of all that the caller may use if none is named.
    Profiles(Option<ProfileName>, Box<dyn Print<DaemonState>>),
    /// Asks whether a profile is ready, or the daemon itself if none is named.
    Ready(ReadyQuery, Box<dyn Print<()>>),
    /// A new token, now. The answer is the profile's state after it.
    Refresh(RefreshQuery, Box<dyn Print<ProfileState>>),
    /// The token that follows a rejected one.
    Reject(RejectQuery, Box<dyn Print<TokenAnswer>>),
    /// Asks for the events of a profile from now on, as a stream.
    Watch(WatchQuery, Box<dyn Print<WatchEvent>>),
    /// Asks for the keys of a control plane, or for one of them.
    Keys(KeysQuery, Box<dyn Print<KeysAnswer>>),
    /// The identity that a profile's token belongs to.
    Whoami(WhoamiQuery, Box<dyn Print<WhoamiAnswer>>),
    /// The rotation of a key, which only the admin socket accepts. The steps are streamed.
    Rotate(RotateQuery, Box<dyn Print<RotationEvent>>),
    /// A reload of the configuration, which only the admin socket accepts.
    Reload(Box<dyn Print<Reloaded>>),
}

/// Prints an answer, for a run of the companion or as the body of an HTTP response. The body is the standard output.
pub trait Print<Answer: ?Sized>: Send {
    /// Returns the output and the exit code.
    fn print(&self, answer: &Answer, around: PrintContext<'_>) -> Reply;

    /// Returns the output in place of an answer, for a protocol with refusals of its own. `None` selects the
    /// companion's usual line.
    fn refuse(&self, _problem: &Problem, _around: PrintContext<'_>) -> Option<Reply> {
        None
    }
}

/// Context that a printer may need besides the answer.
#[derive(Debug, Clone, Copy)]
pub struct PrintContext<'a> {
    /// The current time.
    pub now: Now,
    /// The path of the daemon's token socket.
    pub socket: &'a str,
}

/// A request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// The validity that the token must have left.
    pub min_valid: Duration,
    /// How long to wait for the token.
    pub max_wait: Duration,
}

/// A file with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAnswer {
    /// The file's path relative to the folder of the daemon's token socket. In a container, that folder has another
    /// path.
    pub path: String,
}

/// A readiness probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// How long to wait until the profile is ready.
    pub wait: Duration,
}

/// A request for a new token, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// How long to wait for the token.
    pub max_wait: Duration,
}

/// A report that a token was rejected, and a request for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// The token that was rejected.
    pub which: Rejected,
    /// How long to wait for the next token.
    pub max_wait: Duration,
}

/// A request to watch a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// The generation of the token that the watcher already has.
    pub since: Option<u64>,
}

/// An event of a watch.
#[derive(Debug)]
pub enum WatchEvent {
    /// A new token.
    Token(TokenAnswer),
    /// A change of state.
    State(Box<ProfileReply>),
    /// Heartbeat: there was no event for a while.
    Quiet,
}

/// A profile's state, with additional data that only its graphical form needs.
#[derive(Debug, Clone)]
pub struct ProfileState {
    /// The state, as the interface shows it.
    pub reply: ProfileReply,
    /// The complete lifetime of the held token.
    pub lifetime: Option<Duration>,
    /// Whether the next attempt waits for a request.
    pub resting: bool,
    /// Why the profile is blocked, in words.
    pub blocked: Option<Arc<str>>,
}

/// The state of profiles and of their daemon.
#[derive(Debug, Clone)]
pub struct DaemonState {
    /// The profiles, by name.
    pub profiles: Vec<ProfileState>,
    /// The daemon's version.
    pub version: VersionReply,
}

/// The changes that a reload made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Number of new profiles.
    pub added: usize,
    /// Number of removed profiles.
    pub removed: usize,
    /// Number of changed profiles. They start over, unless only their refresh policy has changed.
    pub changed: usize,
    /// Number of unchanged profiles. They keep their token.
    pub kept: usize,
    /// What a new mode of the token socket needs besides the reload.
    pub socket: SocketModeChange,
}

/// What is needed until the token socket has the mode of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SocketModeChange {
    /// Nothing more.
    #[default]
    Nothing,
    /// A restart of the daemon, which keeps the old mode until then.
    Restart,
    /// A different setting in the socket unit, because a service manager creates the socket with another mode.
    UnitSetting,
}
