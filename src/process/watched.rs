//! Another process, watched until it ends.

use std::io;

/// A process that is watched until it ends. What it executes meanwhile changes nothing.
#[derive(Debug)]
pub struct Watched {
    pid: i32,
    /// When it started, in clock ticks since the machine did; with its number this names it for as long as the machine runs.
    started: u64,
    #[cfg(target_os = "linux")]
    pidfd: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

/// What `/proc/PID/status` tells of a process: its effective group and its supplementary groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// The effective group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

#[cfg(target_os = "linux")]
impl Watched {
    /// Begins to watch the process that has this number now. It must be called on the event loop.
    ///
    /// # Errors
    /// The system's: there is no such process, or none that it shows, or no descriptor for it.
    #[expect(
        deprecated,
        reason = "its successor is unsafe for types whose descriptor may change under it; this one keeps its own"
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
        // Until then the number was its own, and so was what was read.
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

    /// The groups that it is in.
    ///
    /// # Errors
    /// The system's, or that the process has ended.
    pub fn groups(&self) -> io::Result<Groups> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        if self.has_ended()? {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(groups(&status))
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        // An error is no end: then the process is watched for as long as this one lives.
        if self.pidfd.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Watched {
    /// No process is watched on other systems.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`]
    pub fn open(_: i32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// There is no such process.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`]
    pub fn groups(&self) -> io::Result<Groups> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// There is no such process.
    pub async fn ended(&self) {
        std::future::pending().await
    }
}

impl Watched {
    /// Its number, and when it started, in clock ticks since the machine did.
    pub const fn identity(&self) -> (i32, u64) {
        (self.pid, self.started)
    }
}

/// The start time in `/proc/PID/stat` (proc_pid_stat(5), field 22). The name of the program may hold anything.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no such file")
)]
fn started(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

/// The groups in `/proc/PID/status`.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no such file")
)]
fn groups(status: &str) -> Groups {
    let numbers = |name: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let words = line.unwrap_or_default().split_ascii_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    Groups {
        // Real, effective, saved, of the file system.
        gid: numbers("Gid:").get(1).copied().unwrap_or(u32::MAX),
        groups: numbers("Groups:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name() {
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
    fn the_effective_group_and_the_further_ones_are_read() {
        let status = "Name:\tsh\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \n";
        let read = Groups {
            gid: 6,
            groups: vec![9, 10],
        };
        assert_eq!(groups(status), read);
        // No group: none that a rule names.
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
        let watched = Watched::open(pid).unwrap();
        assert_eq!(watched.identity(), Watched::open(pid).unwrap().identity());
        assert_eq!(
            watched.groups().unwrap().gid,
            rustix::process::getegid().as_raw()
        );
        drop(child.stdin.take());
        // Also before its parent has waited for it.
        watched.ended().await;
        assert!(watched.groups().is_err());
        child.wait().unwrap();
        assert!(Watched::open(pid).is_err());
        assert!(Watched::open(0).is_err());
    }
}
