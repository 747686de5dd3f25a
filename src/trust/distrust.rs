//! Why a file or a folder is not trusted, and what it is for.

use std::fmt;
use std::io;

/// The user that stands for every user from outside of a user namespace.
pub(super) const OVERFLOW_UID: u32 = 65_534;

/// What a file or folder is for, which decides where a person can have another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The configuration.
    Config,
    /// The state: the folder of the credentials.
    State,
    /// A credential's record.
    Secret,
    /// The lock of a socket or of a store, which holds nothing.
    Lock,
    /// A socket.
    Socket {
        /// Whether the user has named its place.
        named: bool,
    },
}

/// Why a file or folder is not trusted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Distrust {
    /// There is no such file or folder.
    Missing,
    /// It is not a regular file.
    NotAFile,
    /// It is not a folder.
    NotAFolder,
    /// It is a symbolic link, where none is followed.
    IsALink,
    /// The path leads through more links than the kernel would follow.
    TooManyLinks,
    /// It belongs neither to root nor to us.
    Owner {
        /// Whom it belongs to.
        owner: u32,
        /// Who we are.
        uid: u32,
        /// Whether it is a regular file: then nothing else is given away with it.
        is_file: bool,
    },
    /// It must be ours alone, and belongs to another user.
    NotOurs {
        /// Whom it belongs to.
        owner: u32,
        /// Who we are.
        uid: u32,
    },
    /// Its group or others can write to it.
    Writable {
        /// The mode's bits.
        mode: u32,
        /// Whom it belongs to.
        owner: u32,
        /// Its group.
        group: u32,
        /// Where that alone can: why it is not trusted, if there is more to say than that it can.
        doubt: Option<GroupDoubt>,
    },
    /// It must be ours alone, and its group or others can use it.
    Open {
        /// The mode's bits.
        mode: u32,
        /// Whether it is a folder.
        folder: bool,
    },
    /// It lets in others than it has to. Its mode, the right one, and the right group where it has another.
    Shared {
        /// The mode's bits.
        mode: u32,
        /// What they should be.
        right: u16,
        /// The group that it should have, when it has another.
        group: Option<u32>,
    },
    /// It has to be given to this group, and we are not in it.
    NotOurGroup(u32),
    /// It has this many names, so that somebody may have it elsewhere.
    HardLinks(u64),
    /// It is larger than this many bytes.
    TooLarge(u64),
    /// The system refused something.
    Io {
        /// What we tried to do with it, as a verb.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a group's right to write is not one user's alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupDoubt {
    /// It is not this user's own group.
    NotOurs,
    /// The user of this name is in it as well.
    Member(String),
    /// It has a password, with which anybody can enter it.
    Password,
    /// The list of users does not have this one.
    NoAccount(u32),
    /// Users and groups come from this source as well, which cannot be listed.
    Elsewhere(String),
    /// This list cannot be read.
    Unreadable(&'static str),
    /// It is a group of an outer user namespace, whose members are not known in ours.
    Mapped,
    /// An access list names further users or groups.
    AccessList,
}

// === impl Distrust ===

impl Distrust {
    /// The system refused `action`.
    pub(crate) fn io(action: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::NotADirectory => Self::NotAFolder,
            _ => Self::Io { action, source },
        }
    }
}

// === impl GroupDoubt ===

impl GroupDoubt {
    /// The user of this name is in the group as well.
    pub(super) fn has(name: &str) -> Self {
        // A name can be anything, and this goes to terminals.
        let shown = |c: char| if c.is_control() { '?' } else { c };
        Self::Member(name.chars().map(shown).take(64).collect())
    }
}

impl fmt::Display for GroupDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it is not a group of this user alone"),
            Self::Member(name) => write!(f, "{name} is in it too"),
            Self::Password => f.write_str("it has a password"),
            Self::NoAccount(uid) => write!(f, "/etc/passwd does not list uid {uid}"),
            Self::Elsewhere(source) => write!(f, "{source} may know more members of it"),
            Self::Unreadable(path) => write!(f, "{path} cannot be read in full"),
            Self::Mapped => f.write_str("it is a group from outside of this user namespace"),
            Self::AccessList => f.write_str("an access list lets in others, see getfacl"),
        }
    }
}
