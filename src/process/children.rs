//! Child processes: our own, which are registered with an owner that waits for them, and orphans, which are reaped
//! here.
//!
//! When a process ends, the kernel gives its children to process 1 of its PID namespace, or to a nearer subreaper; in a
//! pod that is often us. Zombies without a wait pile up until no process can be started. But a wait for *any* child
//! would take the exit status of our own children from their owners. So our own children are registered, and only the
//! others are reaped here.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The process IDs of the children that have an owner.
static OWNED: Mutex<Vec<u32>> = Mutex::new(vec![]);

/// Wakes the reaper when [`OWNED`] has changed.
static CHANGED: Notify = Notify::const_new();

/// Registration of a child. Its owner keeps it until it has waited for the child.
#[derive(Debug)]
pub struct ChildRegistration(u32);

/// Starts a child for a caller that waits for it, and registers it; `id` returns its process ID.
///
/// # Errors
/// The errors of `start`.
pub fn start<C>(
    start: impl FnOnce() -> io::Result<C>,
    id: impl FnOnce(&C) -> Option<u32>,
) -> io::Result<(C, Option<ChildRegistration>)> {
    // Locked until the child is registered: it may end before `start` returns.
    let mut owned = owned();
    let started = start().map(|child| {
        let id = id(&child);
        owned.extend(id);
        (child, id.map(ChildRegistration))
    });
    drop(owned);
    CHANGED.notify_one();
    started
}

impl Drop for ChildRegistration {
    fn drop(&mut self) {
        let mut owned = owned();
        if let Some(at) = owned.iter().position(|id| *id == self.0) {
            owned.swap_remove(at);
        }
        drop(owned);
        CHANGED.notify_one();
    }
}

fn owned() -> MutexGuard<'static, Vec<u32>> {
    // A panic cannot leave the list inconsistent.
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps orphans if the kernel gives them to this process, else does nothing. Never returns.
pub async fn reap_orphans() {
    #[cfg(target_os = "linux")]
    if linux::orphans_are_ours() {
        linux::reap().await;
    }
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::Pid;
    use tokio::io::AsyncReadExt as _;
    use tracing::{debug, warn};

    use super::super::dispositions;
    use super::{CHANGED, OWNED};

    /// Reports whether this process is process 1 of its namespace, or a subreaper (prctl(2)).
    pub(super) fn orphans_are_ours() -> bool {
        rustix::process::getpid().is_init()
            || rustix::process::child_subreaper().is_ok_and(|set| set.is_some())
    }

    /// Reaps orphans whenever a child has ended. Returns only if signals cannot be caught.
    pub(super) async fn reap() {
        let ended = dispositions::stream(&[signal_hook::consts::SIGCHLD]);
        let mut ended = match ended.and_then(tokio::net::UnixStream::from_std) {
            Ok(ended) => ended,
            Err(error) => {
                warn!(%error, "cannot reap orphans: they stay as zombies");
                return;
            }
        };
        let mut bytes = [0; 64];
        loop {
            reap_now();
            tokio::select! { biased;
                _ = ended.read(&mut bytes) => {}
                () = CHANGED.notified() => {}
            }
        }
    }

    /// Reaps all orphans that have ended.
    fn reap_now() {
        // Another thread is starting a child, and wakes the reaper once the child is registered.
        let Ok(owned) = OWNED.try_lock() else {
            return;
        };
        let is_owned = |pid: Pid| owned.iter().any(|id| id.cast_signed() == pid.as_raw());
        let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        loop {
            match waitid(Id::All, peek).map(|status| status.pid()) {
                // No child has ended.
                Ok(None) | Err(nix::Error::ECHILD) => return,
                Ok(Some(pid)) if !is_owned(pid) => wait_for(pid),
                // Either a child of ours, which its owner reaps, or a child that a real-time signal ended, which nix
                // cannot represent. Both hide the zombies behind them.
                Ok(Some(_)) | Err(_) => {
                    for pid in all_children().into_iter().filter(|pid| !is_owned(*pid)) {
                        wait_for(pid);
                    }
                    return;
                }
            }
        }
    }

    /// Reaps a child if it has ended.
    fn wait_for(pid: Pid) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        match waitid(Id::Pid(pid), flags) {
            Ok(status) if status.pid().is_none() => {}
            _ => debug!(pid = pid.as_raw(), "reaped an orphan"),
        }
    }

    /// Lists all children from `/proc/PID/task/TID/children` (proc(5)), which not every kernel has.
    fn all_children() -> Vec<Pid> {
        let threads = std::fs::read_dir("/proc/self/task");
        let threads = threads.into_iter().flatten().flatten();
        let lists = threads.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
        lists.flat_map(|list| numbers(&list)).collect()
    }

    fn numbers(list: &str) -> Vec<Pid> {
        let numbers = list.split_whitespace().filter_map(|n| n.parse().ok());
        numbers.map(Pid::from_raw).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_process_stays_registered_until_its_owner_drops_it() {
        let run = || Command::new("true").spawn();
        let (mut child, owned_child) = start(run, |child| Some(child.id())).unwrap();
        let id = child.id();
        assert!(owned().contains(&id));
        assert!(child.wait().unwrap().success());
        assert!(owned().contains(&id));
        drop(owned_child);
        assert!(!owned().contains(&id));
        let failed = start(
            || Command::new("/nowhere").spawn(),
            |child| Some(child.id()),
        );
        assert!(failed.is_err());
    }
}
