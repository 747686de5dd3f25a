//! What happened to one machine whose key is rotated, in order.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jetond::fault::FaultKind;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// A process begins, in this boot of the machine.
    Starts {
        boot: u32,
    },
    Killed,
    /// The issuer has a key more.
    Made {
        key: u32,
    },
    /// It has deleted a key.
    Gone {
        key: u32,
    },
    /// What the store holds from now on; a key whose secret is not the issuer's is none.
    Record {
        current: Option<u32>,
        other: Option<u32>,
        is_open: bool,
    },
    /// A call to the API of keys, and what becomes of it.
    Api {
        call: &'static str,
        fate: String,
    },
    /// A write to the keyring, and what becomes of it.
    Write {
        fate: &'static str,
    },
    /// The issuer gives a token.
    Granted {
        token: u32,
        key: u32,
        end: Duration,
    },
    /// The issuer gives no token, for no reason of the rotation's.
    Failed {
        kind: FaultKind,
    },
    /// The store cannot be read for the profile, for no reason of the rotation's.
    Unreadable,
    /// The issuer does not know this client.
    Rejected,
    Asked {
        request: u32,
        max_wait: Duration,
    },
    /// An answer: a token, or none.
    Answered {
        request: u32,
        token: Option<u32>,
    },
    /// There was no answer long after the deadline.
    Silence {
        request: u32,
    },
    Rotates {
        finish: bool,
    },
    Told {
        step: String,
    },
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
    /// From now on everything works.
    Calm,
    /// The end: how many rotations were made, and what is left of the last one.
    End {
        rotations: u32,
        left: Vec<&'static str>,
    },
}

/// Everything that happened, with the time that has passed for the world.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(pub(crate) Vec<(Duration, What)>);

impl History {
    /// One number for all of it.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for entry in &self.0 {
            format!("{entry:?}").hash(&mut hasher);
        }
        hasher.finish()
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
