//! Keeps the files of the sinks fresh: one task for each, which follows its profile's token.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | `task` | keeps one file fresh | calls target | clock |
//! | `target` | the files of a sink, as they are to be | | sink |
//! | `plan` | which sinks are kept | | |
//! | `calls` | the blocking calls, which may hang on a disk | | offload sink |

mod calls;
mod plan;
mod target;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tracing::warn;

use self::calls::Calls;
use self::plan::Wanted;
use self::task::Task;
use super::keep::handle::Handle;
use super::keep::roster::{Profiles, Roster};
use super::options::Options;
use crate::clock::Clock;
use crate::config::Sink;
use crate::sink::Sinks;

/// How long the daemon's end waits for the files that are being written.
const SETTLING: Duration = Duration::from_secs(1);

/// The keeper of all files.
struct Keeping {
    roster: Arc<Roster>,
    clock: Arc<dyn Clock>,
    calls: Calls,
    /// The daemon's token socket, beside which relative paths are.
    socket: PathBuf,
    running: BTreeMap<PathBuf, Running>,
    /// Whether the files of earlier daemons were looked at.
    is_swept: bool,
}

/// A file that is kept.
struct Running {
    sink: Sink,
    handle: Arc<Handle>,
    task: AbortHandle,
}

/// The files while the daemon runs.
pub struct Kept(Calls);

/// Keeps the files of each configuration that is put in force, for good. `passed` is the token socket of a service
/// manager, if it has passed one.
pub fn keep(
    options: &Options,
    passed: Option<PathBuf>,
    clock: &Arc<dyn Clock>,
    roster: &Arc<Roster>,
) -> Kept {
    let socket = passed.unwrap_or_else(|| options.places.token.clone());
    let keeping = Keeping::new(options, &socket, Arc::clone(clock), Arc::clone(roster));
    let kept = Kept(keeping.calls.clone());
    tokio::spawn(keeping.run());
    kept
}

// === impl Kept ===

impl Kept {
    /// Ends the writing of files before the daemon ends, so that none is left half written with its temporary name. Waits
    /// no longer than that for a disk that hangs.
    pub async fn settle(self) {
        // What is left all the same is removed by the next daemon.
        let _: Result<(), _> = tokio::time::timeout(SETTLING, self.0.settle()).await;
    }
}

// === impl Keeping ===

impl Keeping {
    fn new(options: &Options, socket: &Path, clock: Arc<dyn Clock>, roster: Arc<Roster>) -> Self {
        let socket = std::path::absolute(socket).unwrap_or_else(|_| socket.to_owned());
        Self {
            roster,
            clock,
            calls: Calls::new(Sinks::new(&options.state, &socket, options.uid)),
            socket,
            running: BTreeMap::new(),
            is_swept: false,
        }
    }

    /// Keeps the files of each configuration that is put in force, for good.
    async fn run(mut self) {
        let mut kept = self.roster.follow();
        loop {
            let profiles = kept.borrow_and_update().clone();
            // An invalid configuration at the start says nothing of files.
            if let Ok(profiles) = profiles {
                self.put_in_force(&profiles);
            }
            if kept.changed().await.is_err() {
                return;
            }
        }
    }

    fn put_in_force(&mut self, profiles: &Profiles) {
        let runtime = self.socket.parent().unwrap_or(Path::new("/")).to_owned();
        let wanted = plan::distinct(profiles, &runtime);
        let kept: BTreeSet<_> = wanted.iter().flat_map(|wanted| &wanted.files).collect();
        let mut before = std::mem::take(&mut self.running);
        let mut new = vec![];
        for wanted in &wanted {
            let path = wanted.path();
            let is_same =
                |old: &Running| old.sink == *wanted.sink && Arc::ptr_eq(&old.handle, wanted.handle);
            match before.remove_entry(path) {
                Some((path, old)) if is_same(&old) => {
                    self.running.insert(path, old);
                }
                old => {
                    before.extend(old);
                    new.push(wanted);
                }
            }
        }
        // All that ends does so before anything starts: a file may change hands.
        for old in before.into_values() {
            old.task.abort();
            self.remove_others(&old, &kept, &runtime);
        }
        for Wanted {
            sink,
            handle,
            files,
        } in new
        {
            let running = self.start(sink, handle, files.clone());
            self.running
                .extend(files.first().map(|path| (path.clone(), running)));
        }
        if !self.is_swept {
            self.is_swept = true;
            self.sweep(&runtime);
        }
    }

    fn start(&self, sink: &Sink, handle: &Arc<Handle>, files: Vec<PathBuf>) -> Running {
        let mut task = Task::new(
            sink.clone(),
            files,
            Arc::clone(handle),
            Arc::clone(&self.clock),
            self.calls.clone(),
        );
        task.spare(&[&self.socket, &lock_of(&self.socket)]);
        Running {
            sink: sink.clone(),
            handle: Arc::clone(handle),
            task: tokio::spawn(task.run()).abort_handle(),
        }
    }

    /// Removes the files of a sink that is no longer kept, but for those that another sink writes now.
    fn remove_others(&self, old: &Running, kept: &BTreeSet<&PathBuf>, runtime: &Path) {
        let files = old.sink.files(runtime);
        if let Some(path) = files.first() {
            old.handle.sinks().forget(path);
        }
        let now = self.clock.now().unix.seconds_down();
        for path in files.into_iter().filter(|path| !kept.contains(path)) {
            let (calls, profile) = (self.calls.clone(), old.handle.name().clone());
            tokio::spawn(async move {
                if let Err(why) = calls.remove(&path, now).await {
                    let path = path.display();
                    warn!(%profile, %path, "a file with a token is no longer kept, and was not removed: {why}");
                }
            });
        }
    }

    /// Removes what earlier daemons left.
    fn sweep(&self, runtime: &Path) {
        let kept = self.running.values();
        let kept: Vec<_> = kept
            .flat_map(|running| running.sink.files(runtime))
            .collect();
        let (calls, now) = (self.calls.clone(), self.clock.now().unix.seconds_down());
        tokio::spawn(async move {
            for (path, why) in calls.sweep(kept, now).await {
                let path = path.display();
                warn!(%path, "a file with a token of an earlier daemon was not removed: {why}");
            }
        });
    }
}

/// The lock of a socket, as [`crate::paths`] names it.
fn lock_of(socket: &Path) -> PathBuf {
    let mut lock = socket.to_owned().into_os_string();
    lock.push(".lock");
    lock.into()
}
