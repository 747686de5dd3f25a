//! The files that contain credentials, and the watches on them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, info};

use super::adding::{Added, add};
use super::polls::Polls;
use super::state::State;
use super::uses::WatchUseCounts;
use crate::clock::from_now;
use crate::daemon::keep::handle::Handle;
use crate::instant::UnixTime;
use crate::path_events::folder_watch::FolderWatch;

/// Pause between a first event and the check of the files. Programs write and rename in several steps.
const SETTLE: Duration = Duration::from_millis(200);

/// The same pause after events that concerned no credential: a busy folder wakes the daemon at most once a second.
const SETTLE_BUSY: Duration = Duration::from_secs(1);

/// A file that changed within this time before its watch began may have been read before the change. The value leaves
/// time for a slow store and for clocks that are read one after the other.
const RECENT: Duration = Duration::from_secs(10);

/// Number of polls after which a watch that failed is tried again. The system's limit of watches may have room.
const LOOKS: u32 = 20;

/// The credential files of the current configuration.
pub(super) struct Files {
    watch: Option<FolderWatch>,
    files: BTreeMap<PathBuf, WatchedFile>,
    /// Paths that are being added to the watch, in one task per folder.
    adding: JoinSet<Vec<Added>>,
    uses: WatchUseCounts,
    polls: Polls,
    looks: u32,
    /// When the pending events are to be handled.
    settles: Option<Instant>,
    /// Whether the last events concerned no credential.
    is_busy: bool,
}

/// A credential file.
struct WatchedFile {
    /// The profiles that read their credential from it.
    handles: Vec<Arc<Handle>>,
    since: UnixTime,
    state: State,
    /// Whether the file is being added to the watch, and whether it must be added again after that.
    is_adding: bool,
    is_again: bool,
    /// Whether the file may have changed since its profiles read it.
    is_news: bool,
}

// === impl Files ===

impl Files {
    pub(super) fn new(watch: Option<FolderWatch>) -> Self {
        Self {
            watch,
            files: BTreeMap::new(),
            adding: JoinSet::new(),
            uses: WatchUseCounts::default(),
            polls: Polls::new(),
            looks: 0,
            settles: None,
            is_busy: false,
        }
    }

    /// Replaces the watched files by these.
    pub(super) fn keep(&mut self, files: BTreeMap<PathBuf, Vec<Arc<Handle>>>, now: UnixTime) {
        let mut before = std::mem::take(&mut self.files);
        let mut new = vec![];
        for (path, handles) in files {
            let kept = match before.remove(&path) {
                Some(kept) => WatchedFile { handles, ..kept },
                None => {
                    new.push(path.clone());
                    WatchedFile {
                        handles,
                        since: now,
                        state: State::New,
                        is_adding: false,
                        is_again: false,
                        is_news: false,
                    }
                }
            };
            self.files.insert(path, kept);
        }
        for (path, kept) in before {
            self.polls.remove(&path);
            kept.state.release(&mut self.uses);
        }
        self.add(new);
    }

    /// Waits for an event. Returns the profiles whose credential may have been replaced, if any. It is cancel safe.
    pub(super) async fn next(&mut self) -> Vec<Arc<Handle>> {
        tokio::select! { biased;
            Some(added) = self.adding.join_next(), if !self.adding.is_empty() => {
                // These tasks are never aborted and do not panic.
                self.added(added.unwrap_or_default())
            }
            path = self.polls.changed() => self.handles_of(&path),
            () = until(self.settles) => {
                self.settles = None;
                self.take_events();
                vec![]
            }
            () = wait_for_event(self.watch.as_ref()), if self.settles.is_none() => {
                let pause = if self.is_busy { SETTLE_BUSY } else { SETTLE };
                self.settles = Some(from_now(pause));
                vec![]
            }
        }
    }

    /// Whether every file is watched, so that none has to be polled.
    pub(super) fn are_watched(&self) -> bool {
        self.polls.is_empty()
    }

    /// Polls the files that cannot be watched.
    pub(super) fn look(&mut self) {
        self.polls.look();
        self.looks += 1;
        if self.watch.is_none() || self.looks < LOOKS {
            return;
        }
        self.looks = 0;
        let files = self.files.iter();
        let again =
            files.filter(|(_, kept)| matches!(kept.state, State::Polled { may_pass: true }));
        self.add(again.map(|(path, _)| path.clone()).collect());
    }

