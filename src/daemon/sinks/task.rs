//! Keeps the files of one sink up to date.

mod locked;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use zeroize::Zeroizing;

use super::super::keep::handle::Handle;
use super::calls::{Calls, Write};
use super::target::targets;
use crate::clock::Clock;
use crate::config::Sink;
use crate::file_format::TokenToWrite;
use crate::instant::{BootInstant, Now};
use crate::lifecycle::HeldToken;
use crate::wire::{SinkReply, SinkState};

/// Delay after a first failure. It doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest delay after a failure.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// The task of one sink.
pub(super) struct Task {
    sink: Sink,
    /// The file with the token, and perhaps one beside it.
    files: Vec<PathBuf>,
    handle: Arc<Handle>,
    clock: Arc<dyn Clock>,
    calls: Calls,
    /// The content of the file with the token, as far as this task knows.
    content: Option<Content>,
    /// Whether the file contains the token of another profile, to which it belonged before.
    is_anothers: bool,
    /// The token of the last attempt to write.
    tried: Option<(u64, BootInstant)>,
    /// When a failed write is tried again.
    rewrite: Option<BootInstant>,
    /// When a failed removal is tried again.
    reremove: Option<BootInstant>,
    /// The last delay after a failure, or zero after a success.
    waited: Duration,
    /// The last lock of the store that this task has acted on.
    locks: u64,
    shown: SinkReply,
}

/// The content of the file with the token.
#[derive(Clone, Copy)]
struct Content {
    /// When the token expires.
    expires: BootInstant,
    /// Whether the expiry has been handled.
    is_over: bool,
}

// === impl Task ===

impl Task {
    pub(super) fn new(
        sink: Sink,
        files: Vec<PathBuf>,
        handle: Arc<Handle>,
        clock: Arc<dyn Clock>,
        calls: Calls,
    ) -> Self {
        let path = files.first().map_or(Path::new(""), PathBuf::as_path);
        let shown = SinkReply::waiting(path, sink.format.as_str());
        Self {
            sink,
            files,
            locks: handle.locks(),
            handle,
            clock,
            calls,
            content: None,
            is_anothers: false,
            tried: None,
            rewrite: None,
            reremove: None,
            waited: Duration::ZERO,
            shown,
        }
    }

    /// Makes sure that these files of the daemon itself are never replaced, whatever the configuration says.
    pub(super) fn spare(&mut self, own: &[&Path]) {
        self.sink.replace &= !self.files.iter().any(|file| own.contains(&file.as_path()));
    }

    /// Keeps the files up to date until the task is aborted.
    pub(super) async fn run(mut self) {
        self.show();
        self.take_up().await;
        let mut view = self.handle.follow();
        let mut has_ended = false;
        loop {
            let now = self.clock.now();
            let held = self.heed_locks(&mut view, now).await;
            let is_again = self.rewrite.is_some_and(|at| at <= now.boot);
            if is_again {
                self.rewrite = None;
            }
            if let Some(held) = held.filter(|held| is_again || self.is_new(held)) {
                self.write(&held, now).await;
            }
            if self.expiry().is_some_and(|at| at <= self.clock.now().boot) {
                self.expire().await;
            }
            let wake = self.rewrite.into_iter().chain(self.expiry()).min();
            tokio::select! { biased;
                changed = view.changed(), if !has_ended => has_ended = changed.is_err(),
                () = alarm(self.clock.as_ref(), wake) => {}
            }
        }
    }

    /// Takes over the file that an earlier daemon left. Its token may still be valid, and its expiry is handled. The
    /// token of another profile is treated as expired, so that it is replaced or removed at once.
    async fn take_up(&mut self) {
        let mut there = None;
        for path in &self.files {
            let found = self.calls.in_place(path, self.handle.name()).await;
            there = there.or(found);
        }
        let now = self.clock.now();
        self.is_anothers = there.is_some_and(|there| there.is_anothers);
        if self.is_anothers {
            self.content = Some(Content {
                expires: now.boot,
                is_over: false,
            });
            return;
        }
        let until = there.and_then(|there| there.until);
        self.content = until.map(|until| Content {
            expires: now
                .boot
                .after(Duration::from_secs(until).saturating_sub(now.unix.since_epoch())),
            is_over: false,
        });
    }

    /// Whether this token has not been written yet: it is new, or its expiry has changed.
    fn is_new(&self, held: &HeldToken) -> bool {
        self.tried != Some((held.generation, held.validity.expires))
    }

    /// Returns when the expiry of the content is to be handled.
    fn expiry(&self) -> Option<BootInstant> {
        let content = self.content.filter(|content| !content.is_over)?;
        Some(
            self.reremove
                .map_or(content.expires, |at| at.max(content.expires)),
        )
    }

