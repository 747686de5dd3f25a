//! The journal of a rotation.

use std::fmt;

use crate::profile::ProfileName;
use crate::rotation::Grace;
use crate::store::RotationId;

/// The longest name of a phase, in characters.
const MAX_PHASE: usize = 40;

/// The journal of a rotation. It has no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationJournal {
    /// The ID, which the record has as well.
    pub id: RotationId,
    /// How the secret is exchanged.
    pub mode: RotationMode,
    /// How far it has come.
    pub phase: Phase,
    /// The machine that drives it.
    pub machine: Machine,
    /// The profile whose token manages the keys, where it is another one.
    pub with: Option<ProfileName>,
    /// The path of the endpoint that lists the keys of this kind.
    pub path: String,
    /// The key that was in use when it began.
    pub former: SeenKey,
    /// Every name for a new key that was sent, in order. A creation whose answer was lost may still be executed.
    pub tried: Vec<String>,
    /// The keys that the server is known to have made.
    pub made: Vec<SeenKey>,
    /// What the grace period is judged by, once the switch was made.
    pub grace: Option<Grace>,
    /// The SHA-256 of the secret that is replaced in place, in hexadecimal digits.
    pub former_secret: Option<String>,
}

/// How a secret is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationMode {
    /// A second key is made, and the first one is deleted later.
    Overlap,
    /// The key gets a new secret, and the former one is revoked at once.
    InPlace,
}

/// The word for how far a rotation has come. What it means is known to the rotation's state machine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase(String);

/// A machine, and one of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its host name.
    pub host: String,
    /// The ID of this run, which is new at each boot; empty where the system has none.
    pub boot: String,
}

/// On which machine a rotation was begun, as this machine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartedOn {
    /// On this one, in this run: the profile's lock decides who drives it.
    ThisBoot,
    /// On this one, in an earlier run: no program drives it any more.
    EarlierBoot,
    /// On another one, which may still drive it.
    OtherHost,
}

/// A key of the server, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenKey {
    /// The client ID.
    pub client_id: String,
    /// The server's ID of it, if it is known.
    pub key_id: Option<String>,
    /// Its name at the server, if it is known.
    pub name: Option<String>,
}

// === impl RotationJournal ===

impl RotationJournal {
    /// On which machine it was begun, as this one sees it.
    pub fn started_on(&self, now: &Machine) -> StartedOn {
        if self.machine.host != now.host {
            StartedOn::OtherHost
        } else if self.machine.boot == now.boot && !now.boot.is_empty() {
            StartedOn::ThisBoot
        } else {
            StartedOn::EarlierBoot
        }
    }

    /// The names of the keys that may be at the server because of this rotation, each once.
    pub fn names(&self) -> Vec<&str> {
        let made = self.made.iter().filter_map(|key| key.name.as_deref());
        let mut names: Vec<_> = self.tried.iter().map(String::as_str).chain(made).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

// === impl RotationMode ===

impl RotationMode {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::InPlace => "in-place",
        }
    }

    /// The mode of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Overlap, Self::InPlace]
            .into_iter()
            .find(|mode| mode.as_str() == word)
    }
}

// === impl Phase ===

impl Phase {
    /// Takes a word of lowercase letters and '-'; `None` if it is none.
    pub fn parse(word: &str) -> Option<Self> {
        let is_word = (1..=MAX_PHASE).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        is_word.then(|| Self(word.to_owned()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
