//! What of the environment counts.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::error::PathError;

/// Which system's habits count. An argument, so that both are tested on either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux and what is like it.
    Linux,
    /// macOS.
    Macos,
}

/// The variables by which other programs are told which certificates to trust (OpenSSL, Python's requests, curl). Here they
/// decide nothing.
pub const CA_VARIABLES: [&str; 4] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

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
    /// The daemon's own entry of `RUNTIME_DIRECTORY` (systemd's `RuntimeDirectory=`), when it is absolute: the one that is
    /// called `jetond`, else the first, but never one called `jeton`, which is the folder of the sockets.
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
    /// `WATCHDOG_USEC`: within how many microseconds it expects a ping (sd_watchdog_enabled(3)).
    pub watchdog_usec: Option<String>,
    /// `WATCHDOG_PID`: the process of which it expects that.
    pub watchdog_pid: Option<String>,
    /// `LISTEN_FDNAMES`: the names of the sockets that a service manager passes, with colons between them
    /// (sd_listen_fds(3)).
    pub listen_names: Option<String>,
    /// `CREDENTIALS_DIRECTORY`, when it is absolute: where systemd passes credentials (systemd.exec(5)).
    pub credentials_directory: Option<PathBuf>,
    /// `TERM`: what kind of terminal there is.
    pub term: Option<String>,
    /// `USER`, else `LOGNAME`: what the user is called.
    pub user: Option<String>,
    /// `PATH`: the folders in which a shell looks for programs.
    pub path: Option<OsString>,
    /// `KUBECONFIG`: the files of kubectl, with colons between them.
    pub kubeconfig: Option<OsString>,
    /// `GIT_CONFIG_GLOBAL`: the user's configuration of git.
    pub git_config_global: Option<PathBuf>,
    /// `SYSTEMD_EXEC_PID`: the process that systemd has started (systemd.exec(5)).
    pub systemd_exec_pid: Option<String>,
    /// The variables that a command gets which prints a client secret, and no others: `HOME`, `PATH`, `XDG_*`,
    /// `SSH_AUTH_SOCK` and `DBUS_SESSION_BUS_ADDRESS`.
    pub for_commands: Vec<(OsString, OsString)>,
    /// `https_proxy`, else `HTTPS_PROXY`.
    pub https_proxy: Option<ProxyText>,
    /// The variables of [`CA_VARIABLES`] that are set, in that order. They are for messages alone.
    pub ca_variables: Vec<(&'static str, PathBuf)>,
    /// The user that we are.
    pub uid: u32,
    /// The system that we run on.
    pub platform: Platform,
}

/// The address of a proxy as the environment has it. It can hold a password, and so does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyText(String);

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

    /// The daemon's folder that a service manager keeps over restarts; `None` where there is no service manager.
    pub fn service_folder(&self) -> Option<&Path> {
        self.notify.as_ref().and(self.runtime_directory.as_deref())
    }
}

/// Whether a command that prints a client secret gets this variable: where it finds its files, its agent and its session.
fn is_for_commands(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [
        b"HOME",
        b"PATH",
        b"SSH_AUTH_SOCK",
        b"DBUS_SESSION_BUS_ADDRESS",
    ];
    NAMES.contains(&name) || name.starts_with(b"XDG_")
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

/// The entry of a list of runtime folders that is the daemon's own.
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
    fn a_command_gets_a_few_variables_and_no_others() {
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
    fn the_runtime_folder_is_the_one_called_jetond_and_never_that_of_the_sockets() {
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
