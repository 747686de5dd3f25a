//! The journal of calls that have begun, as a command keeps it.

use super::super::output::{Exit, fail, tell};
use super::session::Session;
use crate::causes::Causes;
use crate::store::{KeyIntent, KeyIntents, ProfileLock, StoreError};

/// How long after a call its effect is looked for, in seconds: a server may execute it late.
pub(super) const PATIENCE: u64 = 3_600;

/// The calls with one profile's token, which no other command changes meanwhile.
pub(super) struct Journal {
    intents: KeyIntents,
    lock: ProfileLock,
}

// === impl Journal ===

impl Journal {
    /// Opens that of the session's profile; waits for another command that makes a key with it. `nothing` says what follows
    /// where that takes too long.
    pub(super) fn open(session: &Session, nothing: &str) -> Result<Self, Exit> {
        Self::try_open(session)
            .map_err(|error| fail(Exit::Later, format!("{nothing}: {}", Causes(&error))))
    }

    /// As [`Self::open`], without a word.
    pub(super) fn try_open(session: &Session) -> Result<Self, StoreError> {
        Ok(Self {
            intents: KeyIntents::new(&session.target.state, session.target.owner),
            lock: session.stores.lock(&session.name)?,
        })
    }

    /// The calls that have begun.
    pub(super) fn begun(&self) -> Result<Vec<KeyIntent>, StoreError> {
        self.intents.begun(self.lock.profile())
    }

    /// Writes down that a call begins. It is on the disk when this returns.
    pub(super) fn begin(&self, intent: &KeyIntent) -> Result<(), StoreError> {
        self.intents.begin(&self.lock, intent.clone())
    }

    /// Writes down what has become known of a call.
    pub(super) fn amend(&self, intent: &KeyIntent) {
        if let Err(error) = self.begin(intent) {
            tell(format!(
                "warning: what became of a call cannot be written down: {}",
                Causes(&error)
            ));
        }
    }

    /// Writes down that a call has ended.
    pub(super) fn end(&self, intent: &KeyIntent) {
        if let Err(error) = self.intents.end(&self.lock, intent) {
            tell(format!(
                "warning: that a call has ended cannot be written down: {}",
                Causes(&error)
            ));
        }
    }
}

/// Whether the server may still execute the call.
pub(super) fn may_come(intent: &KeyIntent, now: u64) -> bool {
    now <= intent.at.saturating_add(PATIENCE)
}
