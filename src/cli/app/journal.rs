//! The journal of unfinished calls that make keys or secrets, as one command keeps it.

use super::super::output::{Exit, fail, print_note};
use super::session::Session;
use crate::causes::Causes;
use crate::store::{KeyIntent, KeyIntents, ProfileLock, StoreError};

/// How long after a call its effect is looked for, in seconds: a server may execute it late.
pub(super) const PATIENCE: u64 = 3_600;

/// The unfinished calls with one profile's token. The lock keeps other commands from changing them.
pub(super) struct Journal {
    intents: KeyIntents,
    lock: ProfileLock,
}

// === impl Journal ===

impl Journal {
    /// Opens the journal of the session's profile. Waits for another command that makes a key with its token. `nothing`
    /// is the message's beginning if that takes too long.
    pub(super) fn open(session: &Session, nothing: &str) -> Result<Self, Exit> {
        Self::try_open(session)
            .map_err(|error| fail(Exit::Later, format!("{nothing}: {}", Causes(&error))))
    }

    /// Opens it as [`Self::open`] does, but prints nothing.
    pub(super) fn try_open(session: &Session) -> Result<Self, StoreError> {
        Ok(Self {
            intents: KeyIntents::new(&session.target.state, session.target.owner),
            lock: session.stores.lock(&session.name)?,
        })
    }

    /// The unfinished calls.
    pub(super) fn begun(&self) -> Result<Vec<KeyIntent>, StoreError> {
        self.intents.begun(self.lock.profile())
    }

    /// Records that a call begins. The record is on the disk when this returns.
    pub(super) fn begin(&self, intent: &KeyIntent) -> Result<(), StoreError> {
        self.intents.begin(&self.lock, intent.clone())
    }

    /// Records new facts about a call.
    pub(super) fn amend(&self, intent: &KeyIntent) {
        if let Err(error) = self.begin(intent) {
            print_note(format!(
                "warning: the result of a call cannot be recorded: {}",
                Causes(&error)
            ));
        }
    }

    /// Records that a call has ended.
    pub(super) fn end(&self, intent: &KeyIntent) {
        if let Err(error) = self.intents.end(&self.lock, intent) {
            print_note(format!(
                "warning: the end of a call cannot be recorded: {}",
                Causes(&error)
            ));
        }
    }
}

/// Whether the server may still execute the call.
pub(super) fn may_come(intent: &KeyIntent, now: u64) -> bool {
    now <= intent.at.saturating_add(PATIENCE)
}
