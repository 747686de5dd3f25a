//! The states of a rotation with overlap.

use super::super::command::End;
use super::super::pause::Pause;
use super::super::preflight::Wanted;
use super::super::record::{KeyRef, RecordView};

/// What a rotation does now. Each state but the last asks for one command, and waits for its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// Reads the list before anything is changed.
    Checking(Box<Wanted>),
    /// Writes the journal, which names the phase that begins.
    Noting,
    /// Creates the new key.
    Creating,
    /// Looks for a key that was created although its secret is lost.
    Finding,
    /// Deletes that key.
    Clearing(KeyRef),
    /// Puts the new key beside the one in force.
    Storing(KeyRef),
    /// Gets a token with the new key.
    Proving(KeyRef),
    /// Puts the new key in force.
    Switching,
    /// Waits in the grace period.
    Resting(Pause),
    /// Looks whether the old key is used.
    Looking,
    /// Deletes the old key.
    Deleting,
    /// Puts the old key in force alone.
    Restoring,
    /// Waits until no call of ours can still create a key.
    Lasting(Pause),
    /// Reads the record, for what must not be deleted.
    Guarding,
    /// Looks for keys that this rotation created and the record does not need.
    Sweeping(Box<RecordView>),
    /// Deletes one of them.
    Removing(KeyRef, Box<RecordView>),
    /// Takes the rotation out of the record.
    Finishing,
    /// Removes the journal.
    Closing,
    /// Waits until no write to the store is unfinished.
    Settling,
    /// Reads the record, to go on from what it says.
    Reading,
    /// Waits before it goes on with another state, after a fault or a rejection.
    Pausing(Pause, Box<Self>),
    /// It is over.
    Ended(End),
}

// === impl State ===

impl State {
    /// The state's name, as the table of the module's documentation has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Checking(_) => "Checking",
            Self::Noting => "Noting",
            Self::Creating => "Creating",
            Self::Finding => "Finding",
            Self::Clearing(_) => "Clearing",
            Self::Storing(_) => "Storing",
            Self::Proving(_) => "Proving",
            Self::Switching => "Switching",
            Self::Resting(_) => "Resting",
            Self::Looking => "Looking",
            Self::Deleting => "Deleting",
            Self::Restoring => "Restoring",
            Self::Lasting(_) => "Lasting",
            Self::Guarding => "Guarding",
            Self::Sweeping(_) => "Sweeping",
            Self::Removing(..) => "Removing",
            Self::Finishing => "Finishing",
            Self::Closing => "Closing",
            Self::Settling => "Settling",
            Self::Reading => "Reading",
            Self::Pausing(..) => "Pausing",
            Self::Ended(_) => "Ended",
        }
    }

    /// Whether it asks the issuer for something that can be asked again without harm.
    pub(super) const fn repeats(&self) -> bool {
        matches!(
            self,
            Self::Finding
                | Self::Clearing(_)
                | Self::Proving(_)
                | Self::Looking
                | Self::Deleting
                | Self::Sweeping(_)
                | Self::Removing(..)
        )
    }

    /// Whether it changes the record.
    pub(super) const fn stores(&self) -> bool {
        matches!(
            self,
            Self::Storing(_) | Self::Switching | Self::Restoring | Self::Finishing
        )
    }
}
