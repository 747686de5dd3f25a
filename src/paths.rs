//! Where things are: the configuration, the sockets and the state, as pure functions of the environment.
//!
//! Nothing here touches a file. Whether a file or a folder exists is asked of a predicate, so that every rule can be
//! tested as a table. No rule ends in `/tmp`: a socket or a secret in a folder that everybody can write to is worse
//! than an error that says what to set.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

mod error;

pub use error::PathError;

/// The configuration of the whole machine.
pub const SYSTEM_CONFIG: &str = "/etc/jeton/config.toml";

/// The state of the daemon of the whole machine.
pub const SYSTEM_STATE: &str = "/var/lib/jeton";

/// The name of the token socket in its folder.
const SOCKET_NAME: &str = "jeton.sock";

/// The name of the admin socket's folder where that is in the token socket's.
const ADMIN_INSIDE: &str = "jeton-admin";

/// The name of the admin socket in its folder.
const ADMIN_NAME: &str = "admin.sock";

/// How many folders a socket that the user has named may be below a volume that several containers share: such a place
/// is meant by whoever names it, and what is deeper in such a volume was hardly made for a socket.
const VOLUME_DEPTH: usize = 1;

/// Which system's habits count. An argument, so that both are tested on either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux and what is like it.
    Linux,
    /// macOS.
    Macos,
}