    /// Doubles the delay, and returns the moment at which it ends.
    fn later(&mut self) -> BootInstant {
        self.waited = (self.waited * 2).clamp(FIRST_RETRY, LAST_RETRY);
        self.clock.now().boot.after(self.waited)
    }

    async fn write(&mut self, held: &HeldToken, now: Now) {
        self.tried = Some((held.generation, held.validity.expires));
        let expires_at = now.unix_of(held.validity.expires).seconds_down();
        let issued = TokenToWrite {
            profile: self.handle.name(),
            token: &held.token,
            expires_at,
            generation: held.generation,
        };
        let content = match self.sink.format.content(&issued) {
            Ok(content) => content,
            // Do not retry: this token cannot be written in the format, but another one may be.
            Err(why) => return self.fail(why.to_string()),
        };
        let files = match targets(&self.sink, &self.files, self.handle.name()) {
            Ok(files) => files,
            // Do not retry: a look-up that finds the number starts another task.
            Err(why) => return self.fail(why),
        };
        let until = (!self.sink.keep_expired).then_some(expires_at);
        let of_token = (content.token_file, until);
        let beside = content.beside;
        let beside = beside.map(|(_, bytes)| (Zeroizing::new(bytes), None));
        let contents = [of_token].into_iter().chain(beside);
        let mut writes: Vec<_> = files
            .into_iter()
            .zip(contents)
            .map(|(file, (bytes, until))| Write { file, bytes, until })
            .collect();
        // Write the file with the token last, so that a program that sees it also finds the other file.
        writes.reverse();
        match self.calls.write(writes).await {
            Ok(is_in_memory) => self.written(held, expires_at, is_in_memory),
            Err(why) => {
                self.rewrite = Some(self.later());
                self.fail(why);
            }
        }
    }

    fn written(&mut self, held: &HeldToken, expires_at: u64, is_in_memory: bool) {
        let path = &self.shown.path;
        let profile = self.handle.name();
        if self.shown.state == SinkState::Failed {
            info!(%profile, %path, "the file is written again");
        }
        if !is_in_memory && !self.shown.on_disk {
            warn!(%profile, %path, "the token file is on a disk, where deleted data can be recovered; use a folder on a tmpfs, such as the socket's");
        }
        (self.rewrite, self.reremove) = (None, None);
        self.is_anothers = false;
        self.waited = Duration::ZERO;
        self.content = Some(Content {
            expires: held.validity.expires,
            is_over: false,
        });
        self.shown = SinkReply {
            state: SinkState::Fresh,
            written_at: Some(self.clock.now().unix.seconds_down()),
            generation: Some(held.generation),
            expires_at: Some(expires_at),
            on_disk: !is_in_memory,
            detail: None,
            ..self.shown.clone()
        };
        self.show();
    }

    /// Shows a failure, and logs it unless it is the same as the last one.
    fn fail(&mut self, why: String) {
        if self.shown.detail.as_deref() != Some(&why) {
            let (path, profile) = (&self.shown.path, self.handle.name());
            warn!(%profile, %path, "the file is not fresh: {why}");
        }
        self.shown.state = SinkState::Failed;
        self.shown.detail = Some(why);
        self.show();
    }

    /// Removes the file, or records that it stays with an expired token.
    async fn expire(&mut self) {
        let path = self.files.first().cloned().unwrap_or_default();
        let now = self.clock.now().unix.seconds_down();
        if (!self.sink.keep_expired || self.is_anothers)
            && let Err(why) = self.calls.remove(&path, now).await
        {
            self.reremove = Some(self.later());
            return self.fail(why);
        }
        self.reremove = None;
        self.content = self.content.map(|content| Content {
            is_over: true,
            ..content
        });
        let (path, profile) = (&self.shown.path, self.handle.name());
        if std::mem::take(&mut self.is_anothers) {
            info!(%profile, %path, "the file held the token of another profile: it is removed until there is one of this profile");
            return;
        }
        let state = match self.sink.keep_expired {
            true => {
                warn!(%profile, %path, "the token has expired before there was another: the file stays, as on-expiry says");
                SinkState::Expired
            }
            false => {
                warn!(%profile, %path, "the token has expired before there was another: the file is removed");
                (self.shown.generation, self.shown.expires_at) = (None, None);
                SinkState::Removed
            }
        };
        // Keep showing a failure, which is more important.
        if self.shown.state != SinkState::Failed {
            self.shown.state = state;
        }
        self.show();
    }

    fn show(&self) {
        if let Some(path) = self.files.first() {
            self.handle.sinks().show(path, self.shown.clone());
        }
    }
}

/// Waits until this moment, or forever if there is none.
async fn alarm(clock: &dyn Clock, at: Option<BootInstant>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
