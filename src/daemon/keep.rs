//! Keeps profiles: one task for each, which owns its state, and what others see of it. It names nothing of the daemon outside
//! itself.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`feed`] | what happens to a profile, as one watcher is told | handle roster | clock |
//! | [`roster`] | the profiles by name, and who sees which | handle | |
//! | [`handle`] | a profile as the others see it | jumps keeper | clock |
//! | [`keeper`] | one task a profile, which alone owns its state | attempt bulkhead jumps | clock provider store |
//! | [`attempt`] | one call of an attempt to get a token | bulkhead | clock provider |
//! | [`bulkhead`] | how many calls run at once | | |
//! | [`jumps`] | notices that the machine was suspended or its wall clock set | | clock |

pub mod attempt;
pub mod bulkhead;
pub mod feed;
pub mod handle;
pub mod jumps;
pub mod keeper;
pub mod roster;
