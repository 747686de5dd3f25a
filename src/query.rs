//! The vocabulary of the local interface: the requests to the daemon, and its answers.
//!
//! Every question is paired with the printer of its own answer, so that no printer can be given the answer to another
//! one.

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
    AddressAnswer, AddressQuery, AddressRejectQuery, CountsWith, ExplainAnswer, ExplainQuery,
    HostListing,
};
pub use expiry::{ReportedExpiry, reported_expiry};
pub use identity::{Identity, Members, WhoamiAnswer, WhoamiForm, WhoamiQuery};
pub use keys::{
    KeyForm, KeyKind, KeyList, KeyListing, KeySeen, KeyShown, KeyUser, KeysAnswer, KeysQuery,
};
pub use rotation::{RotateQuery, RotationNews};
pub use token::{Freshness, TokenAnswer};

/// A question, with the printer of its answer. Without a name, the profile is the only one that the caller may use,
/// unless the variant says otherwise.
pub enum Asked {
    /// A token.
    Token(TokenQuery, Box<dyn Print<TokenAnswer>>),
    /// A file with a token, which is kept fresh until the caller's process has ended.
    File(TokenQuery, Box<dyn Print<FileAnswer>>),
    /// A token to send to an address.
    Address(AddressQuery, Box<dyn Print<AddressAnswer>>),
    /// A report that the token for an address was rejected.
    AddressReject(AddressRejectQuery, Box<dyn Print<()>>),
    /// The addresses of all profiles that the caller may use.
    Hosts(Box<dyn Print<[HostListing]>>),
    /// Which profile an address gets, and why.
    Explain(ExplainQuery, Box<dyn Print<ExplainAnswer>>),
    /// The state of the named profile.
    Profile(ProfileName, Box<dyn Print<ProfileState>>),
    /// The state of one profile, or of all that the caller may use when none is named.
    Profiles(Option<ProfileName>, Box<dyn Print<DaemonState>>),
    /// Whether a profile is ready, or the daemon itself when none is named.
    Ready(ReadyQuery, Box<dyn Print<()>>),
    /// A new token, now. The answer is the profile's state with it.
    Refresh(RefreshQuery, Box<dyn Print<ProfileState>>),
    /// The next token after one that was rejected.
    Reject(RejectQuery, Box<dyn Print<TokenAnswer>>),
    /// The events of a profile from now on, streamed.
    Watch(WatchQuery, Box<dyn Print<News>>),
    /// The keys of a control plane, or one of them.
    Keys(KeysQuery, Box<dyn Print<KeysAnswer>>),
    /// Whose a profile's token is.
    Whoami(WhoamiQuery, Box<dyn Print<WhoamiAnswer>>),
    /// Another key, which only the admin socket gives. The steps are streamed.
    Rotate(RotateQuery, Box<dyn Print<RotationNews>>),
    /// A reload of the configuration, which only the admin socket does.
    Reload(Box<dyn Print<Reloaded>>),
}

/// Prints an answer: for a run of the companion, or as the body of an HTTP answer, which is the standard output then.
pub trait Print<Answer: ?Sized>: Send {
    /// The bytes and the exit code.
    fn print(&self, answer: &Answer, around: Surroundings<'_>) -> Reply;

    /// What is printed when there is no answer, by a protocol that has a refusal of its own; `None` for the companion's
    /// line.
    fn refuse(&self, _problem: &Problem, _around: Surroundings<'_>) -> Option<Reply> {
        None
    }
}

/// What a printer may need beside the answer.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The current time.
    pub now: Now,
    /// The daemon's token socket.
    pub socket: &'a str,
}

/// A request for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// The validity it must have left.
    pub min_valid: Duration,
    /// How long to wait for it.
    pub max_wait: Duration,
}

/// A file with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAnswer {
    /// Its path below the folder of the daemon's token socket, which has another path in a container.
    pub path: String,
}

/// A readiness probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// How long to wait until it is ready.
    pub wait: Duration,
}

/// A request for a new token, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// How long to wait for it.
    pub max_wait: Duration,
}

/// A report that a token was rejected, which asks for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// The token that was rejected.
    pub which: Rejected,
    /// How long to wait for the next one.
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

/// One event of a watch.
#[derive(Debug)]
pub enum News {
    /// A new token.
    Token(TokenAnswer),
    /// Another state.
    State(Box<ProfileReply>),
    /// Heartbeat: nothing has happened for a while.
    Quiet,
}

/// A profile's state, with the data that only a drawing of it needs.
#[derive(Debug, Clone)]
pub struct ProfileState {
    /// The state as the interface shows it.
    pub reply: ProfileReply,
    /// The whole lifetime of the held token.
    pub lifetime: Option<Duration>,
    /// Whether the next attempt waits until a token is asked for.
    pub resting: bool,
    /// Why the profile is blocked, for people.
    pub blocked: Option<Arc<str>>,
}

/// The state of profiles, and of the daemon that keeps them.
#[derive(Debug, Clone)]
pub struct DaemonState {
    /// The profiles, by name.
    pub profiles: Vec<ProfileState>,
    /// The daemon's version.
    pub version: VersionReply,
}

/// What a reload changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Profiles that are new.
    pub added: usize,
    /// Profiles that are gone.
    pub removed: usize,
    /// Profiles that changed. They start over, unless only their refresh policy is another one.
    pub changed: usize,
    /// Profiles that did not change, and keep their token.
    pub kept: usize,
    /// Whether the mode of the token socket takes more than a reload.
    pub socket: SocketTakes,
}

/// What the token socket takes before its mode is the one of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SocketTakes {
    /// Nothing more.
    #[default]
    Nothing,
    /// A restart of the daemon, which keeps the old mode until then.
    Restart,
    /// Another setting of the socket unit: a service manager makes the socket, with another mode.
    UnitSetting,
}
