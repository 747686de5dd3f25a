//! What status shows of the file of a command.

use crate::daemon::keep::roster::Roster;
use crate::profile::ProfileName;
use crate::wire::{SinkReply, SinkState};

use super::place::Place;

/// Why a command whose user may no longer use the profile has no file.
const REFUSED: &str =
    "the profile's rules no longer let in the command's user, so the file is removed";

/// What status shows of the file of a command.
pub(super) struct Shown {
    place: Place,
    profile: ProfileName,
    reply: SinkReply,
}

/// The token that was put into the file.
pub(super) struct Written {
    pub(super) generation: u64,
    /// In Unix seconds, as all that follows.
    pub(super) expires_at: u64,
    pub(super) at: u64,
    pub(super) on_disk: bool,
}

// === impl Shown ===

impl Shown {
    /// The file of a process, whose token expires then if an earlier daemon has written it.
    pub(super) fn new(
        place: &Place,
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

    /// It holds this token.
    pub(super) fn written(&mut self, written: &Written) {
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

    /// Its token has expired, and it was removed.
    pub(super) fn expired(&mut self) {
        (self.reply.generation, self.reply.expires_at) = (None, None);
        if self.reply.state != SinkState::Failed {
            self.reply.state = SinkState::Removed;
        }
    }

    /// It was removed, since its command may no longer have it.
    pub(super) fn refused(&mut self) {
        self.expired();
        self.failed(REFUSED.to_owned());
    }

    /// It was not written or not removed, for this reason.
    pub(super) fn failed(&mut self, why: String) {
        self.reply.state = SinkState::Failed;
        self.reply.detail = Some(why);
    }

    /// Shows it with the profile, as that is kept now.
    pub(super) fn show(&self, roster: &Roster) {
        if let Some(entry) = roster.all().get(&self.profile) {
            let sinks = entry.handle.sinks();
            sinks.show(&self.place.file(), self.reply.clone());
        }
    }

    /// Says that a lock of the store was acted on.
    pub(super) fn heed(&self, roster: &Roster, locks: u64) {
        if let Some(entry) = roster.all().get(&self.profile) {
            entry.handle.sinks().heed(&self.place.file(), locks);
        }
    }

    /// Shows it no longer.
    pub(super) fn forget(&self, roster: &Roster) {
        if let Some(entry) = roster.all().get(&self.profile) {
            entry.handle.sinks().forget(&self.place.file());
        }
    }
}
