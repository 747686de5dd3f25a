//! Keeps both sockets in their places, and ends the daemon when one is lost.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

use super::super::clock::Clock;
use super::super::episode::Episode;
use super::super::listener::{ListenError, inode};
use super::super::path_watch::PathWatch;
use super::super::service::Door;
use super::{Doors, Origin, Sockets};

/// How long a place is left alone after something has happened there: `rm -r` removes a folder after the socket in it.
const SETTLE: Duration = Duration::from_millis(200);

/// The shortest time between two looks, whatever happens there.
const FLOOR: Duration = Duration::from_secs(1);

/// How long a socket must stay in its place until those who remove it count as done with it.
const QUIET: Duration = Duration::from_secs(60);

/// How often a socket is made again that is removed in the same moment.
const TRIES: u32 = 3;

/// A socket that is no longer in its place, and cannot be made again.
#[derive(Debug)]
pub struct Lost {
    path: PathBuf,
    is_replaced: bool,
    why: ListenError,
}

// === impl Sockets ===

impl Sockets {
    /// Keeps both in their places, until one is lost. `asked` has it look now; `looks` comes now and then, and counts where
    /// the places cannot be watched.
    pub(in crate::daemon) async fn keep(
        mut self,
        doors: Doors,
        clock: Arc<dyn Clock>,
        closing: watch::Receiver<bool>,
        asked: Arc<Notify>,
        looks: Arc<Notify>,
    ) -> Lost {
        let mut removals = Episode::new(QUIET);
        let mut failed = 0;
        let mut watch = self.watch();
        loop {
            let looked = clock.read().running;
            let mut made = vec![];
            match self.look(&doors, &closing, &mut made) {
                Ok(()) => failed = 0,
                Err(lost) if lost.is_a_race() && failed < TRIES => failed += 1,
                Err(lost) => return lost,
            }
            for (path, is_replaced) in &made {
                say_made(path, *is_replaced, removals.came(clock.now().boot));
            }
            if !made.is_empty() {
                watch = self.watch();
            }
            tokio::select! { biased;
                () = asked.notified() => {}
                () = stirred(watch.as_ref(), &looks, failed > 0) => {}
                () = tokio::time::sleep(QUIET), if removals.is_on() => {
                    if let Some(times) = removals.over(clock.now().boot).filter(|times| *times > 1) {
                        info!(times, "the sockets are no longer removed again and again");
                    }
                    continue;
                }
            }
            let since = clock.read().running.saturating_sub(looked);
            tokio::time::sleep(FLOOR.saturating_sub(since)).await;
            // Before the look: what happens after it must not go unnoticed.
            watch = self.watch();
        }
    }

    /// Watches the places of both; `None` where that is not possible.
    fn watch(&self) -> Option<PathWatch> {
        let paths = [(&self.tokens, Door::Tokens), (&self.admin, Door::Admin)];
        let paths = paths
            .into_iter()
            .filter_map(|(socket, door)| socket.path(door, &self.places));
        // A relative path means the folder that we were started in.
        let paths: Vec<_> = paths
            .filter_map(|path| std::path::absolute(path).ok())
            .collect();
        PathWatch::new(paths.iter().map(PathBuf::as_path))
            .inspect_err(|error| debug!(%error, "the sockets' places cannot be watched, and are looked at now and then"))
            .ok()
    }

    /// Looks at both, and makes what is missing again: `made` gets which, and whether something else was in its place.
    fn look(
        &mut self,
        doors: &Doors,
        closing: &watch::Receiver<bool>,
        made: &mut Vec<(PathBuf, bool)>,
    ) -> Result<(), Lost> {
        for (socket, door, server) in [
            (&mut self.tokens, Door::Tokens, &doors.tokens),
            (&mut self.admin, Door::Admin, &doors.admin),
        ] {
            let bound = match &mut socket.origin {
                Origin::Passed(None) => continue,
                Origin::Passed(Some(seen)) => {
                    seen.look();
                    continue;
                }
                Origin::Ours(bound) => bound,
            };
            let path = self.places.path(door);
            let found = inode(path).ok();
            if found == Some(bound.inode()) {
                continue;
            }
            let is_replaced = found.is_some();
            let lost = |why| Lost {
                path: path.to_owned(),
                is_replaced,
                why,
            };
            socket.listener = self.places.open_again(door, bound).map_err(lost)?;
            let served = socket.serve(door, server, closing);
            served.map_err(|source| {
                lost(ListenError::Io {
                    action: "accept connections at",
                    path: path.to_owned(),
                    source,
                })
            })?;
            made.push((path.to_owned(), is_replaced));
        }
        Ok(())
    }
}

/// Waits until the places may have changed. One that could not be made is tried again.
async fn stirred(watch: Option<&PathWatch>, looks: &Notify, is_failed: bool) {
    match watch {
        _ if is_failed => tokio::time::sleep(FLOOR).await,
        Some(watch) => {
            watch.stirred().await;
            tokio::time::sleep(SETTLE).await;
        }
        None => looks.notified().await,
    }
}

fn say_made(path: &Path, is_replaced: bool, is_news: bool) {
    let socket = path.display();
    match (is_news, is_replaced) {
        (true, false) => warn!(%socket, "the socket was removed, and is made again"),
        (true, true) => {
            warn!(%socket, "something else was in the socket's place, and it is made again")
        }
        (false, _) => {
            debug!(%socket, is_replaced, "the socket was missing again, and is made again")
        }
    }
}

// === impl Lost ===

impl Lost {
    /// Whether the place was taken away while the socket was made in it.
    fn is_a_race(&self) -> bool {
        match &self.why {
            ListenError::Folder(untrusted) => untrusted.is_missing(),
            ListenError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, why) = (self.path.display(), &self.why);
        let what = if self.is_replaced {
            "replaced"
        } else {
            "removed"
        };
        write!(
            f,
            "the socket {path} was {what} and cannot be made again: {why}"
        )
    }
}

impl std::error::Error for Lost {}
