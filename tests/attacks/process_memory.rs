//! Memory of a running process, as another process reads it from `/proc/PID/mem`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use rustix::process::Signal;

use crate::support::daemon::{Daemon, wait_until};
use crate::support::leaks::{Canary, Search};

const PAGE: usize = 4_096;

/// A snapshot of a process's memory: the pages that are not all zeros, with adjacent pages joined.
pub(crate) struct Snapshot(Vec<(String, Vec<u8>)>);

/// A canary that was found: its number, its form, and a description of the place.
pub(crate) type FoundCanary = (usize, &'static str, String);

impl Snapshot {
    /// Takes a snapshot. The daemon is stopped while its memory is read.
    pub(crate) fn take(daemon: &Daemon) -> Self {
        let pid = daemon.child.id();
        daemon.signal(Signal::STOP);
        wait_until("all threads to stop", || {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            let stats = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("stat")));
            // The state comes after the name, which is in parentheses.
            let is_stopped = |stat: String| stat.rsplit(')').next().unwrap().starts_with(" T");
            stats.flatten().all(is_stopped)
        });
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let mut runs = vec![];
        for line in maps.lines().filter(|line| may_hold_data(line)) {
            read_region(&memory, line, &mut runs);
        }
        daemon.signal(Signal::CONT);
        Self(runs)
    }

    /// Returns every place of one of the canaries.
    pub(crate) fn find(&self, canaries: &[Canary]) -> Vec<FoundCanary> {
        let search = Search::new(canaries);
        let runs = self.0.iter();
        runs.flat_map(|(name, bytes)| {
            let found = search.occurrences(bytes).into_iter();
            found.map(move |(canary, form, at)| {
                let around = &bytes[at.saturating_sub(48)..bytes.len().min(at + 8)];
                let around = String::from_utf8_lossy(around).into_owned();
                (canary, form, format!("{name}+{at:#x} after {around:?}"))
            })
        })
        .collect()
    }
}

/// Returns whether the process can have written to a region, judged by its line in `maps`. A file that is mapped for
/// reading is unchanged, and the kernel's own pages cannot be read.
fn may_hold_data(line: &str) -> bool {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let is_kernels = fields.get(5).is_some_and(|name| name.starts_with("[v"));
    fields[1].starts_with('r') && !is_kernels && (fields[1].contains('w') || fields[4] == "0")
}

fn read_region(memory: &File, line: &str, runs: &mut Vec<(String, Vec<u8>)>) {
    let (from, rest) = line.split_once('-').unwrap();
    let (to, rest) = rest.split_once(' ').unwrap();
    let address = |hex| usize::from_str_radix(hex, 16).unwrap();
    let name = rest.split_whitespace().nth(4).unwrap_or("anonymous");
    let mut piece = vec![0; 256 * PAGE];
    let mut is_open = false;
    let mut at = address(from);
    while at < address(to) {
        let piece = &mut piece[..(address(to) - at).min(256 * PAGE)];
        // A guard page cannot be read, whatever `maps` shows.
        let Ok(()) = memory.read_exact_at(piece, at as u64) else {
            break;
        };
        for (n, page) in piece.chunks(PAGE).enumerate() {
            let is_empty = page == &[0; PAGE][..page.len()];
            if !is_empty && !is_open {
                runs.push((format!("{name} {:#x}", at + n * PAGE), vec![]));
            }
            if !is_empty {
                runs.last_mut().unwrap().1.extend_from_slice(page);
            }
            is_open = !is_empty;
        }
        at += piece.len();
    }
}
