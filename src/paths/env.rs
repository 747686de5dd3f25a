//! The parts of the environment that Jeton uses.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::error::PathError;

/// The operating system whose conventions apply. It is an argument, so that both are tested on either system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux and similar systems.
    Linux,
    /// macOS.
    Macos,
}

/// The variables that tell other programs which certificates to trust (OpenSSL, Python's requests, curl). Jeton does
/// not follow them.
pub const CA_VARIABLES: [&str; 4] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

/// The environment variables that Jeton uses, read once at the start. Empty values count as unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// `HOME`, if it is absolute.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, if it is absolute. The XDG specification requires a relative path to be ignored.
    pub xdg_config_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, if it is absolute.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`, if it is absolute.
    pub xdg_state_home: Option<PathBuf>,
    /// The first entry of `STATE_DIRECTORY` (systemd's `StateDirectory=`), if it is absolute.
    pub state_directory: Option<PathBuf>,
    /// The daemon's own entry of `RUNTIME_DIRECTORY` (systemd's `RuntimeDirectory=`), if it is absolute: the entry
    /// named `jetond`, else the first one. An entry named `jeton` is never chosen, since it is the folder of the
    /// sockets.
    pub runtime_directory: Option<PathBuf>,
    /// `JETON_CONFIG`.
    pub config: Option<PathBuf>,
    /// `JETON_SOCKET`.
    pub socket: Option<PathBuf>,
    /// `JETON_ADMIN_SOCKET`.
    pub admin_socket: Option<PathBuf>,
    /// `JETON_PROFILE`.
    pub profile: Option<String>,
    /// `JETON_LOG`.
    pub log: Option<String>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// `NOTIFY_SOCKET`: where a service manager listens (sd_notify(3)).
    pub notify: Option<OsString>,
    /// `WATCHDOG_USEC`: the interval of the expected watchdog pings, in microseconds (sd_watchdog_enabled(3)).
    pub watchdog_usec: Option<String>,
    /// `WATCHDOG_PID`: the process that has to send them.
    pub watchdog_pid: Option<String>,
    /// `LISTEN_FDNAMES`: the names of the sockets that a service manager passes, separated by colons
    /// (sd_listen_fds(3)).
    pub listen_names: Option<String>,
    /// `CREDENTIALS_DIRECTORY`, if it is absolute: the folder where systemd passes credentials (systemd.exec(5)).
    pub credentials_directory: Option<PathBuf>,
    /// `TERM`: the type of the terminal.
    pub term: Option<String>,
    /// `USER`, else `LOGNAME`: the user's name.
    pub user: Option<String>,
    /// `PATH`: the folders in which a shell searches for programs.
    pub path: Option<OsString>,
    /// `KUBECONFIG`: the files of kubectl, separated by colons.
    pub kubeconfig: Option<OsString>,
    /// `GIT_CONFIG_GLOBAL`: the user's configuration of git.
    pub git_config_global: Option<PathBuf>,
    /// `SYSTEMD_EXEC_PID`: the process that systemd started (systemd.exec(5)).
    pub systemd_exec_pid: Option<String>,
    /// The only variables that are passed to a command that prints a client secret: `HOME`, `PATH`, `XDG_*`,
    /// `SSH_AUTH_SOCK` and `DBUS_SESSION_BUS_ADDRESS`.
    pub for_commands: Vec<(OsString, OsString)>,
    /// `https_proxy`, else `HTTPS_PROXY`.
    pub https_proxy: Option<ProxyText>,
    /// The variables of [`CA_VARIABLES`] that are set, in that order. They are used only in messages.
    pub ca_variables: Vec<(&'static str, PathBuf)>,
    /// The user ID of this process.
    pub uid: u32,
    /// The operating system.
    pub platform: Platform,
}

/// The address of a proxy from the environment. It may hold a password, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyText(String);

// === impl Platform ===

impl Platform {
    /// The operating system that this program was compiled for.
    pub const CURRENT: Self = if cfg!(target_os = "macos") {
        Self::Macos
    } else {
        Self::Linux
    };

    /// Returns the longest path of a Unix socket, in bytes: the size of `sun_path` without the final NUL.
    pub const fn max_socket_path(self) -> usize {
        match self {
            Self::Linux => 107,
            Self::Macos => 103,
        }
    }

    pub(super) fn fits(self, path: &Path) -> Result<(), PathError> {
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
    /// Exposes the address, for the client of the token endpoint.
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
    /// Reads the relevant variables of the process, or of a test. A variable that is not UTF-8 is accepted as a path,
    /// and counts as unset where a text is expected.
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>, uid: u32) -> Self {
        let mut env = Self {
            home: None,
            xdg_config_home: None,
            xdg_runtime_dir: None,
            xdg_state_home: None,
            state_directory: None,
            runtime_directory: None,
            config: None,
            socket: None,
            admin_socket: None,
            profile: None,
            log: None,
            no_color: false,
            notify: None,
            watchdog_usec: None,
            watchdog_pid: None,
            listen_names: None,
            credentials_directory: None,
            term: None,
            user: None,
            path: None,
            kubeconfig: None,
            git_config_global: None,
            systemd_exec_pid: None,
            for_commands: vec![],
            https_proxy: None,
            ca_variables: vec![],
            uid,
            platform: Platform::CURRENT,
        };
        let (mut upper_proxy, mut logname) = (None, None);
        for (name, value) in vars {
            if value.is_empty() {
                continue;
            }
            if is_for_commands(name.as_bytes()) {
                env.for_commands.push((name.clone(), value.clone()));
            }
            match name.as_bytes() {
                b"HOME" => env.home = absolute(value),
                b"XDG_CONFIG_HOME" => env.xdg_config_home = absolute(value),
                b"XDG_RUNTIME_DIR" => env.xdg_runtime_dir = absolute(value),
                b"XDG_STATE_HOME" => env.xdg_state_home = absolute(value),
                b"STATE_DIRECTORY" => env.state_directory = first_entry(&value),
                b"RUNTIME_DIRECTORY" => env.runtime_directory = own_entry(&value),
                b"JETON_CONFIG" => env.config = Some(value.into()),
                b"JETON_SOCKET" => env.socket = Some(value.into()),
                b"JETON_ADMIN_SOCKET" => env.admin_socket = Some(value.into()),
                b"JETON_PROFILE" => env.profile = value.into_string().ok(),
                b"JETON_LOG" => env.log = value.into_string().ok(),
                b"NO_COLOR" => env.no_color = true,
                b"NOTIFY_SOCKET" => env.notify = Some(value),
                b"WATCHDOG_USEC" => env.watchdog_usec = value.into_string().ok(),
                b"WATCHDOG_PID" => env.watchdog_pid = value.into_string().ok(),
                b"LISTEN_FDNAMES" => env.listen_names = value.into_string().ok(),
                b"TERM" => env.term = value.into_string().ok(),
                b"USER" => env.user = value.into_string().ok(),
                b"PATH" => env.path = Some(value),
                b"KUBECONFIG" => env.kubeconfig = Some(value),
                b"GIT_CONFIG_GLOBAL" => env.git_config_global = Some(value.into()),
                b"CREDENTIALS_DIRECTORY" => env.credentials_directory = absolute(value),
                b"SYSTEMD_EXEC_PID" => env.systemd_exec_pid = value.into_string().ok(),
                b"LOGNAME" => logname = value.into_string().ok(),
                b"https_proxy" => env.https_proxy = value.into_string().ok().map(ProxyText),
                b"HTTPS_PROXY" => upper_proxy = value.into_string().ok().map(ProxyText),
                other => {
                    let known = CA_VARIABLES.iter().find(|name| name.as_bytes() == other);
                    let set = known.map(|name| (*name, value.into()));
                    env.ca_variables.extend(set);
                }
            }
        }
        let place = |name| CA_VARIABLES.iter().position(|known| *known == name);
        env.ca_variables.sort_by_key(|(name, _)| place(*name));
        env.https_proxy = env.https_proxy.or(upper_proxy);
        env.user = env.user.or(logname);
        env
    }

    /// Returns the daemon's folder that a service manager keeps across restarts; `None` without a service manager.
    pub fn service_folder(&self) -> Option<&Path> {
        self.notify.as_ref().and(self.runtime_directory.as_deref())
    }
}

/// Reports whether a command that prints a client secret gets this variable. It needs these to find its files, its
/// agent and its session.
fn is_for_commands(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [
        b"HOME",
        b"PATH",
        b"SSH_AUTH_SOCK",
        b"DBUS_SESSION_BUS_ADDRESS",
    ];
    NAMES.contains(&name) || name.starts_with(b"XDG_")
}

/// Accepts only absolute paths, which mean the same in every working folder.
fn absolute(value: OsString) -> Option<PathBuf> {
    Some(PathBuf::from(value)).filter(|path| path.is_absolute())
}

/// Returns the first of a list of paths that colons separate.
fn first_entry(list: &OsStr) -> Option<PathBuf> {
    let first = list.as_bytes().split(|&b| b == b':').next()?;
    absolute(OsString::from_vec(first.to_vec()))
}

/// Returns the daemon's own entry in a list of runtime folders.
fn own_entry(list: &OsStr) -> Option<PathBuf> {
    let entries = list.as_bytes().split(|&b| b == b':');
    let entries = entries.filter_map(|entry| absolute(OsString::from_vec(entry.to_vec())));
    let mut entries: Vec<_> = entries.filter(|path| !path.ends_with("jeton")).collect();
    let own = entries.iter().position(|path| path.ends_with("jetond"));
    let at = own.unwrap_or(0);
    (at < entries.len()).then(|| entries.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_command_gets_only_a_few_environment_variables() {
        let vars = [
            ("HOME", "/h"),
            ("PATH", "/bin"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("XDG_", "x"),
            ("SSH_AUTH_SOCK", "/a"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/b"),
            ("JETON_CONFIG", "canary"),
            ("NOTIFY_SOCKET", "canary"),
            ("HTTPS_PROXY", "canary"),
            ("LD_PRELOAD", "canary"),
            ("OP_SERVICE_ACCOUNT_TOKEN", "canary"),
            ("XDGS", "canary"),
        ];
        let env = Env::from_vars(vars.map(|(n, v)| (n.into(), v.into())), 1_000);
        assert_eq!(env.for_commands.len(), 6);
        assert!(env.for_commands.iter().all(|(_, value)| value != "canary"));
    }

    #[test]
    fn the_runtime_folder_is_never_the_socket_folder() {
        for (list, found) in [
            ("/run/jetond", Some("/run/jetond")),
            ("/run/user/1000/jetond", Some("/run/user/1000/jetond")),
            ("/run/a:/run/jetond:/run/b", Some("/run/jetond")),
            ("/run/jeton:/run/b:/run/c", Some("/run/b")),
            ("/run/jeton", None),
            ("/run/jeton/", None),
            ("run/jetond", None),
            (":", None),
        ] {
            let vars = [("RUNTIME_DIRECTORY", list)].map(|(n, v)| (n.into(), v.into()));
            let env = Env::from_vars(vars, 1_000);
            assert_eq!(
                env.runtime_directory.as_deref(),
                found.map(Path::new),
                "{list}"
            );
        }
    }
}
