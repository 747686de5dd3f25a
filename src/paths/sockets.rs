//! The locations of the daemon's sockets and of their lock.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::env::{Env, Platform};
use super::error::PathError;

/// The name of the token socket in its folder.
const SOCKET_NAME: &str = "jeton.sock";

/// The admin socket's folder, if it is inside the token socket's folder.
const ADMIN_INSIDE: &str = "jeton-admin";

/// The name of the admin socket in its folder.
const ADMIN_NAME: &str = "admin.sock";

/// How many folders deep a socket that the user has named may be below a volume shared by several containers. A named
/// place is intentional; a deeper folder in such a volume was probably not made for a socket.
const VOLUME_DEPTH: usize = 1;

/// The locations of the daemon's sockets and of their lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPlaces {
    /// The socket that serves tokens.
    pub token: PathBuf,
    /// The lock that is held for as long as the token socket is served.
    pub lock: PathBuf,
    /// The socket for administration, in a folder of its own.
    pub admin: PathBuf,
    /// Whether the user named the token socket's place. If so, only the user changes an existing folder.
    pub explicit: bool,
    /// Whether the user named the admin socket's place.
    pub admin_explicit: bool,
    /// How many folders deep a socket may be below a volume shared by several containers, if the user has named its
    /// place.
    pub volume_depth: usize,
}

// === impl Env ===

impl Env {
    /// Determines the sockets' locations. `token` and `admin` come from the command line, and take precedence over the
    /// environment.
    ///
    /// `is_folder` reports whether the user's runtime folder `/run/user/UID` exists: after `su`, or in a cron job, it
    /// does although `XDG_RUNTIME_DIR` is not set.
    ///
    /// # Errors
    /// [`PathError`] if a path cannot be that of a socket.
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
            // The folder beside it is named after this folder, so the folder needs a name: not `jeton.sock`,
            // `./jeton.sock` or `/jeton.sock`.
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
    /// Returns how many folders deep the token socket may be below a volume that every user can write to; `None`
    /// refuses such a volume, because the user has not named the place.
    pub fn below_volume(&self) -> Option<usize> {
        self.explicit.then_some(self.volume_depth)
    }

    /// Does the same for the admin socket, which is beside the token socket unless the user has named its place.
    pub fn admin_below_volume(&self) -> Option<usize> {
        (self.explicit || self.admin_explicit).then_some(self.volume_depth)
    }

    /// Moves the admin socket into a folder inside that of the token socket. This is for a token socket right at the
    /// mount point of a volume: a folder beside the mount point is not part of the volume, and often cannot be created.
    ///
    /// # Errors
    /// [`PathError::TooLong`] if the new path is too long.
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
