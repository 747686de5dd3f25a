//! Writes each new token to the files that are configured for it, with one task per sink.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | `task` | keeps the files of one sink up to date | calls target | clock |
//! | `target` | the paths, owners and modes of a sink's files | | sink |
//! | `plan` | selects the sinks that are written | | |
//! | `calls` | makes the blocking calls, which may hang on a disk | | offload sink |

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
use self::plan::PlannedSink;
use self::task::Task;
use super::keep::handle::Handle;
use super::keep::roster::{Profiles, Roster};
use super::options::Options;
use crate::clock::Clock;
use crate::config::Sink;
use crate::sink::Sinks;

/// How long the end of the daemon waits for running writes.
const SETTLING: Duration = Duration::from_secs(1);

/// Runs the tasks of all sinks.
struct SinkTasks {
    roster: Arc<Roster>,
    clock: Arc<dyn Clock>,
    calls: Calls,
    /// The daemon's token socket. Relative paths start at its folder.
    socket: PathBuf,
    running: BTreeMap<PathBuf, Running>,
    /// Whether the files of earlier daemons have been swept.
    is_swept: bool,
}

/// The running task of a sink.
struct Running {
    sink: Sink,
    handle: Arc<Handle>,
    task: AbortHandle,
}

/// The running sinks of the daemon.
pub struct RunningSinks(Calls);

/// Starts a task that keeps the sinks of the current configuration up to date. `passed` is the token socket that a
/// service manager has passed, if any.
pub fn keep(
    options: &Options,
    passed: Option<PathBuf>,
    clock: &Arc<dyn Clock>,
    roster: &Arc<Roster>,
) -> RunningSinks {
    let socket = passed.unwrap_or_else(|| options.places.token.clone());
    let keeping = SinkTasks::new(options, &socket, Arc::clone(clock), Arc::clone(roster));
    let kept = RunningSinks(keeping.calls.clone());
    tokio::spawn(keeping.run());
    kept
}

// === impl Kept ===

impl RunningSinks {
    /// Ends all writes before the daemon ends, so that no temporary file is left behind. A disk that hangs delays this
    /// by a second at most.
    pub async fn settle(self) {
        // The next daemon removes any temporary file that is left.
        let _: Result<(), _> = tokio::time::timeout(SETTLING, self.0.settle()).await;
    }
}

// === impl Keeping ===

impl SinkTasks {
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

    /// Runs the sinks of the current configuration until the daemon ends.
    async fn run(mut self) {
        let mut kept = self.roster.follow();
        loop {
            let profiles = kept.borrow_and_update().clone();
            // An invalid configuration at start lists no sinks.
            if let Ok(profiles) = profiles {
                self.apply_profiles(&profiles);
            }
            if kept.changed().await.is_err() {
                return;
            }
        }
    }

    fn apply_profiles(&mut self, profiles: &Profiles) {
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
        // End all old tasks before starting new ones, because a file may pass from one sink to another.
        for old in before.into_values() {
            old.task.abort();
            self.remove_others(&old, &kept, &runtime);
        }
        for PlannedSink {
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

    /// Removes the files of a sink that is no longer configured, except those that another sink writes now.
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
                    warn!(%profile, %path, "an obsolete token file could not be removed: {why}");
                }
            });
        }
    }

    /// Removes the files that earlier daemons left.
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

/// Returns the lock file of a socket, as [`crate::paths`] names it.
fn lock_of(socket: &Path) -> PathBuf {
    let mut lock = socket.to_owned().into_os_string();
    lock.push(".lock");
    lock.into()
}
