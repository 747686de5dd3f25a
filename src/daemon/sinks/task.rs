//! Keeps one file fresh.

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
use crate::file_format::Issued;
use crate::instant::{BootInstant, Now};
use crate::lifecycle::Held;
use crate::wire::{SinkReply, SinkState};

/// The wait after a first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest wait after a failure.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// The task of one file.
pub(super) struct Task {
    sink: Sink,
    /// The file with the token, and one beside it.
    files: Vec<PathBuf>,
    handle: Arc<Handle>,
    clock: Arc<dyn Clock>,
    calls: Calls,
    /// What is in place, as far as this task knows.
    content: Option<Content>,
    /// Whether what is in place is the token of another profile, whose file this was.
    is_anothers: bool,
    /// The token that the last attempt was for.
    tried: Option<(u64, BootInstant)>,
    /// When a failed writing is tried again.
    rewrite: Option<BootInstant>,
    /// When a failed removal is tried again.
    reremove: Option<BootInstant>,
    /// The wait after the last failure; zero after a success.
    waited: Duration,
    /// The last lock of the store that was acted on.
    locks: u64,
    shown: SinkReply,
}

/// What is in place.
#[derive(Clone, Copy)]
struct Content {
    /// When its token expires.
    expires: BootInstant,
    /// Whether that was acted on.
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

    /// Never replaces these files, whatever the configuration says: they are the daemon's own.
    pub(super) fn spare(&mut self, own: &[&Path]) {
        self.sink.replace &= !self.files.iter().any(|file| own.contains(&file.as_path()));
    }

    /// Keeps the file until the task is aborted.
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

    /// Goes on with the file that an earlier daemon left: its token may still be valid, and expires. That of another profile
    /// is over at once: it is replaced, or else removed.
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

    /// Whether this token was not tried yet: it is a new one, or holds for another time than before.
    fn is_new(&self, held: &Held) -> bool {
        self.tried != Some((held.generation, held.validity.expires))
    }

    /// When the expiry of what is in place is to be acted on.
    fn expiry(&self) -> Option<BootInstant> {
        let content = self.content.filter(|content| !content.is_over)?;
        Some(
            self.reremove
                .map_or(content.expires, |at| at.max(content.expires)),
        )
    }

    /// The moment after a wait that is twice the last one.
    fn later(&mut self) -> BootInstant {
        self.waited = (self.waited * 2).clamp(FIRST_RETRY, LAST_RETRY);
        self.clock.now().boot.after(self.waited)
    }

    async fn write(&mut self, held: &Held, now: Now) {
        self.tried = Some((held.generation, held.validity.expires));
        let expires_at = now.unix_of(held.validity.expires).seconds_down();
        let issued = Issued {
            profile: self.handle.name(),
            token: &held.token,
            expires_at,
            generation: held.generation,
        };
        let content = match self.sink.format.content(&issued) {
            Ok(content) => content,
            // Another token may be writable, and the same one never is.
            Err(why) => return self.fail(why.to_string()),
        };
        let files = match targets(&self.sink, &self.files, self.handle.name()) {
            Ok(files) => files,
            // A look-up that brings a number starts another task.
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
        // The file with the token comes last: who sees it finds the other one.
        writes.reverse();
        match self.calls.write(writes).await {
            Ok(is_in_memory) => self.written(held, expires_at, is_in_memory),
            Err(why) => {
                self.rewrite = Some(self.later());
                self.fail(why);
            }
        }
    }

    fn written(&mut self, held: &Held, expires_at: u64, is_in_memory: bool) {
        let path = &self.shown.path;
        let profile = self.handle.name();
        if self.shown.state == SinkState::Failed {
            info!(%profile, %path, "the file is written again");
        }
        if !is_in_memory && !self.shown.on_disk {
            warn!(%profile, %path, "the file with the token is on a disk, where what was deleted may be read again; a folder on a tmpfs, such as the one of the socket, is better");
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

    /// Shows a failure, and logs it unless it is the same as before.
    fn fail(&mut self, why: String) {
        if self.shown.detail.as_deref() != Some(&why) {
            let (path, profile) = (&self.shown.path, self.handle.name());
            warn!(%profile, %path, "the file is not fresh: {why}");
        }
        self.shown.state = SinkState::Failed;
        self.shown.detail = Some(why);
        self.show();
    }

    /// Removes the file, or says that it stays with a token that has expired.
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
        // A failure says more than that.
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

/// Waits until this moment, or for good.
async fn alarm(clock: &dyn Clock, at: Option<BootInstant>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
