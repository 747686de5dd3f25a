//! The reasons why a rotation does not begin.

use std::fmt;

use crate::profile::ProfileName;

mod in_place;

pub use in_place::InPlaceRefused;

/// The reason why a rotation does not begin. Nothing was changed anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationRefused {
    /// The profile does not exist.
    NoProfile,
    /// The profile that `--with` names does not exist.
    NoManager(ProfileName),
    /// The issuer has no known API for keys.
    NotRunai,
    /// The credential comes from a source that this program only reads.
    ReadOnly,
    /// The secret cannot be replaced in place.
    InPlace(InPlaceRefused),
    /// The open rotation belongs to another host, of this name, which may still drive it.
    OtherHost(String),
    /// A rotation of another host was to be taken over, but none is open.
    NothingOpen,
    /// Another daemon on this machine drives the rotation.
    AnotherDaemon,
    /// The data of an earlier rotation cannot be understood. A person has to check these keys.
    NeedsHuman {
        /// The reason.
        why: String,
        /// The names of keys that may be at the issuer.
        keys: Vec<String>,
    },
    /// This daemon serves a single command and ends with it.
    OfOneCommand,
    /// The system gives no random bytes, or the journal cannot be read: the reason.
    System(String),
}

impl From<InPlaceRefused> for RotationRefused {
    fn from(why: InPlaceRefused) -> Self {
        Self::InPlace(why)
    }
}

impl fmt::Display for RotationRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProfile => f.write_str("there is no such profile"),
            Self::NoManager(name) => write!(f, "there is no profile {name} to manage the key with"),
            Self::NotRunai => {
                f.write_str("only keys of Run:ai can be rotated; replace the secret at the issuer, and store it with 'jetond add'")
            }
            Self::ReadOnly => f.write_str(
                "the credential is only read, not kept by Jeton; rotate it where it is kept",
            ),
            Self::InPlace(why) => why.fmt(f),
            Self::OtherHost(host) => write!(
                f,
                "a rotation of this key is open on the host {host}, which may still be at work; if it is not, add --take-over"
            ),
            Self::NothingOpen => {
                f.write_str("no rotation of this key is open, so there is nothing to take over")
            }
            Self::AnotherDaemon => f.write_str(
                "another daemon on this machine drives a rotation of this key; ask that daemon, or try again when it has ended",
            ),
            Self::NeedsHuman { why, keys } if keys.is_empty() => {
                write!(f, "an earlier rotation needs a manual step: {why}")
            }
            Self::NeedsHuman { why, keys } => write!(
                f,
                "an earlier rotation needs a manual step: {why}; look for these keys at the issuer: {}",
                keys.join(", ")
            ),
            Self::OfOneCommand => f.write_str(
                "the daemon of 'jetond run' ends with its command, so it rotates no key; ask the user's daemon",
            ),
            Self::System(why) => f.write_str(why),
        }
    }
}