/// What of the environment counts, read once at the start; empty values count as unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// `HOME`, when it is absolute.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, when it is absolute: the XDG specification demands that a relative one is ignored.
    pub xdg_config_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, when it is absolute.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`, when it is absolute.
    pub xdg_state_home: Option<PathBuf>,
    /// The first entry of `STATE_DIRECTORY` (systemd's `StateDirectory=`), when it is absolute.
    pub state_directory: Option<PathBuf>,
    /// `JETON_CONFIG`.
    pub config: Option<PathBuf>,
    /// `JETON_SOCKET`.
    pub socket: Option<PathBuf>,
    /// `JETON_ADMIN_SOCKET`.
    pub admin_socket: Option<PathBuf>,
    /// `JETON_LOG`.
    pub log: Option<String>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// `NOTIFY_SOCKET`: where a service manager listens (sd_notify(3)).
    pub notify: Option<OsString>,
    /// `WATCHDOG_USEC`: within how many microseconds it expects a ping (sd_watchdog_enabled(3)).
    pub watchdog_usec: Option<String>,
    /// `WATCHDOG_PID`: the process of which it expects that.
    pub watchdog_pid: Option<String>,
    /// `LISTEN_FDNAMES`: the names of the sockets that a service manager passes, with colons between them
    /// (sd_listen_fds(3)).
    pub listen_names: Option<String>,
    /// `TERM`: what kind of terminal there is.
    pub term: Option<String>,
    /// `USER`, else `LOGNAME`: what the user is called.
    pub user: Option<String>,
    /// `https_proxy`, else `HTTPS_PROXY`.
    pub https_proxy: Option<ProxyText>,
    /// The user that we are.
    pub uid: u32,
    /// The system that we run on.
    pub platform: Platform,
}

/// The address of a proxy as the environment has it. It can hold a password, and so does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyText(String);

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

// === impl Platform ===

impl Platform {
    /// The system that this was compiled for.
    pub const CURRENT: Self = if cfg!(target_os = "macos") {
        Self::Macos
    } else {
        Self::Linux
    };

    /// The longest path of a Unix socket, in bytes: `sun_path` less its final NUL.
    pub const fn max_socket_path(self) -> usize {
        match self {
            Self::Linux => 107,
            Self::Macos => 103,
        }
    }

    fn fits(self, path: &Path) -> Result<(), PathError> {
        let limit = self.max_socket_path();
        if path.as_os_str().len() <= limit {
            return Ok(());
        }
        Err(PathError::TooLong {
            path: path.to_owned(),
            limit,
        })
    }
}

// === impl ProxyText ===

impl ProxyText {
    /// The address, for the client of the token endpoint.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProxyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyText(…)")
    }
}

// === impl Env ===

impl Env {
    /// Reads what counts from the variables given (those of the process, or a test's). A variable that is not UTF-8
    /// is taken where it is a path, and counts as unset where it is a text.
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>, uid: u32) -> Self {
        let mut env = Self {
            home: None,
            xdg_config_home: None,
            xdg_runtime_dir: None,
            xdg_state_home: None,
            state_directory: None,
            config: None,
            socket: None,
            admin_socket: None,
            log: None,
            no_color: false,
            notify: None,
            watchdog_usec: None,
            watchdog_pid: None,
            listen_names: None,
            term: None,
            user: None,
            https_proxy: None,
            uid,
            platform: Platform::CURRENT,
        };
        let (mut upper_proxy, mut logname) = (None, None);
        for (name, value) in vars {
            if value.is_empty() {
                continue;
            }
            match name.as_bytes() {
                b"HOME" => env.home = absolute(value),
                b"XDG_CONFIG_HOME" => env.xdg_config_home = absolute(value),
                b"XDG_RUNTIME_DIR" => env.xdg_runtime_dir = absolute(value),
                b"XDG_STATE_HOME" => env.xdg_state_home = absolute(value),
                b"STATE_DIRECTORY" => env.state_directory = first_entry(&value),
                b"JETON_CONFIG" => env.config = Some(value.into()),
                b"JETON_SOCKET" => env.socket = Some(value.into()),
                b"JETON_ADMIN_SOCKET" => env.admin_socket = Some(value.into()),
                b"JETON_LOG" => env.log = value.into_string().ok(),
                b"NO_COLOR" => env.no_color = true,
                b"NOTIFY_SOCKET" => env.notify = Some(value),
                b"WATCHDOG_USEC" => env.watchdog_usec = value.into_string().ok(),
                b"WATCHDOG_PID" => env.watchdog_pid = value.into_string().ok(),
                b"LISTEN_FDNAMES" => env.listen_names = value.into_string().ok(),
                b"TERM" => env.term = value.into_string().ok(),
                b"USER" => env.user = value.into_string().ok(),
                b"LOGNAME" => logname = value.into_string().ok(),
                b"https_proxy" => env.https_proxy = value.into_string().ok().map(ProxyText),
                b"HTTPS_PROXY" => upper_proxy = value.into_string().ok().map(ProxyText),
                _ => {}
            }
        }
        env.https_proxy = env.https_proxy.or(upper_proxy);
        env.user = env.user.or(logname);
        env
    }

    /// The configuration files that could be meant, the first that exists being the one: they are never merged, so
    /// that no file can change a part of another's profile.
    pub fn config_candidates(&self) -> Vec<PathBuf> {
        if let Some(path) = &self.config {
            return vec![path.clone()];
        }
        let xdg = self.xdg_config_home.clone();
        let base = xdg.or_else(|| self.home.as_ref().map(|home| home.join(".config")));
        base.map(|base| base.join("jeton/config.toml"))
            .into_iter()
            .chain([PathBuf::from(SYSTEM_CONFIG)])
            .collect()
    }

    /// The configuration file: `explicit`, else the first candidate that exists, else the first of them, which is
    /// where a new one is written.
    pub fn config_file(&self, explicit: Option<&Path>, exists: impl Fn(&Path) -> bool) -> PathBuf {
        if let Some(path) = explicit {
            return path.to_owned();
        }
        let candidates = self.config_candidates();
        let found = candidates.iter().position(|path| exists(path)).unwrap_or(0);
        candidates
            .into_iter()
            .nth(found)
            .unwrap_or_else(|| PathBuf::from(SYSTEM_CONFIG))
    }

    /// The folder of the state: `explicit`, else systemd's, else XDG's, else below the home.
    ///
    /// # Errors
    /// [`PathError::NoHome`] when nothing says where it is.
    pub fn state_dir(&self, explicit: Option<&Path>) -> Result<PathBuf, PathError> {
        let xdg = || self.xdg_state_home.as_ref().map(|base| base.join("jeton"));
        let home = || {
            let home = self.home.as_ref()?;
            Some(home.join(".local/state/jeton"))
        };
        explicit
            .map(Path::to_owned)
            .or_else(|| self.state_directory.clone())
            .or_else(xdg)
            .or_else(home)
            .ok_or(PathError::NoHome {
                what: "state",
                set: "HOME, XDG_STATE_HOME, or --state",
            })
    }

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

/// A path that can be trusted to mean the same from every folder.
fn absolute(value: OsString) -> Option<PathBuf> {
    Some(PathBuf::from(value)).filter(|path| path.is_absolute())
}

/// The first of a list of paths that colons separate.
fn first_entry(list: &OsStr) -> Option<PathBuf> {
    let first = list.as_bytes().split(|&b| b == b':').next()?;
    absolute(OsString::from_vec(first.to_vec()))
}

fn joined(name: &OsStr, end: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(end);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars = vars.iter().map(|(k, v)| (k.into(), v.into()));
        Env {
            platform: Platform::Linux,
            ..Env::from_vars(vars, 1000)
        }
    }

    fn token(env: &Env, runtime_exists: bool) -> String {
        let places = env.sockets(None, None, |_| runtime_exists).unwrap();
        places.token.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_configuration_is_looked_for_in_the_documented_order() {
        for (vars, expected) in [
            (vec![], vec![SYSTEM_CONFIG]),
            (
                vec![("HOME", "/h")],
                vec!["/h/.config/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
                vec!["/x/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")],
                vec!["/h/.config/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![
                    ("HOME", "/h"),
                    ("XDG_CONFIG_HOME", ""),
                    ("JETON_CONFIG", ""),
                ],
                vec!["/h/.config/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![("HOME", "/h"), ("JETON_CONFIG", "here.toml")],
                vec!["here.toml"],
            ),
            (vec![("HOME", "relative")], vec![SYSTEM_CONFIG]),
        ] {
            let paths = env(&vars).config_candidates();
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(paths, expected, "{vars:?}");
        }
    }

    #[test]
    fn the_first_file_that_exists_is_the_one_and_a_new_one_is_the_users() {
        let env = env(&[("HOME", "/h")]);
        let system = |path: &Path| path == Path::new(SYSTEM_CONFIG);
        assert_eq!(env.config_file(None, system), Path::new(SYSTEM_CONFIG));
        let users = Path::new("/h/.config/jeton/config.toml");
        assert_eq!(env.config_file(None, |_| true), users);
        assert_eq!(env.config_file(None, |_| false), users);
        let explicit = Path::new("x.toml");
        assert_eq!(env.config_file(Some(explicit), |_| true), explicit);
    }

    #[test]
    fn the_state_is_systemds_then_xdgs_then_the_homes() {
        for (vars, expected) in [
            (vec![("HOME", "/h")], "/h/.local/state/jeton"),
            (vec![("HOME", "/h"), ("XDG_STATE_HOME", "/x")], "/x/jeton"),
            (
                vec![("XDG_STATE_HOME", "/x"), ("STATE_DIRECTORY", "/a:/b")],
                "/a",
            ),
            (
                vec![("HOME", "/h"), ("STATE_DIRECTORY", ":/b")],
                "/h/.local/state/jeton",
            ),
            (
                vec![("HOME", "/h"), ("XDG_STATE_HOME", "x")],
                "/h/.local/state/jeton",
            ),
        ] {
            let path = env(&vars).state_dir(None).unwrap();
            assert_eq!(path, Path::new(expected), "{vars:?}");
        }
        let explicit = Some(Path::new("/e"));
        assert_eq!(
            env(&[("STATE_DIRECTORY", "/a")]).state_dir(explicit),
            Ok("/e".into())
        );
        assert!(matches!(
            env(&[]).state_dir(None),
            Err(PathError::NoHome { .. })
        ));
    }

    #[test]
    fn the_socket_is_in_a_runtime_folder_and_never_in_tmp() {
        let xdg = env(&[("XDG_RUNTIME_DIR", "/r"), ("HOME", "/h")]);
        assert_eq!(token(&xdg, true), "/r/jeton/jeton.sock");
        let bare = env(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "r"), ("TMPDIR", "/tmp")]);
        assert_eq!(token(&bare, true), "/run/user/1000/jeton/jeton.sock");
        assert_eq!(token(&bare, false), "/run/jeton/jeton.sock");
        let mac = Env {
            platform: Platform::Macos,
            ..bare
        };
        assert_eq!(
            token(&mac, true),
            "/h/Library/Application Support/jeton/jeton.sock"
        );
        let mac_xdg = Env {
            platform: Platform::Macos,
            ..xdg
        };
        assert_eq!(token(&mac_xdg, true), "/r/jeton/jeton.sock");
    }

    #[test]
    fn the_lock_and_the_admin_socket_are_named_after_the_token_socket() {
        let env = env(&[("JETON_SOCKET", "/mnt/t/x.sock")]);
        let places = env.sockets(None, None, |_| true).unwrap();
        assert_eq!(places.token, Path::new("/mnt/t/x.sock"));
        assert_eq!(places.lock, Path::new("/mnt/t/x.sock.lock"));
        assert_eq!(places.admin, Path::new("/mnt/t-admin/admin.sock"));
        assert!(places.explicit);
        let flag = env
            .sockets(Some(Path::new("/a/b.sock")), None, |_| true)
            .unwrap();
        assert_eq!(flag.admin, Path::new("/a-admin/admin.sock"));
        let admin = env
            .sockets(None, Some(Path::new("/c/d")), |_| true)
            .unwrap();
        assert_eq!(
            (admin.token, admin.admin),
            ("/mnt/t/x.sock".into(), "/c/d".into())
        );
    }

    #[test]
    fn a_place_that_was_named_may_be_in_a_volume_and_have_the_admin_socket_inside() {
        let (token, admin) = (Path::new("/v/j.sock"), Path::new("/w/a.sock"));
        let usual = env(&[]);
        for (token, admin, depths) in [
            (None, None, (None, None)),
            (Some(token), None, (Some(1), Some(1))),
            (Some(token), Some(admin), (Some(1), Some(1))),
            (None, Some(admin), (None, Some(1))),
        ] {
            let places = usual.sockets(token, admin, |_| true).unwrap();
            let are = (places.below_volume(), places.admin_below_volume());
            assert_eq!(are, depths, "{token:?} {admin:?}");
            assert_eq!(places.admin_explicit, admin.is_some());
        }
        let places = usual.sockets(Some(token), None, |_| true).unwrap();
        let inside = places.with_admin_inside(Platform::Linux).unwrap();
        assert_eq!(inside.admin, Path::new("/v/jeton-admin/admin.sock"));
        assert_eq!(inside.token, token);
        let long = format!("/{}/j.sock", "x".repeat(86));
        let places = usual.sockets(Some(Path::new(&long)), None, |_| true);
        let err = places.unwrap().with_admin_inside(Platform::Linux);
        assert!(matches!(err, Err(PathError::TooLong { .. })), "{err:?}");
    }

    #[test]
    fn a_path_that_cannot_be_a_sockets_is_an_error_of_its_own() {
        let env = env(&[]);
        for bare in ["jeton.sock", "./jeton.sock", "/jeton.sock", "/", ".."] {
            let err = env
                .sockets(Some(Path::new(bare)), None, |_| true)
                .unwrap_err();
            assert!(matches!(err, PathError::NoFolder(_)), "{bare}: {err}");
        }
        let shared = env.sockets(
            Some(Path::new("/a/t.sock")),
            Some(Path::new("/a/u.sock")),
            |_| true,
        );
        assert_eq!(shared, Err(PathError::SharedFolder("/a/u.sock".into())));
        for (platform, limit) in [(Platform::Linux, 107), (Platform::Macos, 103)] {
            let env = Env {
                platform,
                ..env.clone()
            };
            let admin = Some(Path::new("/b/admin.sock"));
            let longest = format!("/a/{}", "x".repeat(limit - 3));
            assert!(
                env.sockets(Some(Path::new(&longest)), admin, |_| true)
                    .is_ok()
            );
            let err = env
                .sockets(Some(Path::new(&(longest + "x"))), admin, |_| true)
                .unwrap_err();
            assert!(
                matches!(err, PathError::TooLong { limit: l, .. } if l == limit),
                "{err}"
            );
        }
        // The admin socket's path is the longer one of the two, and counts as well.
        let deep = format!("/{}/jeton.sock", "x".repeat(94));
        let err = env
            .sockets(Some(Path::new(&deep)), None, |_| true)
            .unwrap_err();
        assert!(matches!(err, PathError::TooLong { .. }), "{err}");
    }

    #[test]
    fn the_lower_case_proxy_wins_and_what_is_not_text_is_unset_or_kept_as_a_path() {
        let both = env(&[("HTTPS_PROXY", "http://u"), ("https_proxy", "http://l")]);
        assert_eq!(
            both.https_proxy.as_ref().map(ProxyText::expose),
            Some("http://l")
        );
        assert!(!format!("{both:?}").contains("http:"));
        let upper = env(&[("HTTPS_PROXY", "http://u"), ("https_proxy", "")]);
        assert_eq!(
            upper.https_proxy.as_ref().map(ProxyText::expose),
            Some("http://u")
        );
        let odd = OsString::from_vec(vec![b'/', 0xff]);
        let vars = ["HOME", "JETON_LOG"].map(|name| (OsString::from(name), odd.clone()));
        let env = Env::from_vars(vars, 0);
        assert_eq!(env.home, Some(PathBuf::from(odd)));
        assert_eq!(env.log, None);
    }
}
