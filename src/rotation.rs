//! State machines for the rotation of a key, without I/O.
//!
//! Each takes the outcome of one action and returns the next action. [`Overlap`] creates a second key and deletes the
//! first one after a grace period; [`InPlace`] has the issuer replace the secret. The executor of either is one loop:
//! ```text
//! loop {
//!     match machine.command() {
//!         Command::End(end) => break end,
//!         command => { let event = perform(command).await; machine.step(boot_clock(), event); }
//!     }
//! }
//! ```
//! The executor runs one command at a time and reports its outcome exactly. It reports `Lost` for every call that the
//! issuer may have executed, and `Unknown` for every write that may still happen; it never reports these two as
//! failures. It holds the rotation's lock from the first command to the end, and the profile's lock for each write.
//! It writes only if the record is still the one that it read. After a restart it makes a new machine from the
//! journal, or from the record if the journal is missing.
//!
//! What keeps it safe:
//! - The record decides. The journal is written before each action that it announces, so it may be ahead of the
//!   record, but never behind it.
//! - The record is judged only when no write to the store is unfinished. So no earlier write can put a key in force
//!   that was deleted since then.
//! - All keys that one rotation creates have the same name. The issuer refuses a call that it executes late while
//!   such a key exists, and the rotation finds a key that is created later by its name: it checks the list a last
//!   time a minute after the last such call.
//! - A key is deleted by its name only if the record has its client ID nowhere.
//!
//! A test searches every reachable state for violations of these rules, and checks the table in [`overlap`].
pub mod command;
pub mod due;
pub mod event;
pub mod grace;
pub mod host;
pub mod in_place;
pub mod names;
pub mod notes;
pub mod overlap;
pub mod pause;
pub mod preflight;
pub mod record;

pub use command::{Change, Command, End};
pub use event::{CallRefusal, Event, ListedKey, Listing, Rights, WriteOutcome};
pub use grace::{Grace, GraceMoment, LoginReading, Terms, Verdict};
pub use in_place::{
    InPlace, InPlaceCommand, InPlaceEnd, InPlaceEvent, InPlaceNotes, SecretHash, Slot,
};
pub use notes::{Notes, Phase, Reason};
pub use overlap::{Overlap, State};
pub use pause::{Pause, WaitReason};
pub use preflight::{RotationRequest, StartRefusal};
pub use record::{KeyRef, RecordView, RotationId};
