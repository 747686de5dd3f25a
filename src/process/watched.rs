//! Another process, watched until it ends.

use std::io;

/// A process that is watched until it ends. Executing another program does not end it.
#[derive(Debug)]
pub struct WatchedProcess {
    pid: i32,
    /// Its start time, in clock ticks since the machine's start. With the process ID it identifies the process for as
    /// long as the machine runs.
    started: u64,
    #[cfg(target_os = "linux")]
    pidfd: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

/// The effective group and the supplementary groups of a process, from `/proc/PID/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// The effective group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

#[cfg(target_os = "linux")]
impl WatchedProcess {
    /// Starts to watch the process that has this ID now. Call it on the event loop.
    ///
    /// # Errors
    /// The system's error: the process does not exist or is hidden, or no descriptor is left.
    #[expect(
        deprecated,
        reason = "the replacement is unsafe because some types change their descriptor; this type does not"
    )]
    pub fn open(pid: i32) -> io::Result<Self> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        let number = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        let pidfd = pidfd_open(number, PidfdFlags::NONBLOCK)?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let started = started(&stat).ok_or(io::ErrorKind::InvalidData)?;
        let watched = Self {
            pid,
            started,
            pidfd: AsyncFd::with_interest(pidfd, Interest::READABLE)?,
        };
        // If it has not ended by now, the ID was its own while the data was read.
        if watched.has_ended()? {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(watched)
    }

    fn has_ended(&self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, poll};

        let mut ends = [PollFd::new(self.pidfd.get_ref(), PollFlags::IN)];
        let now = rustix::time::Timespec::default();
        Ok(poll(&mut ends, Some(&now))? > 0)
    }

    /// Returns its groups.
    ///
    /// # Errors
    /// The system's error, or `NotFound` if the process has ended.
    pub fn groups(&self) -> io::Result<Groups> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        if self.has_ended()? {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(groups(&status))
    }

    /// Waits until the process has ended.
    pub async fn ended(&self) {
        // An error does not mean the end: the process then counts as running for as long as this value lives.
        if self.pidfd.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl WatchedProcess {
    /// Fails: other systems do not support this.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`]
    pub fn open(_: i32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Fails: other systems do not support this.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`]
    pub fn groups(&self) -> io::Result<Groups> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never returns: other systems do not support this.
    pub async fn ended(&self) {
        std::future::pending().await
    }
}

impl WatchedProcess {
    /// Returns its process ID, and its start time in clock ticks since the machine's start.
    pub const fn identity(&self) -> (i32, u64) {
        (self.pid, self.started)
    }
}

/// Parses the start time in `/proc/PID/stat` (proc_pid_stat(5), field 22). The name of the program may contain any
/// characters.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has this file")
)]
fn started(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

/// Parses the groups in `/proc/PID/status`.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has this file")
)]
fn groups(status: &str) -> Groups {
    let numbers = |name: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let words = line.unwrap_or_default().split_ascii_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    Groups {
        // The line has the real, effective, saved and file-system group.
        gid: numbers("Gid:").get(1).copied().unwrap_or(u32::MAX),
        groups: numbers("Groups:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_parsed_behind_any_process_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        for name in ["sh", "a b", ") S 1", "x) "] {
            assert_eq!(
                started(&format!("12 ({name}) {rest}")),
                Some(4711),
                "{name}"
            );
        }
        for bad in ["", "12 (sh", "12 (sh) S 1 2", "12 (sh) S"] {
            assert_eq!(started(bad), None, "{bad}");
        }
    }

    #[test]
    fn effective_and_supplementary_groups_are_read() {
        let status = "Name:\tsh\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \n";
        let read = Groups {
            gid: 6,
            groups: vec![9, 10],
        };
        assert_eq!(groups(status), read);
        // A missing group becomes one that no rule names.
        assert_eq!(groups("").gid, u32::MAX);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_process_is_watched_until_its_end() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let watched = WatchedProcess::open(pid).unwrap();
        assert_eq!(
            watched.identity(),
            WatchedProcess::open(pid).unwrap().identity()
        );
        assert_eq!(
            watched.groups().unwrap().gid,
            rustix::process::getegid().as_raw()
        );
        drop(child.stdin.take());
        // This works even before its parent has waited for it.
        watched.ended().await;
        assert!(watched.groups().is_err());
        child.wait().unwrap();
        assert!(WatchedProcess::open(pid).is_err());
        assert!(WatchedProcess::open(0).is_err());
    }
}
