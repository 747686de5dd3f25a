//! The reasons not to trust a file or a folder, and the purposes of files.

use std::fmt;
use std::io;
use std::path::Path;

use super::denied::Denied;

/// The user ID that stands for all users outside of the user namespace.
pub(super) const OVERFLOW_UID: u32 = 65_534;

/// The purpose of a file or folder. It decides how a person can choose another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The configuration.
    Config,
    /// The state: the folder of the credentials.
    State,
    /// A credential's record.
    Secret,
    /// What is written down beside a record, without a secret.
    Notes,
    /// A file with a client ID or a client secret, which other programs write.
    SecretFile,
    /// A program that prints a client secret.
    Program,
    /// The certificates to trust.
    CaFile,
    /// The certificate to show to an issuer.
    ClientCertificate,
    /// The private key of that certificate.
    ClientKey,
    /// The lock of a socket or of a store, which has no content.
    Lock,
    /// The folder of links that other programs start.
    Links,
    /// The folder of a file that a token is written to.
    Sink,
    /// A socket.
    Socket {
        /// Whether the user named its place.
        named: bool,
    },
}

/// The reason why a file or folder is not trusted.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrustFault {
    /// There is no such file or folder.
    Missing,
    /// It is not a regular file.
    NotAFile,
    /// It is not a folder.
    NotAFolder,
    /// It is a symbolic link, where links are not followed.
    IsALink,
    /// The path leads through more links than the kernel would follow.
    TooManyLinks,
    /// It belongs neither to root nor to us.
    Owner {
        /// Its owner.
        owner: u32,
        /// Our user.
        uid: u32,
        /// Whether it is a regular file. Changing the owner of a file does not give away anything else.
        is_file: bool,
    },
    /// It must be ours, but belongs to another user.
    NotOurs {
        /// Its owner.
        owner: u32,
        /// Our user.
        uid: u32,
    },
    /// Its group or others can write to it.
    Writable {
        /// The mode's bits.
        mode: u32,
        /// Its owner.
        owner: u32,
        /// Its group.
        group: u32,
        /// If only the group can write: why the group is not trusted, if there is more to say.
        doubt: Option<GroupFault>,
    },
    /// It is a private key, and its group or others can read it.
    Readable {
        /// The mode's bits.
        mode: u32,
        /// Its owner.
        owner: u32,
        /// Its group.
        group: u32,
        /// If only the group can read: why the group is not trusted, if there is more to say.
        doubt: Option<GroupFault>,
    },
    /// It must be private to us, but its group or others can use it.
    Open {
        /// The mode's bits.
        mode: u32,
        /// Whether it is a folder.
        folder: bool,
    },
    /// It admits more users than it should.
    Shared {
        /// The mode's bits.
        mode: u32,
        /// The right mode bits.
        right: u16,
        /// The right group, if its group is another one.
        group: Option<u32>,
    },
    /// It is the folder of the system's sockets, and using it for this daemon would lock out users who have access now.
    OfTheSystem {
        /// The mode's bits.
        mode: u32,
    },
    /// It must be given to this group, but we are not in the group.
    NotOurGroup(u32),
    /// It has this many names, so it may also be reachable elsewhere.
    HardLinks(u64),
    /// It is larger than this many bytes.
    TooLarge(u64),
    /// The system denies access to the user that has to read it.
    Denied(Denied),
    /// The system reported an error.
    Io {
        /// The action that failed, as a verb.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

/// The reason why a group's access is not private to one user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupFault {
    /// It is not this user's own group.
    NotOurs,
    /// The user with this name is in the group as well.
    Member(String),
    /// It has a password, with which anyone can enter the group.
    Password,
    /// The list of users does not contain this user.
    NoAccount(u32),
    /// Users and groups also come from this source, which cannot be listed.
    Elsewhere(String),
    /// This list cannot be read.
    Unreadable(&'static str),
    /// It is a group of an outer user namespace, and its members are unknown in ours.
    Mapped,
    /// An access list names further users or groups.
    AccessList,
}

// === impl Distrust ===

impl TrustFault {
    /// Converts the system's error of an `action`.
    pub(crate) fn io(action: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::NotADirectory => Self::NotAFolder,
            _ => Self::Io { action, source },
        }
    }
}

impl TrustFault {
    /// Returns the fault that the file or folder does not belong to `uid`, if that is so. It explains more than that it
    /// cannot be opened.
    pub(crate) fn not_ours(path: &Path, uid: u32) -> Option<Self> {
        let owner = rustix::fs::lstat(path).ok()?.st_uid;
        (owner != uid).then_some(Self::NotOurs { owner, uid })
    }
}

// === impl GroupDoubt ===

impl GroupFault {
    /// Creates the doubt that the user with this name is in the group as well.
    pub(super) fn has(name: &str) -> Self {
        // A name can contain anything, and this text is printed on terminals.
        let shown = |c: char| if c.is_control() { '?' } else { c };
        Self::Member(name.chars().map(shown).take(64).collect())
    }
}

impl fmt::Display for GroupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it is not a group of this user alone"),
            Self::Member(name) => write!(f, "{name} is in it too"),
            Self::Password => f.write_str("it has a password"),
            Self::NoAccount(uid) => write!(f, "/etc/passwd does not list uid {uid}"),
            Self::Elsewhere(source) => write!(f, "{source} may list further members"),
            Self::Unreadable(path) => write!(f, "{path} cannot be read in full"),
            Self::Mapped => f.write_str("it is a group from outside of this user namespace"),
            Self::AccessList => f.write_str("an access list grants others access, see getfacl"),
        }
    }
}
