//! The rotation of a key as state machines without I/O: an outcome in, the next action out.
//!
//! [`Overlap`] creates a second key and deletes the first one late; [`InPlace`] has the issuer replace the secret. The
//! executor of either is one loop:
//! ```text
//! loop {
//!     match machine.command() {
//!         Command::End(end) => break end,
//!         command => { let event = perform(command).await; machine.step(boot_clock(), event); }
//!     }
//! }
//! ```
//! It performs one command at a time and reports each outcome as it is. "Lost" is every call that may have been
//! executed, `Unknown` every write that may still be made; both are never reported as a failure. It holds the rotation's
//! lock from the first command to the end, and the profile's lock for each write, which is made only if the record is
//! still the one that was read. A restart makes a new machine from the journal, or without one from the record.
//!
//! What keeps it safe:
//! - The record decides. The journal is written before what it announces, so it may be ahead of the record, never
//!   behind.
//! - Before the record is judged, no write to the store is unfinished. So no earlier write can put a key in force that
//!   was deleted since.
//! - Every new key of a rotation bears the same name. A call that is executed late is refused while the key is there,
//!   and what it creates later is found by the name: the last look is a minute after the last such call.
//! - A key is deleted by its name only if the record does not have its client ID in any place.
//!
//! A search through every reachable state checks this, and the table on the page of [`overlap`].
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
pub use event::{Event, ListedKey, Listing, Refused, Rights, Written};
pub use grace::{Grace, Look, Mark, Terms, Verdict};
pub use in_place::{
    InPlace, InPlaceCommand, InPlaceEnd, InPlaceEvent, InPlaceNotes, SecretHash, Slot,
};
pub use notes::{Notes, Phase, Reason};
pub use overlap::{Overlap, State};
pub use pause::{Pause, Why};
pub use preflight::{Refusal, Wanted};
pub use record::{KeyRef, RecordView, RotationId};
