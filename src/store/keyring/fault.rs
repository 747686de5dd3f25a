//! The reasons why the OS keyring cannot be used, and their remedies. Only the name of a keyring's error is quoted,
//! never its text, which could contain anything.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::store::Unavailable;

/// The reason why the OS keyring cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyringFault {
    /// There is no session bus to find a keyring on.
    NoBus,
    /// No service on the session bus is a keyring.
    NoService,
    /// The keyring has no default collection.
    NoDefault,
    /// Its default collection ends with the session.
    SessionOnly,
    /// It runs as this user, not as ours.
    Foreign(u32),
    /// It is locked, and only a person can unlock it.
    Locked,
    /// It did not answer in time.
    Timeout,
    /// It has several entries for the profile.
    Ambiguous,
    /// It failed for another reason.
    Failed(String),
    /// Jeton's process for the call has failed.
    Process(String),
}

impl KeyringFault {
    /// The reason alone, in a few words.
    pub fn reason(&self) -> String {
        match self {
            Self::NoBus => "there is no session bus".into(),
            Self::NoService => "there is none on the session bus".into(),
            Self::NoDefault => "it has no default keyring".into(),
            Self::SessionOnly => "its default keyring ends with the session".into(),
            Self::Foreign(uid) => format!("the keyring on this session bus is user {uid}'s"),
            Self::Locked => "it is locked".into(),
            Self::Timeout => "it does not answer".into(),
            Self::Ambiguous => "it has several entries for this profile".into(),
            Self::Failed(what) => format!("it failed: {what}"),
            Self::Process(what) => format!("the process that asks it {what}"),
        }
    }

    /// The remedy.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NoBus => {
                "a daemon outside of a login session cannot use it; inside of one, set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR"
            }
            Self::NoService => "start or install one, such as gnome-keyring, KWallet or KeePassXC",
            Self::NoDefault | Self::SessionOnly => {
                "make a default keyring with its own program, such as Passwords and Keys (seahorse)"
            }
            Self::Foreign(_) => "use the session bus of the user that the daemon runs as",
            Self::Locked => {
                "unlock it by logging in to the desktop or with its own program, such as Passwords and Keys (seahorse); without a desktop, with 'gnome-keyring-daemon --unlock', which reads the password from its standard input"
            }
            Self::Timeout => {
                "it may be waiting for a person, or hang: look for its window, or restart it"
            }
            Self::Ambiguous => "remove all but one with its own program; their service is jeton",
            Self::Failed(_) => "look into its log",
            Self::Process(_) => {
                "try again; if that does not help, raise the limits of processes, descriptors and memory (ulimit -a, TasksMax=)"
            }
        }
    }
}

impl Unavailable for KeyringFault {
    fn store(&self) -> &'static str {
        "the OS keyring"
    }

    fn reason(&self) -> String {
        Self::reason(self)
    }

    fn advice(&self) -> &'static str {
        Self::advice(self)
    }

    fn is_passing(&self) -> bool {
        matches!(self, Self::Process(_))
    }

    fn is_of_entry(&self) -> bool {
        matches!(self, Self::Ambiguous | Self::Failed(_))
    }
}

impl fmt::Display for KeyringFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason(), self.advice())
    }
}

impl std::error::Error for KeyringFault {}
