//! The service manager: a systemd instance that listens at a socket on behalf of a service.

use std::fs;
use std::path::Path;

/// The command name of systemd's processes (`/proc/PID/comm`).
const SYSTEMD: &str = "systemd";

/// A systemd manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemdManager {
    /// The manager of the machine, which is process 1.
    System,
    /// The manager of a user.
    User,
}

// === impl Manager ===

impl SystemdManager {
    /// Identifies the manager behind a socket; `None` if the process is not one. `pid` comes from `SO_PEERCRED`, which
    /// names the process that called `listen`: under socket activation that is the manager, not the daemon that
    /// accepts.
    pub fn of(pid: i32) -> Option<Self> {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
        let is_booted = || Path::new("/run/systemd/system").is_dir();
        Self::of_process(pid, comm.ok().as_deref(), is_booted)
    }

    /// Identifies the manager that started this process; `None` if another program did. `exec_pid` is
    /// `$SYSTEMD_EXEC_PID`, which systemd sets from version 248 on and which children of a service inherit. Before that
    /// version, `$NOTIFY_SOCKET` is the sign of a service. The parent alone proves nothing: a process whose parent has
    /// ended gets the manager as its new parent.
    pub fn of_this_process(exec_pid: Option<&str>, is_notified: bool) -> Option<Self> {
        let is_started = match exec_pid {
            Some(pid) => pid.parse() == Ok(std::process::id()),
            None => is_notified,
        };
        let parent = rustix::process::getppid().filter(|_| is_started)?;
        Self::of(parent.as_raw_nonzero().get())
    }

    /// Identifies the manager that listens at this socket for the jetond service; `None` also if the socket cannot be
    /// connected to.
    pub fn listening_at(socket: &Path) -> Option<Self> {
        Self::of(listener_at(socket)?)
    }

    /// Identifies a manager by process ID and command name. In a container, process 1 may be any program. `/proc` may
    /// hide the processes of other users (`hidepid=`); then `is_booted` decides, which reports whether the machine runs
    /// systemd (sd_booted(3)).
    fn of_process(pid: i32, comm: Option<&str>, is_booted: impl Fn() -> bool) -> Option<Self> {
        match (pid, comm.map(str::trim_end)) {
            (1, Some(SYSTEMD)) => Some(Self::System),
            (1, None) if is_booted() => Some(Self::System),
            (2.., Some(SYSTEMD)) => Some(Self::User),
            _ => None,
        }
    }

    /// Returns the service that it starts for our sockets, for messages.
    pub const fn service(self) -> &'static str {
        match self {
            Self::System => "the system's jetond.service",
            Self::User => "this user's jetond.service",
        }
    }

    /// Returns the command that controls its units.
    pub const fn systemctl(self) -> &'static str {
        match self {
            Self::System => "systemctl",
            Self::User => "systemctl --user",
        }
    }
}

/// Returns the ID of the process that listens at a socket.
#[cfg(target_os = "linux")]
fn listener_at(socket: &Path) -> Option<i32> {
    let stream = std::os::unix::net::UnixStream::connect(socket).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    Some(peer.pid.as_raw_nonzero().get())
}

/// Returns none: on other systems, no service manager is supported.
#[cfg(not(target_os = "linux"))]
fn listener_at(_: &Path) -> Option<i32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_is_recognized_by_its_process_name() {
        let (system, user) = (Some(SystemdManager::System), Some(SystemdManager::User));
        for (pid, comm, is_booted, expected) in [
            (1, Some("systemd\n"), true, system),
            // A container that was started with an init program of its own.
            (1, Some("systemd\n"), false, system),
            (812, Some("systemd\n"), true, user),
            (1, Some("jetond\n"), false, None),
            (1, Some("tini\n"), true, None),
            (812, Some("jetond\n"), true, None),
            (812, Some("systemd-socket-\n"), true, None),
            (1, None, true, system),
            (1, None, false, None),
            (812, None, true, None),
            // A process of another PID namespace.
            (0, None, true, None),
        ] {
            let found = SystemdManager::of_process(pid, comm, || is_booted);
            assert_eq!(found, expected, "{pid} {comm:?} {is_booted}");
        }
    }
}
