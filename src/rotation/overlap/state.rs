//! The states of a rotation with overlap.

use super::super::command::End;
use super::super::pause::Pause;
use super::super::preflight::RotationRequest;
use super::super::record::{KeyRef, RecordView};

/// The current activity of a rotation. Each state but the last issues one command and waits for its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// Reads the list before anything is changed.
    Checking(Box<RotationRequest>),
    /// Writes the journal, which names the phase that begins.
    Noting,
    /// Creates the new key.
    Creating,
    /// Searches the list for a key that was created although its secret is lost.
    Finding,
    /// Deletes that key.
    Clearing(KeyRef),
    /// Stores the new key as the record's next key.
    Storing(KeyRef),
    /// Gets a token with the new key.
    Proving(KeyRef),
    /// Puts the new key in force.
    Switching,
    /// Waits in the grace period.
    Resting(Pause),
    /// Checks whether the old key is used.
    Looking,
    /// Deletes the old key.
    Deleting,
    /// Makes the old key the only one in the record.
    Restoring,
    /// Waits until the issuer can no longer execute a lost call that creates a key.
    Lasting(Pause),
    /// Reads the record to learn which keys must not be deleted.
    Guarding,
    /// Searches the list for keys that this rotation created and the record does not need.
    Sweeping(Box<RecordView>),
    /// Deletes one of them.
    Removing(KeyRef, Box<RecordView>),
    /// Removes the rotation from the record.
    Finishing,
    /// Removes the journal.
    Closing,
    /// Waits until no write to the store is unfinished.
    Settling,
    /// Reads the record to decide how to continue.
    Reading,
    /// Waits after a fault or a rejection before it continues with another state.
    Pausing(Pause, Box<Self>),
    /// The rotation is over.
    Ended(End),
}

// === impl State ===

impl State {
    /// Returns the state's name, as in the table in the docs of this module.
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

    /// Returns whether the state makes a call to the issuer that can be repeated without harm.
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

    /// Returns whether the state changes the record.
    pub(super) const fn stores(&self) -> bool {
        matches!(
            self,
            Self::Storing(_) | Self::Switching | Self::Restoring | Self::Finishing
        )
    }
}
