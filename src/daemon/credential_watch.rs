//! Notices when any program replaces a stored credential, and makes its profile read it.
//!
//! Files are watched through their folders, and the keyring through its signals. A credential that cannot be watched is
//! checked every 30 s. A profile that reads a new credential uses it in its next attempt. Without a valid token, it
//! makes that attempt at once.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | `files` | the files that credentials are in, and the watch on each | adding polls state uses | clock path_events |
//! | `adding` | adds files to the watch | | offload path_events |
//! | `state` | the way in which a change of one file is noticed | uses | path_events |
//! | `uses` | which watched folders serve a path | | path_events |
//! | `polls` | polls the files that cannot be watched | | offload |
//! | `keyring` | the signals of the keyring | | clock offload store |

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::debug;

use self::files::Files;
use self::keyring::Keyring;
use super::keep::handle::Handle;
use super::keep::rechecks::recheck_all;
use super::keep::roster::{Profiles, Roster};
use super::rounds::Rounds;
use crate::clock::Clock;
use crate::path_events::folder_watch::FolderWatch;
use crate::store::ChangeSource;

mod adding;
mod files;
mod keyring;
mod polls;
mod state;
mod uses;

/// Watches all credentials. Its descriptors are open from the start, so that they can be counted.
pub(super) struct CredentialWatch(Option<FolderWatch>);

/// The task of the watch.
struct Watching {
    clock: Arc<dyn Clock>,
    files: Files,
    keyring: Keyring,
    rounds: Rounds,
    rechecks: JoinSet<()>,
}

// === impl CredentialWatch ===

impl CredentialWatch {
    /// Opens the descriptors. If the system refuses them, every file is polled every 30 s. Call it on the event loop.
    pub(super) fn open() -> Self {
        let watch = FolderWatch::new();
        if let Err(error) = &watch {
            debug!(%error, "no file can be watched; looking at those with credentials every 30 s");
        }
        Self(watch.ok())
    }

    /// Starts a task that watches the credentials of the current configuration until the daemon ends.
    pub(super) fn keep(self, roster: &Arc<Roster>, clock: &Arc<dyn Clock>) {
        let watching = Watching {
            clock: Arc::clone(clock),
            files: Files::new(self.0),
            keyring: Keyring::default(),
            rounds: Rounds::new(Arc::clone(clock)),
            rechecks: JoinSet::new(),
        };
        tokio::spawn(watching.run(Arc::clone(roster)));
    }
}

// === impl Watching ===

impl Watching {
    async fn run(mut self, roster: Arc<Roster>) {
        let mut kept = roster.follow();
        loop {
            // An invalid configuration at start has no profiles.
            let profiles = kept.borrow_and_update().clone();
            self.apply_profiles(&profiles.unwrap_or_default());
            loop {
                tokio::select! { biased;
                    changed = kept.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    () = self.step() => {}
                }
            }
        }
    }

    /// Waits for the next event and handles it. Cancelling the wait loses no event.
    async fn step(&mut self) {
        let is_watched = self.files.are_watched() && self.keyring.is_watched();
        let replaced = tokio::select! { biased;
            replaced = self.files.next() => replaced,
            replaced = self.keyring.next() => replaced,
            () = self.rounds.next(), if !is_watched => {
                self.files.look();
                self.keyring.look()
            }
            Some(_) = self.rechecks.join_next(), if !self.rechecks.is_empty() => return,
        };
        if !replaced.is_empty() {
            self.rechecks.spawn(recheck_all(replaced));
        }
    }

    fn apply_profiles(&mut self, profiles: &Profiles) {
        let mut files: BTreeMap<PathBuf, Vec<Arc<Handle>>> = BTreeMap::new();
        let mut in_keyring = vec![];
        for entry in profiles.values() {
            for source in entry.handle.change_sources() {
                match source {
                    ChangeSource::File(path) => {
                        // A relative path starts at the working directory, which does not change.
                        let path = std::path::absolute(&path).unwrap_or(path);
                        let users = files.entry(path).or_default();
                        users.push(Arc::clone(&entry.handle));
                    }
                    ChangeSource::Keyring => in_keyring.push(Arc::clone(&entry.handle)),
                }
            }
        }
        self.files.keep(files, self.clock.now().unix);
        self.keyring.keep(in_keyring);
    }
}
