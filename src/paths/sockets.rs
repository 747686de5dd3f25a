//! Where the daemon's sockets and their lock go.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::env::{Env, Platform};
use super::error::PathError;

/// The name of the token socket in its folder.
const SOCKET_NAME: &str = "jeton.sock";

/// The name of the admin socket's folder where that is in the token socket's.
const ADMIN_INSIDE: &str = "jeton-admin";

/// The name of the admin socket in its folder.
const ADMIN_NAME: &str = "admin.sock";

/// How many folders a socket that the user has named may be below a volume that several containers share: such a place
/// is meant by whoever names it, and what is deeper in such a volume was hardly made for a socket.
const VOLUME_DEPTH: usize = 1;

/// Where the daemon's sockets and their lock go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPlaces {
    /// The socket that gives tokens.
    pub token: PathBuf,
    /// The lock that is held as long as the token socket is served.
    pub lock: PathBuf,
    /// The socket that changes things, in a folder of its own.
    pub admin: PathBuf,
    /// Whether the token socket's place was given by the user: then a folder that is there is the user's to change.
    pub explicit: bool,
    /// Whether the admin socket's place was given by the user.
    pub admin_explicit: bool,
    /// How many folders a socket may be below a volume that several containers share, where the user has named it.
    pub volume_depth: usize,
}

// === impl Env ===

impl Env {
    /// Where the sockets go: `token` and `admin` are what the command line says, and win over the environment.
    ///
    /// `is_folder` tells whether the user's runtime folder `/run/user/UID` exists: after `su`, or in a cron job,
    /// it does although `XDG_RUNTIME_DIR` is not set.
    ///
    /// # Errors
    /// [`PathError`] when a path cannot be that of a socket.
    pub fn sockets(
        &self,
        token: Option<&Path>,
        admin: Option<&Path>,
        is_folder: impl Fn(&Path) -> bool,
    ) -> Result<SocketPlaces, PathError> {
        let given = token.or(self.socket.as_deref());
        let token = given.map_or_else(
            || self.default_folder(is_folder).join(SOCKET_NAME),
            Path::to_owned,
        );
        let (Some(folder), Some(name)) = (token.parent(), token.file_name()) else {
            return Err(PathError::NoFolder(token));
        };
        let lock = token.with_file_name(joined(name, ".lock"));
        let admin_given = admin.or(self.admin_socket.as_deref());
        let admin = match admin_given {
            Some(admin) => admin.to_owned(),
            // The folder beside it needs a name to be made from: not `jeton.sock`, `./jeton.sock` or `/jeton.sock`.
            None => match folder.file_name() {
                Some(name) => folder
                    .with_file_name(joined(name, "-admin"))
                    .join(ADMIN_NAME),
                None => return Err(PathError::NoFolder(token)),
            },
        };
        if admin.parent() == token.parent() {
            return Err(PathError::SharedFolder(admin));
        }
        for path in [&token, &admin] {
            self.platform.fits(path)?;
        }
        Ok(SocketPlaces {
            lock,
            admin,
            explicit: given.is_some(),
            admin_explicit: admin_given.is_some(),
            volume_depth: VOLUME_DEPTH,
            token,
        })
    }

    fn default_folder(&self, is_folder: impl Fn(&Path) -> bool) -> PathBuf {
        if let Some(runtime) = &self.xdg_runtime_dir {
            return runtime.join("jeton");
        }
        match self.platform {
            Platform::Macos => self.home.as_ref().map_or_else(
                || PathBuf::from("/var/run/jeton"),
                |home| home.join("Library/Application Support/jeton"),
            ),
            Platform::Linux => {
                let runtime = PathBuf::from(format!("/run/user/{}", self.uid));
                if is_folder(&runtime) {
                    runtime.join("jeton")
                } else {
                    PathBuf::from("/run/jeton")
                }
            }
        }
    }
}

// === impl SocketPlaces ===

impl SocketPlaces {
    /// How many folders the token socket may be below a volume that everybody can write to; `None` where such a volume
    /// is refused: nobody has named it.
    pub fn below_volume(&self) -> Option<usize> {
        self.explicit.then_some(self.volume_depth)
    }

    /// The same for the admin socket, which is beside the token socket where nobody has named it.
    pub fn admin_below_volume(&self) -> Option<usize> {
        (self.explicit || self.admin_explicit).then_some(self.volume_depth)
    }

    /// The same places with the admin socket in a folder of its own inside that of the token socket. For a token socket
    /// at the very mount point of a volume: what is beside the volume is not of it, and often cannot be made.
    ///
    /// # Errors
    /// [`PathError::TooLong`].
    pub fn with_admin_inside(mut self, platform: Platform) -> Result<Self, PathError> {
        self.admin = self.token.with_file_name(ADMIN_INSIDE).join(ADMIN_NAME);
        platform.fits(&self.admin)?;
        Ok(self)
    }
}

fn joined(name: &OsStr, end: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(end);
    name
}
