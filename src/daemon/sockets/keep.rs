//! Keeps both sockets in place until one is lost.

use std::fmt;
use std::io::{
    self,
    ErrorKind::{NotADirectory, NotFound},
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tracing::{debug, info, warn};

use super::super::rounds::Rounds;
use super::super::service::SocketKind;
use super::super::shutdown::Shutdown;
use super::listen_error::ListenError;
use super::mode::ModeChange;
use super::socket_spec::inode;
use super::{Origin, Servers, Sockets};
use crate::clock::Clock;
use crate::path_events::path_watch::PathWatch;
use crate::process::episode::Episode;

/// Pause between an event and the check of the paths. `rm -r` removes a folder after the socket in it.
const SETTLE: Duration = Duration::from_millis(200);

/// Shortest time between two checks, however many events there are.
const FLOOR: Duration = Duration::from_secs(1);

/// Time without a removal after which repeated removals count as over.
const QUIET: Duration = Duration::from_secs(60);

/// Number of retries if the folder disappears while the socket is created in it.
const TRIES: u32 = 3;

/// A socket that is missing, with the reason why it cannot be created again.
#[derive(Debug)]
pub struct LostSocket {
    path: PathBuf,
    is_replaced: bool,
    why: ListenError,
}

// === impl Sockets ===

impl Sockets {
    /// Keeps both sockets in place, and returns when one is lost. `asked` requests a check now. If the paths cannot be
    /// watched, they are checked in each round. `changes` are changes of the token socket's mode.
    pub(in crate::daemon) async fn keep(
        mut self,
        servers: Arc<Servers>,
        clock: Arc<dyn Clock>,
        shutdown: Shutdown,
        asked: Arc<Notify>,
        mut changes: mpsc::Receiver<ModeChange>,
    ) -> LostSocket {
        let mut removals = Episode::new(QUIET);
        let mut failed = 0;
        let mut rounds = Rounds::new(Arc::clone(&clock));
        let mut watch = self.watch(None);
        let mut was_watched = true;
        loop {
            if watch.is_err() == was_watched {
                match &watch {
                    Ok(_) => debug!("watching the sockets' paths again"),
                    Err(error) => {
                        debug!(%error, "cannot watch the sockets' paths; looking at them every 30 s");
                    }
                }
                was_watched = watch.is_ok();
            }
            let looked = clock.read().running;
            let mut made = vec![];
            match self.look(&servers, &shutdown, &mut made) {
                Ok(()) => failed = 0,
                Err(lost) if lost.is_a_race() && failed < TRIES => failed += 1,
                Err(lost) => return lost,
            }
            for (path, is_replaced) in &made {
                say_made(path, *is_replaced, removals.occurred(clock.now().boot));
            }
            let is_new = !made.is_empty();
            if is_new {
                watch = self.watch(watch.ok());
            }
            tokio::select! { biased;
                Some(change) = changes.recv() => {
                    self.carry_out(change);
                    continue;
                }
                () = asked.notified() => {}
                () = wait_for_event(watch.as_ref().ok(), &mut rounds, failed > 0) => {}
                // A new socket may have been removed before its watch began.
                () = tokio::time::sleep(FLOOR), if is_new => {}
                () = tokio::time::sleep(QUIET), if removals.is_on() => {
                    if let Some(times) = removals.end_if_quiet(clock.now().boot).filter(|times| *times > 1) {
                        info!(times, "the repeated removals of the sockets have stopped");
                    }
                    continue;
                }
            }
            let since = clock.read().running.saturating_sub(looked);
            let settled = tokio::time::sleep(FLOOR.saturating_sub(since));
            tokio::pin!(settled);
            loop {
                tokio::select! { biased;
                    () = &mut settled => break,
                    Some(change) = changes.recv() => self.carry_out(change),
                }
            }
            // Watch before the check, so that no later event is missed.
            watch = self.watch(watch.ok());
        }
    }

    /// Watches the paths of both sockets if possible. Renews the watch `before`, if there is one.
    fn watch(&self, before: Option<PathWatch>) -> io::Result<PathWatch> {
        let paths = [
            (&self.tokens, SocketKind::Tokens),
            (&self.admin, SocketKind::Admin),
        ];
        let paths = paths
            .into_iter()
            .filter_map(|(socket, door)| socket.path(door, &self.places));
        // Relative paths start at the working directory, which does not change.
        let paths: Vec<_> = paths
            .filter_map(|path| std::path::absolute(path).ok())
            .collect();
        let paths = paths.iter().map(PathBuf::as_path);
        match before {
            Some(watch) => watch.renewed(paths),
            None => PathWatch::new(paths),
        }
    }

    /// Creates each missing socket again. Adds to `made` its path, and whether another file was in its place.
    fn look(
        &mut self,
        servers: &Servers,
        shutdown: &Shutdown,
        made: &mut Vec<(PathBuf, bool)>,
    ) -> Result<(), LostSocket> {
        for (socket, door) in [
            (&mut self.tokens, SocketKind::Tokens),
            (&mut self.admin, SocketKind::Admin),
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
            let is_replaced = match inode(path) {
                Ok(found) if found == bound.inode() => continue,
                Ok(_) => true,
                Err(e) if matches!(e.kind(), NotFound | NotADirectory) => false,
                // The path cannot be read now, which does not mean that the socket is missing.
                Err(error) => {
                    debug!(socket = %path.display(), %error, "cannot look at the socket");
                    continue;
                }
            };
            let lost = |why| LostSocket {
                path: path.to_owned(),
                is_replaced,
                why,
            };
            socket.listener = self.places.open_again(door, bound).map_err(lost)?;
            let served = socket.serve(door, servers, shutdown);
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

/// Waits until the paths may have changed. After a failure, waits until the next try.
async fn wait_for_event(watch: Option<&PathWatch>, rounds: &mut Rounds, is_failed: bool) {
    match watch {
        _ if is_failed => tokio::time::sleep(FLOOR).await,
        Some(watch) => {
            watch.wait_for_event().await;
            tokio::time::sleep(SETTLE).await;
        }
        None => rounds.next().await,
    }
}

fn say_made(path: &Path, is_replaced: bool, is_news: bool) {
    let socket = path.display();
    match (is_news, is_replaced) {
        (true, false) => warn!(%socket, "the socket was removed; created it again"),
        (true, true) => {
            warn!(%socket, "the socket was replaced by another file; created it again");
        }
        (false, _) => {
            debug!(%socket, is_replaced, "the socket was missing again; created it again");
        }
    }
}

// === impl Lost ===

impl LostSocket {
    /// Whether the folder disappeared while the socket was created in it.
    fn is_a_race(&self) -> bool {
        match &self.why {
            ListenError::Folder(untrusted) => untrusted.is_missing(),
            ListenError::Io { source, .. } => source.kind() == NotFound,
            _ => false,
        }
    }
}

impl fmt::Display for LostSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, why) = (self.path.display(), &self.why);
        let what = if self.is_replaced {
            "replaced"
        } else {
            "removed"
        };
        write!(
            f,
            "the socket {path} was {what} and cannot be created again: {why}"
        )
    }
}

impl std::error::Error for LostSocket {}
