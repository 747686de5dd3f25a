//! The events of one machine whose key is rotated, in order.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jetond::fault::FaultKind;

/// A secret of a key, which counts its secrets from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Secret {
    pub(crate) key: u32,
    pub(crate) version: u32,
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A process begins, in this boot of the machine.
    Starts {
        boot: u32,
        /// Whether the API accepts the tokens of a secret that was replaced.
        tokens_survive: bool,
    },
    Killed,
    /// The issuer has created a key.
    Made {
        key: u32,
    },
    /// The issuer has deleted a key.
    Gone {
        key: u32,
    },
    /// The issuer has replaced the secret of a key by this one, which all its replicas know from this moment on.
    Renewed {
        secret: Secret,
        known_from: Duration,
    },
    /// The record in the store from now on. A secret that is not of the issuer is missing.
    Record {
        current: Option<Secret>,
        other: Option<Secret>,
        is_open: bool,
    },
    /// The second slot of the store from now on: the token, and the secret in the answer.
    Slot {
        token: Option<u32>,
        answer: Option<Secret>,
    },
    /// Which kind of rotation has a journal from now on.
    Journal {
        of: Option<&'static str>,
    },
    /// A call to the API of keys, and its fate.
    Api {
        call: &'static str,
        fate: String,
    },
    /// The daemon gets the answer to a regeneration.
    ApiAnswers,
    /// A write to the keyring, and its fate.
    Write {
        fate: &'static str,
    },
    /// The issuer grants a token.
    Granted {
        token: u32,
        secret: Secret,
        end: Duration,
    },
    /// The issuer grants no token, for a reason unrelated to the rotation.
    Failed {
        kind: FaultKind,
    },
    /// The store cannot be read for the profile, for a reason unrelated to the rotation.
    Unreadable,
    /// The issuer rejects this client.
    Rejected,
    Asked {
        request: u32,
        max_wait: Duration,
    },
    /// An answer with or without a token.
    Answered {
        request: u32,
        token: Option<u32>,
    },
    /// A request had no answer long after its deadline.
    Silence {
        request: u32,
    },
    Rotates {
        finish: bool,
        in_place: bool,
    },
    Told {
        step: String,
    },
    /// The status shows that a rotation in place needs a person.
    NeedsHuman,
    /// A person makes another secret and stores it.
    Mends,
    Reloads,
    Suspended {
        by: Duration,
    },
    Stepped {
        seconds: i64,
    },
    Mood {
        of: &'static str,
        is: &'static str,
    },
    /// Everything works from now on.
    Calm,
    /// The end: the number of rotations, and what is left of the last one.
    End {
        rotations: u32,
        left: Vec<&'static str>,
    },
}

/// All events, with the time since the run began.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(pub(crate) Vec<(Duration, Event)>);

impl History {
    /// Returns a hash of all events.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for entry in &self.0 {
            format!("{entry:?}").hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.key, self.version)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (at, what)) in self.0.iter().enumerate() {
            writeln!(f, "{number:>5} {:>12.3} {what:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
