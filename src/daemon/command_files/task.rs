//! Keeps the file of one command up to date until the command ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::command_folder::{CommandFolder, Record};
use super::feeds::Feeds;
use super::shown::{ShownState, WrittenToken};
use crate::daemon::keep::feed::{Feed, FeedItem};
use crate::daemon::keep::roster::RosterSnapshot;
use crate::instant::BootInstant;
use crate::lifecycle::HeldToken;
use crate::offload;
use crate::policy::Caller;
use crate::problem::Code;
use crate::process::watched::WatchedProcess;
use crate::profile::ProfileName;
use crate::query::WatchEvent;

/// Delay before a failed write of the file is repeated.
const RETRY: Duration = Duration::from_secs(5);

/// The task of one command's file.
pub(super) struct Task {
    pub(super) feeds: Feeds,
    pub(super) process: WatchedProcess,
    pub(super) caller: Caller,
    pub(super) profile: ProfileName,
    pub(super) place: CommandFolder,
    /// Generation of the token in the file, if known.
    pub(super) generation: Option<u64>,
    /// Expiry of the token in the file, or `None` without a file.
    pub(super) expires: Option<BootInstant>,
    /// The last lock of the store that this task has acted on.
    pub(super) locks: u64,
    pub(super) shown: ShownState,
}

/// The event that ended a watch of the profile.
enum WatchEnd {
    /// The command has ended.
    Command,
    /// The daemon stops. The next one takes over the file.
    Daemon,
    /// The caller may no longer use the profile.
    Refused,
}

// === impl Task ===

impl Task {
    /// Keeps the file up to date until the command ends, then removes it.
    pub(super) async fn run(mut self) {
        let mut kept = self.feeds.roster.follow();
        loop {
            // Mark the profiles as seen first, so that every later change is noticed below.
            drop(kept.borrow_and_update());
            self.shown.show(&self.feeds.roster);
            let end = match self
                .feeds
                .open(&self.caller, &self.profile, self.generation)
            {
                Ok(feed) => self.follow(feed, &mut kept).await,
                Err(_) => WatchEnd::Refused,
            };
            match end {
                WatchEnd::Command => break,
                WatchEnd::Daemon => return,
                WatchEnd::Refused => {}
            }
            debug!(profile = %self.profile, uid = self.caller.uid, "a command may no longer have its file");
            self.empty().await;
            self.generation = None;
            self.shown.refused();
            self.shown.show(&self.feeds.roster);
            tokio::select! { biased;
                () = self.process.ended() => break,
                changed = kept.changed() => if changed.is_err() { return },
            }
        }
        let place = self.place.clone();
        self.report(blocking(move || place.remove()).await, "removed");
        self.shown.forget(&self.feeds.roster);
    }

    /// Writes each new token, and removes a token that has expired.
    async fn follow(
        &mut self,
        mut feed: Feed,
        kept: &mut watch::Receiver<RosterSnapshot>,
    ) -> WatchEnd {
        let mut failed: Option<Arc<HeldToken>> = None;
        self.locks = feed.locks();
        if self.locks > 0 && self.generation.is_some() && !feed.holds_a_token() {
            // The store was locked after the command got the token and before this watch began.
            self.empty().await;
            self.shown.expired();
        }
        self.shown.record_lock(&self.feeds.roster, self.locks);
        loop {
            self.shown.show(&self.feeds.roster);
            let clock = Arc::clone(&self.feeds.clock);
            let expires = self.expires;
            let expiry = async {
                match expires {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let held = tokio::select! { biased;
                () = self.process.ended() => return WatchEnd::Command,
                told = feed.next() => match told {
                    FeedItem::News(WatchEvent::Token(answer)) => answer.held,
                    FeedItem::News(_) => {
                        if self.heed_locks(&feed).await {
                            failed = None;
                        }
                        continue;
                    }
                    FeedItem::End(problem) if problem.code == Code::Unavailable => return WatchEnd::Daemon,
                    FeedItem::End(_) => return WatchEnd::Refused,
                },
                () = expiry => {
                    self.empty().await;
                    self.shown.expired();
                    continue;
                }
                // A handle that replaces the profile's old one must show the file as well.
                changed = kept.changed(), if kept.has_changed().is_ok() => {
                    let _: Result<(), _> = changed;
                    continue;
                }
                () = tokio::time::sleep(RETRY), if failed.is_some() => match failed.take() {
                    Some(held) => held,
                    None => continue,
                },
            };
            let is_new = self.generation != Some(held.generation);
            self.generation = Some(held.generation);
            match self.write(&held).await {
                Ok(()) => failed = None,
                Err(error) => {
                    if is_new {
                        self.report(Err(error), "written");
                    }
                    failed = Some(held);
                }
            }
        }
    }

    /// Writes a token to the file.
    pub(super) async fn write(&mut self, held: &Arc<HeldToken>) -> io::Result<()> {
        let (place, expires) = (self.place.clone(), held.validity.expires);
        let record = Record {
            process: self.process.identity(),
            expires_at: self.feeds.clock.now().unix_of(expires).seconds_down(),
            profile: self.profile.clone(),
        };
        let mut written = WrittenToken {
            generation: held.generation,
            expires_at: record.expires_at,
            at: self.feeds.clock.now().unix.seconds_down(),
            on_disk: false,
        };
        let held = Arc::clone(held);
        let put = blocking(move || place.write(held.token.expose(), &record)).await;
        match &put {
            Ok(is_in_memory) => {
                written.on_disk = !is_in_memory;
                self.shown.written(&written);
                self.expires = Some(expires);
            }
            Err(error) => self
                .shown
                .failed(format!("the daemon could not write it: {error}")),
        }
        put.map(drop)
    }

    /// Removes the file if the store was locked since the last check, and returns whether it was. A token from before
    /// the lock must not be written any more.
    async fn heed_locks(&mut self, feed: &Feed) -> bool {
        let locks = feed.locks();
        let was_locked = locks > self.locks;
        if was_locked {
            self.empty().await;
            self.shown.expired();
            self.shown.show(&self.feeds.roster);
        }
        self.locks = locks;
        self.shown.record_lock(&self.feeds.roster, locks);
        was_locked
    }

    /// Removes the file.
    async fn empty(&mut self) {
        if self.expires.take().is_some() {
            let place = self.place.clone();
            self.report(blocking(move || place.empty()).await, "emptied");
        }
    }

    fn report(&self, result: io::Result<()>, what: &str) {
        if let Err(error) = result {
            let path = self.place.path.display();
            warn!(profile = %self.profile, %path, %error, "the file of a command was not {what}");
        }
    }
}

/// Runs a call that may hang on a disk.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let called = offload::run_in_turn(call).await;
    called.unwrap_or_else(|refused| Err(io::Error::other(refused.to_string())))
}
