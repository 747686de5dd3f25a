//! The files that a profile's token is written to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::named::ResolvedName;
use crate::file_format::Format;
use crate::profile::ProfileName;

/// One `sinks` entry of a profile: a file that is kept fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// The file with the token: absolute, or below the folder of the token socket. It has no `.` and no `..`.
    pub path: PathBuf,
    /// The format of the file.
    pub format: Format,
    /// The mode of the file.
    pub mode: u16,
    /// The owner of the file; `None` means our own user. Only a daemon that runs as root can set another one.
    pub owner: Option<Account>,
    /// The group of the file; `None` keeps the one that the system assigns.
    pub group: Option<Account>,
    /// Whether a file that Jeton did not write may be replaced.
    pub replace: bool,
    /// Whether the file stays when its token has expired.
    pub keep_expired: bool,
}

/// A user or a group, by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// By number.
    Number(u32),
    /// By name.
    Name(ResolvedName),
}

/// The sinks of each profile that has some.
pub type Sinks = BTreeMap<ProfileName, Vec<Sink>>;

// === impl Sink ===

impl Sink {
    /// Returns its files, the one with the token first. Relative paths are resolved below the folder of the token
    /// socket.
    pub fn files(&self, runtime: &Path) -> Vec<PathBuf> {
        let path = runtime.join(&self.path);
        let beside = self.format.beside();
        let beside = beside.map(|name| path.with_file_name(name));
        [path].into_iter().chain(beside).collect()
    }

    /// Reports whether it is below the folder of the token socket, and not at an absolute path.
    pub fn is_relative(&self) -> bool {
        self.path.is_relative()
    }

    /// Reports whether the file holds the token and nothing else.
    pub const fn is_bare(&self) -> bool {
        matches!(self.format, Format::Raw | Format::Jwt)
    }

    /// Returns the users and groups that it gives by name.
    pub(super) fn named(&self) -> impl Iterator<Item = &ResolvedName> {
        [&self.owner, &self.group]
            .into_iter()
            .flatten()
            .filter_map(Account::named)
    }

    pub(super) fn named_mut(&mut self) -> impl Iterator<Item = &mut ResolvedName> {
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

    const fn named(&self) -> Option<&ResolvedName> {
        match self {
            Self::Number(_) => None,
            Self::Name(named) => Some(named),
        }
    }

    const fn named_mut(&mut self) -> Option<&mut ResolvedName> {
        match self {
            Self::Number(_) => None,
            Self::Name(named) => Some(named),
        }
    }
}
