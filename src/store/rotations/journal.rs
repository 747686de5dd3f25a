//! The journal of a rotation.

use std::fmt;

use crate::profile::ProfileName;
use crate::rotation::Grace;
use crate::store::RotationId;

/// The longest name of a phase, in characters.
const MAX_PHASE: usize = 40;

/// The journal of a rotation. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationJournal {
    /// The rotation's ID, which the record has as well.
    pub id: RotationId,
    /// The way in which the secret is exchanged.
    pub mode: RotationMode,
    /// The rotation's progress.
    pub phase: Phase,
    /// The machine that drives it.
    pub machine: Machine,
    /// The profile whose token manages the keys, if it is another one.
    pub with: Option<ProfileName>,
    /// The path of the endpoint that lists the keys of this kind.
    pub path: String,
    /// The key that was in use when the rotation began.
    pub former: SeenKey,
    /// Every name for a new key that was sent, in order. The server may still execute a creation whose answer was lost.
    pub tried: Vec<String>,
    /// The keys that the server has made, as far as known.
    pub made: Vec<SeenKey>,
    /// The observations that decide the end of the grace period, once the switch was made.
    pub grace: Option<Grace>,
    /// The SHA-256 of the secret that is being replaced in place, in hexadecimal digits.
    pub former_secret: Option<String>,
}

/// The way in which a secret is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationMode {
    /// A second key is made, and the former key is deleted later.
    Overlap,
    /// The key gets a new secret, and the former secret is revoked at once.
    InPlace,
}

/// The word for a rotation's progress. Only the rotation's state machine knows its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase(String);

/// A machine, and one boot of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its host name.
    pub host: String,
    /// The ID of this boot; empty if the system has none.
    pub boot: String,
}

/// The machine that began a rotation, relative to this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartedOn {
    /// This machine, since its last boot: the profile's lock decides which program drives it.
    ThisBoot,
    /// This machine, before its last boot: no program drives it any more.
    EarlierBoot,
    /// Another machine, which may still drive it.
    OtherHost,
}

/// A key at the server, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenKey {
    /// The client ID.
    pub client_id: String,
    /// The server's ID of the key, if it is known.
    pub key_id: Option<String>,
    /// Its name at the server, if it is known.
    pub name: Option<String>,
}

// === impl RotationJournal ===

impl RotationJournal {
    /// Compares the machine that began the rotation with this one.
    pub fn started_on(&self, now: &Machine) -> StartedOn {
        if self.machine.host != now.host {
            StartedOn::OtherHost
        } else if self.machine.boot == now.boot && !now.boot.is_empty() {
            StartedOn::ThisBoot
        } else {
            StartedOn::EarlierBoot
        }
    }

    /// The names of the keys that may be at the server because of this rotation, without duplicates.
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
    /// The mode's word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::InPlace => "in-place",
        }
    }

    /// Parses the word of a mode.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Overlap, Self::InPlace]
            .into_iter()
            .find(|mode| mode.as_str() == word)
    }
}

// === impl Phase ===

impl Phase {
    /// Parses a word of lowercase letters and '-'; `None` for any other text.
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