    fn handles_of(&self, path: &Path) -> Vec<Arc<Handle>> {
        let kept = self.files.get(path);
        kept.map(|kept| kept.handles.clone()).unwrap_or_default()
    }

    /// Adds these paths to the watch, or resolves them again after part of a path has changed.
    fn add(&mut self, paths: Vec<PathBuf>) {
        let mut folders: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        for path in paths {
            let Some(kept) = self.files.get_mut(&path) else {
                continue;
            };
            if self.watch.is_none() {
                kept.state = State::Polled { may_pass: false };
                self.polls.add(&path);
            } else if kept.is_adding {
                kept.is_again = true;
            } else {
                kept.is_adding = true;
                let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
                folders.entry(folder).or_default().push(path);
            }
        }
        let Some(watch) = &self.watch else { return };
        for paths in folders.into_values() {
            self.adding.spawn(add(watch.adder(), paths));
        }
    }

    /// Processes the paths that were added. Returns the profiles whose credential may have been replaced.
    fn added(&mut self, added: Vec<Added>) -> Vec<Arc<Handle>> {
        let (mut replaced, mut again, mut failed) = (vec![], vec![], None);
        for (path, result) in added {
            if let Ok(watched) = &result {
                self.uses.acquire(watched);
            }
            let Some(kept) = self.files.get_mut(&path) else {
                // The file was removed from the configuration meanwhile.
                result
                    .map_or(State::New, State::Watched)
                    .release(&mut self.uses);
                continue;
            };
            kept.is_adding = false;
            let mut is_news = std::mem::take(&mut kept.is_news);
            if std::mem::take(&mut kept.is_again) {
                kept.is_news = true;
                again.push(path.clone());
            }
            let state = match result {
                Ok(watched) => {
                    let since = kept.since.since_epoch().saturating_sub(RECENT);
                    is_news |= match &kept.state {
                        State::New => watched.changed_at >= since,
                        State::Watched(before) => !before.has_same_route(&watched),
                        State::Polled { .. } => true,
                    };
                    is_news &= watched.is_there || kept.state.may_be_there();
                    self.polls.remove(&path);
                    State::Watched(watched)
                }
                Err(why) => {
                    let may_pass = why.may_pass();
                    if !matches!(kept.state, State::Polled { .. }) {
                        failed = failed.or_else(|| Some((path.clone(), why)));
                    }
                    self.polls.add(&path);
                    State::Polled { may_pass }
                }
            };
            if is_news {
                replaced.extend(kept.handles.iter().cloned());
            }
            let before = std::mem::replace(&mut kept.state, state);
            before.release(&mut self.uses);
        }
        if let Some((path, why)) = failed {
            info!(
                path = %path.display(),
                why = why.reason(),
                "the file of a credential cannot be watched; looking at it every 30 s"
            );
        }
        self.add(again);
        // Sweep only when no path is being added: such a path may rely on a watch that exists already.
        if let (true, Some(watch)) = (self.adding.is_empty(), &self.watch) {
            self.uses.sweep(watch);
        }
        replaced
    }

    /// Takes the pending events and resolves the affected paths again.
    fn take_events(&mut self) {
        let Some(watch) = &self.watch else { return };
        let events = watch.take();
        let names: BTreeSet<_> = events.names.iter().collect();
        let mut stirred = vec![];
        self.is_busy = true;
        for (path, kept) in &mut self.files {
            let is_stirred = match &kept.state {
                State::Watched(watched) => {
                    events.is_incomplete || watched.names.iter().any(|name| names.contains(name))
                }
                State::New | State::Polled { .. } => false,
            };
            let may_lead_elsewhere = match &kept.state {
                State::Watched(watched) => watched.ids().any(|id| events.folders.contains(&id)),
                State::New | State::Polled { .. } => false,
            };
            self.is_busy &= !is_stirred && !may_lead_elsewhere;
            // For a path that is being added, it is not known yet which events concern it.
            if is_stirred || may_lead_elsewhere || events.is_mounted || kept.is_adding {
                kept.is_news |= is_stirred || may_lead_elsewhere;
                stirred.push(path.clone());
            }
        }
        if !self.is_busy {
            debug!("files with credentials were changed");
        }
        self.add(stirred);
    }
}

async fn wait_for_event(watch: Option<&FolderWatch>) {
    match watch {
        Some(watch) => watch.wait_for_event().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
