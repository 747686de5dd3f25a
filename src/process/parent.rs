//! The parent of a process, which distinguishes the calls of one program from those of another.

use std::fs;

use super::manager::SystemdManager;

/// A process, identified by its ID and its start time, since the ID may be reused later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its ID.
    pub pid: i32,
    /// Its start time, in clock ticks since the machine's start (proc_pid_stat(5)).
    pub started: u64,
}

/// A process's parent and start time, from `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: i32,
    started: u64,
}

/// Returns the living process that started another one. `None` if `/proc` does not show both, and if the parent is one
/// that adopts orphans: process 1, or systemd.
pub fn parent_of(pid: i32) -> Option<Process> {
    parent_by(pid, |pid| {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Stat::parse(&text)
    })
    .filter(|parent| SystemdManager::of(parent.pid).is_none())
}

/// Reads the child before and after the parent. A child keeps its parent's ID for as long as the parent lives, so two
/// equal readings of the child prove that the reading in between is of its parent, and not of a later process with the
/// same ID.
fn parent_by(pid: i32, read: impl Fn(i32) -> Option<Stat>) -> Option<Process> {
    let child = read(pid)?;
    if child.parent <= 1 {
        return None;
    }
    let started = read(child.parent)?.started;
    (read(pid)? == child).then_some(Process {
        pid: child.parent,
        started,
    })
}

// === impl Stat ===

impl Stat {
    /// Parses the line. The process's name is in parentheses, and may itself contain any characters, including
    /// parentheses.
    fn parse(line: &[u8]) -> Option<Self> {
        let name_ends = line.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(line.get(name_ends + 1..)?).ok()?;
        // The fields from the third on: the state, then the parent. The start time is field 22.
        let mut fields = rest.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { parent, started })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const fn stat(parent: i32, started: u64) -> Stat {
        Stat { parent, started }
    }

    #[test]
    fn a_proc_stat_line_is_parsed_with_any_process_name() {
        let rest = "S 812 811 811 0 -1 4194304 100 0 0 0 1 2 3 4 20 0 1 0 987654 2334720 200 18446744073709551615";
        for name in ["jeton", "a b", ")", "x) S 1 (", "\u{fc}"] {
            let line = format!("913 ({name}) {rest}\n");
            assert_eq!(
                Stat::parse(line.as_bytes()),
                Some(stat(812, 987_654)),
                "{name}"
            );
        }
        assert_eq!(
            Stat::parse(&[b"913 (\xff) ", rest.as_bytes()].concat()),
            Some(stat(812, 987_654))
        );
        for bad in [
            "",
            "913",
            "913 (jeton)",
            "913 (jeton) S",
            "913 (jeton) S x y",
            "913 (jeton) S 812 811",
        ] {
            assert_eq!(Stat::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_parent_is_returned_only_while_the_child_still_has_it() {
        let family = |pid| match pid {
            913 => Some(stat(812, 100)),
            812 => Some(stat(700, 50)),
            914 => Some(stat(1, 100)),
            915 => Some(stat(0, 100)),
            916 => Some(stat(4_000, 100)),
            _ => None,
        };
        let parent = Process {
            pid: 812,
            started: 50,
        };
        assert_eq!(parent_by(913, family), Some(parent));
        for (pid, why) in [
            (914, "the process 1 takes in orphans"),
            (915, "a parent outside of our PID namespace"),
            (916, "a parent that is not shown"),
            (917, "a process that is gone"),
        ] {
            assert_eq!(parent_by(pid, family), None, "{why}");
        }
        // While the parent is read, it may end and the child gets another parent, or another process gets the child's
        // ID.
        for after in [Some(stat(1, 100)), Some(stat(812, 101)), None] {
            let reads = Cell::new(0);
            let found = parent_by(913, |pid| {
                reads.set(reads.get() + 1);
                if reads.get() == 3 { after } else { family(pid) }
            });
            assert_eq!((found, reads.get()), (None, 3));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_parent_of_a_real_process_is_found() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let found = [parent_of(pid), parent_of(pid)];
        child.kill().unwrap();
        child.wait().unwrap();
        let [first, second] = found.map(Option::unwrap);
        assert_eq!((first.pid, first), (own, second));
        assert!(first.started > 0);
        assert_eq!(parent_of(pid), None, "it has ended");
    }
}
