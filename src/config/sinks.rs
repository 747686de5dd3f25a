//! The files that a profile's token is written to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::named::Named;
use crate::file_format::Format;
use crate::profile::ProfileName;

/// One `sinks` entry of a profile: a file that is kept fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// The file with the token: absolute, or below the folder of the token socket. It has no `.` and no `..`.
    pub path: PathBuf,
    /// Its form.
    pub format: Format,
    /// Its mode.
    pub mode: u16,
    /// Whose it is; `None` means our own user. Only a daemon that is root can give it away.
    pub owner: Option<Account>,
    /// Its group; `None` leaves the one that the system gives.
    pub group: Option<Account>,
    /// Whether a file that is not ours may be replaced.
    pub replace: bool,
    /// Whether the file stays when its token has expired.
    pub keep_expired: bool,
}

/// A user or a group, as the configuration gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// By number.
    Number(u32),
    /// By name.
    Name(Named),
}

/// The sinks of each profile that has some.
pub type Sinks = BTreeMap<ProfileName, Vec<Sink>>;

// === impl Sink ===

impl Sink {
    /// Its files below the folder of the token socket, or where they are named: first the one with the token.
    pub fn files(&self, runtime: &Path) -> Vec<PathBuf> {
        let path = runtime.join(&self.path);
        let beside = self.format.beside();
        let beside = beside.map(|name| path.with_file_name(name));
        [path].into_iter().chain(beside).collect()
    }

    /// Whether it is below the folder of the token socket, and not at a place of its own.
    pub fn is_relative(&self) -> bool {
        self.path.is_relative()
    }

    /// Whether the file holds the token and nothing else.
    pub const fn is_bare(&self) -> bool {
        matches!(self.format, Format::Raw | Format::Jwt)
    }

    /// The users and groups that it gives by name.
    pub(super) fn named(&self) -> impl Iterator<Item = &Named> {
        [&self.owner, &self.group]
            .into_iter()
            .flatten()
            .filter_map(Account::named)
    }

    pub(super) fn named_mut(&mut self) -> impl Iterator<Item = &mut Named> {
        [&mut self.owner, &mut self.group]
            .into_iter()
            .flatten()
            .filter_map(Account::named_mut)
    }
}

// === impl Account ===

impl Account {
    /// Its number; `None` while the machine does not know the name.
    pub const fn id(&self) -> Option<u32> {
        match self {
            Self::Number(id) => Some(*id),
            Self::Name(named) => named.id(),
        }
    }

    const fn named(&self) -> Option<&Named> {
        match self {
            Self::Number(_) => None,
            Self::Name(named) => Some(named),
        }
    }

    const fn named_mut(&mut self) -> Option<&mut Named> {
        match self {
            Self::Number(_) => None,
            Self::Name(named) => Some(named),
        }
    }
}
