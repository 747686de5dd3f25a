//! State of a command's file, as the profile's status shows it.

use crate::daemon::keep::roster::Roster;
use crate::profile::ProfileName;
use crate::wire::{SinkReply, SinkState};

use super::command_folder::CommandFolder;

/// Detail for a command whose user may no longer use the profile.
const REFUSED: &str =
    "the profile's rules no longer let in the command's user, so the file is removed";

/// State of a command's file, as the profile's status shows it.
pub(super) struct ShownState {
    place: CommandFolder,
    profile: ProfileName,
    reply: SinkReply,
}

/// The token that was written to the file.
pub(super) struct WrittenToken {
    pub(super) generation: u64,
    /// In Unix seconds, like `at`.
    pub(super) expires_at: u64,
    pub(super) at: u64,
    pub(super) on_disk: bool,
}

// === impl Shown ===

impl ShownState {
    /// Creates the state of a process's file. `expires_at` is the expiry of the token in it if an earlier daemon has
    /// written one.
    pub(super) fn new(
        place: &CommandFolder,
        profile: &ProfileName,
        process: i32,
        expires_at: Option<u64>,
    ) -> Self {
        Self {
            place: place.clone(),
            profile: profile.clone(),
            reply: SinkReply {
                state: match expires_at {
                    Some(_) => SinkState::Fresh,
                    None => SinkState::Waiting,
                },
                expires_at,
                process: Some(process),
                ..SinkReply::waiting(&place.file(), "raw")
            },
        }
    }

    /// Records that the file holds this token.
    pub(super) fn written(&mut self, written: &WrittenToken) {
        self.reply = SinkReply {
            state: SinkState::Fresh,
            written_at: Some(written.at),
            generation: Some(written.generation),
            expires_at: Some(written.expires_at),
            on_disk: written.on_disk,
            detail: None,
            ..self.reply.clone()
        };
    }

    /// Records that the token has expired and the file was removed.
    pub(super) fn expired(&mut self) {
        (self.reply.generation, self.reply.expires_at) = (None, None);
        if self.reply.state != SinkState::Failed {
            self.reply.state = SinkState::Removed;
        }
    }

    /// Records that the file was removed because its command may no longer use the profile.
    pub(super) fn refused(&mut self) {
        self.expired();
        self.failed(REFUSED.to_owned());
    }

    /// Records why the file was not written or not removed.
    pub(super) fn failed(&mut self, why: String) {
        self.reply.state = SinkState::Failed;
        self.reply.detail = Some(why);
    }

    /// Shows the state in the status of the profile's current handle.
    pub(super) fn show(&self, roster: &Roster) {
        if let Some(entry) = roster.all().get(&self.profile) {
            let sinks = entry.handle.sinks();
            sinks.show(&self.place.file(), self.reply.clone());
        }
    }

    /// Records with the profile that the file's task has acted on this lock of the store.
    pub(super) fn record_lock(&self, roster: &Roster, locks: u64) {
        if let Some(entry) = roster.all().get(&self.profile) {
            entry.handle.sinks().record_lock(&self.place.file(), locks);
        }
    }

    /// Removes the file from the profile's status.
    pub(super) fn forget(&self, roster: &Roster) {
        if let Some(entry) = roster.all().get(&self.profile) {
            entry.handle.sinks().forget(&self.place.file());
        }
    }
}
